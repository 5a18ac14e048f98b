#include "control/hosts.h"

#include "base/clock.h"
#include "base/diag.h"
#include "base/foreground.h"
#include "base/printable.h"
#include "base/shell_quote.h"
#include "base/version.h"
#include "control/host_info.h"
#include "kernel/free_ports.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PULSE_MS = 1000,
    LATE_PULSE_MS = 3000, /* then this process was stopped, and nobody else */
    SILENCE_MS = 10000,   /* of a host that has said hello */
    HELLO_MS = 60000,     /* somebody may have to type a password */
    ANSWER_MS = 20000,    /* to a question of the kernel's tables */
    SEARCH_MS = 60000,    /* for all such questions about ports */
    KILL_MS = 10000,      /* for a host to tell of the end of a process that it was told to kill */
    GOODBYE_MS = 14000,
    SHORT_GOODBYE_MS = 1000, /* of a launcher that has reached nobody, or of one that was killed */
};

/* One process on the host. */
struct host_channel {
    struct link *link; /* NULL: nobody is interested any more */
    struct process *process;
    link_on_end *on_end;
    void *context;
    int64_t killed_us; /* when that was asked for; 0: it was not */
};

struct host_text host_name(const struct host *host)
{
    struct host_text out;
    if (host->launcher != NULL)
        snprintf(out.text, sizeof out.text, "host \"%.80s\"", host->launcher);
    else
        snprintf(out.text, sizeof out.text, "this machine");
    printable(out.text);
    return out;
}

struct host_text host_place(const struct host *host)
{
    struct host_text out = {""};
    if (!host->hosts->are_here)
        snprintf(out.text, sizeof out.text, " on %.91s", host_name(host).text);
    return out;
}

const char *host_word(const struct host *host)
{
    return host->launcher != NULL ? host->launcher : "local";
}

/* ---- a host that is lost ---- */

static void end_channel(struct host_channel *channel, int wait_status)
{
    if (channel->link == NULL || channel->process->ended)
        return;
    channel->process->ended = true;
    channel->process->wait_status = wait_status;
    channel->on_end(channel->context);
}

