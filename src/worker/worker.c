#include "worker/worker.h"

#include "control/spawn.h"
#include "kernel/host_limits.h"
#include "kernel/time_slice.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/resource.h>

enum { REFUSAL_MS = 500 };

enum { REPORT_EVERY = 4096 }; /* ends between two progress lines of an act */

static void on_refusal_due(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    const struct worker *worker = context;
    link_send(worker->link, &(struct message){.id = MESSAGE_FAULT,
                                              .fault = {"connect", worker->refusal, worker->refused_port}});
}

/* A listener that went away, or resets who waits to be accepted, has mostly gone with its process, and how
 * that ended is what there is to say: the controller is to hear it first. */
static void fault_by_refusal(struct worker *worker, int error, uint16_t port)
{
    static const struct timeval after = {.tv_usec = REFUSAL_MS * 1000};
    worker->refusal = error;
    worker->refused_port = port;
    event_base_once(worker->base, -1, EV_TIMEOUT, on_refusal_due, worker, &after);
}

void worker_fault(struct worker *worker, const char *call, int error, uint16_t port)
{
    if (error == ECONNREFUSED || (error == ECONNRESET && strcmp(call, "connect") == 0)) {
        fault_by_refusal(worker, error, port);
        return;
    }
    link_send(worker->link, &(struct message){.id = MESSAGE_FAULT, .fault = {call, error, port}});
}

void worker_acted(void *context, const struct connection_act_report *report, bool finished)
{
    struct worker *worker = context;
    if (finished)
        worker->running = NULL; /* frees itself */
    else if (report->done - worker->acted_reported < worker->report_every)
        return;
    worker->acted_reported = report->done;
    link_send(worker->link, &(struct message){.id = finished ? MESSAGE_DONE : MESSAGE_ACTED,
                                              .acted = {.serial = worker->act_serial,
                                                        .done = report->done,
                                                        .failed = report->failed,
                                                        .error = report->last_errno,
                                                        .fds = worker->connections.open}});
}

static void on_act(void *context, const struct message *message)
{
    struct worker *worker = context;
    if (worker->running != NULL) {
        worker_fault(worker, "act", EPROTO, 0);
        return;
    }
    worker->act_serial = message->act.serial;
    worker->acted_reported = 0;
    worker->report_every = act_blocks(message->act.act) ? 1 : REPORT_EVERY;
    if (!act_is_on_ends(message->act.act)) {
        if (worker->role->act == NULL || !worker->role->act(worker, message->act.act))
            worker_fault(worker, "act", EPROTO, 0);
        return;
    }
    const struct connection_act_what what = {
        .act = message->act.act, .backwards = message->act.backwards, .spare = message->act.spare};
    worker->running = connection_act_start(worker->base, &worker->connections, &what, worker_acted, worker);
}

static void on_keepalive(void *context, const struct message *message)
{
    struct worker *worker = context;
    worker->keepalive_s = message->keepalive.idle_s;
}

static void on_ask_ghosts(void *context, const struct message *message)
{
    const struct worker *worker = context;
    int64_t count = connection_set_ghosts(&worker->connections);
    if (worker->role->ghosts != NULL)
        count += worker->role->ghosts(worker);
    link_send(worker->link, &(struct message){.id = MESSAGE_GHOSTS, .ghosts = {message->serial, count}});
}

/* The act under way ends where it is, and no connection is begun any more. */
static void on_stop(void *context, const struct message *message)
{
    struct worker *worker = context;
    connection_act_cancel(worker->running);
    worker->running = NULL;
    if (worker->role->halt != NULL)
        worker->role->halt(worker);
    link_send(worker->link, &(struct message){.id = MESSAGE_STOPPED, .serial = message->serial});
}

static void on_ping(void *context, const struct message *message)
{
    const struct worker *worker = context;
    link_send(worker->link, &(struct message){.id = MESSAGE_PONG, .serial = message->serial});
}

static void on_quit(void *context, const struct message *message)
{
    (void)message;
    const struct worker *worker = context;
    event_base_loopbreak(worker->base);
}

static void on_message(void *context, const struct message *message)
{
    static message_handler *const handlers[MESSAGE_COUNT] = {
        [MESSAGE_ACT] = on_act,   [MESSAGE_ASK_GHOSTS] = on_ask_ghosts,
        [MESSAGE_PING] = on_ping, [MESSAGE_STOP] = on_stop,
        [MESSAGE_QUIT] = on_quit, [MESSAGE_KEEPALIVE] = on_keepalive,
    };
    struct worker *worker = context;
    if (!message_dispatch(handlers, worker, message) &&
        !message_dispatch(worker->role->handlers, worker, message))
        worker_fault(worker, "protocol", EPROTO, 0);
}

static void on_bad_line(void *context, const struct message_complaint *why)
{
    (void)why;
    worker_fault(context, "protocol", EPROTO, 0);
}

static void on_controller_gone(void *context)
{
    struct worker *worker = context;
    event_base_loopbreak(worker->base);
}

static struct event_base *new_base(bool is_punctual)
{
    struct event_config *config = event_config_new();
    if (config == NULL)
        return NULL;
    if (is_punctual)
        event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

int worker_run(const struct worker_role *role, const struct behaviour *behaviour, bool fixed, int control)
{
    struct worker worker = {.role = role, .behaviour = behaviour, .fixed = fixed};
    process_leave_signals_to_controller();
    if (role->nice > 0)
        setpriority(PRIO_PROCESS, 0, role->nice);
    if (role->slice_us > 0)
        time_slice_ask(role->slice_us); /* a kernel that does not do it makes arrivals late, which is told */
    host_raise_nofile();
    worker.base = new_base(role->is_punctual);
    if (worker.base == NULL)
        return -EIO;
    const struct link_ears ears = {WAY_TO_WORKER, on_message, on_bad_line, on_controller_gone};
    worker.link = link_new(worker.base, control, &ears, &worker);
    int rc = worker.link == NULL ? -ENOMEM : role->start(&worker) ? 0 : -EIO;
    if (rc == 0) {
        const struct message hello = message_hello();
        link_send(worker.link, &hello);
        event_base_dispatch(worker.base);
        connection_act_cancel(worker.running);
        role->stop(&worker);
        connection_set_free(&worker.connections);
    }
    link_free(worker.link);
    event_base_free(worker.base);
    return rc;
}
