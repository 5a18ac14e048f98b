#include "engine/run.h"

#include "base/clock.h"
#include "base/diag.h"
#include "base/number_text.h"
#include "control/hosts.h"
#include "control/stop_events.h"
#include "engine/controller.h"
#include "kernel/sysctl.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    ROOM_CHECK_MS = 500,
    TOGETHER_CHECK_MS = 50,
    ROOM_SAY_MS = 10000,      /* where each line of progress stays */
    ROOM_PATIENCE_MS = 75000, /* TIME_WAIT lasts 60 s, and the kernel is not punctual to the second */
    END_BY_FORCE_NS = 990000000,
};

struct run {
    struct plan *plan; /* of the first, where several are played together */
    const struct observers *observers;
    struct event_base *base;
    struct stop_events stops;
    struct event *room_timer;
    struct controller *playing[RUN_TOGETHER_MAX];
    int playing_count; /* 0 between orders */
    struct event *together_timer;
    int64_t hold_ms;    /* of those that are played together */
    int64_t release_us; /* when that is over; 0: not all are there */
    bool given_up;      /* one has failed */
    int64_t began_us;
    int64_t room_needed;
    int64_t room_asked_us;
    int64_t room_said_ms; /* of waiting, when progress was last told */
    int interrupted;      /* how often */
};

/* Whoever asks a second time does not want to wait for anything. */
static void leave_at_once(int number)
{
    (void)number;
    diag_from_signal("tcpstorm: interrupted a second time: it stopped before everything was counted\n");
    _exit(130);
}

/* All that a second signal still does takes less; and if it does not, the workers see our end, and leave. The
 * timer is one of its own: that of setitimer() belongs to base/output. */
static void end_by_force_soon(void)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    const struct itimerspec soon = {.it_value = {.tv_nsec = END_BY_FORCE_NS}};
    signal(SIGRTMIN, leave_at_once);
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 || timer_settime(timer, 0, &soon, NULL) != 0)
        leave_at_once(SIGRTMIN);
}

static void on_stop_signal(evutil_socket_t number, short what, void *context)
{
    (void)number;
    (void)what;
    struct run *run = context;
    bool is_second = ++run->interrupted > 1;
    if (is_second)
        end_by_force_soon();
    for (int i = 0; is_second && i < run->playing_count; i++)
        controller_kill(run->playing[i]); /* all of them before any is waited for */
    for (int i = 0; i < run->playing_count; i++)
        (is_second ? controller_end_now : controller_stop)(run->playing[i]);
    if (run->playing_count == 0)
        event_base_loopbreak(run->base);
}

/* TIME_WAIT, as it is now: the setting may be raised while a run waits. */
struct time_wait {
    int64_t most, room;
};

static struct time_wait time_wait_now(const struct run *run)
{
    struct time_wait now;
    now.room = hosts_time_wait_room(run->plan->settings->hosts, &now.most);
    return now;
}

static void on_room_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct run *run = context;
    hosts_ask_counters(run->plan->settings->hosts); /* for the next time */
    int64_t waited_ms = (monotonic_us() - run->room_asked_us) / 1000;
    struct time_wait now = time_wait_now(run);
    if (now.room >= run->room_needed || waited_ms > ROOM_PATIENCE_MS)
        event_base_loopbreak(run->base);
    else if (diag_is_terminal() || waited_ms / ROOM_SAY_MS > run->room_said_ms / ROOM_SAY_MS) {
        run->room_said_ms = waited_ms;
        diag_progress(
            "waiting for TIME_WAIT of earlier connections to end: %s there, room for %s needed, %llds so far",
            grouped(now.most - now.room).text, grouped(run->room_needed).text, (long long)waited_ms / 1000);
    }
}

/* An order whose TIME_WAIT does not fit beside that of earlier ones would lose it in silence. */
static bool wait_for_room(struct run *run, const struct experiment *experiment)
{
    run->room_needed =
        experiment->order->needs.must_move ? 0 : plan_time_wait_of(run->plan->settings, experiment);
    run->room_asked_us = monotonic_us();
    run->room_said_ms = 0;
    if (run->room_needed == 0 || time_wait_now(run).room >= run->room_needed)
        return true;
    static const struct timeval every = {0, ROOM_CHECK_MS * 1000};
    event_add(run->room_timer, &every);
    event_base_dispatch(run->base);
    event_del(run->room_timer);
    diag_progress_clear();
    struct time_wait now = time_wait_now(run);
    if (run->interrupted || now.room >= run->room_needed)
        return !run->interrupted;
    diag_error(
        "%s sockets in TIME_WAIT leave no room for the %s of --order %s: raise net.ipv4.tcp_max_tw_buckets "
        "(now %s) or wait until they end",
        grouped(now.most - now.room).text, grouped(run->room_needed).text, experiment->name,
        grouped(now.most).text);
    return false;
}

static enum outcome output_failed(const char *name, int rc)
{
    diag_error("cannot write %s: %s", name, strerror(-rc));
    return OUTCOME_FAULT;
}

