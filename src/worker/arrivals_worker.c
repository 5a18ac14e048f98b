#include "worker/arrivals_worker.h"

#include "base/clock.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/resource.h>

enum { REPORT_MS = 50 };

static void on_beat(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct worker *worker = context;
    struct arrivals_worker *flow = worker->role_state;
    flow->report(worker);
    if (flow->endpoint.failed_call != NULL)
        worker_fault(worker, flow->endpoint.failed_call, flow->endpoint.failed_errno, 0);
}

bool arrivals_worker_start(struct worker *worker, struct arrivals_worker *flow,
                           void (*report)(struct worker *worker))
{
    struct timeval every = timeval_of_us(REPORT_MS * 1000);
    flow->worker = worker;
    flow->report = report;
    flow->endpoint.base = worker->base;
    flow->endpoint.behaviour = worker->behaviour;
    flow->endpoint.fixed = worker->fixed;
    flow->beat = event_new(worker->base, -1, EV_PERSIST, on_beat, worker);
    event_add(flow->beat, &every);
    return endpoint_start(&flow->endpoint) == 0;
}

void arrivals_worker_stop(struct arrivals_worker *flow)
{
    event_free(flow->beat);
    endpoint_stop(&flow->endpoint);
}

/* script LIFE_US LEAKED OF ACT@TRIGGER ... */
static void do_script(struct worker *worker, struct endpoint *endpoint, const struct link_line *line)
{
    endpoint->life_us = link_number(line, 1);
    endpoint->leak = (struct leak_share){link_number(line, 2), link_number(line, 3)};
    for (int i = 4; i < line->count; i++)
        if (script_add_word(&endpoint->script, line->word[i]) != 0)
            worker_fault(worker, "script", EPROTO, 0);
}

static void do_nofile(struct worker *worker, struct endpoint *endpoint, const struct link_line *line)
{
    (void)endpoint;
    rlim_t most = (rlim_t)link_number(line, 1);
    const struct rlimit limit = {most, most};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        worker_fault(worker, "setrlimit", errno, 0);
}

int64_t arrivals_worker_ghosts(const struct worker *worker)
{
    return open_descriptors_ghosts(
        &((const struct arrivals_worker *)worker->role_state)->endpoint.descriptors);
}

bool arrivals_worker_on_line(struct worker *worker, const struct link_line *line)
{
    static const struct {
        const char *name;
        void (*run)(struct worker *worker, struct endpoint *endpoint, const struct link_line *line);
    } verbs[] = {{"script", do_script}, {"nofile", do_nofile}};
    struct arrivals_worker *flow = worker->role_state;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].name, line->word[0]) == 0) {
            verbs[i].run(worker, &flow->endpoint, line);
            return true;
        }
    }
    return false;
}
