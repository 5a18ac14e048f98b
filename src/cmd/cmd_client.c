/* cmd_client: the client's terminal of the walk-through: one connection, and a key to close it. */
#include "base/diag.h"
#include "cmd/command.h"
#include "cmd/interactive.h"
#include "cmd/option_rules.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct option_table table = {
    .command = "client", .help = "tcpstorm client --help", .rows = interactive_rows, .rules = option_rules};

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

static int cmd_client(int argc, char *argv[])
{
    struct interactive_options options = {.port = 15000};
    address_parse("127.0.0.1", &options.address);
    if (options_parse(&table, argc, argv, &options) != 0)
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

const struct command client_command = {
    .name = "client",
    .summary = "one connection, by hand: the client's terminal",
    .usage = "client [--option value ...]",
    .notes =
        "Each key is a call: s shutdown(), r close() with an RST, w send(), q leaves, any other close().\n",
    .examples =
        {
            {"tcpstorm client", "to \"tcpstorm server\" in another terminal"},
            {"tcpstorm client --address ::1 --port 8080", "to one that listens there"},
        },
    .options = &table,
    .run = cmd_client,
};
