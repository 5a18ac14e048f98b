#include "analysis/advice.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

struct advice_row {
    const char *call; /* NULL: any */
    int error;
    const char *advice;
};

static const struct advice_row rows[] = {
    {.call = "listen", .error = EADDRINUSE, .advice = "choose other ports with --port"},
    {.call = "listen",
     .error = EACCES,
     .advice = "ports below net.ipv4.ip_unprivileged_port_start need root: choose a higher --port"},
    {.call = "listen",
     .error = EADDRNOTAVAIL,
     .advice = "that host has no such address: choose another --address"},
    {.call = "connect",
     .error = EADDRNOTAVAIL,
     .advice = "no ephemeral port is left: widen net.ipv4.ip_local_port_range or lower --conns"},
    {.call = "connect",
     .error = EADDRINUSE,
     .advice = "no ephemeral port is left: widen net.ipv4.ip_local_port_range or lower --conns"},
    {.call = "connect",
     .error = EHOSTUNREACH,
     .advice = "no route to that --address: check the address and the link"},
    {.call = "connect", .error = ENETUNREACH, .advice = "the client's host has no route to that --address"},
    {.call = "connect", .error = ECONNREFUSED, .advice = "the listener went away"},
    {.call = "connect",
     .error = ETIMEDOUT,
     .advice = "the handshake was not answered: a packet filter, or a server that does not accept"},
    {.call = "close() with SO_LINGER 1",
     .error = EAGAIN,
     .advice =
         "this close() needs a thread, and none can be started: raise the limit on processes (ulimit -u)"},
    {.error = EMFILE,
     .advice = "a worker is out of descriptors: raise the limit (ulimit -n) or lower --conns"},
    {.error = ENFILE, .advice = "the machine is out of descriptors: raise fs.file-max or lower --conns"},
    {.error = ENOBUFS,
     .advice = "the kernel is out of memory for sockets: raise net.ipv4.tcp_mem or lower --conns"},
    {.error = ENOMEM, .advice = "out of memory: lower --conns"},
    {.error = EPERM, .advice = "a packet filter or a security module forbids it"},
};

const char *advice_for(const char *call, int error)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].error == error && (rows[i].call == NULL || strcmp(rows[i].call, call) == 0))
            return rows[i].advice;
    return "";
}