/* What a setting was, to be put back. */
struct former_setting {
    const char *name;
    char value[64];
};

static bool is_given(const struct run_settings *settings, const char *name)
{
    for (int i = 0; name != NULL && i < settings->sysctl_count; i++)
        if (strncmp(settings->sysctls[i], name, strlen(name)) == 0 &&
            settings->sysctls[i][strlen(name)] == '=')
            return true;
    return false;
}

static int setting_failed(const char *name, const char *value, int rc)
{
    diag_error("cannot set %s to %s in this network namespace: %s", name, value, strerror(-rc));
    return rc;
}

/* The network namespace is ours: see plan.c. Returns 0, or a negative errno after telling. */
static int make_setting(struct run *run, const struct close_order *order, struct former_setting *former)
{
    char value[32];
    former->name = is_given(run->plan->settings, order->needs.sysctl) ? NULL : order->needs.sysctl;
    if (former->name == NULL)
        return 0;
    int64_t wanted = order_sysctl_value(order, run->plan->settings->conns);
    if (order->needs.is_half) /* beside what earlier orders have left there */
        wanted += host_time_wait_now();
    snprintf(value, sizeof value, "%lld", (long long)wanted);
    int rc = sysctl_read(former->name, former->value, sizeof former->value);
    rc = rc != 0 ? rc : sysctl_write(former->name, value);
    if (rc != 0) {
        const char *name = former->name;
        former->name = NULL; /* there is nothing to put back */
        return setting_failed(name, value, rc);
    }
    host_limits_read(&run->plan->limits);
    return 0;
}

static int put_setting_back(struct run *run, const struct former_setting *former)
{
    if (former->name == NULL)
        return 0;
    int rc = sysctl_write(former->name, former->value);
    if (rc != 0)
        return setting_failed(former->name, former->value, rc);
    host_limits_read(&run->plan->limits);
    return 0;
}

static enum outcome finish(struct controller *controller, enum outcome outcome)
{
    if (outcome == OUTCOME_FAULT)
        diag_error("%s", controller_fault(controller)->text);
    controller_free(controller);
    return outcome;
}

static struct controller *prepare(struct run *run, const struct order_start *start, int index)
{
    const char *failed;
    int rc = observers_order_start(run->observers, start, &failed);
    if (rc != 0) {
        output_failed(failed, rc);
        return NULL;
    }
    struct controller *controller =
        controller_new(run->base, start->plan, start, index, run->observers, run->began_us);
    if (controller == NULL)
        diag_error("out of memory: lower --conns");
    return controller;
}

static enum outcome play(struct run *run, const struct order_start *start, int index)
{
    struct former_setting former;
    if (make_setting(run, start->experiment->order, &former) != 0)
        return OUTCOME_FAULT;
    struct controller *controller = prepare(run, start, index);
    enum outcome outcome = OUTCOME_FAULT;
    if (controller != NULL) {
        run->playing[run->playing_count++] = controller;
        outcome = controller_run(controller);
        run->playing_count = 0;
        outcome = finish(controller, outcome);
    }
    return put_setting_back(run, &former) == 0 ? outcome : OUTCOME_FAULT;
}

/* Returns 0, or -1 after telling why there are none. */
static int choose_ports(const struct plan *plan, uint16_t from, struct port_range *lanes)
{
    struct plan_sentence why = {""};
    if (plan_choose_ports(plan, from, &lanes->first, &why) != 0) {
        diag_error("%s", why.text);
        return -1;
    }
    lanes->last = (uint16_t)(lanes->first + plan->lane_count - 1);
    return 0;
}

static enum outcome play_all(struct run *run)
{
    const struct run_settings *settings = run->plan->settings;
    enum outcome worst = OUTCOME_AS_EXPECTED;
    uint16_t from = (uint16_t)settings->port;
    for (int i = 0; i < settings->experiment_count && worst < OUTCOME_FAULT && !run->interrupted; i++) {
        struct order_start start = {.plan = run->plan, .experiment = &settings->experiments[i]};
        if (!wait_for_room(run, start.experiment))
            return run->interrupted ? OUTCOME_INTERRUPTED : OUTCOME_FAULT;
        if (choose_ports(run->plan, from, &start.lanes) != 0 || run->interrupted)
            return run->interrupted ? OUTCOME_INTERRUPTED : OUTCOME_FAULT;
        enum outcome outcome = play(run, &start, i);
        worst = outcome > worst ? outcome : worst;
    }
    return run->interrupted && worst < OUTCOME_FAULT ? OUTCOME_INTERRUPTED : worst;
}

/* ---- several together ---- */

/* What was asked for together is not there together any more. */
static void give_up_if_one_failed(struct run *run)
{
    bool failed = false;
    for (int i = 0; i < run->playing_count; i++)
        failed |= controller_has_failed(run->playing[i]);
    if (!failed || run->given_up)
        return;
    run->given_up = true;
    for (int i = 0; i < run->playing_count; i++)
        if (!controller_has_failed(run->playing[i]))
            controller_stop(run->playing[i]);
}

