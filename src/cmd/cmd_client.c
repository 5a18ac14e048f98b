/* cmd_client: the client's terminal of the walk-through: one connection, and a key to close it. With --cause:
 * a client with a bug. */
#include "base/diag.h"
#include "base/number_text.h"
#include "cmd/audit_request.h"
#include "cmd/client_cause.h"
#include "cmd/command.h"
#include "cmd/interactive.h"
#include "cmd/option_rules.h"
#include "cmd/played_cause.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PORT = 15000,
    RATE = 100,
    RATE_MAX = 1000000,
    REMOTE_CONNS = 1000,
    REQUEST_MOST = 16384, /* a send buffer that is empty takes it at once */
    MS_PER_S = 1000,
    DAY_MS = 24 * 3600 * MS_PER_S,
};

struct client_options {
    struct interactive_options end; /* port 0, address family 0: not given */
    const char *cause;              /* NULL: one connection, by hand */
    bool fixed, allow_remote;
    int64_t rate; /* 0: not given */
    int64_t duration_ms;
    struct audit_options asked; /* its target, request and addresses */
};

#define OPTION(member) offsetof(struct client_options, member)

static const struct option_row rows[] = {
    {.name = "end", .kind = OPTION_GROUP, .target = OPTION(end), .group = interactive_rows},
    {.name = "cause",
     .value = "NAME",
     .help = "be a client with that bug, to HOST:PORT: see \"tcpstorm causes\"",
     .more = "Play a client with that bug of CAUSES against the server HOST:PORT; only bugs of clients can "
             "be played. At the end it reports what it has seen and resets the connections that it holds. "
             "The exit status is 0 when it was played to the end, whether or not the bug shows: that depends "
             "on the server too.",
     .kind = OPTION_TEXT,
     .target = OPTION(cause)},
    {.name = "fixed",
     .help = "with --cause: the same without the bug",
     .kind = OPTION_FLAG,
     .target = OPTION(fixed)},
    {.name = "rate",
     .value = "N",
     .help = "with --cause: requests a second",
     .preset = "100",
     .kind = OPTION_COUNT,
     .target = OPTION(rate),
     .min = 1,
     .max = RATE_MAX},
    {.name = "duration",
     .value = "TIME",
     .help = "with --cause: how long",
     .preset = "10s",
     .more = "With --cause: how long to play. To show keep-alive-race it has to be longer than the server "
             "keeps an idle connection, which the client measures.",
     .kind = OPTION_DURATION,
     .target = OPTION(duration_ms),
     .min = 1,
     .max = DAY_MS},
    {.name = "request", .kind = OPTION_GROUP, .target = OPTION(asked), .group = audit_request_rows},
    {.name = "allow-remote",
     .help = "with --cause: allow a server outside loopback",
     .more = "With --cause: allow a server outside loopback, with at most 1,000 connections unless --rate is "
             "given.",
     .kind = OPTION_FLAG,
     .target = OPTION(allow_remote)},
    {.name = NULL},
};

static const struct option_words words[] = {
    {.name = "send", .help = "with --cause: send these bytes as the request"},
    {.name = "http", .help = "with --cause: send an HTTP GET for this path as the request", .preset = "/"},
    {.name = NULL},
};

static const struct option_table table = {.command = "client",
                                          .help = "tcpstorm client --help",
                                          .rows = rows,
                                          .words = words,
                                          .rules = option_rules,
                                          .operand = "server",
                                          .operand_target = OPTION(asked.target)};

/* ---- by hand ---- */

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

static int by_hand(const struct interactive_options *options)
{
    int fd = connect_to(options);
    if (fd < 0)
        return EXIT_MACHINE;
    struct interactive *end = interactive_new(SIDE_CLIENT);
    if (end == NULL) {
        close(fd);
        return EXIT_MACHINE;
    }
    printf("Connected to %s:%lld\n", address_text(&options->address).text, (long long)options->port);
    interactive_connected(end, fd);
    int code = interactive_run(end);
    interactive_free(end);
    return code;
}

/* ---- with a bug ---- */

static const struct target_taker client_target = {.command = "client"};

static int take_target(struct client_options *options, bool is_placed)
{
    const char *text = options->asked.target;
    if (is_placed && text != NULL)
        return target_refuse(&client_target, text, "give either --address and --port, or HOST:PORT");
    if (text != NULL)
        return target_take(&client_target, text, &options->asked.settings, &options->asked.addresses);
    options->asked.settings.address = options->end.address;
    options->asked.settings.port = (uint16_t)options->end.port;
    return EXIT_AS_EXPECTED;
}

