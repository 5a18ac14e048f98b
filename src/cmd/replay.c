#include "cmd/replay.h"

#include "base/clock.h"
#include "base/diag.h"
#include "base/number_text.h"
#include "base/output.h"
#include "base/text.h"
#include "cmd/audit_request.h"
#include "cmd/audit_target.h"
#include "cmd/command.h"
#include "cmd/replay_ends.h"
#include "control/stop_events.h"
#include "kernel/host_limits.h"
#include "watch/listening_ports.h"
#include "watch/watch.h"
#include "worker/connector.h"

#include <errno.h>
#include <event2/event.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECT_TIMEOUT_US = 5000000,
    RATE_UNIT = 1000, /* a connector's rates are in 1,000 s */
    CONNS_MOST = 10000000,
    REQUEST_MOST = 16384,  /* a send buffer that is empty takes it at once */
    LOOK_SHARE = 10,       /* looks take at most this part of the time */
    LOOKS_TRIED = 5,       /* of tables that change meanwhile */
    PROGRESS_US = 1000000, /* between two lines of it */
    SURE_OF = 3,           /* so many must be expected to be left where none being left is to say something */
};

struct replay {
    struct replay_clients clients; /* the first member */
    const struct replay_wish *wish;
    struct recording recording;
    const struct recorded_port *port;
    struct address address;
    uint16_t server_port;
    char *request;
    pid_t server; /* our own; 0: there is none */

    struct connector connector;
    struct stop_events stops;
    struct event *segment, *look;
    struct watch *watch;
    size_t next_point;
    int64_t began_us, planned;
    double lasts_s;

    const struct witness_backend *witness;
    int64_t close_wait, close_wait_before, least_open; /* of the server, by the last glance */
    int64_t since_us, told_us; /* since when it has not closed any; the last progress */
    int64_t before, held;      /* CLOSE_WAIT and ghosts of the server: at first, by the last whole look */
    struct watch_look seen;
    bool has_ghosts;
    bool has_failed, is_interrupted, is_over;
};

/* ---- what comes ---- */

/* So many of a point's connections are in the time that is played. */
static int64_t part_of(const struct replay *replay, const struct recorded_point *point)
{
    double begin_s = point->t_s - point->over_s, end_s = point->t_s;
    if (replay->lasts_s >= end_s || point->over_s <= 0)
        return replay->lasts_s >= end_s ? point->came : 0;
    double part = (replay->lasts_s - begin_s) / point->over_s;
    return part > 0 ? (int64_t)((double)point->came * part) : 0;
}

static int64_t count_planned(const struct replay *replay)
{
    int64_t count = 0;
    for (size_t i = 0; i < replay->port->point_count; i++)
        count += part_of(replay, &replay->port->points[i]);
    return count;
}

static int64_t us_until(const struct replay *replay, double t_s)
{
    return replay->began_us + (int64_t)(t_s * 1e6) - monotonic_us();
}

/* The next row of arrivals: what the last one has left comes with it. */
static void on_segment(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct replay *replay = context;
    struct connector *connector = &replay->connector;
    const struct recorded_port *port = replay->port;
    while (replay->next_point < port->point_count) {
        const struct recorded_point *point = &port->points[replay->next_point];
        if (point->t_s - point->over_s >= replay->lasts_s) {
            replay->next_point = port->point_count;
            return;
        }
        int64_t wait_us = us_until(replay, point->t_s - point->over_s);
        if (wait_us > 0) {
            struct timeval wait = timeval_of_us(wait_us);
            evtimer_add(replay->segment, &wait);
            return;
        }
        replay->next_point++;
        int64_t left = connector->pacer.total - connector->pacer.next;
        int64_t count = part_of(replay, point) + left;
        double over_s = point->over_s > 0.001 ? point->over_s : 0.001;
        if (count > 0)
            connector_begin(connector, count, (int64_t)ceil((double)count / over_s * RATE_UNIT),
                            CONNECT_TIMEOUT_US);
    }
}

static void on_failure(void *owner, const char *call, int error, uint16_t port)
{
    struct replay *replay = owner;
    replay->has_failed = true;
    diag_progress_clear();
    if (error == EADDRNOTAVAIL)
        diag_error("%s() to port %u: %s: no port is left for clients; a shorter --duration needs fewer", call,
                   port, strerror(error));
    else
        diag_error("%s() to port %u: %s: the recording was not played to its end", call, port,
                   strerror(error));
    event_base_loopbreak(replay->clients.endpoint.base);
}

