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
    {"listen", EADDRINUSE, "choose other lanes with --port"},
    {"listen", EACCES, "ports below net.ipv4.ip_unprivileged_port_start need root: choose a higher --port"},
    {"listen", EADDRNOTAVAIL, "that host has no such address: choose another --address"},
    {"connect", EADDRNOTAVAIL,
     "no ephemeral port is left: widen net.ipv4.ip_local_port_range or lower --conns"},
    {"connect", EADDRINUSE, "no ephemeral port is left: widen net.ipv4.ip_local_port_range or lower --conns"},
    {"connect", EHOSTUNREACH, "no route to that --address: check the address and the link"},
    {"connect", ENETUNREACH, "the client's host has no route to that --address"},
    {"connect", ECONNREFUSED, "the listener went away"},
    {"connect", ETIMEDOUT,
     "the handshake was not answered: a packet filter, or a server that does not accept"},
    {NULL, EMFILE, "a worker is out of descriptors: raise the limit (ulimit -n) or lower --conns"},
    {NULL, ENFILE, "the machine is out of descriptors: raise fs.file-max or lower --conns"},
    {NULL, ENOBUFS, "the kernel is out of memory for sockets: raise net.ipv4.tcp_mem or lower --conns"},
    {NULL, ENOMEM, "out of memory: lower --conns"},
    {NULL, EPERM, "a packet filter or a security module forbids it"},
};

const char *advice_for(const char *call, int error)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].error == error && (rows[i].call == NULL || strcmp(rows[i].call, call) == 0))
            return rows[i].advice;
    return "";
}
