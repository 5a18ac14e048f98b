/* cmd_walk: one real connection, both ends in one terminal, taken through a close order step by step. */
#include "analysis/expectation.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/number_text.h"
#include "base/options.h"
#include "base/output.h"
#include "base/parse.h"
#include "base/terminal.h"
#include "base/wrap.h"
#include "cmd/address_options.h"
#include "cmd/command.h"
#include "cmd/isolation.h"
#include "cmd/option_rules.h"
#include "kernel/free_ports.h"
#include "kernel/host_limits.h"
#include "kernel/listen_socket.h"
#include "view/connection_text.h"
#include "view/ladder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SETTLE_MS = 5000, LOOK_EVERY_MS = 10, TEXT_WIDTH = 78, NO_PAUSE = -1 };

struct walk_options {
    const struct close_order *order;
    struct address address;
    int64_t port;
    int64_t pause_ms; /* NO_PAUSE: a key, or nothing where nobody can press one */
    struct isolation isolation;
};

struct walk {
    struct walk_options options;
    const struct witness_backend *witness;
    struct host_limits limits;
    struct ladder ladder;
    struct connection connection;
    struct act_times times;
    struct end_sight ends[SIDE_COUNT];
    int fd[SIDE_COUNT]; /* -1: closed */
    bool has_keys;
};

/* ---- signals ---- */

static volatile sig_atomic_t interrupted_by, is_to_pause;

static void on_signal(int number)
{
    if (number == SIGTSTP)
        is_to_pause = 1;
    else
        interrupted_by = number;
}

/* They are blocked, and come in only while wait_for() waits: none is lost between a question and its wait. */
static void catch_signals(bool has_keys)
{
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    size_t count = sizeof numbers / sizeof numbers[0];
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t caught;
    sigemptyset(&caught);
    for (size_t i = 0; i < count - !has_keys; i++) { /* Ctrl-Z matters where the terminal is taken */
        sigaction(numbers[i], &action, NULL);
        sigaddset(&caught, numbers[i]);
    }
    sigprocmask(SIG_BLOCK, &caught, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Until the descriptor can be read, a signal came, or that time is over. True when it can be read. */
static bool wait_for(int fd, int64_t ms)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = output_fd(stdout), .events = POLLOUT}};
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    sigset_t none;
    sigemptyset(&none);
    /* What a terminal under Ctrl-S has not taken is written when it goes on. */
    while (ppoll(fds, output_is_waiting(stdout) ? 2 : 1, ms < 0 ? NULL : &time, &none) > 0) {
        if (fds[0].revents != 0)
            return true;
        output_push_all();
    }
    return false;
}

/* By a key or by a signal. */
static int leave_early(void)
{
    if (interrupted_by == 0)
        return EXIT_AS_EXPECTED;
    if (interrupted_by == SIGHUP)
        terminal_drop_unwritten();
    diag_error("%s: quitting, both ends are reset",
               interrupted_by == SIGHUP ? "the terminal hung up" : "interrupted");
    return EXIT_INTERRUPTED;
}

/* ---- options ---- */

static int parse_order(const char *text, void *target, char *why, size_t why_size)
{
    const struct close_order **order = target;
    *order = close_order_find(text);
    if (*order != NULL && !order_can_flow(*order)) {
        snprintf(why, why_size, "it needs many connections or kills a process, and cannot be walked by hand");
        return -EINVAL;
    }
    if (*order != NULL)
        return 0;
    const char *meant = close_order_nearest(text);
    if (meant != NULL)
        snprintf(why, why_size, "there is no such order: did you mean %s?", meant);
    else
        snprintf(why, why_size, "must be one of \"tcpstorm orders\"");
    return -EINVAL;
}

#define OPTION(member) offsetof(struct walk_options, member)

static const struct option_row rows[] = {
    {.name = "order",
     .value = "NAME",
     .help = "the close order to walk through",
     .preset = "server-first",
     .kind = OPTION_CUSTOM,
     .target = OPTION(order),
     .parse = parse_order},
    {.name = "pause",
     .value = "TIME",
     .help = "go on after this time instead of waiting for a key",
     .kind = OPTION_DURATION,
     .target = OPTION(pause_ms),
     .min = 0,
     .max = 3600000},
    ADDRESS_OPTION(OPTION(address)),
    PORT_OPTION(OPTION(port), "first server port to try"),
    {.name = "isolation", .kind = OPTION_GROUP, .target = OPTION(isolation), .group = isolation_rows},
    {.name = NULL},
};

static const struct option_table table = {
    .command = "walk", .help = "tcpstorm walk --help", .rows = rows, .rules = option_rules};