static void lose(struct host *host, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void lose(struct host *host, const char *format, ...)
{
    if (host->fault[0] != '\0')
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(host->fault, sizeof host->fault, format, arguments);
    va_end(arguments);
    process_kill(&host->process);
    for (int i = 0; i < host->channel_count; i++)
        end_channel(&host->channels[i], 0);
}

static void on_stream_end(void *context)
{
    ((struct host *)context)->stream_has_ended =
        true; /* how the launcher ended is told by SIGCHLD, or never */
}

/* ---- the terminal ---- */

static bool wants_terminal(const struct host *host)
{
    int by = host->process.stopped_by;
    return !host->said_hello && host->fault[0] == '\0' && (by == SIGTTIN || by == SIGTTOU || by == SIGTSTP);
}

static struct host *terminal_holder(struct hosts *hosts)
{
    for (int i = 0; i < hosts->count; i++)
        if (hosts->each[i].has_terminal)
            return &hosts->each[i];
    return NULL;
}

static void lend_terminal(struct hosts *hosts)
{
    for (int i = 0; i < hosts->count; i++) {
        struct host *host = &hosts->each[i];
        if (!wants_terminal(host) || !foreground_lend(host->process.pid))
            continue;
        host->process.stopped_by = 0;
        host->has_terminal = true;
        hosts->waiting_since_us = monotonic_us();
        return;
    }
}

static void take_terminal_back(struct host *host)
{
    host->has_terminal = false;
    foreground_take_back(host->process.pid);
}

/* Ctrl-C while it has the terminal is for us, and so is Ctrl-Z: we cannot hear them. */
static void heed_keys(struct host *host)
{
    const struct process *launcher = &host->process;
    if (launcher->ended && WIFSIGNALED(launcher->wait_status) && WTERMSIG(launcher->wait_status) == SIGINT)
        host->hosts->stops++;
    else if (launcher->stopped_by == SIGTSTP)
        kill(0, SIGTSTP);
}

/* One launcher at a time may ask for a password, until its host has said hello. */
static void mind_terminal(struct hosts *hosts)
{
    struct host *holder = terminal_holder(hosts);
    if (holder != NULL && (holder->said_hello || holder->process.ended || holder->process.stopped_by != 0)) {
        take_terminal_back(holder);
        heed_keys(holder);
        holder = NULL;
    }
    if (holder == NULL && hosts->stops == 0)
        lend_terminal(hosts);
}

/* ---- signals ---- */

static void reap(struct hosts *hosts)
{
    for (int i = 0; i < hosts->count; i++)
        if (process_reap(&hosts->each[i].process))
            lose(&hosts->each[i], "%s", process_end_text(&hosts->each[i].process).text);
    mind_terminal(hosts);
}

static void on_child_signal(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    reap(context);
}

static void on_stop_signal(evutil_socket_t number, short what, void *context)
{
    (void)number;
    (void)what;
    ((struct hosts *)context)->stops++;
}

/* ---- the pulse ---- */

static bool has_one_that_will_not_die(const struct host *host, int64_t now_us)
{
    for (int i = 0; i < host->channel_count; i++) {
        const struct host_channel *channel = &host->channels[i];
        if (channel->link != NULL && !channel->process->ended && channel->killed_us != 0 &&
            now_us - channel->killed_us > KILL_MS * 1000)
            return true;
    }
    return false;
}

/* Nobody was heard while this process was stopped. */
static void forgive(struct host *host, int64_t now_us)
{
    host->heard_us = now_us;
    for (int i = 0; i < host->channel_count; i++)
        if (host->channels[i].killed_us != 0)
            host->channels[i].killed_us = now_us;
}

/* The run may be over, with nobody left to tell it. */
static void give_up(struct host *host)
{
    diag_warn(
        "%s has not ended a process that it was told to kill %d s ago: processes of this run may be left "
        "there",
        host_name(host).text, KILL_MS / 1000);
    lose(host, "does not end its processes");
}

static void on_pulse(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct hosts *hosts = context;
    int64_t now_us = monotonic_us();
    bool was_stopped = now_us - hosts->last_pulse_us > LATE_PULSE_MS * 1000;
    hosts->last_pulse_us = now_us;
    reap(hosts); /* a SIGCHLD may have been missed */
    for (int i = 0; i < hosts->count; i++) {
        struct host *host = &hosts->each[i];
        if (host->fault[0] != '\0' || (!host->is_ready && !host->stream_has_ended))
            continue;
        if (was_stopped)
            forgive(host, now_us);
        if (host->stream_has_ended)
            lose(host, "closed its stream");
        else if (now_us - host->heard_us > SILENCE_MS * 1000)
            lose(host, "has not been heard for %d s", SILENCE_MS / 1000);
        else if (has_one_that_will_not_die(host, now_us))
            give_up(host);
        else
            link_send(host->link, "ping");
    }
}

/* ---- what a host says ---- */

static struct host_channel *channel_in(struct host *host, const struct link_line *line)
{
    int64_t id = link_number(line, 1);
    bool known = id < host->channel_count;
    return known && host->channels[id].link != NULL ? &host->channels[id] : NULL;
}

static void hear_hello(struct host *host, const struct link_line *line)
{
    const char *version = line->word[2];
    host->said_hello = true;
    host->process.parting_signal = SIGTERM; /* what is there leaves by itself, and resets what is open */
    mind_terminal(host->hosts);
    if (link_number(line, 1) != LINK_PROTOCOL || strcmp(version, TCPSTORM_VERSION) != 0)
        lose(host,
             "has tcpstorm %s (protocol %lld), this is %s (protocol %d): use the same, --worker-path says "
             "where it is",
             version, (long long)link_number(line, 1), TCPSTORM_VERSION, LINK_PROTOCOL);
}

static void hear_limits(struct host *host, const struct link_line *line)
{
    host_info_read_limits(line, &host->limits);
    if (host->limits.port_first > host->limits.port_last)
        lose(host, "says that its ephemeral ports begin at %lld and end at %lld",
             (long long)host->limits.port_first, (long long)host->limits.port_last);
}

static void hear_identity(struct host *host, const struct link_line *line)
{
    snprintf(host->identity, sizeof host->identity, "%s", line->word[1]);
    snprintf(host->limits.kernel, sizeof host->limits.kernel, "%.71s", link_rest(line, 2).text);
    host->is_ready = true;
}

static void hear_started(struct host *host, const struct link_line *line)
{
    struct host_channel *channel = channel_in(host, line);
    if (channel == NULL)
        return;
    channel->process->pid = (pid_t)link_number(line, 2);
    if (link_number(line, 3) != 0)
        end_channel(channel, 127 << 8);
}

/* The words of a line that was carried. */
static struct link_line carried(const struct link_line *line)
{
    struct link_line inner = {.count = line->count - 2};
    for (int i = 0; i < inner.count; i++)
        inner.word[i] = line->word[i + 2];
    return inner;
}

static void hear_from(struct host *host, const struct link_line *line)
{
    const struct host_channel *channel = channel_in(host, line);
    const struct link_line inner = carried(line);
    if (channel != NULL)
        link_hear(channel->link, &inner);
}

static void hear_ended(struct host *host, const struct link_line *line)
{
    struct host_channel *channel = channel_in(host, line);
    if (channel != NULL)
        end_channel(channel, (int)link_number(line, 2));
}

static void hear_room(struct host *host, const struct link_line *line)
{
    host->has_answered = true;
    host->room_rc = (int)link_number(line, 1);
    host->room_first = (uint16_t)link_number(line, 2);
}

static void hear_counted(struct host *host, const struct link_line *line)
{
    for (int i = 0; i < COUNTER_COUNT; i++)
        host->counters.value[i] = link_number(line, i + 1);
    host->time_wait = link_number(line, COUNTER_COUNT + 1);
}

static void on_line(void *context, const struct link_line *line)
{
    static const struct {
        const char *name;
        void (*run)(struct host *host, const struct link_line *line);
    } verbs[] = {{"from", hear_from},         {"hello", hear_hello},    {"limits", hear_limits},
                 {"identity", hear_identity}, {"ended", hear_ended},    {"started", hear_started},
                 {"room", hear_room},         {"counted", hear_counted}};
    struct host *host = context;
    host->heard_us = monotonic_us();
    if (host->fault[0] != '\0' || (!host->said_hello && strcmp(line->word[0], "hello") != 0))
        return; /* a login may greet before we do */
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, line->word[0]) == 0)
            verbs[i].run(host, line);
}

