#include "control/hosts_state.h"

#include "base/clock.h"
#include "base/diag.h"
#include "base/printable.h"
#include "base/text.h"
#include "base/version.h"
#include "kernel/free_ports.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SILENCE_MS = 10000, /* of a host that has said hello */
    ANSWER_MS = 20000,  /* to a question of the kernel's tables */
    SEARCH_MS = 60000,  /* for all such questions about ports */
    KILL_MS = 10000,    /* for a host to tell of the end of a process that it was told to kill */
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

void host_lose(struct host *host, const char *format, ...)
{
    if (host->fault[0] != '\0')
        return;
    va_list arguments;
    va_start(arguments, format);
    host->fault[0] = '\0';
    text_vadd(host->fault, sizeof host->fault, format, arguments);
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
    diag_warn("%s has not ended a process that it was told to kill %d s ago: processes of this run may still "
              "be running there",
              host_name(host).text, KILL_MS / 1000);
    host_lose(host, "does not end its processes");
}

void hosts_on_pulse(int fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct hosts *hosts = context;
    int64_t now_us = monotonic_us();
    bool was_stopped = now_us - hosts->last_pulse_us > LATE_PULSE_MS * 1000;
    hosts->last_pulse_us = now_us;
    hosts_reap(hosts); /* a SIGCHLD may have been missed */
    for (int i = 0; i < hosts->count; i++) {
        struct host *host = &hosts->each[i];
        if (host->fault[0] != '\0' || (!host->is_ready && !host->stream_has_ended))
            continue;
        if (was_stopped)
            forgive(host, now_us);
        if (host->stream_has_ended)
            host_lose(host, "closed its stream");
        else if (now_us - host->heard_us > SILENCE_MS * 1000)
            host_lose(host, "has not been heard for %d s", SILENCE_MS / 1000);
        else if (has_one_that_will_not_die(host, now_us))
            give_up(host);
        else
            link_send(host->link, &(struct message){.id = MESSAGE_HOST_PING});
    }
}

/* ---- what a host says ---- */

static struct host_channel *channel_in(struct host *host, int64_t id)
{
    bool known = id < host->channel_count;
    return known && host->channels[id].link != NULL ? &host->channels[id] : NULL;
}

static void on_hello(void *context, const struct message *message)
{
    struct host *host = context;
    host->said_hello = true;
    host->process.parting_signal = SIGTERM; /* what is there leaves by itself, and resets what is open */
    hosts_mind_terminal(host->hosts);
    if (!message_is_same_version(message))
        host_lose(host,
                  "has tcpstorm %s (protocol %lld), this is %s (protocol %d): use the same version "
                  "(--worker-path names its path there)",
                  message->hello.version, (long long)message->hello.protocol, TCPSTORM_VERSION,
                  MESSAGE_PROTOCOL);
}

static void on_limits(void *context, const struct message *message)
{
    struct host *host = context;
    host->limits = message->limits;
    if (host->limits.port_first > host->limits.port_last)
        host_lose(host, "reports ephemeral ports from %lld to %lld", (long long)host->limits.port_first,
                  (long long)host->limits.port_last);
}

static void on_identity(void *context, const struct message *message)
{
    struct host *host = context;
    snprintf(host->identity, sizeof host->identity, "%s", message->identity.identity);
    snprintf(host->limits.kernel, sizeof host->limits.kernel, "%.71s", message->identity.kernel);
    host->is_ready = true;
}

static void on_started(void *context, const struct message *message)
{
    struct host_channel *channel = channel_in(context, message->started.id);
    if (channel == NULL)
        return;
    channel->process->pid = message->started.pid;
    if (message->started.error != 0)
        end_channel(channel, 127 << 8);
}

static void on_from(void *context, const struct message *message)
{
    const struct host_channel *channel = channel_in(context, message->carried.id);
    if (channel != NULL)
        link_hear(channel->link, message->carried.line);
}