/* ---- the connection ---- */

static int fail(const char *what, int error)
{
    diag_error("%s: %s", what, strerror(error));
    return EXIT_MACHINE;
}

static int choose_port(const struct walk *walk, uint16_t *port)
{
    int rc =
        free_ports_find(walk->witness, &walk->options.address, (uint16_t)walk->options.port, 65535, 1, port);
    if (rc == PORTS_LISTENED)
        diag_error("port %u is in use: choose another --port", *port);
    else if (rc == PORTS_CROWDED)
        diag_error("no port from %lld on is free of sockets: choose another --port",
                   (long long)walk->options.port);
    else if (rc != 0)
        diag_error("the %s witness could not read the kernel's sockets: %s", walk->witness->name,
                   strerror(-rc));
    return rc;
}

static int open_connection(struct walk *walk)
{
    uint16_t port;
    if (choose_port(walk, &port) != 0)
        return EXIT_MACHINE;
    struct sockaddr_storage where;
    socklen_t length = address_to_sockaddr(&walk->options.address, port, &where);
    int listener = listen_socket_open(&walk->options.address, port, 1);
    if (listener < 0)
        return fail("cannot listen", -listener);
    int client = socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), server = -1;
    if (client < 0 || connect(client, (struct sockaddr *)&where, length) != 0 ||
        (server = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0) {
        int error = errno;
        close(listener);
        close(client);
        return fail("cannot open a connection", error);
    }
    close(listener);
    walk->fd[SIDE_SERVER] = server;
    walk->fd[SIDE_CLIENT] = client;
    int rc = connection_of(server, SIDE_SERVER, &walk->connection);
    return rc == 0 ? EXIT_AS_EXPECTED : fail("cannot name the connection", -rc);
}

static int act(struct walk *walk, const struct order_step *step)
{
    for (int side = 0; side < SIDE_COUNT; side++) {
        if (!order_step_is_by(step, (enum side)side) || step->act == ACT_OPEN)
            continue;
        int rc = act_apply(step->act, walk->fd[side]);
        if (act_releases(step->act))
            walk->fd[side] = -1;
        if (rc != 0)
            return fail(act_call(step->act), -rc);
    }
    return EXIT_AS_EXPECTED;
}

/* ---- looking ---- */

static int look(struct walk *walk, int step, bool *holds, struct difference *difference)
{
    int rc = connection_look(walk->witness, &walk->connection, walk->ends);
    if (rc != 0)
        return fail("the witness could not read the kernel's sockets", -rc);
    struct histogram sides[SIDE_COUNT] = {0};
    for (int side = 0; side < SIDE_COUNT; side++)
        if (walk->ends[side].state != STATE_GONE)
            sides[side].of[walk->ends[side].state] = 1;
    const struct circumstances circumstances = {.opened = 1, .fin_timeout_ms = walk->limits.fin_timeout_ms};
    struct expectation expectation =
        expectation_at(walk->options.order, step, &walk->times, monotonic_us() / 1000, &circumstances);
    *holds = expectation_holds(&expectation, sides, difference);
    return EXIT_AS_EXPECTED;
}

/* FIN_WAIT1 may last for a delayed ACK: waits until the kernel shows what the table expects. */
static int settle(struct walk *walk, int step)
{
    struct difference difference;
    bool holds = false;
    int64_t deadline_us = monotonic_us() + SETTLE_MS * 1000;
    for (;;) {
        int code = look(walk, step, &holds, &difference);
        if (code != EXIT_AS_EXPECTED || holds)
            return code;
        if (interrupted_by != 0)
            return leave_early();
        if (monotonic_us() > deadline_us)
            break;
        wait_for(-1, LOOK_EVERY_MS);
    }
    diag_error("the kernel shows something else: %s", difference.text);
    return EXIT_DIFFERS;
}

/* ---- steps ---- */

/* Ctrl-Z: the shell gets its terminal back, and gives it up again with fg. */
static void pause_here(void)
{
    is_to_pause = 0;
    terminal_restore();
    raise(SIGSTOP);
    terminal_take_keys();
}

/* Keys were promised: a terminal that gives none any more has been hung up, whether or not SIGHUP came. */
static bool is_key_to_go_on(void)
{
    char key;
    if (read(STDIN_FILENO, &key, 1) == 1)
        return key != 'q';
    interrupted_by = SIGHUP;
    return false;
}

static bool wait_for_key(const struct order_step *next)
{
    bool has_come;
    do {
        printf("\r\033[K  [any key: %s; q quits]", order_step_label(next).text);
        fflush(stdout);
        has_come = wait_for(STDIN_FILENO, -1);
        fputs("\r\033[K", stdout);
        fflush(stdout);
        if (is_to_pause)
            pause_here();
    } while (!has_come && interrupted_by == 0);
    return has_come && is_key_to_go_on();
}

