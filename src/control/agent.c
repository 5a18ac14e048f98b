#include "control/agent.h"

#include "base/clock.h"
#include "control/host_info.h"
#include "control/link.h"
#include "control/spawn.h"
#include "kernel/free_ports.h"
#include "kernel/kernel_counters.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    WATCH_MS = 500,
    LATE_WATCH_MS = 3000, /* then this process was stopped, and not its controller silent */
    SILENCE_MS = 15000,   /* a controller pings far more often */
    PATIENCE_MS = 10000,  /* for processes that are to leave: they reset what is open */
    KILLED_MS = 2000,     /* then for those that were killed */
};

struct child {
    struct agent *agent;
    int64_t id;
    struct process process;
    struct link *link; /* NULL once it has ended */
    struct child *next;
};

struct agent {
    struct event_base *base;
    struct link *controller;
    struct event *child_signal, *watch;
    struct child *children;
    int64_t heard_us, watched_us;
    int64_t leaving_us; /* since when; 0: it is not */
};

static struct child *find(struct agent *agent, int64_t id)
{
    for (struct child *child = agent->children; child != NULL; child = child->next)
        if (child->id == id)
            return child;
    return NULL;
}

static void close_link(struct child *child)
{
    link_free(child->link);
    child->link = NULL;
}

/* ---- leaving ---- */

static bool is_anyone_left(const struct agent *agent)
{
    for (const struct child *child = agent->children; child != NULL; child = child->next)
        if (!child->process.ended)
            return true;
    return false;
}

/* A process whose controlling stream ends resets its connections and leaves. */
static void leave(struct agent *agent)
{
    if (agent->leaving_us != 0)
        return;
    agent->leaving_us = monotonic_us();
    for (struct child *child = agent->children; child != NULL; child = child->next)
        close_link(child);
    if (!is_anyone_left(agent))
        event_base_loopbreak(agent->base);
}

static void reap(struct agent *agent)
{
    for (struct child *child = agent->children; child != NULL; child = child->next)
        if (process_reap(&child->process) && agent->leaving_us == 0)
            link_send(agent->controller, &(struct message){.id = MESSAGE_ENDED,
                                                           .ended = {child->id, child->process.wait_status}});
    if (agent->leaving_us != 0 && !is_anyone_left(agent))
        event_base_loopbreak(agent->base);
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
    struct agent *agent = context;
    int64_t now_us = monotonic_us();
    if (now_us - agent->watched_us > LATE_WATCH_MS * 1000)
        agent->heard_us = now_us;
    agent->watched_us = now_us;
    reap(agent); /* a SIGCHLD may have been missed */
    if (now_us - agent->heard_us > SILENCE_MS * 1000)
        leave(agent);
    int64_t leaving_ms = agent->leaving_us != 0 ? (now_us - agent->leaving_us) / 1000 : 0;
    for (struct child *child = agent->children; leaving_ms > PATIENCE_MS && child != NULL;
         child = child->next)
        process_kill(&child->process);
    if (leaving_ms > PATIENCE_MS + KILLED_MS)
        event_base_loopbreak(agent->base);
}

static void on_controller_gone(void *context)
{
    leave(context);
}

/* ---- the processes here ---- */

static void on_child_line(void *context, const struct message *message)
{
    const struct child *child = context;
    link_send(child->agent->controller,
              &(struct message){.id = MESSAGE_FROM, .carried = {child->id, message->carried.line}});
}

/* For the controller to hear who it was. */
static void on_child_bad_line(void *context, const struct message_complaint *why)
{
    const struct child *child = context;
    link_send(child->agent->controller,
              &(struct message){.id = MESSAGE_FROM, .carried = {child->id, why->text}});
}

/* Its end is told when it is collected. Where only the stream is at an end, because something could not be
 * written to it or read from it, the process hears EOF now and leaves. */
static void on_child_stream_end(void *context)
{
    close_link(context);
}

static int start(struct child *child, const char *const words[])
{
    static const struct link_ears ears = {WAY_CARRIED, on_child_line, on_child_bad_line, on_child_stream_end};
    int fd = spawn_self(&child->process, words);
    if (fd < 0)
        return fd;
    child->link = link_new(child->agent->base, fd, &ears, child);
    if (child->link != NULL)
        return 0;
    close(fd);
    return -ENOMEM;
}

static void on_start(void *context, const struct message *message)
{
    struct agent *agent = context;
    struct child *child = calloc(1, sizeof *child);
    int rc = -ENOMEM;
    if (child != NULL) {
        *child = (struct child){.agent = agent, .id = message->start.id, .next = agent->children};
        agent->children = child;
        rc = start(child, message->start.words);
        child->process.ended |= rc != 0;
    }
    link_send(agent->controller, &(struct message){.id = MESSAGE_STARTED,
                                                   .started = {.id = message->start.id,
                                                               .pid = child != NULL ? child->process.pid : 0,
                                                               .error = -rc}});
}