/* ---- what is left ---- */

static int count_close_wait(void *context, const struct socket_entry *entry)
{
    struct replay *replay = context;
    replay->close_wait += entry->state == STATE_CLOSE_WAIT && entry->local_port == replay->server_port;
    return 0;
}

/* The tables alone: cheap, and enough to know when it is time for a whole look. */
static int glance(struct replay *replay)
{
    const struct port_range only = {replay->server_port, replay->server_port};
    replay->close_wait = 0;
    return replay->witness->each(replay->address.family, &only, count_close_wait, replay);
}

static int64_t held_in(const struct replay *replay, const struct watch_look *look)
{
    int64_t held = 0;
    const struct watch_rows *rows = &look->sets[WATCH_PORTS];
    for (int i = 0; i < rows->count; i++)
        if (rows->each[i].key.side != SIDE_CLIENT &&
            (rows->each[i].key.port == replay->server_port || rows->each[i].key.port == 0))
            held += rows->each[i].of[STATE_CLOSE_WAIT] + rows->each[i].of[STATE_GONE];
    return held;
}

/* With all descriptors: only this tells of ghosts. */
static int take_look(struct replay *replay)
{
    int rc = -EINTR;
    for (int i = 0; i < LOOKS_TRIED && rc == -EINTR; i++)
        rc = watch_take(replay->watch, true, &replay->seen);
    if (rc == 0)
        replay->held = held_in(replay, &replay->seen);
    return rc;
}

static bool have_all_come(const struct replay *replay)
{
    return replay->next_point == replay->port->point_count && connector_is_over(&replay->connector) &&
           replay->clients.endpoint.ended == replay->clients.endpoint.begun;
}

static void tell_progress(struct replay *replay, int64_t now_us)
{
    if (now_us - replay->told_us < PROGRESS_US)
        return;
    replay->told_us = now_us;
    diag_progress("%.0f of %.0f s: %s of %s connections, the server has %s in CLOSE_WAIT",
                  (double)(now_us - replay->began_us) / 1e6, replay->lasts_s,
                  grouped(replay->clients.endpoint.begun).text, grouped(replay->planned).text,
                  grouped(replay->close_wait).text);
}

static void fail_to_look(struct replay *replay, int rc)
{
    diag_progress_clear();
    diag_error("the kernel's sockets cannot be read: %s", strerror(-rc));
    replay->has_failed = true;
    event_base_loopbreak(replay->clients.endpoint.base);
}

static void look_again(struct replay *replay, int64_t took_us)
{
    int64_t rest_us = LOOK_SHARE * took_us, interval_us = replay->wish->interval_ms * 1000;
    struct timeval wait = timeval_of_us(rest_us > interval_us ? rest_us : interval_us);
    evtimer_add(replay->look, &wait);
}

/* The server has had its time to close: none has been closed for that long, or none is left. */
static bool has_settled(struct replay *replay, int64_t now_us)
{
    int64_t open = replay->close_wait;
    if (!have_all_come(replay) || replay->since_us == 0 || open < replay->least_open) {
        replay->since_us = now_us;
        replay->least_open = open;
    }
    return have_all_come(replay) && (now_us - replay->since_us >= replay->wish->settle_ms * 1000 ||
                                     (open <= replay->close_wait_before && !replay->has_ghosts));
}

/* Where no CLOSE_WAIT is left ghosts may be: these get their time too. */
static void on_look(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct replay *replay = context;
    int64_t now_us = monotonic_us();
    output_push_all();
    connector_give_up_old(&replay->connector);
    int rc = glance(replay);
    bool has_settled_now = rc == 0 && has_settled(replay, now_us);
    bool is_late = has_settled_now && now_us - replay->since_us >= replay->wish->settle_ms * 1000;
    if (has_settled_now)
        rc = take_look(replay);
    if (rc != 0 && rc != -EINTR) {
        fail_to_look(replay, rc);
        return;
    }
    tell_progress(replay, now_us);
    replay->has_ghosts = has_settled_now && replay->held > replay->before;
    replay->is_over = has_settled_now && rc == 0 && (is_late || !replay->has_ghosts);
    if (replay->is_over)
        event_base_loopbreak(replay->clients.endpoint.base);
    else
        look_again(replay, monotonic_us() - now_us);
}

