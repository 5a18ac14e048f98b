#include "cmd/metrics_listener.h"

#include "base/diag.h"
#include "cmd/command.h"
#include "kernel/listen_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { BACKLOG = 128 };

static bool read_address(const char *text, struct metrics_listener *listener)
{
    *listener = (struct metrics_listener){.wanted = true, .text = text};
    return address_parse_with_port(text, &listener->address, &listener->port);
}

int metrics_listener_parse_loopback(const char *text, void *target, char *why, size_t why_size)
{
    struct metrics_listener *listener = target;
    if (read_address(text, listener) && address_is_loopback(&listener->address))
        return 0;
    snprintf(why, why_size, "must be a loopback address with a port, such as 127.0.0.1:9464 or [::1]:9464");
    return -EINVAL;
}

int metrics_listener_parse(const char *text, void *target, char *why, size_t why_size)
{
    if (read_address(text, target))
        return 0;
    snprintf(why, why_size,
             "must be an address of this host with a port, such as 127.0.0.1:9464 or [::1]:9464");
    return -EINVAL;
}

int metrics_listener_open(struct metrics_listener *listener)
{
    if (!listener->wanted)
        return EXIT_AS_EXPECTED;
    listener->listener = listen_socket_open(&listener->address, listener->port, BACKLOG);
    if (listener->listener >= 0)
        return EXIT_AS_EXPECTED;
    diag_error("--metrics \"%s\": %s; choose another %s", listener->text, strerror(-listener->listener),
               listener->listener == -EADDRNOTAVAIL ? "address" : "port");
    return EXIT_MACHINE;
}
