/* socket_iterator: a look whose sockets the kernel counts by itself (BPF, iter/tcp), in the place of a
 * message for each. It tells what witness_look tells by netlink; details of a socket it has none. */
#ifndef EVENTS_SOCKET_ITERATOR_H
#define EVENTS_SOCKET_ITERATOR_H

#include "kernel/witness.h"

/* How a witness is told to count so, where it can. */
#define SOCKET_ITERATOR_NAME "iterator"

struct socket_iterator;

/* Needs the rights that events need. NULL: it cannot be had here, with the reason as a negative errno in
 * *error. */
struct socket_iterator *socket_iterator_open(int *error);

/* Counts both ends of every connection on the lanes, in the network namespace of whoever calls. Returns 0 or
 * a negative errno; -ENOTSUP: servers on several addresses. */
int socket_iterator_look(struct socket_iterator *iterator, const struct look_target *target,
                         struct histogram sides[SIDE_COUNT]);

/* NULL is allowed. */
void socket_iterator_close(struct socket_iterator *iterator);

#endif