static void on_to(void *context, const struct message *message)
{
    const struct child *child = find(context, message->carried.id);
    if (child != NULL && child->link != NULL)
        link_send(child->link,
                  &(struct message){.id = MESSAGE_CARRIED, .carried = {.line = message->carried.line}});
}

static void on_kill(void *context, const struct message *message)
{
    const struct child *child = find(context, message->kill.id);
    if (child != NULL)
        process_kill(&child->process);
}

/* ---- the host itself ---- */

static void on_ping(void *context, const struct message *message)
{
    (void)message;
    const struct agent *agent = context;
    link_send(agent->controller, &(struct message){.id = MESSAGE_HOST_PONG});
}

static void on_counters(void *context, const struct message *message)
{
    (void)message;
    const struct agent *agent = context;
    struct message now = {.id = MESSAGE_COUNTED, .counted = {.time_wait = host_time_wait_now()}};
    kernel_counters_read(&now.counted.counters);
    link_send(agent->controller, &now);
}

/* Room beside the sockets that are here, whichever of the addresses they have. */
static int find_room(const struct message *message, int *first)
{
    int error = 0;
    const struct witness_backend *witness = witness_choose(0, &error);
    if (witness == NULL)
        return error;
    *first = message->ports.first;
    for (int round = 0, stable = 0; stable < message->ports.count && round < 100; round++) {
        const struct address *address = &message->ports.addresses[round % message->ports.count];
        uint16_t found = (uint16_t)*first;
        int rc = free_ports_find(witness, address, (uint16_t)*first, (uint16_t)message->ports.last,
                                 message->ports.lanes, &found);
        stable = found == *first ? stable + 1 : 1;
        *first = found;
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void on_ports(void *context, const struct message *message)
{
    const struct agent *agent = context;
    struct message room = {.id = MESSAGE_ROOM};
    room.room.rc = find_room(message, &room.room.first_port);
    link_send(agent->controller, &room);
}

static void on_quit(void *context, const struct message *message)
{
    (void)message;
    leave(context);
}

static void on_message(void *context, const struct message *message)
{
    static message_handler *const handlers[MESSAGE_COUNT] = {
        [MESSAGE_TO] = on_to,          [MESSAGE_START] = on_start, [MESSAGE_KILL] = on_kill,
        [MESSAGE_HOST_PING] = on_ping, [MESSAGE_PORTS] = on_ports, [MESSAGE_COUNTERS] = on_counters,
        [MESSAGE_QUIT] = on_quit,
    };
    struct agent *agent = context;
    agent->heard_us = monotonic_us();
    if (agent->leaving_us == 0 && !message_dispatch(handlers, agent, message))
        leave(agent);
}

/* Whoever that is: it is no controller of ours. */
static void on_bad_line(void *context, const struct message_complaint *why)
{
    (void)why;
    leave(context);
}

static void greet(struct agent *agent)
{
    const struct message hello = message_hello();
    struct message limits = {.id = MESSAGE_LIMITS};
    host_limits_read(&limits.limits);
    const struct host_info_identity identity = host_info_identity();
    link_send(agent->controller, &hello);
    link_send(agent->controller, &limits);
    link_send(agent->controller,
              &(struct message){.id = MESSAGE_IDENTITY, .identity = {identity.text, limits.limits.kernel}});
}

static void free_children(struct agent *agent)
{
    while (agent->children != NULL) {
        struct child *child = agent->children;
        agent->children = child->next;
        close_link(child);
        free(child);
    }
}

static void serve(struct agent *agent)
{
    static const struct timeval often = {0, WATCH_MS * 1000};
    agent->heard_us = agent->watched_us = monotonic_us();
    event_add(agent->child_signal, NULL);
    event_add(agent->watch, &often);
    greet(agent);
    event_base_dispatch(agent->base);
    free_children(agent);
}

int agent_run(int from_controller, int to_controller)
{
    static const struct link_ears ears = {WAY_TO_HOST, on_message, on_bad_line, on_controller_gone};
    struct agent agent = {.base = event_base_new()};
    process_leave_signals_to_controller();
    host_raise_nofile();
    if (agent.base == NULL)
        return -EIO;
    agent.controller = link_new_pair(agent.base, from_controller, to_controller, &ears, &agent);
    agent.child_signal = evsignal_new(agent.base, SIGCHLD, on_child_signal, &agent);
    agent.watch = event_new(agent.base, -1, EV_PERSIST, on_watch, &agent);
    bool can_serve = agent.controller != NULL && agent.child_signal != NULL && agent.watch != NULL;
    if (can_serve)
        serve(&agent);
    if (agent.child_signal != NULL)
        event_free(agent.child_signal);
    if (agent.watch != NULL)
        event_free(agent.watch);
    link_free(agent.controller);
    event_base_free(agent.base);
    return can_serve ? 0 : -ENOMEM;
}
