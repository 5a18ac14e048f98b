#include "control/agent.h"

#include "base/clock.h"
#include "base/version.h"
#include "control/host_info.h"
#include "control/link.h"
#include "control/spawn.h"
#include "kernel/free_ports.h"
#include "kernel/kernel_counters.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WATCH_MS = 500,
    LATE_WATCH_MS = 3000, /* then this process was stopped, and not its controller silent */
    SILENCE_MS = 15000,   /* a controller pings far more often */
    PATIENCE_MS = 10000,  /* for processes that are to leave: they reset what is open */
    KILLED_MS = 2000,     /* then for those that were killed */
};

struct child {
    struct host_process *host;
    int id;
    struct process process;
    struct link *link; /* NULL once it has ended */
    struct child *next;
};

struct host_process {
    struct event_base *base;
    struct link *controller;
    struct event *child_signal, *watch;
    struct child *children;
    int64_t heard_us, watched_us;
    int64_t leaving_us; /* since when; 0: it is not */
};

static struct child *find(struct host_process *host, const struct link_line *line)
{
    for (struct child *child = host->children; child != NULL; child = child->next)
        if (child->id == link_number(line, 1))
            return child;
    return NULL;
}

static void close_link(struct child *child)
{
    link_free(child->link);
    child->link = NULL;
}

/* ---- leaving ---- */

static bool is_anyone_left(const struct host_process *host)
{
    for (const struct child *child = host->children; child != NULL; child = child->next)
        if (!child->process.ended)
            return true;
    return false;
}

/* A process whose controlling stream ends resets its connections and leaves. */
static void leave(struct host_process *host)
{
    if (host->leaving_us != 0)
        return;
    host->leaving_us = monotonic_us();
    for (struct child *child = host->children; child != NULL; child = child->next)
        close_link(child);
    if (!is_anyone_left(host))
        event_base_loopbreak(host->base);
}

static void reap(struct host_process *host)
{
    for (struct child *child = host->children; child != NULL; child = child->next)
        if (process_reap(&child->process) && host->leaving_us == 0)
            link_send(host->controller, "ended %d %d", child->id, child->process.wait_status);
    if (host->leaving_us != 0 && !is_anyone_left(host))
        event_base_loopbreak(host->base);
}

static void on_child_signal(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    reap(context);
}

static void on_watch(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct host_process *host = context;
    int64_t now_us = monotonic_us();
    if (now_us - host->watched_us > LATE_WATCH_MS * 1000)
        host->heard_us = now_us;
    host->watched_us = now_us;
    reap(host); /* a SIGCHLD may have been missed */
    if (now_us - host->heard_us > SILENCE_MS * 1000)
        leave(host);
    int64_t leaving_ms = host->leaving_us != 0 ? (now_us - host->leaving_us) / 1000 : 0;
    for (struct child *child = host->children; leaving_ms > PATIENCE_MS && child != NULL; child = child->next)
        process_kill(&child->process);
    if (leaving_ms > PATIENCE_MS + KILLED_MS)
        event_base_loopbreak(host->base);
}

static void on_controller_gone(void *context)
{
    leave(context);
}

/* ---- the processes here ---- */

static void on_child_line(void *context, const struct link_line *line)
{
    const struct child *child = context;
    link_send(child->host->controller, "from %d %s", child->id, link_rest(line, 0).text);
}

/* For the controller to hear who it was. */
static void on_child_bad_line(void *context, const struct message_complaint *why)
{
    const struct child *child = context;
    link_send(child->host->controller, "from %d %s", child->id, why->text);
}

/* Its end is told when it is collected. Where only the stream is at an end, because something could not be
 * written to it or read from it, the process hears EOF now and leaves. */
static void on_child_stream_end(void *context)
{
    close_link(context);
}

static int start(struct child *child, const struct link_line *line)
{
    static const struct link_ears ears = {WAY_CARRIED, on_child_line, on_child_bad_line, on_child_stream_end};
    const char *words[PROCESS_WORDS_MAX + 1] = {NULL};
    for (int i = 0; i < PROCESS_WORDS_MAX && i + 2 < line->count; i++)
        words[i] = line->word[i + 2];
    int fd = spawn_self(&child->process, words);
    if (fd < 0)
        return fd;
    child->link = link_new(child->host->base, fd, &ears, child);
    if (child->link != NULL)
        return 0;
    close(fd);
    return -ENOMEM;
}

static void do_start(struct host_process *host, const struct link_line *line)
{
    struct child *child = calloc(1, sizeof *child);
    int rc = -ENOMEM;
    if (child != NULL) {
        *child = (struct child){.host = host, .id = (int)link_number(line, 1), .next = host->children};
        host->children = child;
        rc = start(child, line);
        child->process.ended |= rc != 0;
    }
    link_send(host->controller, "started %lld %d %d", (long long)link_number(line, 1),
              child != NULL ? (int)child->process.pid : 0, -rc);
}