static void on_stop(evutil_socket_t number, short what, void *context)
{
    (void)number;
    (void)what;
    struct replay *replay = context;
    replay->is_interrupted = true;
    diag_progress_clear();
    diag_error("interrupted: quitting");
    event_base_loopbreak(replay->clients.endpoint.base);
}

/* ---- what it comes to ---- */

static double recorded_share(const struct replay *replay)
{
    int64_t came = recorded_came(replay->port);
    return came > 0 ? fmin((double)recorded_growth(replay->port) / (double)came, 1) : 0;
}

static int tell_no_verdict(const char *why)
{
    diag_error("no verdict: %s", why);
    return EXIT_MACHINE;
}

/* None is left; does that say anything? */
static int judge_none_left(const struct replay *replay)
{
    const struct replay_clients *clients = &replay->clients;
    int64_t begun = clients->endpoint.begun, errors = clients->endpoint.errors;
    double expected = recorded_share(replay) * (double)clients->closed;
    char why[320];
    if (replay->seen.ghosts_error != 0 || replay->seen.unlooked > 0)
        return tell_no_verdict("ghosts (descriptors whose socket is in no table) of the server could not be "
                               "counted: this user may not inspect it");
    if (begun == 0 && replay->planned > 0)
        return tell_no_verdict("no connection was established");
    if (errors > begun / 10) {
        snprintf(why, sizeof why, "%s of %s %s not established", grouped(errors).text,
                 counted(errors + begun, "connection").text, one_or_many(errors, "was", "were"));
        return tell_no_verdict(why);
    }
    if (recorded_growth(replay->port) > 0 && clients->left_by_server > begun / 2) {
        snprintf(why, sizeof why,
                 "the server ended %s of %s before their clients did, so it had little to leave open; --send "
                 "sends it a request that keeps it busy",
                 grouped(clients->left_by_server).text, counted(begun, "connection").text);
        return tell_no_verdict(why);
    }
    if (recorded_growth(replay->port) > 0 && expected < SURE_OF) {
        snprintf(why, sizeof why,
                 "the recorded server left %s of %s connections open: that none of the %s played is left "
                 "proves nothing; replay a longer recording, or more of it",
                 grouped(recorded_growth(replay->port)).text, grouped(recorded_came(replay->port)).text,
                 grouped(clients->closed).text);
        return tell_no_verdict(why);
    }
    return EXIT_AS_EXPECTED;
}

static void say_result(const struct replay *replay, int64_t left)
{
    int64_t growth = recorded_growth(replay->port), came = recorded_came(replay->port);
    int64_t begun = replay->clients.endpoint.begun;
    printf("Played:    %s of %s in %.1f s, each open for as long as one in the recording.\n",
           grouped(begun).text, counted(replay->planned, "connection").text,
           (double)(monotonic_us() - replay->began_us) / 1e6);
    printf("Recorded:  %s of %s %s not closed by the server.\n", grouped(growth).text,
           counted(came, "connection").text, one_or_many(growth, "was", "were"));
    printf("Now:       %s of %s %s not closed: CLOSE_WAIT or ghosts.\n", grouped(left).text,
           grouped(begun).text, one_or_many(left, "is", "are"));
    if (left == 0)
        return;
    double now = begun > 0 ? (double)left / (double)begun : 0, then = recorded_share(replay);
    if (growth == 0)
        printf("The server leaves connections open that it closed in the recording.\n");
    else if (now >= then / 2)
        printf("They pile up as in the recording.\n");
    else
        printf("They are fewer than in the recording (%.1f%% instead of %.1f%%), but still pile up.\n",
               now * 100, then * 100);
}

static int judge(const struct replay *replay)
{
    int64_t left = replay->held - replay->before;
    left = left > 0 ? left : 0;
    if (!replay->wish->quiet)
        say_result(replay, left);
    return left > 0 ? EXIT_DIFFERS : judge_none_left(replay);
}

/* ---- beginning ---- */

static int refuse_recording(const struct replay *replay, const char *why)
{
    diag_error("--replay \"%s\": %s", replay->wish->recording, why);
    return EXIT_USAGE;
}

