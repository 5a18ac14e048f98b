/* A line of /proc/net/tcp or /proc/net/tcp6. */
#include "fuzz.h"

#include "kernel/proc_net_tcp.h"

#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int families[] = {AF_INET, AF_INET6};
    char *line = text_of(data, size);
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        struct socket_entry entry = {0};
        if (proc_net_tcp_parse(line, families[i], &entry) == 0 &&
            (entry.state == STATE_GONE || entry.state >= STATE_COUNT))
            abort();
    }
    free(line);
    return 0;
}
