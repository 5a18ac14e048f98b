#include "audit/readiness.h"

#include "audit/server_process.h"
#include "audit/server_side.h"
#include "base/clock.h"
#include "control/stop_events.h"
#include "kernel/process.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    LOOK_EVERY_US = 15000,
    LOOKS_TRIED = 3,          /* a dump may be interrupted, by the kernel's own account */
    SETTLED_US = 200000,      /* so long nothing has been started or opened */
    SETTLE_MOST_US = 3000000, /* who goes on for longer is audited as he is */
};

struct waiting {
    struct program *program;
    const struct readiness_wish *wish;
    struct readiness_found *found;
    const struct witness_backend *witness;
    struct event_base *base;
    struct event *timer, *news;
    struct stop_events stops;
    int64_t began_us, listens_us, same_us; /* since when it listens; since when its sizes are the same */
    int64_t processes, descriptors;
    enum readiness outcome;
    bool has_ended;
};

/* ---- who listens ---- */

static int look_at(const struct witness_backend *witness, const struct readiness_wish *wish, int address,
                   struct audit_look *look)
{
    struct audit_settings there = *wish->settings;
    there.address = wish->addresses[address];
    *look = (struct audit_look){.sights = NULL};
    return server_side_look_at_listeners(witness, &there, look);
}

static void name_listener(struct readiness_found *found, pid_t pid)
{
    found->listener = pid;
    memcpy(found->listener_command, process_command(pid).text, sizeof found->listener_command);
}

enum readiness readiness_is_free(const struct readiness_wish *wish, struct readiness_found *found)
{
    struct audit_look look;
    struct server_processes processes;
    const struct witness_backend *witness = witness_choose(0, &found->error);
    for (int i = 0; witness != NULL && i < wish->address_count; i++) {
        found->error = -EINTR;
        for (int k = 0; k < LOOKS_TRIED && found->error == -EINTR; k++)
            found->error = look_at(witness, wish, i, &look);
        if (found->error != 0)
            return READY_FAILED;
        if (look.listener_count == 0)
            continue;
        if (server_processes_find(look.listeners, look.listener_count, &processes) == 0)
            name_listener(found, processes.each[0]);
        server_processes_free(&processes);
        return READY_TAKEN;
    }
    return witness != NULL ? READY : READY_FAILED;
}

/* Returns READY when all that listen there are of the program; READY_LATE: nobody does yet. */
static enum readiness whose_are(struct waiting *waiting, const struct audit_look *look)
{
    struct server_processes processes;
    enum readiness whose = READY;
    int rc = server_processes_find(look->listeners, look->listener_count, &processes);
    for (int i = 0; rc == 0 && i < processes.listening && whose == READY; i++)
        if (!process_descends_from(processes.each[i], waiting->program->keeper)) {
            name_listener(waiting->found, processes.each[i]);
            bool has_ended = waiting->found->listener_command[0] == '\0'; /* whose it was is not known */
            whose = has_ended ? READY_LATE : READY_TAKEN;
        }
    server_processes_free(&processes);
    if (rc == -ESRCH) /* it has ended meanwhile */
        return READY_LATE;
    if (rc != 0 && rc != -EACCES)
        waiting->found->error = rc;
    return rc == 0 ? whose : rc == -EACCES ? READY_HIDDEN : READY_FAILED;
}

static enum readiness who_listens(struct waiting *waiting)
{
    struct audit_look look;
    for (int i = 0; i < waiting->wish->address_count; i++) {
        int rc = look_at(waiting->witness, waiting->wish, i, &look);
        if (rc != 0 && rc != -EINTR) {
            waiting->found->error = rc;
            return READY_FAILED;
        }
        if (rc == -EINTR || look.listener_count == 0)
            continue;
        waiting->found->address = i;
        return whose_are(waiting, &look);
    }
    return READY_LATE;
}

/* ---- where else it listens ---- */

static int note_port(void *context, const struct socket_entry *entry)
{
    struct waiting *waiting = context;
    struct server_processes processes;
    if (entry->state != STATE_LISTEN || server_processes_find(&entry->inode, 1, &processes) != 0)
        return 0;
    if (process_descends_from(processes.each[0], waiting->program->keeper))
        waiting->found->elsewhere = entry->local_port;
    server_processes_free(&processes);
    return waiting->found->elsewhere;
}