static int read_recording(struct replay *replay)
{
    struct recording_error why;
    int rc = recording_read(replay->wish->recording, &replay->recording, &why);
    if (rc == -ENOMEM) {
        diag_error("--replay \"%s\": %s", replay->wish->recording, why.text);
        return EXIT_MACHINE;
    }
    if (rc != 0)
        return refuse_recording(replay, why.text);
    replay->port = recording_busiest(&replay->recording, SIDE_SERVER);
    const struct recorded_port *other = recording_busiest(&replay->recording, SIDE_CLIENT);
    if (replay->port == NULL)
        return refuse_recording(replay, "it has no connection to a server: there is nothing to play");
    if (other != NULL && recorded_growth(replay->port) == 0 && recorded_growth(other) > 0)
        return refuse_recording(
            replay,
            "the connections that were not closed in it belong to clients, and a replay tests servers");
    double all_s = replay->recording.span_s, asked_s = (double)replay->wish->duration_ms / 1e3;
    replay->lasts_s = asked_s > 0 && asked_s < all_s ? asked_s : all_s;
    replay->planned = count_planned(replay);
    if (replay->planned == 0)
        return refuse_recording(replay, "no connection came in the part that --duration leaves of it");
    return replay->planned > CONNS_MOST ? refuse_recording(replay, "it has more than 10,000,000 connections")
                                        : EXIT_AS_EXPECTED;
}

/* It must be one whose sockets the kernel shows here. */
static int find_server(struct replay *replay)
{
    static const struct target_taker taker = {.command = "--server"};
    const char *text = replay->wish->server;
    struct audit_settings settings = {.target = text};
    struct target_addresses all = {.count = 0};
    int code = target_take(&taker, text, &settings, &all);
    if (code != EXIT_AS_EXPECTED)
        return code;
    replay->address = settings.address;
    replay->server_port = settings.port;
    struct listening_ports listening = {.count = 0};
    int rc = listening_ports_find(&listening);
    bool listens = rc == 0 && listening_ports_at(&listening, settings.port) != NULL;
    listening_ports_free(&listening);
    if (listens)
        return EXIT_AS_EXPECTED;
    diag_error(
        "--server \"%s\": %s", text,
        rc != 0
            ? strerror(-rc)
            : "nobody listens on that port in this network namespace, where its sockets would be counted");
    return EXIT_MACHINE;
}

static int start_server(struct replay *replay)
{
    const struct recorded_point *last = &replay->port->points[replay->port->point_count - 1];
    int64_t came = recorded_came(replay->port), growth = recorded_growth(replay->port);
    const struct replay_server server = {.leak = {.count = replay->wish->fixed ? 0
                                                           : growth < came     ? growth
                                                                               : came,
                                                  .of = came},
                                         .reads = last->unread * 2 <= last->close_wait};
    address_parse("127.0.0.1", &replay->address);
    replay->server_port = replay->wish->port;
    fflush(stdout);
    pid_t pid = replay_server_start(&server, &replay->address, &replay->server_port);
    if (pid > 0) {
        replay->server = pid;
        return EXIT_AS_EXPECTED;
    }
    if (pid == -EADDRINUSE)
        diag_error("port %u is in use: choose another with --port", replay->wish->port);
    else
        diag_error("the server cannot be started: %s", strerror(-pid));
    return EXIT_MACHINE;
}

static int read_request(struct replay *replay)
{
    struct endpoint *endpoint = &replay->clients.endpoint;
    if (replay->wish->send == NULL)
        return EXIT_AS_EXPECTED;
    replay->request = audit_read_file("send", replay->wish->send, &endpoint->request_length);
    if (replay->request == NULL)
        return EXIT_USAGE;
    endpoint->request = replay->request;
    if (endpoint->request_length <= REQUEST_MOST)
        return EXIT_AS_EXPECTED;
    diag_error("--send \"%s\": must be a file of at most %s bytes with --replay", replay->wish->send,
               grouped(REQUEST_MOST).text);
    return EXIT_USAGE;
}

