#include "worker/worker.h"

#include "base/version.h"
#include "control/spawn.h"
#include "kernel/host_limits.h"

#include <errno.h>
#include <event2/event.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>

enum { BEHIND_THE_WITNESS = 5 }; /* nice */

enum { REFUSAL_MS = 500 };

enum { REPORT_EVERY = 4096 }; /* ends between two progress lines of an act */

static void on_refusal_due(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct worker *worker = context;
    link_send(worker->link, "fault connect %d %u", ECONNREFUSED, worker->refused_port);
}

/* A listener that went away has mostly gone with its process, and how that ended is what there is to say: the
 * controller is to hear it first. */
static void fault_by_refusal(struct worker *worker, uint16_t port)
{
    static const struct timeval after = {.tv_usec = REFUSAL_MS * 1000};
    worker->refused_port = port;
    event_base_once(worker->base, -1, EV_TIMEOUT, on_refusal_due, worker, &after);
}

void worker_fault(struct worker *worker, const char *call, int error, uint16_t port)
{
    if (error == ECONNREFUSED) {
        fault_by_refusal(worker, port);
        return;
    }
    link_send(worker->link, "fault %s %d %u", call, error, port);
}

static void on_acted(void *context, const struct connection_act_report *report, bool finished)
{
    struct worker *worker = context;
    if (finished)
        worker->running = NULL; /* frees itself */
    else if (report->done - worker->acted_reported < REPORT_EVERY)
        return;
    worker->acted_reported = report->done;
    link_send(worker->link, "%s %lld %lld %lld %d %lld", finished ? "done" : "acted",
              (long long)worker->act_serial, (long long)report->done, (long long)report->failed,
              report->last_errno, (long long)worker->connections.open);
}

static void do_act(struct worker *worker, const struct link_line *line)
{
    enum act act = act_parse(line->word[2]);
    if (worker->running != NULL) {
        worker_fault(worker, "act", EPROTO, 0);
        return;
    }
    worker->act_serial = link_number(line, 1);
    worker->acted_reported = 0;
    const struct connection_act_what what = {
        .act = act, .backwards = strcmp(line->word[3], "backwards") == 0, .spare = link_number(line, 4)};
    worker->running = connection_act_start(worker->base, &worker->connections, &what, on_acted, worker);
}

static void do_count_ghosts(struct worker *worker, const struct link_line *line)
{
    int64_t ghosts = connection_set_ghosts(&worker->connections);
    if (worker->role->ghosts != NULL)
        ghosts += worker->role->ghosts(worker);
    link_send(worker->link, "ghosts %lld %lld", (long long)link_number(line, 1), (long long)ghosts);
}

/* The act under way ends where it is, and no connection is begun any more. */
static void do_stop(struct worker *worker, const struct link_line *line)
{
    connection_act_cancel(worker->running);
    worker->running = NULL;
    if (worker->role->halt != NULL)
        worker->role->halt(worker);
    link_send(worker->link, "stopped %lld", (long long)link_number(line, 1));
}

static void do_ping(struct worker *worker, const struct link_line *line)
{
    link_send(worker->link, "pong %lld", (long long)link_number(line, 1));
}

static void do_quit(struct worker *worker, const struct link_line *line)
{
    (void)line;
    event_base_loopbreak(worker->base);
}

struct verb {
    const char *name;
    void (*run)(struct worker *worker, const struct link_line *line);
};

static const struct verb verbs[] = {
    {"act", do_act}, {"census", do_count_ghosts}, {"ping", do_ping}, {"stop", do_stop}, {"quit", do_quit},
};

static void on_line(void *context, const struct link_line *line)
{
    struct worker *worker = context;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].name, line->word[0]) == 0) {
            verbs[i].run(worker, line);
            return;
        }
    }
    if (!worker->role->on_line(worker, line))
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
    if (!role->is_punctual) /* a look would take as long as a hundred workers let it */
        setpriority(PRIO_PROCESS, 0, BEHIND_THE_WITNESS);
    host_raise_nofile();
    worker.base = new_base(role->is_punctual);
    if (worker.base == NULL)
        return -EIO;
    const struct link_ears ears = {WAY_TO_WORKER, on_line, on_bad_line, on_controller_gone};
    worker.link = link_new(worker.base, control, &ears, &worker);
    int rc = worker.link == NULL ? -ENOMEM : role->start(&worker) ? 0 : -EIO;
    if (rc == 0) {
        link_send(worker.link, "hello %d %s", LINK_PROTOCOL, TCPSTORM_VERSION);
        event_base_dispatch(worker.base);
        connection_act_cancel(worker.running);
        role->stop(&worker);
        connection_set_free(&worker.connections);
    }
    link_free(worker.link);
    event_base_free(worker.base);
    return rc;
}
