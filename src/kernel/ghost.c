#include "kernel/ghost.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum tcp_state descriptor_state(int fd)
{
    _Static_assert(offsetof(struct tcp_info, tcpi_state) == 0, "the first byte is all that is asked for");
    uint8_t state;
    socklen_t length = sizeof state;
    bool is_known = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &length) == 0 && state < STATE_COUNT;
    return is_known ? (enum tcp_state)state : STATE_GONE;
}

bool is_ghost(int fd)
{
    return descriptor_state(fd) == STATE_CLOSE;
}
