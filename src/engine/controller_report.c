/* controller_report: what the observers of an order are told: samples, steps, progress, its end. */
#include "engine/controller_state.h"

#include "base/clock.h"
#include "base/number_text.h"

#include <stdio.h>
#include <string.h>

/* A result that has nowhere to go is a fault, even of an order that is over. */
static void check_output(struct controller *c, int rc, const char *name)
{
    if (rc == 0)
        return;
    controller_fail(c, "cannot write %s: %s; what was written before is kept", name, strerror(-rc));
    if (c->outcome == OUTCOME_FAULT)
        return;
    c->outcome = OUTCOME_FAULT;
    snprintf(c->fault.text, sizeof c->fault.text, "cannot write %s: %s; what was written before is kept",
             name, strerror(-rc));
}

#define TELL(c, what, argument)                                                                              \
    do {                                                                                                     \
        const char *failed_ = NULL;                                                                          \
        int rc_ = observers_##what((c)->observers, (argument), &failed_);                                    \
        check_output((c), rc_, failed_);                                                                     \
    } while (0)

static double when(const struct timeline *timeline, enum timeline_stage stage)
{
    return timeline_has(timeline, stage) ? timeline_at(timeline, stage) : 0;
}

/* 0: neither has happened. */
static double first_of(const struct timeline *timeline, enum timeline_stage a, enum timeline_stage b)
{
    double a_s = when(timeline, a), b_s = when(timeline, b);
    return b_s == 0 || (a_s > 0 && a_s < b_s) ? a_s : b_s;
}

/* The dates of the timeline, for those who draw it. */
static void put_firsts(struct sample *sample, const struct timeline *timeline)
{
    sample->failed_s[SIDE_SERVER] = first_of(timeline, STAGE_SERVER_EMFILE, STAGE_MACHINE_ENFILE);
    sample->failed_s[SIDE_CLIENT] = first_of(timeline, STAGE_CONNECT_TIMED_OUT, STAGE_PORTS_USED_UP);
    sample->dropped_s = when(timeline, STAGE_SYN_DROPPED);
}

void controller_tell_sample(struct controller *c, bool settled)
{
    struct sample sample = {
        .experiment = c->experiment,
        .conns = c->plan->settings->conns,
        .t_s = (double)(c->look.began_us - c->run_began_us) / 1e6,
        .look_s = (double)c->look.took_us / 1e6,
        .step = c->label.text,
        .settled = settled,
        .opened = c->at_look.opened,
        .sides = c->look.sides,
    };
    struct flow_tally sums[SIDE_COUNT];
    workers_sum_flow(&c->workers, sums);
    sample.late = sums[SIDE_CLIENT].late;
    sample.connect_us = sums[SIDE_CLIENT].oldest_us;
    sample.dropped = c->at_look.moved.value[COUNTER_LISTEN_DROPS];
    for (int side = 0; side < SIDE_COUNT; side++) {
        sample.nofile[side] = plan_nofile(c->plan, (enum side)side) * c->plan->pairs;
        sample.lost[side] = sums[side].lost;
    }
    sample.began_s = controller_t_s(c, c->times.began_ms[0] * 1000);
    put_firsts(&sample, &c->outage.timeline);
    by_host_see(&c->at_look.by_host, &c->look);
    sample.parts = c->at_look.by_host.parts;
    sample.part_count = c->at_look.by_host.count;
    memcpy(sample.fds, c->at_look.fds, sizeof sample.fds);
    memcpy(sample.errors, c->at_look.errors, sizeof sample.errors);
    struct transition_report transitions;
    if (c->event_witness.events != NULL) {
        transitions = event_witness_report(&c->event_witness, controller_opened(c));
        sample.transitions = &transitions;
    }
    TELL(c, sample, &sample);
}