static void on_ended(void *context, const struct message *message)
{
    struct host_channel *channel = channel_in(context, message->ended.id);
    if (channel != NULL)
        end_channel(channel, message->ended.wait_status);
}

static void on_room(void *context, const struct message *message)
{
    struct host *host = context;
    host->has_answered = true;
    host->room_rc = message->room.rc;
    host->room_first = (uint16_t)message->room.first_port;
}

static void on_counted(void *context, const struct message *message)
{
    struct host *host = context;
    host->counters = message->counted.counters;
    host->time_wait = message->counted.time_wait;
}

/* That it was heard is all there is to it. */
static void on_pong(void *context, const struct message *message)
{
    (void)context;
    (void)message;
}

static void on_message(void *context, const struct message *message)
{
    static message_handler *const handlers[MESSAGE_COUNT] = {
        [MESSAGE_FROM] = on_from,         [MESSAGE_HELLO] = on_hello,     [MESSAGE_LIMITS] = on_limits,
        [MESSAGE_IDENTITY] = on_identity, [MESSAGE_ENDED] = on_ended,     [MESSAGE_STARTED] = on_started,
        [MESSAGE_ROOM] = on_room,         [MESSAGE_COUNTED] = on_counted, [MESSAGE_HOST_PONG] = on_pong,
    };
    struct host *host = context;
    host->heard_us = monotonic_us();
    if (host->fault[0] != '\0' || (!host->said_hello && message->id != MESSAGE_HELLO))
        return; /* a login may greet before we do */
    if (!message_dispatch(handlers, host, message))
        host_lose(host, "speaks another protocol (\"%s\")", message_rows[message->id].name);
}

/* A login may greet before we do. */
static void on_bad_line(void *context, const struct message_complaint *why)
{
    struct host *host = context;
    if (host->said_hello)
        host_lose(host, "speaks another protocol (%s)", why->text);
}

const struct link_ears host_ears = {WAY_FROM_HOST, on_message, on_bad_line, on_stream_end};

/* ---- questions ---- */

static bool has_answered(const struct host *host)
{
    return host->has_answered || host->fault[0] != '\0';
}

_Static_assert((int)HOSTS_MAX <= (int)MESSAGE_ADDRESSES_MAX, "a message may name all servers");

int hosts_server_addresses(const struct hosts *hosts, struct address addresses[HOSTS_MAX])
{
    int count = 0;
    for (int i = 0; i < hosts->count; i++)
        if (hosts->each[i].side == SIDE_SERVER)
            addresses[count++] = hosts->each[i].address;
    return count;
}

static void ask_for_room(struct hosts *hosts, uint16_t from, uint16_t last, int count)
{
    struct message ports = {.id = MESSAGE_PORTS, .ports = {.first = from, .last = last, .lanes = count}};
    ports.ports.count = hosts_server_addresses(hosts, ports.ports.addresses);
    hosts_ask_counters(hosts);
    for (int i = 0; i < hosts->count; i++) {
        hosts->each[i].has_answered = false;
        if (hosts->each[i].fault[0] == '\0')
            link_send(hosts->each[i].link, &ports);
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
        int rc = hosts_wait_for_all(hosts, has_answered, ANSWER_MS, 0);
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
            link_send(hosts->each[i].link, &(struct message){.id = MESSAGE_COUNTERS});
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
    struct message start = {.id = MESSAGE_START, .start = {.id = host->channel_count}};
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
    for (int i = 0; i < PROCESS_WORDS_MAX && words[i] != NULL; i++)
        start.start.words[start.start.count++] = words[i];
    process->elsewhere = true;
    process->ended = false;
    process->pid = 1; /* until the host has told it: it is there */
    link_send(host->link, &start);
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
    link_send(host->link, &(struct message){.id = MESSAGE_KILL, .kill = {id}});
}

void host_forget(struct host *host, const struct link *link)
{
    int id = link != NULL ? channel_of(host, link) : -1;
    if (id >= 0)
        host->channels[id].link = NULL;
}