static void say_plan(const struct replay *replay)
{
    const struct recorded_port *port = replay->port;
    if (replay->wish->quiet)
        return;
    printf("Recording: %s, port %u%s%s, %.0f s, %s came%s\n", replay->recording.began, port->port,
           port->command[0] != '\0' ? " of " : "", port->command, replay->recording.span_s,
           counted(recorded_came(port), "connection").text,
           replay->recording.has_news ? "" : "; connections shorter than a look were not seen");
    if (replay->recording.cause[0] != '\0')
        printf("Explained: as in \"tcpstorm causes %s\"\n", replay->recording.cause);
    printf("Server:    %s:%u%s\n", address_text(&replay->address).text, replay->server_port,
           replay->server == 0         ? ""
           : replay->wish->fixed       ? ", our own, which closes all"
           : recorded_growth(port) > 0 ? ", our own, which leaves open what the recorded one left open"
                                       : ", our own");
}

/* ---- the run ---- */

static int open_watch(struct replay *replay)
{
    int error = 0;
    const struct watch_settings settings = {.port = replay->server_port};
    replay->watch = watch_new(&settings, &error);
    replay->witness = witness_choose(0, &error);
    int rc = replay->watch != NULL && replay->witness != NULL ? take_look(replay) : error;
    rc = rc == 0 ? glance(replay) : rc;
    replay->before = replay->held;
    replay->close_wait_before = replay->close_wait;
    if (rc == 0)
        return EXIT_AS_EXPECTED;
    diag_error("the kernel's sockets cannot be read: %s", strerror(-rc));
    return EXIT_MACHINE;
}

static void begin(struct replay *replay)
{
    static const struct timeval at_once = {0, 0};
    struct event_base *base = replay->clients.endpoint.base;
    stop_events_open(&replay->stops, base, on_stop, replay);
    connector_start(&replay->connector, &replay->clients.endpoint, on_failure, replay);
    connector_add_destination(&replay->connector, &replay->address, replay->server_port);
    replay->began_us = monotonic_us();
    replay->segment = evtimer_new(base, on_segment, replay);
    replay->look = evtimer_new(base, on_look, replay);
    evtimer_add(replay->segment, &at_once);
    look_again(replay, 0);
}

static void end(struct replay *replay)
{
    connector_halt(&replay->connector);
    connector_stop(&replay->connector);
    event_free(replay->segment);
    event_free(replay->look);
    stop_events_close(&replay->stops);
}

static int run(struct replay *replay)
{
    struct endpoint *endpoint = &replay->clients.endpoint;
    replay->clients.port = replay->port;
    endpoint->behaviour = &replayed_client;
    host_raise_nofile();
    int code = open_watch(replay);
    if (code != EXIT_AS_EXPECTED)
        return code;
    endpoint->base = event_base_new();
    int rc = endpoint->base != NULL ? endpoint_start(endpoint) : -ENOMEM;
    if (rc != 0) {
        diag_error("cannot start: %s", strerror(-rc));
        return EXIT_MACHINE;
    }
    begin(replay);
    event_base_dispatch(endpoint->base);
    diag_progress_clear();
    end(replay);
    if (replay->is_interrupted && !replay->wish->quiet && take_look(replay) == 0)
        say_result(replay, replay->held > replay->before ? replay->held - replay->before : 0);
    code = replay->is_interrupted                   ? EXIT_INTERRUPTED
           : replay->has_failed || !replay->is_over ? EXIT_MACHINE
                                                    : judge(replay);
    endpoint_stop(endpoint);
    return code;
}

int replay_play(const struct replay_wish *wish)
{
    struct replay *replay = calloc(1, sizeof *replay);
    if (replay == NULL) {
        diag_error("out of memory");
        return EXIT_MACHINE;
    }
    replay->wish = wish;
    signal(SIGPIPE, SIG_IGN);
    int code = read_recording(replay);
    if (code == EXIT_AS_EXPECTED)
        code = read_request(replay);
    if (code == EXIT_AS_EXPECTED)
        code = wish->server != NULL ? find_server(replay) : start_server(replay);
    if (code == EXIT_AS_EXPECTED) {
        say_plan(replay);
        output_flush(stdout);
        code = run(replay);
    }
    if (replay->server > 0)
        replay_server_end(replay->server);
    if (replay->clients.endpoint.base != NULL)
        event_base_free(replay->clients.endpoint.base);
    watch_free(replay->watch);
    recording_free(&replay->recording);
    free(replay->request);
    free(replay);
    return code;
}
