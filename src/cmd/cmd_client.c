/* cmd_client: the client's terminal of the walk-through: one connection, and a key to close it. */
#include "base/diag.h"
#include "cmd/command.h"
#include "cmd/interactive.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(const struct interactive_options *options)
{
    struct sockaddr_storage where;
    socklen_t length = address_to_sockaddr(&options->address, (uint16_t)options->port, &where);
    int fd = socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&where, length) == 0)
        return fd;
    if (errno == ECONNREFUSED)
        diag_error("connection refused: start \"tcpstorm server\" first (nobody listens on %s:%lld)",
                   address_text(&options->address).text, (long long)options->port);
    else
        diag_error("cannot connect to %s:%lld: %s", address_text(&options->address).text,
                   (long long)options->port, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

int cmd_client(int argc, char *argv[])
{
    struct interactive_options options;
    if (interactive_parse(argc, argv, &options) != 0)
        return EXIT_USAGE;
    int fd = connect_to(&options);
    if (fd < 0)
        return EXIT_MACHINE;
    struct interactive *end = interactive_new(SIDE_CLIENT);
    if (end == NULL) {
        close(fd);
        return EXIT_MACHINE;
    }
    printf("Connected to %s:%lld\n", address_text(&options.address).text, (long long)options.port);
    interactive_connected(end, fd);
    int code = interactive_run(end);
    interactive_free(end);
    return code;
}