/* A login may greet before we do. */
static void on_bad_line(void *context, const struct message_complaint *why)
{
    struct host *host = context;
    if (host->said_hello)
        lose(host, "speaks another protocol (%s)", why->text);
}

/* ---- opening and closing ---- */

/* A single command without assignments before it: the shell can become it, and is not there to speak of its
 * end. */
static bool is_simple(const char *launcher)
{
    const char *first = launcher + strspn(launcher, " \t");
    const char *equals = strchr(first, '=');
    return strpbrk(launcher, ";&|<>(){}!#`\n") == NULL &&
           (equals == NULL || equals > first + strcspn(first, " \t"));
}

/* `LAUNCHER PATH WORD ...`, to be run by a shell: the launcher is a command as it was typed, the path one
 * word whatever is in it. To be freed. */
static char *command_of(const struct host *host, int argc, const char *const argv[])
{
    const char *words[4] = {host->hosts->worker_path};
    for (int i = 0; i < argc && i < 3; i++)
        words[i + 1] = argv[i];
    return shell_command(host->launcher, 1 + argc, words);
}

/* Returns our end of its stream, or a negative errno. */
static int run_launcher(struct host *host, const char *const words[])
{
    char *command = command_of(host, 2, words), *line = NULL;
    int fd = -ENOMEM;
    if (command != NULL && asprintf(&line, "%s%s", is_simple(host->launcher) ? "exec " : "", command) > 0)
        fd = spawn_command(&host->process, line);
    free(line);
    free(command);
    return fd;
}