void controller_tell_step_end(struct controller *c, const struct expectation *expectation, bool ok)
{
    double act_s = (double)c->act_us / 1e6;
    struct step_end end = {
        .experiment = c->experiment,
        .step = c->label.text,
        .expectation = expectation,
        .sides = c->look.sides,
        .ok = ok,
        .settle_s = c->settle_s,
        .act_s = act_s,
        .rate_per_s = act_s > 0 ? (double)expectation->opened / act_s : 0,
        .difference = ok ? "" : c->difference.text,
    };
    TELL(c, step_end, &end);
}

static double left_s(const struct controller *c, const struct progress *progress)
{
    if (c->phase == PHASE_HOLDING && controller_hold_ms(c) != HOLD_FOREVER)
        return (double)controller_hold_ms(c) / 1e3 - progress->elapsed_s;
    if (c->phase == PHASE_ACTING && progress->done > 0)
        return (double)(progress->total - progress->done) / ((double)progress->done / progress->elapsed_s);
    return -1;
}

void controller_tell_progress(struct controller *c)
{
    static const char *const doing[] = {
        [PHASE_STARTING] = "starting",
        [PHASE_LISTENING] = "starting",
        [PHASE_ACTING] = "acting",
        [PHASE_SETTLING] = "settling",
        [PHASE_HOLDING] = "holding",
        [PHASE_STOPPING] = "stopping",
        [PHASE_ASKING] = "finding the owners of the sockets",
        [PHASE_ENDING] = "closing down",
    };
    struct progress progress = {
        .experiment = c->experiment,
        .step = c->label.text,
        .doing = doing[c->phase],
        .elapsed_s = (double)(monotonic_us() - c->phase_began_us) / 1e6,
    };
    if (c->phase == PHASE_ACTING)
        c->mode->progress(c, &progress);
    progress.left_s = left_s(c, &progress);
    observers_progress(c->observers, &progress);
}

void controller_tell_order_end(struct controller *c)
{
    struct verdict_input input = {
        .experiment = c->experiment,
        .outcome = c->outcome,
        .difference = c->difference.text,
        .fault = c->fault.text,
        .step = c->label.text,
        .opened = controller_opened(c),
        .sides = c->has_look ? c->look.sides : NULL,
        .aged = c->aged,
        .late_close = c->late_close,
        .assassinated = c->assassinated,
        .lasted_ms = c->look.began_us / 1000 - c->times.began_ms[0],
        .rst_spares_time_wait = c->plan->limits.rfc1337 != 0,
        .has_own_namespace = c->plan->settings->look_inside != NULL,
        .failed_looks = c->sampler.failed_in_all,
        .ehash_entries = c->plan->limits.ehash_entries,
        .look_pause_us = c->sampler.stretched_us,
        .look_took_us = c->look.took_us,
        .fin_timeout_ms = c->plan->limits.fin_timeout_ms,
        .moved = &c->moved,
        .lingering = &c->lingering,
        .leaked = c->plan->settings->leak,
    };
    memcpy(input.keepalive_s, c->plan->settings->keepalive_s, sizeof input.keepalive_s);
    memcpy(input.by_keepalive, c->by_keepalive, sizeof input.by_keepalive);
    struct flow_report report;
    int64_t errors[SIDE_COUNT];
    workers_sum(&c->workers, input.fds, errors);
    if (c->mode->report != NULL && c->act_began_us > 0) {
        report = c->mode->report(c);
        input.flow = &report;
    }
    struct transition_report transitions;
    if (c->event_witness.events != NULL) {
        transitions = event_witness_report(&c->event_witness, input.opened);
        input.transitions = &transitions;
    }
    struct verdict verdict = verdict_of(&input);
    struct order_end end = {.experiment = c->experiment,
                            .outcome = c->outcome,
                            .verdict = verdict.text,
                            .sides = input.sides,
                            .moved = &c->moved,
                            .failed_looks = c->sampler.failed_in_all,
                            .lingering = &c->lingering,
                            .flow = input.flow,
                            .transitions = input.transitions};
    TELL(c, order_end, &end);
}
