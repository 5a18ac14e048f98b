/* machine_limit: errors that say what the machine has no room for now, and nothing of what was asked. */
#ifndef BASE_MACHINE_LIMIT_H
#define BASE_MACHINE_LIMIT_H

#include <errno.h>
#include <stdbool.h>

/* Of a negative errno. What failed with it may work when it is tried again. */
static inline bool is_machine_limit(int error)
{
    return error == -ENOMEM || error == -ENOBUFS || error == -EMFILE || error == -ENFILE;
}

#endif