static int start_process(struct host *host)
{
    static const char *const words[PROCESS_WORDS_MAX + 1] = {"worker", "host"};
    return host->launcher != NULL ? run_launcher(host, words) : spawn_self(&host->process, words);
}

static int launch(struct host *host)
{
    static const struct link_ears ears = {WAY_FROM_HOST, on_line, on_bad_line, on_stream_end};
    snprintf(host->process.name, sizeof host->process.name, "a host");
    int fd = start_process(host);
    if (fd < 0)
        return fd;
    host->link = link_new(host->hosts->base, fd, &ears, host);
    if (host->link != NULL)
        return 0;
    close(fd);
    return -ENOMEM;
}

static bool is_ready(const struct host *host)
{
    return host->is_ready || host->fault[0] != '\0';
}

static bool has_answered(const struct host *host)
{
    return host->has_answered || host->fault[0] != '\0';
}

static bool has_ended(const struct host *host)
{
    return host->process.pid == 0 || host->process.ended;
}

static bool has_ended_or_hears_us(const struct host *host)
{
    return has_ended(host) || host->said_hello;
}

/* Runs the loop until all hosts have got there. Returns 0; -EINTR, once more signals than `stops_allowed`
 * were heard; or -ETIMEDOUT after so long. */
static int wait_for_all(struct hosts *hosts, bool (*is_there)(const struct host *host), int64_t limit_ms,
                        int stops_allowed)
{
    static const struct timeval often = {0, 50000};
    hosts->waiting_since_us = monotonic_us();
    for (;;) {
        int there = 0;
        for (int i = 0; i < hosts->count; i++)
            there += is_there(&hosts->each[i]);
        if (hosts->stops > stops_allowed)
            return -EINTR;
        if (there == hosts->count)
            return 0;
        if (monotonic_us() - hosts->waiting_since_us > limit_ms * 1000)
            return -ETIMEDOUT;
        int64_t before_us = monotonic_us();
        event_base_loopexit(hosts->base, &often);
        event_base_dispatch(hosts->base);
        reap(hosts);
        int64_t turn_us = monotonic_us() - before_us;
        if (turn_us > LATE_PULSE_MS * 1000) /* this process was stopped: nobody had that time */
            hosts->waiting_since_us += turn_us;
    }
}

static void tell_fault(const struct host *host)
{
    static const char *const version[] = {"version"};
    char *try = host->launcher != NULL ? command_of(host, 1, version) : NULL;
    const char *command = try != NULL ?
    try:
        "tcpstorm version";
    if (host->fault[0] == '\0')
        diag_error("%s said %s for %d s: does \"%s\" work?", host_name(host).text,
                   host->said_hello ? "hello and nothing more" : "nothing", HELLO_MS / 1000, command);
    else if (host->said_hello)
        diag_error("%s %s", host_name(host).text, host->fault);
    else
        diag_error("%s %s before it said hello: does \"%s\" work?", host_name(host).text, host->fault,
                   command);
    free(try);
}

static int tell_faults(const struct hosts *hosts)
{
    int faults = 0;
    for (int i = 0; i < hosts->count; i++) {
        const struct host *host = &hosts->each[i];
        if (host->fault[0] == '\0' && host->is_ready)
            continue;
        faults++;
        tell_fault(host);
    }
    return faults == 0 ? 0 : -EHOSTUNREACH;
}

