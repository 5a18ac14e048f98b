/* unix_place: where a server of Unix sockets listens: a path, or, after an @, a name that no file has
 * (man 7 unix, abstract). */
#ifndef KERNEL_UNIX_PLACE_H
#define KERNEL_UNIX_PLACE_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

struct unix_place {
    struct sockaddr_un address;
    socklen_t length; /* 0: none */
};

/* Returns 0, or -ENAMETOOLONG when it is longer than the kernel's 107 bytes, -EINVAL when it is empty. */
int unix_place_of(const char *text, struct unix_place *place);

#endif