static void on_together_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct run *run = context;
    bool all_there = true;
    give_up_if_one_failed(run);
    for (int i = 0; i < run->playing_count; i++)
        all_there &= controller_is_holding(run->playing[i]) || controller_is_finished(run->playing[i]);
    if (all_there && run->release_us == 0 && run->hold_ms != HOLD_FOREVER)
        run->release_us = monotonic_us() + run->hold_ms * 1000;
    for (int i = 0; run->release_us != 0 && monotonic_us() >= run->release_us && i < run->playing_count; i++)
        controller_release(run->playing[i]);
}

/* All but the first: what is there then is kept until all are. */
static bool start_together(struct run *run, struct plan *const *plans, int count)
{
    uint16_t from = (uint16_t)plans[0]->settings->port;
    for (int i = 0; i < count && !run->interrupted; i++) {
        struct order_start start = {.plan = plans[i], .experiment = &plans[i]->settings->experiments[0]};
        if (choose_ports(plans[i], from, &start.lanes) != 0)
            return false;
        from = (uint16_t)(start.lanes.last + 1);
        struct controller *controller = prepare(run, &start, 0);
        if (controller == NULL)
            return false;
        run->playing[run->playing_count++] = controller;
        controller_start(controller);
    }
    return true;
}

static bool are_all_finished(const struct run *run)
{
    bool finished = true;
    for (int i = 0; i < run->playing_count; i++)
        finished &= controller_is_finished(run->playing[i]);
    return finished;
}

static enum outcome play_together(struct run *run, struct plan *const *plans, int count)
{
    static const struct timeval often = {0, TOGETHER_CHECK_MS * 1000};
    enum outcome worst = OUTCOME_AS_EXPECTED;
    if (!start_together(run, plans, count)) {
        worst = run->interrupted ? OUTCOME_INTERRUPTED : OUTCOME_FAULT;
        for (int i = 0; i < run->playing_count; i++)
            controller_stop(run->playing[i]);
    }
    event_add(run->together_timer, &often);
    while (!are_all_finished(run) && event_base_dispatch(run->base) == 0)
        ;
    event_del(run->together_timer);
    if (!are_all_finished(run)) {
        diag_error("the event loop failed: %s", strerror(errno));
        worst = OUTCOME_FAULT;
        for (int i = 0; i < run->playing_count; i++)
            controller_end_now(run->playing[i]);
    }
    for (int i = 0; i < run->playing_count; i++) {
        enum outcome outcome = finish(run->playing[i], controller_finish(run->playing[i]));
        if (outcome == OUTCOME_FAULT || (worst != OUTCOME_FAULT && outcome > worst))
            worst = outcome;
    }
    return run->interrupted && worst < OUTCOME_FAULT ? OUTCOME_INTERRUPTED : worst;
}

/* ---- a run ---- */

static enum outcome play_between_start_and_end(struct run *run, struct plan *const *plans, int count)
{
    const char *failed;
    const struct run_start start = {.plan = run->plan, .base = run->base};
    int rc = observers_run_start(run->observers, &start, &failed);
    enum outcome outcome = rc != 0      ? output_failed(failed, rc)
                           : count == 1 ? play_all(run)
                                        : play_together(run, plans, count);
    struct run_end end = {.outcome = outcome,
                          .elapsed_s = (double)(monotonic_us() - run->began_us) / 1e6,
                          .at_once = run->interrupted > 1};
    rc = observers_run_end(run->observers, &end, &failed);
    return rc != 0 && outcome != OUTCOME_FAULT ? output_failed(failed, rc) : outcome;
}

/* Returns false when the loop could not be given its events; those that are there are freed by the caller. */
static bool add_events(struct run *run)
{
    if (stop_events_open(&run->stops, run->base, on_stop_signal, run) != 0)
        return false;
    run->room_timer = event_new(run->base, -1, EV_PERSIST, on_room_timer, run);
    run->together_timer = event_new(run->base, -1, EV_PERSIST, on_together_timer, run);
    return run->room_timer != NULL && run->together_timer != NULL;
}

static void free_events(struct run *run)
{
    struct event *const timers[] = {run->room_timer, run->together_timer};
    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++)
        if (timers[i] != NULL)
            event_free(timers[i]);
    stop_events_close(&run->stops);
}

enum outcome run_plans(struct plan *const *plans, int count, int64_t hold_ms,
                       const struct observers *observers)
{
    struct hosts *hosts = plans[0]->settings->hosts;
    if (hosts_make_loop(hosts) != 0)
        return OUTCOME_FAULT;
    struct run run = {.plan = plans[0],
                      .observers = observers,
                      .base = hosts->base,
                      .hold_ms = hold_ms,
                      .began_us = monotonic_us()};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* the end of a worker shows as SIGCHLD */
    signal(SIGPIPE, SIG_IGN);
    enum outcome outcome = OUTCOME_FAULT;
    if (add_events(&run))
        outcome = play_between_start_and_end(&run, plans, count);
    else
        diag_error("cannot catch signals: %s", strerror(errno));
    free_events(&run);
    return outcome;
}