static int tell_interrupted(const struct hosts *hosts)
{
    const struct host *awaited = NULL;
    for (int i = 0; i < hosts->count && awaited == NULL; i++)
        awaited = hosts->each[i].is_ready ? NULL : &hosts->each[i];
    diag_error("interrupted before %s%s; no connection was opened",
               awaited != NULL ? host_name(awaited).text : "the run began",
               awaited != NULL ? " said hello" : "");
    return -EINTR;
}

/* Under nohup a hang-up stays ignored. */
static bool is_ignored(int number)
{
    struct sigaction now;
    return number == SIGHUP && sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

static int listen_to_events(struct hosts *hosts)
{
    static const int stop_signals[HOSTS_STOP_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
    static const struct timeval pulse = {PULSE_MS / 1000, 0};
    hosts->pulse = event_new(hosts->base, -1, EV_PERSIST, on_pulse, hosts);
    hosts->child_signal = evsignal_new(hosts->base, SIGCHLD, on_child_signal, hosts);
    if (hosts->pulse == NULL || hosts->child_signal == NULL || event_add(hosts->child_signal, NULL) != 0 ||
        event_add(hosts->pulse, &pulse) != 0)
        return -ENOMEM;
    for (int i = 0; i < HOSTS_STOP_SIGNALS; i++) {
        if (is_ignored(stop_signals[i]))
            continue;
        hosts->stop_signals[i] = evsignal_new(hosts->base, stop_signals[i], on_stop_signal, hosts);
        if (hosts->stop_signals[i] == NULL || event_add(hosts->stop_signals[i], NULL) != 0)
            return -ENOMEM;
    }
    return 0;
}

void hosts_here(struct hosts *hosts, const struct address *address)
{
    *hosts = (struct hosts){
        .each = {{.side = SIDE_SERVER, .address = *address, .hosts = hosts},
                 {.side = SIDE_CLIENT, .hosts = hosts}},
        .count = SIDE_COUNT,
        .are_here = true,
    };
}

int hosts_open(struct hosts *hosts)
{
    hosts->base = event_base_new();
    if (hosts->base == NULL || (!hosts->are_here && listen_to_events(hosts) != 0)) {
        diag_error("out of memory: no event loop could be made");
        return -ENOMEM;
    }
    if (hosts->are_here)
        return 0;
    signal(SIGPIPE, SIG_IGN);
    hosts->last_pulse_us = monotonic_us();
    for (int i = 0; i < hosts->count; i++) {
        hosts->each[i].hosts = hosts;
        int rc = launch(&hosts->each[i]);
        if (rc != 0)
            lose(&hosts->each[i], "could not be launched: %s", strerror(-rc));
    }
    int rc = wait_for_all(hosts, is_ready, HELLO_MS, 0);
    return rc == -EINTR ? tell_interrupted(hosts) : tell_faults(hosts);
}

/* Whoever can hear us is asked to leave in peace, a launcher that has reached nobody is asked as any process
 * is. */
static void ask_to_leave(struct host *host)
{
    if (!host->said_hello)
        process_ask_to_leave(&host->process);
    else if (host->fault[0] == '\0')
        link_send(host->link, "quit");
    if (host->fault[0] == '\0')
        snprintf(host->fault, sizeof host->fault, "was asked to leave");
}

/* A second signal, or one while they leave, puts an end to patience. */
static void wait_until_they_have_left(struct hosts *hosts)
{
    int stops_allowed = hosts->stops > 0 ? 1 : 0;
    int rc = wait_for_all(hosts, has_ended_or_hears_us, SHORT_GOODBYE_MS, stops_allowed);
    for (int i = 0; i < hosts->count; i++)
        if (!hosts->each[i].said_hello)
            process_kill(&hosts->each[i].process);
    if (rc != -EINTR)
        rc = wait_for_all(hosts, has_ended, GOODBYE_MS, stops_allowed);
    for (int i = 0; i < hosts->count; i++) {
        const struct host *host = &hosts->each[i];
        if (rc == -ETIMEDOUT && !has_ended(host))
            diag_warn("%s did not leave for %d s and was given up: processes of this run may be left there",
                      host_name(host).text, GOODBYE_MS / 1000);
        process_kill(&host->process);
    }
    wait_for_all(hosts, has_ended, SHORT_GOODBYE_MS, INT_MAX);
}

static void free_event(struct event *event)
{
    if (event != NULL)
        event_free(event);
}

void hosts_close(struct hosts *hosts)
{
    if (hosts->base == NULL)
        return;
    for (int i = 0; i < hosts->count; i++)
        ask_to_leave(&hosts->each[i]);
    wait_until_they_have_left(hosts);
    for (int i = 0; i < hosts->count; i++) {
        struct host *host = &hosts->each[i];
        if (host->has_terminal)
            take_terminal_back(host);
        link_free(host->link);
        free(host->channels);
    }
    free_event(hosts->pulse);
    free_event(hosts->child_signal);
    for (int i = 0; i < HOSTS_STOP_SIGNALS; i++)
        free_event(hosts->stop_signals[i]);
    event_base_free(hosts->base);
    hosts->base = NULL;
}

/* ---- what the hosts have ---- */

bool hosts_is_double(const struct hosts *hosts, int host)
{
    for (int i = 0; i < host; i++)
        if (strcmp(hosts->each[i].identity, hosts->each[host].identity) == 0)
            return true;
    return false;
}

int hosts_count(const struct hosts *hosts, enum side side)
{
    int count = 0;
    for (int i = 0; i < hosts->count; i++)
        count += hosts->each[i].side == side;
    return count;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Of one of the limits, by its offset, twice what the weaker side has: plan.c reckons with both ends of a
 * connection on one machine. */
static int64_t both_sides(const struct hosts *hosts, size_t limit)
{
    int64_t sum[SIDE_COUNT] = {0};
    for (int i = 0; i < hosts->count; i++) {
        int64_t value = *(const int64_t *)((const char *)&hosts->each[i].limits + limit);
        int64_t *side = &sum[hosts->each[i].side];
        *side = *side > INT64_MAX / 4 || value > INT64_MAX / 4 ? INT64_MAX / 4 : *side + value;
    }
    return 2 * least(sum[SIDE_SERVER], sum[SIDE_CLIENT]);
}

void hosts_limits(const struct hosts *hosts, struct host_limits *limits)
{
    if (hosts->are_here) {
        host_limits_read(limits);
        return;
    }
    *limits = hosts->each[0].limits;
    int64_t width = limits->port_last - limits->port_first;
    for (int i = 1; i < hosts->count; i++) {
        const struct host_limits *own = &hosts->each[i].limits;
        limits->nofile_hard = least(limits->nofile_hard, own->nofile_hard);
        limits->port_first = least(limits->port_first, own->port_first);
        width = least(width, own->port_last - own->port_first);
        limits->somaxconn = least(limits->somaxconn, own->somaxconn);
        limits->max_orphans = least(limits->max_orphans, own->max_orphans);
        limits->fin_timeout_ms = least(limits->fin_timeout_ms, own->fin_timeout_ms);
        limits->rfc1337 = least(limits->rfc1337, own->rfc1337);
        limits->ehash_entries = least(limits->ehash_entries, own->ehash_entries);
        if (strcmp(limits->kernel, own->kernel) != 0)
            snprintf(limits->kernel, sizeof limits->kernel, "Linux, several versions");
    }
    limits->port_last = limits->port_first + width;
    limits->files_left = both_sides(hosts, offsetof(struct host_limits, files_left));
    limits->memory_available = both_sides(hosts, offsetof(struct host_limits, memory_available));
    limits->max_tw_buckets = both_sides(hosts, offsetof(struct host_limits, max_tw_buckets)) / 2;
    limits->processors = both_sides(hosts, offsetof(struct host_limits, processors)) / 2;
}

/* What decides how many connections a host can hold: memory, more than anything. */
static double capacity(const struct host *host)
{
    double ports = (double)(host->limits.port_last - host->limits.port_first + 1);
    double memory = (double)host->limits.memory_available / (1 << 20);
    double files = (double)host->limits.files_left;
    double least_of = memory < files ? memory : files;
    return host->side == SIDE_CLIENT && ports < least_of ? ports : least_of;
}

/* Whether the next worker is better placed on one host than on another: one that has none yet comes first,
 * then the one with the most room for each of its workers. */
static bool is_better(const struct hosts *hosts, const int placed[], int one, int other)
{
    if ((placed[one] == 0) != (placed[other] == 0))
        return placed[one] == 0;
    return capacity(&hosts->each[one]) / (placed[one] + 1) >
           capacity(&hosts->each[other]) / (placed[other] + 1);
}

static int first_of(const struct hosts *hosts, enum side side)
{
    int first = 0;
    while (first < hosts->count - 1 && hosts->each[first].side != side)
        first++;
    return first;
}

void hosts_place(const struct hosts *hosts, enum side side, int count, int host[])
{
    int placed[HOSTS_MAX] = {0};
    for (int i = 0; i < count; i++) {
        int best = first_of(hosts, side);
        for (int k = best + 1; k < hosts->count; k++)
            if (hosts->each[k].side == side && is_better(hosts, placed, k, best))
                best = k;
        host[i] = best;
        placed[best]++;
    }
}

/* ---- questions ---- */

struct link_text hosts_server_addresses(const struct hosts *hosts)
{
    struct link_text addresses = {""};
    for (int i = 0; i < hosts->count; i++)
        if (hosts->each[i].side == SIDE_SERVER)
            link_text_add(&addresses, " %s", address_text(&hosts->each[i].address).text);
    return addresses;
}

static void ask_for_room(struct hosts *hosts, uint16_t from, uint16_t last, int count)
{
    struct link_text addresses = hosts_server_addresses(hosts);
    hosts_ask_counters(hosts);
    for (int i = 0; i < hosts->count; i++) {
        hosts->each[i].has_answered = false;
        if (hosts->each[i].fault[0] == '\0')
            link_send(hosts->each[i].link, "ports %u %u %d%s", from, last, count, addresses.text);
    }
}

/* The first host that has not answered. */
static const struct host *silent_host(const struct hosts *hosts)
{
    int i = 0;
    while (i < hosts->count - 1 && has_answered(&hosts->each[i]))
        i++;
    return &hosts->each[i];
}

/* What all have answered together: 0, and *first moved up to where the highest of them begins, or why not. */
static int take_answers(struct hosts *hosts, uint16_t *first)
{
    for (int i = 0; i < hosts->count; i++) {
        const struct host *host = &hosts->each[i];
        if (host->fault[0] != '\0')
            return -EHOSTUNREACH;
        if (host->room_first > *first || host->room_rc != 0)
            *first = host->room_first;
        if (host->room_rc != 0) {
            hosts->without_room = host;
            return host->room_rc;
        }
    }
    return 0;
}

int hosts_find_ports(struct hosts *hosts, const struct witness_backend *witness, uint16_t from, uint16_t last,
                     int count, uint16_t *first)
{
    if (hosts->are_here) {
        hosts->without_room = &hosts->each[0];
        return free_ports_find(witness, &hosts->each[0].address, from, last, count, first);
    }
    int64_t began_us = monotonic_us();
    uint16_t asked;
    *first = from;
    do {
        asked = *first;
        ask_for_room(hosts, asked, last, count);
        int rc = wait_for_all(hosts, has_answered, ANSWER_MS, 0);
        if (rc == -ETIMEDOUT)
            hosts->without_room = silent_host(hosts);
        rc = rc != 0 ? rc : take_answers(hosts, first);
        if (rc != 0)
            return rc;
        if (*first + count - 1 > last || monotonic_us() - began_us > SEARCH_MS * 1000)
            return PORTS_CROWDED;
    } while (*first != asked);
    return 0;
}

void hosts_ask_counters(struct hosts *hosts)
{
    for (int i = 0; i < hosts->count && !hosts->are_here; i++)
        if (hosts->each[i].fault[0] == '\0' && !hosts_is_double(hosts, i))
            link_send(hosts->each[i].link, "counters");
}

struct kernel_counters hosts_counters(const struct hosts *hosts)
{
    struct kernel_counters sum = {{0}};
    if (hosts->are_here)
        kernel_counters_read(&sum);
    for (int i = 0; i < hosts->count && !hosts->are_here; i++)
        for (int k = 0; !hosts_is_double(hosts, i) && k < COUNTER_COUNT; k++)
            sum.value[k] += hosts->each[i].counters.value[k];
    return sum;
}

int64_t hosts_time_wait_room(const struct hosts *hosts)
{
    int64_t room[SIDE_COUNT] = {0};
    if (hosts->are_here) {
        struct host_limits limits;
        host_limits_read(&limits);
        return limits.max_tw_buckets - host_time_wait_now();
    }
    for (int i = 0; i < hosts->count; i++)
        room[hosts->each[i].side] += hosts->each[i].limits.max_tw_buckets - hosts->each[i].time_wait;
    return least(room[SIDE_SERVER], room[SIDE_CLIENT]);
}

/* ---- the workers' processes ---- */

static int start_here(struct host *host, struct process *process, const char *const words[],
                      const struct link_ears *ears, void *context, struct link **link)
{
    int fd = spawn_self(process, words);
    if (fd < 0)
        return fd;
    *link = link_new(host->hosts->base, fd, ears, context);
    if (*link != NULL)
        return 0;
    close(fd);
    return -ENOMEM;
}

int host_start(struct host *host, struct process *process, const char *const words[],
               const struct link_ears *ears, void *context, struct link **link)
{
    struct link_text text = {""};
    if (host->hosts->are_here)
        return start_here(host, process, words, ears, context, link);
    if (host->fault[0] != '\0')
        return -EHOSTUNREACH;
    struct host_channel *grown =
        realloc(host->channels, ((size_t)host->channel_count + 1) * sizeof *host->channels);
    if (grown == NULL)
        return -ENOMEM;
    host->channels = grown;
    *link = link_new_channel(host->link, host->channel_count, ears, context);
    if (*link == NULL)
        return -ENOMEM;
    for (int i = 0; words[i] != NULL; i++)
        link_text_add(&text, " %s", words[i]);
    process->elsewhere = true;
    process->ended = false;
    process->pid = 1; /* until the host has told it: it is there */
    link_send(host->link, "start %d%s", host->channel_count, text.text);
    host->channels[host->channel_count++] =
        (struct host_channel){.link = *link, .process = process, .on_end = ears->on_end, .context = context};
    return 0;
}

static int channel_of(const struct host *host, const struct link *link)
{
    for (int i = 0; i < host->channel_count; i++)
        if (host->channels[i].link == link)
            return i;
    return -1;
}

void host_kill(struct host *host, const struct process *process, const struct link *link)
{
    process_kill(process); /* one that is elsewhere is no process of ours */
    int id = link != NULL ? channel_of(host, link) : -1;
    if (id < 0 || host->fault[0] != '\0')
        return;
    if (host->channels[id].killed_us == 0)
        host->channels[id].killed_us = monotonic_us();
    link_send(host->link, "kill %d", id);
}

void host_forget(struct host *host, const struct link *link)
{
    int id = link != NULL ? channel_of(host, link) : -1;
    if (id >= 0)
        host->channels[id].link = NULL;
}