static void do_to(struct host_process *host, const struct link_line *line)
{
    const struct child *child = find(host, line);
    if (child != NULL && child->link != NULL)
        link_send(child->link, "%s", link_rest(line, 2).text);
}

static void do_kill(struct host_process *host, const struct link_line *line)
{
    const struct child *child = find(host, line);
    if (child != NULL)
        process_kill(&child->process);
}

/* ---- the host itself ---- */

static void do_ping(struct host_process *host, const struct link_line *line)
{
    (void)line;
    link_send(host->controller, "pong");
}

static void do_counters(struct host_process *host, const struct link_line *line)
{
    struct kernel_counters now;
    struct link_text text = {"counted"};
    (void)line;
    kernel_counters_read(&now);
    for (int i = 0; i < COUNTER_COUNT; i++)
        link_text_add(&text, " %" PRId64, now.value[i]);
    link_send(host->controller, "%s %" PRId64, text.text, host_time_wait_now());
}

/* Room beside the sockets that are here, whichever of the addresses they have. */
static int find_room(const struct link_line *line, uint16_t *first)
{
    int error = 0;
    const struct witness_backend *witness = witness_choose(0, &error);
    if (witness == NULL)
        return error;
    int64_t from = link_number(line, 1), last = link_number(line, 2);
    *first = (uint16_t)from;
    for (int round = 0, stable = 0; stable < line->count - 4 && round < 100; round++) {
        struct address address;
        uint16_t found = *first;
        address_parse(line->word[4 + round % (line->count - 4)], &address);
        int rc =
            free_ports_find(witness, &address, *first, (uint16_t)last, (int)link_number(line, 3), &found);
        if (rc != 0) {
            *first = found;
            return rc;
        }
        stable = found == *first ? stable + 1 : 1;
        *first = found;
    }
    return 0;
}

static void do_ports(struct host_process *host, const struct link_line *line)
{
    uint16_t first = 0;
    int rc = find_room(line, &first);
    link_send(host->controller, "room %d %u", rc, first);
}

static void do_quit(struct host_process *host, const struct link_line *line)
{
    (void)line;
    leave(host);
}

static void on_line(void *context, const struct link_line *line)
{
    static const struct {
        const char *name;
        void (*run)(struct host_process *host, const struct link_line *line);
    } verbs[] = {{"to", do_to},       {"ping", do_ping},         {"start", do_start}, {"kill", do_kill},
                 {"ports", do_ports}, {"counters", do_counters}, {"quit", do_quit}};
    struct host_process *host = context;
    host->heard_us = monotonic_us();
    for (size_t i = 0; host->leaving_us == 0 && i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, line->word[0]) == 0)
            verbs[i].run(host, line);
}

/* Whoever that is: it is no controller of ours. */
static void on_bad_line(void *context, const struct message_complaint *why)
{
    (void)why;
    leave(context);
}

static void greet(struct host_process *host)
{
    struct host_limits limits;
    host_limits_read(&limits);
    link_send(host->controller, "hello %d %s", LINK_PROTOCOL, TCPSTORM_VERSION);
    link_send(host->controller, "%s", host_info_limits(&limits).text);
    link_send(host->controller, "identity %s %s", host_info_identity().text, limits.kernel);
}

static void free_children(struct host_process *host)
{
    while (host->children != NULL) {
        struct child *child = host->children;
        host->children = child->next;
        close_link(child);
        free(child);
    }
}

static void serve(struct host_process *host)
{
    static const struct timeval often = {0, WATCH_MS * 1000};
    host->heard_us = host->watched_us = monotonic_us();
    event_add(host->child_signal, NULL);
    event_add(host->watch, &often);
    greet(host);
    event_base_dispatch(host->base);
    free_children(host);
}

int agent_run(int from_controller, int to_controller)
{
    static const struct link_ears ears = {WAY_TO_HOST, on_line, on_bad_line, on_controller_gone};
    struct host_process host = {.base = event_base_new()};
    process_leave_signals_to_controller();
    host_raise_nofile();
    if (host.base == NULL)
        return -EIO;
    host.controller = link_new_pair(host.base, from_controller, to_controller, &ears, &host);
    host.child_signal = evsignal_new(host.base, SIGCHLD, on_child_signal, &host);
    host.watch = event_new(host.base, -1, EV_PERSIST, on_watch, &host);
    bool can_serve = host.controller != NULL && host.child_signal != NULL && host.watch != NULL;
    if (can_serve)
        serve(&host);
    if (host.child_signal != NULL)
        event_free(host.child_signal);
    if (host.watch != NULL)
        event_free(host.watch);
    link_free(host.controller);
    event_base_free(host.base);
    return can_serve ? 0 : -ENOMEM;
}
