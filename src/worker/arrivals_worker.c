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
    struct flow_worker *flow = worker->role_state;
    flow->report(worker);
    if (flow->party.failed_call != NULL)
        worker_fault(worker, flow->party.failed_call, flow->party.failed_errno, 0);
}

bool flow_worker_start(struct worker *worker, struct flow_worker *flow, void (*report)(struct worker *worker))
{
    struct timeval every = timeval_of_us(REPORT_MS * 1000);
    flow->worker = worker;
    flow->report = report;
    flow->party.base = worker->base;
    flow->party.behaviour = worker->behaviour;
    flow->party.fixed = worker->fixed;
    flow->beat = event_new(worker->base, -1, EV_PERSIST, on_beat, worker);
    event_add(flow->beat, &every);
    return party_start(&flow->party) == 0;
}

void flow_worker_stop(struct flow_worker *flow)
{
    event_free(flow->beat);
    party_stop(&flow->party);
}

/* script LIFE_US LEAKED OF ACT@TRIGGER ... */
static void do_script(struct worker *worker, struct party *party, const struct wire_line *line)
{
    party->life_us = wire_number(line, 1);
    party->leak = (struct leak_share){wire_number(line, 2), wire_number(line, 3)};
    for (int i = 4; i < line->count; i++)
        if (script_add_word(&party->script, line->word[i]) != 0)
            worker_fault(worker, "script", EPROTO, 0);
}

static void do_nofile(struct worker *worker, struct party *party, const struct wire_line *line)
{
    (void)party;
    rlim_t most = (rlim_t)wire_number(line, 1);
    const struct rlimit limit = {most, most};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        worker_fault(worker, "setrlimit", errno, 0);
}

int64_t flow_worker_ghosts(const struct worker *worker)
{
    return held_ghosts(&((const struct flow_worker *)worker->role_state)->party.held);
}

bool flow_worker_on_line(struct worker *worker, const struct wire_line *line)
{
    static const struct {
        const char *name;
        void (*run)(struct worker *worker, struct party *party, const struct wire_line *line);
    } verbs[] = {{"script", do_script}, {"nofile", do_nofile}};
    struct flow_worker *flow = worker->role_state;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].name, line->word[0]) == 0) {
            verbs[i].run(worker, &flow->party, line);
            return true;
        }
    }
    return false;
}