/* True when the walk goes on. */
static bool wait_for_reader(const struct walk *walk, const struct order_step *next)
{
    if (walk->options.pause_ms != NO_PAUSE)
        wait_for(-1, walk->options.pause_ms);
    return (!walk->has_keys || wait_for_key(next)) && interrupted_by == 0;
}

static int play_step(struct walk *walk, int i)
{
    const struct order_step *step = order_step_at(walk->options.order, i);
    struct end_sight before[SIDE_COUNT];
    int rc = i > 0 ? connection_look(walk->witness, &walk->connection, walk->ends) : 0;
    if (rc != 0)
        return fail("the witness could not read the kernel's sockets",
                    -rc); /* clocks run while a reader reads */
    memcpy(before, walk->ends, sizeof before);
    walk->times.began_ms[i] = monotonic_us() / 1000;
    int code = act(walk, step);
    walk->times.ended_ms[i] = monotonic_us() / 1000;
    if (code == EXIT_AS_EXPECTED)
        code = settle(walk, i);
    if (code == EXIT_AS_EXPECTED || code == EXIT_DIFFERS)
        ladder_step(&walk->ladder, step, before, walk->ends);
    return code;
}

static void print_end(const struct walk *walk)
{
    for (int side = 0; side < SIDE_COUNT; side++)
        connection_print_meaning(stdout, (enum side)side, walk->ends[side].state, TEXT_WIDTH);
    fputc('\n', stdout);
    wrap_print(stdout, walk->options.order->meaning, 2, TEXT_WIDTH);
}

static void print_title(const struct close_order *order)
{
    char title[256];
    snprintf(title, sizeof title, "%s: %s\n", order->name, order->summary);
    wrap_print(stdout, title, 0, TEXT_WIDTH);
}

static int play(struct walk *walk)
{
    int code = open_connection(walk);
    if (code != EXIT_AS_EXPECTED)
        return code;
    print_title(walk->options.order);
    ladder_head(&walk->ladder, &walk->connection);
    int steps = order_step_count(walk->options.order);
    for (int i = 0; i < steps && code == EXIT_AS_EXPECTED; i++) {
        if (i > 0 && !wait_for_reader(walk, order_step_at(walk->options.order, i)))
            return leave_early();
        code = play_step(walk, i);
        if (fflush(stdout) != 0) /* main.c says so */
            return EXIT_MACHINE;
    }
    if (code == EXIT_AS_EXPECTED)
        print_end(walk);
    return code;
}

static int cmd_walk(int argc, char *argv[])
{
    struct walk walk = {
        .options = {.order = close_order_at(0), .port = 15000, .pause_ms = NO_PAUSE},
        .ladder = {.out = stdout, .feel = look_and_feel_of(STDOUT_FILENO)},
        .fd = {-1, -1},
    };
    int error;
    address_parse("127.0.0.1", &walk.options.address);
    if (options_parse(&table, argc, argv, &walk.options) != 0)
        return EXIT_USAGE;
    int code = isolation_enter_and_say(&walk.options.isolation);
    if (code != EXIT_AS_EXPECTED)
        return code;
    walk.witness = witness_choose(0, &error);
    if (walk.witness == NULL)
        return fail("no witness can read the kernel's sockets here", -error);
    host_limits_read(&walk.limits);
    walk.has_keys =
        isatty(STDOUT_FILENO) == 1 && walk.options.pause_ms == NO_PAUSE && isatty(STDIN_FILENO) == 1;
    catch_signals(walk.has_keys); /* before the terminal is taken: a Ctrl-C in between must restore it */
    walk.has_keys = walk.has_keys && terminal_take_keys();
    code = play(&walk);
    terminal_restore();
    for (int side = 0; side < SIDE_COUNT; side++)
        if (walk.fd[side] >= 0)
            act_apply(ACT_ABORT, walk.fd[side]); /* nothing stays behind */
    return code;
}

const struct command walk_command = {
    .name = "walk",
    .summary = "one connection, both ends: a ladder diagram that grows at each key",
    .usage = "walk [--option VALUE]...",
    .notes = "In a terminal each step waits for a key; q quits.\n",
    .examples =
        {
            {"tcpstorm walk --order half-close", "one connection, step by step"},
            {"tcpstorm walk --order simultaneous --pause 1s", "a step each second"},
            {"tcpstorm walk --order leak > leak.txt", "the whole diagram in a file"},
        },
    .options = &table,
    .run = cmd_walk,
};