static void look_elsewhere(struct waiting *waiting)
{
    if (waiting->witness->each_listener(AF_INET, NULL, note_port, waiting) == 0)
        waiting->witness->each_listener(AF_INET6, NULL, note_port, waiting);
}

/* ---- whether it has settled ---- */

struct sizes {
    int64_t processes, descriptors;
};

static int add_sizes(void *context, pid_t pid)
{
    struct sizes *sizes = context;
    struct process_facts facts;
    if (process_facts_of(pid, &facts) == 0) {
        sizes->processes++;
        sizes->descriptors += facts.descriptors;
    }
    return 0;
}

static bool has_settled(struct waiting *waiting, int64_t now_us)
{
    struct sizes now = {.processes = 0};
    process_each_descendant(waiting->program->keeper, add_sizes, &now);
    if (waiting->listens_us == 0)
        waiting->listens_us = now_us;
    if (now.processes != waiting->processes || now.descriptors != waiting->descriptors)
        waiting->same_us = now_us;
    waiting->processes = now.processes;
    waiting->descriptors = now.descriptors;
    return now_us - waiting->same_us >= SETTLED_US || now_us - waiting->listens_us >= SETTLE_MOST_US;
}

/* ---- events ---- */

static void end(struct waiting *waiting, enum readiness outcome)
{
    waiting->outcome = outcome;
    waiting->has_ended = true; /* to break the loop means nothing before it turns */
    event_base_loopbreak(waiting->base);
}

static void look_again_later(struct waiting *waiting)
{
    const struct timeval wait = timeval_of_us(LOOK_EVERY_US);
    if (event_add(waiting->timer, &wait) == 0)
        return;
    waiting->found->error = -ENOMEM;
    end(waiting, READY_FAILED);
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct waiting *waiting = context;
    enum readiness now = who_listens(waiting);
    int64_t now_us = monotonic_us();
    if (now == READY_LATE && now_us - waiting->began_us >= waiting->wish->patience_ms * 1000) {
        look_elsewhere(waiting);
        end(waiting, READY_LATE);
    } else if (now == READY_LATE || (now == READY && !has_settled(waiting, now_us))) {
        look_again_later(waiting);
    } else {
        end(waiting, now);
    }
}

static void on_news(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct waiting *waiting = context;
    program_hear(waiting->program);
    waiting->found->error = -waiting->program->error;
    if (waiting->program->error != 0)
        end(waiting, READY_FAILED);
    else if (waiting->program->is_over)
        end(waiting, READY_ENDED);
}

static void on_stop(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    end(context, READY_INTERRUPTED);
}

static bool make_events(struct waiting *waiting)
{
    waiting->base = event_base_new();
    if (waiting->base == NULL)
        return false;
    waiting->timer = evtimer_new(waiting->base, on_look, waiting);
    waiting->news =
        event_new(waiting->base, waiting->program->stream, EV_READ | EV_PERSIST, on_news, waiting);
    return waiting->timer != NULL && waiting->news != NULL && event_add(waiting->news, NULL) == 0 &&
           stop_events_open(&waiting->stops, waiting->base, on_stop, waiting) == 0;
}

static void free_events(struct waiting *waiting)
{
    stop_events_close(&waiting->stops);
    if (waiting->timer != NULL)
        event_free(waiting->timer);
    if (waiting->news != NULL)
        event_free(waiting->news);
    if (waiting->base != NULL)
        event_base_free(waiting->base);
}

enum readiness readiness_wait(struct program *program, const struct readiness_wish *wish,
                              struct readiness_found *found)
{
    struct waiting waiting = {.program = program,
                              .wish = wish,
                              .found = found,
                              .began_us = monotonic_us(),
                              .outcome = READY_FAILED};
    *found = (struct readiness_found){.error = -ENOMEM};
    waiting.witness = witness_choose(0, &found->error);
    if (waiting.witness != NULL && make_events(&waiting)) {
        on_look(-1, 0, &waiting);
        if (!waiting.has_ended)
            event_base_dispatch(waiting.base);
    }
    free_events(&waiting);
    return waiting.outcome;
}
