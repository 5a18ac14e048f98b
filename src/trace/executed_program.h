/* executed_program: what the file is like that a traced process executes now. */
#ifndef TRACE_EXECUTED_PROGRAM_H
#define TRACE_EXECUTED_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

struct executed_program {
    bool is_foreign; /* of another machine's calls than ours are, as a 32-bit program's */
    bool lacks_user; /* the file says that it runs as another user or group, or with rights of its own
                        (capabilities), and the process does not */
};

/* What cannot be read is not so. */
struct executed_program executed_program_of(pid_t pid);

#endif