static int check_remote(const struct client_options *options)
{
    const struct audit_settings *settings = &options->asked.settings;
    int64_t rate = options->rate != 0 ? options->rate : RATE;
    int64_t conns = rate * options->duration_ms / MS_PER_S;
    if (conns < 1) {
        diag_error("--rate %s for --duration %s opens no connection: raise one of them", grouped(rate).text,
                   duration_text(options->duration_ms).text);
        return EXIT_USAGE;
    }
    if (address_is_loopback(&settings->address))
        return EXIT_AS_EXPECTED;
    if (!options->allow_remote)
        return target_refuse(&client_target, settings->target,
                             "it is outside loopback: add --allow-remote if you may put load on that server");
    if (conns > REMOTE_CONNS && options->rate == 0) {
        diag_error("--duration \"%s\": outside loopback there can be at most %s connections, unless you "
                   "choose a --rate",
                   duration_text(options->duration_ms).text, grouped(REMOTE_CONNS).text);
        return EXIT_USAGE;
    }
    diag_note("about to open %s, %s a second, to %s", counted(conns, "connection").text, grouped(rate).text,
              settings->target);
    return EXIT_AS_EXPECTED;
}

/* Owned by options->asked. */
static int take_request(struct client_options *options, char *place, size_t place_size)
{
    struct audit_options *asked = &options->asked;
    snprintf(place, place_size, "%s:%u", address_text(&asked->settings.address).text, asked->settings.port);
    if (asked->settings.target == NULL)
        asked->settings.target = place;
    if (asked->send == NULL && asked->http == NULL)
        asked->http = "/";
    int code = audit_request_take(asked);
    if (code != EXIT_AS_EXPECTED || asked->settings.request_length <= REQUEST_MOST)
        return code;
    diag_error("the request has %s bytes: with --cause it must have at most %s",
               grouped((int64_t)asked->settings.request_length).text, grouped(REQUEST_MOST).text);
    return EXIT_USAGE;
}

static int with_bug(struct client_options *options, bool is_placed)
{
    char place[64];
    const struct audit_settings *settings = &options->asked.settings;
    const struct fault_case *cause = played_cause_find(options->cause, SIDE_CLIENT);
    if (cause == NULL)
        return EXIT_USAGE;
    int code = take_target(options, is_placed);
    if (code == EXIT_AS_EXPECTED)
        code = take_request(options, place, sizeof place);
    if (code == EXIT_AS_EXPECTED)
        code = check_remote(options);
    if (code == EXIT_AS_EXPECTED)
        code = client_cause(&(struct client_cause){.cause = cause,
                                                   .fixed = options->fixed,
                                                   .address = settings->address,
                                                   .port = settings->port,
                                                   .rate = options->rate != 0 ? options->rate : RATE,
                                                   .duration_ms = options->duration_ms,
                                                   .request = settings->request,
                                                   .request_length = settings->request_length});
    free(options->asked.request);
    return code;
}

static int cmd_client(int argc, char *argv[])
{
    struct client_options options = {.duration_ms = 10 * MS_PER_S};
    if (options_parse(&table, argc, argv, &options) != 0)
        return EXIT_USAGE;
    bool is_placed = options.end.port != 0 || options.end.address.family != 0;
    if (options.end.port == 0)
        options.end.port = PORT;
    if (options.end.address.family == 0)
        address_parse("127.0.0.1", &options.end.address);
    if (options.cause != NULL)
        return with_bug(&options, is_placed);
    return options.asked.target == NULL
               ? by_hand(&options.end)
               : target_refuse(&client_target, options.asked.target,
                               "HOST:PORT needs --cause; without it there are only options, --name value");
}

const struct command client_command = {
    .name = "client",
    .summary = "one connection, by hand: the client's terminal",
    .usage = "client [--option VALUE]...\nclient --cause NAME HOST:PORT [--fixed] [--option VALUE]...",
    .notes =
        "Each key is a call: s shutdown(), r close() with an RST, w send(), q quits, any other close().\n"
        "With --cause each request is \"GET / HTTP/1.1\", unless --http or --send is given.\n",
    .examples =
        {
            {"tcpstorm client", "to \"tcpstorm server\" in another terminal"},
            {"tcpstorm client --address ::1 --port 8080", "to a server that listens there"},
            {"tcpstorm client --cause dead-pool-entry localhost:8080",
             "a pool that misses your server's close"},
            {"tcpstorm client --cause keep-alive-race localhost:8080 --duration 1m",
             "requests that cross your server's close()"},
        },
    .options = &table,
    .run = cmd_client,
};
