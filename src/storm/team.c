#include "storm/team.h"

#include "base/diag.h"
#include "base/printable.h"
#include "base/version.h"
#include "storm/clock.h"
#include "storm/host_report.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PULSE_MS = 1000,
    LATE_PULSE_MS = 3000, /* then this process was stopped, and nobody else */
    SILENCE_MS = 10000,   /* of a host that has said hello */
    HELLO_MS = 60000,     /* somebody may have to type a password */
    ANSWER_MS = 20000,    /* to a question of the kernel's tables */
    GOODBYE_MS = 12000,
};

/* One process on the host. */
struct host_channel {
    struct wire *wire; /* NULL: nobody is interested any more */
    struct process *process;
    wire_on_end *on_end;
    void *context;
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

const char *host_word(const struct host *host)
{
    return host->launcher != NULL ? host->launcher : "local";
}

/* ---- a host that is lost ---- */

static void end_channel(struct host_channel *channel, int wait_status)
{
    if (channel->wire == NULL || channel->process->ended)
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

static void on_child_signal(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct team *team = context;
    for (int i = 0; i < team->count; i++)
        if (process_reap(&team->hosts[i].process))
            lose(&team->hosts[i], "%s", process_end_text(&team->hosts[i].process).text);
}

static void on_pulse(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct team *team = context;
    int64_t now_us = monotonic_us();
    bool was_stopped = now_us - team->last_pulse_us > LATE_PULSE_MS * 1000;
    team->last_pulse_us = now_us;
    for (int i = 0; i < team->count; i++) {
        struct host *host = &team->hosts[i];
        if (host->fault[0] != '\0' || (!host->is_ready && !host->stream_has_ended))
            continue;
        if (was_stopped)
            host->heard_us = now_us;
        if (host->stream_has_ended)
            lose(host, "closed its stream");
        else if (now_us - host->heard_us > SILENCE_MS * 1000)
            lose(host, "has not been heard for %d s", SILENCE_MS / 1000);
        else
            wire_send(host->wire, "ping");
    }
}

/* ---- what a host says ---- */

static struct host_channel *channel_in(struct host *host, const struct wire_line *line)
{
    int64_t id = wire_number(line, 1);
    bool known = line->count > 1 && id >= 0 && id < host->channel_count;
    return known && host->channels[id].wire != NULL ? &host->channels[id] : NULL;
}

static void hear_hello(struct host *host, const struct wire_line *line)
{
    const char *version = line->count > 2 ? line->word[2] : "?";
    host->said_hello = true;
    if (wire_number(line, 1) != WIRE_PROTOCOL || strcmp(version, TCPSTORM_VERSION) != 0)
        lose(host,
             "has tcpstorm %s (protocol %lld), this is %s (protocol %d): use the same, --worker-path says "
             "where it is",
             version, (long long)wire_number(line, 1), TCPSTORM_VERSION, WIRE_PROTOCOL);
}

static void hear_limits(struct host *host, const struct wire_line *line)
{
    host_report_read_limits(line, &host->limits);
}

static void hear_identity(struct host *host, const struct wire_line *line)
{
    snprintf(host->identity, sizeof host->identity, "%s", line->count > 1 ? line->word[1] : "?");
    snprintf(host->limits.kernel, sizeof host->limits.kernel, "%.71s", wire_rest(line, 2).text);
    host->is_ready = true;
}

static void hear_started(struct host *host, const struct wire_line *line)
{
    struct host_channel *channel = channel_in(host, line);
    if (channel == NULL)
        return;
    channel->process->pid = (pid_t)wire_number(line, 2);
    if (wire_number(line, 3) != 0)
        end_channel(channel, 127 << 8);
}

/* The words of a line that was carried. */
static struct wire_line carried(const struct wire_line *line)
{
    struct wire_line inner = {.count = line->count - 2};
    for (int i = 0; i < inner.count; i++)
        inner.word[i] = line->word[i + 2];
    return inner;
}

static void hear_from(struct host *host, const struct wire_line *line)
{
    const struct host_channel *channel = channel_in(host, line);
    const struct wire_line inner = carried(line);
    if (channel != NULL && inner.count > 0)
        wire_hear(channel->wire, &inner);
}

static void hear_ended(struct host *host, const struct wire_line *line)
{
    struct host_channel *channel = channel_in(host, line);
    if (channel != NULL)
        end_channel(channel, (int)wire_number(line, 2));
}

static void hear_room(struct host *host, const struct wire_line *line)
{
    host->has_answered = true;
    host->room_rc = (int)wire_number(line, 1);
    host->room_first = (uint16_t)wire_number(line, 2);
}

static void hear_counted(struct host *host, const struct wire_line *line)
{
    for (int i = 0; i < COUNTER_COUNT; i++)
        host->counters.value[i] = wire_number(line, i + 1);
    host->time_wait = wire_number(line, COUNTER_COUNT + 1);
}

static void on_line(void *context, const struct wire_line *line)
{
    static const struct {
        const char *name;
        void (*run)(struct host *host, const struct wire_line *line);
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

/* ---- opening and closing ---- */

static int launch(struct host *host)
{
    static const char *const words[PROCESS_WORDS_MAX + 1] = {"worker", "host"};
    char command[2048];
    snprintf(host->process.name, sizeof host->process.name, "a host");
    if (host->launcher != NULL && snprintf(command, sizeof command, "exec %s %s worker host", host->launcher,
                                           host->team->worker_path) >= (int)sizeof command)
        return -E2BIG;
    int fd = host->launcher != NULL ? process_launch(&host->process, command)
                                    : process_start(&host->process, words);
    if (fd < 0)
        return fd;
    host->wire = wire_new(host->team->base, fd, on_line, on_stream_end, host);
    if (host->wire != NULL)
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

/* Runs the loop until all hosts have got there, or for so long. */
static bool wait_for_all(struct team *team, bool (*is_there)(const struct host *host), int64_t limit_ms)
{
    static const struct timeval often = {0, 50000};
    int64_t until_us = monotonic_us() + limit_ms * 1000;
    for (;;) {
        int there = 0;
        for (int i = 0; i < team->count; i++)
            there += is_there(&team->hosts[i]);
        if (there == team->count || monotonic_us() > until_us)
            return there == team->count;
        event_base_loopexit(team->base, &often);
        event_base_dispatch(team->base);
    }
}

static int tell_faults(const struct team *team)
{
    int faults = 0;
    for (int i = 0; i < team->count; i++) {
        const struct host *host = &team->hosts[i];
        if (host->fault[0] == '\0' && host->is_ready)
            continue;
        faults++;
        if (host->fault[0] == '\0')
            diag_error("%s said nothing for %d s: does \"%s %s version\" work?", host_name(host).text,
                       HELLO_MS / 1000, host->launcher != NULL ? host->launcher : "", team->worker_path);
        else if (host->said_hello)
            diag_error("%s %s", host_name(host).text, host->fault);
        else
            diag_error("%s %s before it said hello: does \"%s %s version\" work?", host_name(host).text,
                       host->fault, host->launcher != NULL ? host->launcher : "", team->worker_path);
    }
    return faults == 0 ? 0 : -1;
}

int team_open(struct team *team)
{
    static const struct timeval pulse = {PULSE_MS / 1000, 0};
    team->base = event_base_new();
    if (team->base == NULL) {
        diag_error("memory is short: no event loop could be made");
        return -1;
    }
    signal(SIGPIPE, SIG_IGN);
    team->pulse = event_new(team->base, -1, EV_PERSIST, on_pulse, team);
    team->child_signal = evsignal_new(team->base, SIGCHLD, on_child_signal, team);
    event_add(team->child_signal, NULL);
    event_add(team->pulse, &pulse);
    team->last_pulse_us = monotonic_us();
    for (int i = 0; i < team->count; i++) {
        team->hosts[i].team = team;
        int rc = launch(&team->hosts[i]);
        if (rc != 0)
            lose(&team->hosts[i], "could not be launched: %s", strerror(-rc));
    }
    wait_for_all(team, is_ready, HELLO_MS);
    return tell_faults(team);
}

void team_close(struct team *team)
{
    if (team->base == NULL)
        return;
    for (int i = 0; i < team->count; i++)
        if (team->hosts[i].wire != NULL && team->hosts[i].fault[0] == '\0') {
            wire_send(team->hosts[i].wire, "quit");
            snprintf(team->hosts[i].fault, sizeof team->hosts[i].fault, "was asked to leave");
        }
    wait_for_all(team, has_ended, GOODBYE_MS);
    for (int i = 0; i < team->count; i++) {
        struct host *host = &team->hosts[i];
        process_kill(&host->process);
        wire_free(host->wire);
        free(host->channels);
    }
    event_free(team->pulse);
    event_free(team->child_signal);
    event_base_free(team->base);
    team->base = NULL;
}

/* ---- what the hosts have ---- */

bool team_is_double(const struct team *team, int host)
{
    for (int i = 0; i < host; i++)
        if (strcmp(team->hosts[i].identity, team->hosts[host].identity) == 0)
            return true;
    return false;
}

int team_count(const struct team *team, enum side side)
{
    int count = 0;
    for (int i = 0; i < team->count; i++)
        count += team->hosts[i].side == side;
    return count;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Of one of the limits, by its offset, twice what the weaker side has: plan.c reckons with both ends of a
 * connection on one machine. */
static int64_t both_sides(const struct team *team, size_t limit)
{
    int64_t sum[SIDE_COUNT] = {0};
    for (int i = 0; i < team->count; i++) {
        int64_t value = *(const int64_t *)((const char *)&team->hosts[i].limits + limit);
        int64_t *side = &sum[team->hosts[i].side];
        *side = *side > INT64_MAX / 4 || value > INT64_MAX / 4 ? INT64_MAX / 4 : *side + value;
    }
    return 2 * least(sum[SIDE_SERVER], sum[SIDE_CLIENT]);
}

void team_limits(const struct team *team, struct host_limits *limits)
{
    *limits = team->hosts[0].limits;
    int64_t width = limits->port_last - limits->port_first;
    for (int i = 1; i < team->count; i++) {
        const struct host_limits *own = &team->hosts[i].limits;
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
    limits->files_left = both_sides(team, offsetof(struct host_limits, files_left));
    limits->memory_available = both_sides(team, offsetof(struct host_limits, memory_available));
    limits->max_tw_buckets = both_sides(team, offsetof(struct host_limits, max_tw_buckets)) / 2;
    limits->processors = both_sides(team, offsetof(struct host_limits, processors)) / 2;
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
static bool is_better(const struct team *team, const int placed[], int one, int other)
{
    if ((placed[one] == 0) != (placed[other] == 0))
        return placed[one] == 0;
    return capacity(&team->hosts[one]) / (placed[one] + 1) >
           capacity(&team->hosts[other]) / (placed[other] + 1);
}

static int first_of(const struct team *team, enum side side)
{
    int first = 0;
    while (first < team->count - 1 && team->hosts[first].side != side)
        first++;
    return first;
}

void team_place(const struct team *team, enum side side, int count, int host[])
{
    int placed[HOSTS_MAX] = {0};
    for (int i = 0; i < count; i++) {
        int best = first_of(team, side);
        for (int k = best + 1; k < team->count; k++)
            if (team->hosts[k].side == side && is_better(team, placed, k, best))
                best = k;
        host[i] = best;
        placed[best]++;
    }
}

/* ---- questions ---- */

struct wire_text team_server_addresses(const struct team *team)
{
    struct wire_text addresses = {""};
    for (int i = 0; i < team->count; i++)
        if (team->hosts[i].side == SIDE_SERVER)
            wire_text_add(&addresses, " %s", address_text(&team->hosts[i].address).text);
    return addresses;
}

static void ask_for_room(struct team *team, uint16_t from, uint16_t last, int count)
{
    struct wire_text addresses = team_server_addresses(team);
    team_ask_counters(team);
    for (int i = 0; i < team->count; i++) {
        team->hosts[i].has_answered = false;
        if (team->hosts[i].fault[0] == '\0')
            wire_send(team->hosts[i].wire, "ports %u %u %d%s", from, last, count, addresses.text);
    }
}

int team_find_ports(struct team *team, uint16_t from, uint16_t last, int count, uint16_t *first)
{
    for (*first = from;;) {
        uint16_t highest = *first;
        ask_for_room(team, *first, last, count);
        if (!wait_for_all(team, has_answered, ANSWER_MS))
            return -ETIMEDOUT;
        for (int i = 0; i < team->count; i++) {
            const struct host *host = &team->hosts[i];
            if (host->fault[0] != '\0')
                return -EHOSTUNREACH;
            if (host->room_first > highest || host->room_rc != 0)
                highest = host->room_first;
            if (host->room_rc != 0) {
                *first = highest;
                team->without_room = host;
                return host->room_rc;
            }
        }
        if (highest == *first)
            return 0;
        *first = highest;
    }
}

void team_ask_counters(struct team *team)
{
    for (int i = 0; i < team->count; i++)
        if (team->hosts[i].fault[0] == '\0' && !team_is_double(team, i))
            wire_send(team->hosts[i].wire, "counters");
}

struct kernel_counters team_counters(const struct team *team)
{
    struct kernel_counters sum = {{0}};
    for (int i = 0; i < team->count; i++)
        for (int k = 0; !team_is_double(team, i) && k < COUNTER_COUNT; k++)
            sum.value[k] += team->hosts[i].counters.value[k];
    return sum;
}

int64_t team_time_wait_room(const struct team *team)
{
    int64_t room[SIDE_COUNT] = {0};
    for (int i = 0; i < team->count; i++)
        room[team->hosts[i].side] += team->hosts[i].limits.max_tw_buckets - team->hosts[i].time_wait;
    return least(room[SIDE_SERVER], room[SIDE_CLIENT]);
}

/* ---- the crew's processes ---- */

struct wire *host_start(struct host *host, struct process *process, const char *const words[],
                        wire_on_line *on_line_of_it, wire_on_end *on_end, void *context)
{
    struct wire_text text = {""};
    if (host->fault[0] != '\0')
        return NULL;
    struct host_channel *grown =
        realloc(host->channels, ((size_t)host->channel_count + 1) * sizeof *host->channels);
    if (grown == NULL)
        return NULL;
    host->channels = grown;
    struct wire *wire = wire_new_channel(host->wire, host->channel_count, on_line_of_it, on_end, context);
    if (wire == NULL)
        return NULL;
    for (int i = 0; words[i] != NULL; i++)
        wire_text_add(&text, " %s", words[i]);
    process->elsewhere = true;
    process->ended = false;
    process->pid = 1; /* until the host has told it: it is there */
    wire_send(host->wire, "start %d%s", host->channel_count, text.text);
    host->channels[host->channel_count++] =
        (struct host_channel){.wire = wire, .process = process, .on_end = on_end, .context = context};
    return wire;
}

static int channel_of(const struct host *host, const struct wire *wire)
{
    for (int i = 0; i < host->channel_count; i++)
        if (host->channels[i].wire == wire)
            return i;
    return -1;
}

void host_kill(struct host *host, const struct wire *wire)
{
    int id = wire != NULL ? channel_of(host, wire) : -1;
    if (id >= 0 && host->fault[0] == '\0')
        wire_send(host->wire, "kill %d", id);
}

void host_forget(struct host *host, const struct wire *wire)
{
    int id = wire != NULL ? channel_of(host, wire) : -1;
    if (id >= 0)
        host->channels[id].wire = NULL;
}
