/* cmd_server: the server's terminal of the walk-through: one client, and a key to close. With --cause: a
 * server with a bug. */
#include "base/diag.h"
#include "cmd/command.h"
#include "cmd/interactive.h"
#include "cmd/isolation.h"
#include "cmd/option_rules.h"
#include "cmd/serve_cause.h"
#include "kernel/listen_socket.h"

#include <errno.h>
#include <event2/event.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct server_options {
    struct interactive_options end;
    const char *cause; /* NULL: one connection, by hand */
    bool fixed;
    struct isolation isolation;
};

#define OPTION(member) offsetof(struct server_options, member)

static const struct option_row rows[] = {
    {.name = "end", .kind = OPTION_GROUP, .target = OPTION(end), .group = interactive_rows},
    {.name = "cause",
     .value = "NAME",
     .help = "serve with that bug until interrupted: see \"tcpstorm causes\"",
     .kind = OPTION_TEXT,
     .target = OPTION(cause)},
    {.name = "fixed", .help = "serve with that bug fixed", .kind = OPTION_FLAG, .target = OPTION(fixed)},
    {.name = "isolation", .kind = OPTION_GROUP, .target = OPTION(isolation), .group = isolation_rows},
    {.name = NULL},
};

static const struct option_table table = {
    .command = "server", .help = "tcpstorm server --help", .rows = rows, .rules = option_rules};

struct server {
    struct interactive *end;
    struct interactive_options options;
    struct event *acceptable;
    int listener;
};

static int open_listener(const struct interactive_options *options)
{
    int fd = listen_socket_open(&options->address, (uint16_t)options->port, 1);
    if (fd == -EADDRINUSE)
        diag_error("port %lld is in use: choose another --port, here and for the client",
                   (long long)options->port);
    else if (fd < 0)
        diag_error("cannot listen on %s:%lld: %s", address_text(&options->address).text,
                   (long long)options->port, strerror(-fd));
    return fd;
}

static void on_acceptable(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct server *server = context;
    int accepted = accept4((int)fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (accepted < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
        return;
    event_del(server->acceptable);
    close(server->listener); /* one client is enough: a second one is refused */
    server->listener = -1;
    if (accepted < 0) {
        diag_error("accept(): %s", strerror(errno));
        interactive_leave(server->end, EXIT_MACHINE);
        return;
    }
    printf("Client connected on %s:%lld\n", address_text(&server->options.address).text,
           (long long)server->options.port);
    interactive_connected(server->end, accepted);
}

static int serve_one(const struct interactive_options *options)
{
    struct server server = {.options = *options, .listener = -1};
    server.listener = open_listener(&server.options);
    if (server.listener < 0)
        return EXIT_MACHINE;
    int code = EXIT_MACHINE;
    server.end = interactive_new(SIDE_SERVER);
    if (server.end != NULL) {
        server.acceptable = event_new(interactive_base(server.end), server.listener, EV_READ | EV_PERSIST,
                                      on_acceptable, &server);
        event_add(server.acceptable, NULL);
        printf("Listening on %s:%lld\n", address_text(&server.options.address).text,
               (long long)server.options.port);
        code = fflush(stdout) == 0 ? interactive_run(server.end) : EXIT_MACHINE; /* main.c says why */
        event_free(server.acceptable);
    }
    if (server.listener >= 0)
        close(server.listener);
    interactive_free(server.end);
    return code;
}

static int cmd_server(int argc, char *argv[])
{
    struct server_options options = {.end.port = 15000};
    address_parse("127.0.0.1", &options.end.address);
    if (options_parse(&table, argc, argv, &options) != 0)
        return EXIT_USAGE;
    int code = isolation_enter_and_say(&options.isolation);
    if (code != EXIT_AS_EXPECTED)
        return code;
    return options.cause != NULL ? serve_cause(&options.end, options.cause, options.fixed)
                                 : serve_one(&options.end);
}

const struct command server_command = {
    .name = "server",
    .summary = "one connection, by hand: the server's terminal",
    .usage = "server [--option VALUE]...\nserver --cause NAME [--fixed] [--option VALUE]...",
    .notes =
        "Each key is a call: s shutdown(), r close() with an RST, w send(), q quits, any other close().\n",
    .examples =
        {
            {"tcpstorm server", "and \"tcpstorm client\" in another terminal"},
            {"tcpstorm server --cause lost-reference --port 8080", "a server with that bug, for any clients"},
            {"tcpstorm server --cause lost-reference --fixed --port 8080", "the same without it"},
        },
    .options = &table,
    .run = cmd_server,
};
