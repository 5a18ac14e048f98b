/* keepalive: the kernel asks a silent peer whether it is still there (SO_KEEPALIVE, man 7 tcp). */
#ifndef KERNEL_KEEPALIVE_H
#define KERNEL_KEEPALIVE_H

#include <stdint.h>

enum {
    KEEPALIVE_IDLE_MAX_S = 32767, /* MAX_TCP_KEEPIDLE in include/net/tcp.h of the kernel */
    KEEPALIVE_INTERVAL_S = 1,     /* between probes that are not answered */
    KEEPALIVE_PROBES = 3,         /* so many of them, and the connection is given up: ETIMEDOUT */
};

/* From now on the socket sends a probe whenever its peer has been silent for idle_s seconds, 1 to
 * KEEPALIVE_IDLE_MAX_S; 0: nothing is set. What a listener accepts inherits it. Returns 0 or a negative
 * errno. */
int keepalive_begin(int fd, int64_t idle_s);

#endif
