/* local_port: a client that connects again from a port that it had.
 *
 * A port may be in use towards other addresses, in TIME_WAIT among others: connect() can share it, and bind()
 * can not (man 2 bind, SO_REUSEADDR: both sides would have had to ask for it). Since Linux 6.3 a socket can
 * tell connect() which port to take (IP_LOCAL_PORT_RANGE); before that it needs one that nobody else has. */
#ifndef KERNEL_LOCAL_PORT_H
#define KERNEL_LOCAL_PORT_H

#include <stdint.h>

/* Before the first connect() of a socket of that family: sees to it that the port can be had again. Returns 0
 * or a negative errno, EADDRINUSE where the kernel is older and has no free port left. */
int local_port_reserve(int fd, int family);

/* The socket's connect() is to go out from that port. Returns 0 or a negative errno; where the port is taken
 * an older kernel says EADDRINUSE here, and a newer one EADDRNOTAVAIL at the connect(). */
int local_port_take(int fd, int family, uint16_t port);

#endif
