#include "explain/first_aid.h"

#include "base/array.h"
#include "base/clock.h"
#include "kernel/borrowed_socket.h"
#include "kernel/descriptors.h"
#include "kernel/process_signals.h"
#include "kernel/thread_call.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { NAP_MS = 20 };

static const struct {
    int how;
    const char *call;
} cures[CURE_COUNT] = {
    [CURE_HALF_CLOSE] = {SHUT_WR, "shutdown(SHUT_WR)"},
    [CURE_END_SEND] = {SHUT_RDWR, "shutdown(SHUT_RDWR)"},
};

const char *cure_call(enum cure cure)
{
    return cures[cure].call;
}

/* ---- the plan ---- */

struct planning {
    const struct explanation *explanation;
    const struct facts *facts;
    struct first_aid *aid;
    size_t step_room, left_room;
};

static int leave(struct planning *planning, const struct finding *finding, enum aid_reason reason,
                 int64_t count)
{
    struct first_aid *aid = planning->aid;
    for (int i = 0; i < aid->left_count; i++)
        if (aid->left[i].finding == finding && aid->left[i].reason == reason) {
            aid->left[i].count += count;
            return 0;
        }
    int rc = ARRAY_RESERVE(aid->left, planning->left_room, aid->left_count + 1);
    if (rc == 0)
        aid->left[aid->left_count++] = (struct aid_left){finding, reason, count};
    return rc;
}

/* A write that fails with EPIPE raises SIGPIPE, which ends a program that neither ignores nor catches it. */
static bool may_end_program(pid_t pid)
{
    return process_survives_signal(pid, SIGPIPE) != 1;
}

static int add_step(struct planning *planning, const struct finding *finding, const struct aid_step *step)
{
    struct first_aid *aid = planning->aid;
    if (aid->step_count >= FIRST_AID_MOST)
        return leave(planning, finding, AID_TOO_MANY, 1);
    if (may_end_program(step->pid))
        return leave(planning, finding, AID_SIGPIPE, 1);
    int rc = ARRAY_RESERVE(aid->steps, planning->step_room, aid->step_count + 1);
    if (rc == 0)
        aid->steps[aid->step_count++] = *step;
    return rc;
}

/* ---- halves that a proxy has forgotten ---- */

static int plan_half(struct planning *planning, const struct finding *finding, const struct half *half)
{
    static const enum aid_reason reasons[HALF_COUNT] = {[HALF_NONE] = AID_NO_HALF,
                                                        [HALF_SILENT] = AID_SILENT,
                                                        [HALF_DOUBTFUL] = AID_DOUBTFUL,
                                                        [HALF_SHARED] = AID_SHARED};
    const struct facts *facts = planning->facts;
    if (half->finding != HALF_FOUND)
        return leave(planning, finding, reasons[half->finding], 1);
    if (facts->of_other_ports > 0)
        return leave(planning, finding, AID_OTHER_PORTS, 1);
    const struct fact_socket *lingering = &facts->sockets[half->lingering];
    return add_step(planning, finding,
                    &(struct aid_step){.cure = CURE_HALF_CLOSE,
                                       .pid = facts->processes[lingering->process].pid,
                                       .lingering = lingering,
                                       .on = &facts->sockets[half->other],
                                       .descriptors = 2});
}

static int plan_halves(struct planning *planning)
{
    const struct explanation *explanation = planning->explanation;
    size_t sockets = (size_t)planning->facts->socket_count + 1;
    const struct finding **of = calloc(sockets, sizeof *of);
    bool *lingers = calloc(sockets, sizeof *lingers);
    struct half *halves = calloc(sockets, sizeof *halves);
    int rc = of != NULL && lingers != NULL && halves != NULL ? 0 : -ENOMEM;
    for (int i = 0; rc == 0 && i < explanation->finding_count; i++) {
        const struct finding *finding = &explanation->findings[i];
        for (int k = 0; finding->rule->cure == CURE_HALF_CLOSE && k < finding->group->count; k++) {
            of[finding->group->members[k]] = finding;
            lingers[finding->group->members[k]] = true;
        }
    }
    int count = rc == 0 ? halves_find(planning->facts, lingers, halves) : rc;
    rc = count < 0 ? count : 0;
    for (int i = 0; i < count && rc == 0; i++)
        rc = plan_half(planning, of[halves[i].lingering], &halves[i]);
    free(of);
    free(lingers);
    free(halves);
    return rc;
}

/* ---- handlers that are blocked in send() ---- */

static const struct fact_thread *sender_on(const struct facts *facts, const struct fact_socket *socket)
{
    for (int i = 0; i < facts->thread_count; i++) {
        const struct fact_thread *thread = &facts->threads[i];
        if (thread->call == CALL_SEND && thread->process == socket->process && thread->inode == socket->inode)
            return thread;
    }
    return NULL;
}

/* Nothing could be sent for so long, not even a part: last_data_sent_ms tells that, and it is no older where
 * the kernel has sent something again. A thread sleeps on while its buffer drains slowly. */
static bool is_stalled(const struct fact_socket *socket, const struct fact_thread *sender)
{
    return socket->has_info && socket->last_data_sent_ms >= FIRST_AID_STALLED_MS &&
           (sender->asleep_ms < 0 || sender->asleep_ms >= FIRST_AID_STALLED_MS);
}

static int plan_sender(struct planning *planning, const struct finding *finding,
                       const struct fact_socket *socket)
{
    const struct facts *facts = planning->facts;
    const struct fact_thread *sender = socket->process >= 0 ? sender_on(facts, socket) : NULL;
    if (sender == NULL || socket->unsent == 0)
        return leave(planning, finding, AID_NOT_BLOCKED, 1);
    if (socket->holder != HOLDER_PROCESS || socket->holders != 1 || socket->fd < 0)
        return leave(planning, finding, AID_SHARED, 1);
    if (!is_stalled(socket, sender))
        return leave(planning, finding, AID_SLOW, 1);
    return add_step(planning, finding,
                    &(struct aid_step){.cure = CURE_END_SEND,
                                       .pid = facts->processes[socket->process].pid,
                                       .tid = sender->tid,
                                       .lingering = socket,
                                       .on = socket,
                                       .descriptors = 1});
}

static int plan_senders(struct planning *planning, const struct finding *finding)
{
    int rc = 0;
    for (int i = 0; i < finding->group->count && rc == 0; i++)
        rc = plan_sender(planning, finding, &planning->facts->sockets[finding->group->members[i]]);
    return rc;
}

/* ---- what nothing outside the program helps ---- */

static enum aid_reason reason_of(const struct planning *planning, const struct finding *finding)
{
    const struct group *group = finding->group;
    struct evidence evidence = {planning->facts, &planning->explanation->groups, group,
                                .culprit = {.thread = -1}};
    if (group == NULL)
        return AID_NO_SOCKET;
    if (is_queued(&evidence))
        return AID_QUEUED;
    if (is_ghost_group(&evidence))
        return AID_GHOST;
    if (is_with_heirs(&evidence))
        return AID_HEIRS;
    if (!is_held(&evidence))
        return AID_OF_OTHERS;
    if (is_outgoing(&evidence) && strcmp(finding->rule->name, "no-half-close") == 0)
        return AID_CLIENTS;
    if (is_behind(&evidence))
        return AID_UNHEARD;
    if (finding->thread >= 0)
        return AID_HELD_UP;
    return is_deaf(&evidence) ? AID_PAUSED : AID_KNOWS_EOF;
}

static int plan_finding(struct planning *planning, const struct finding *finding)
{
    switch (finding->rule->cure) {
    case CURE_HALF_CLOSE:
        return 0; /* all findings of that kind at a time */
    case CURE_END_SEND:
        return plan_senders(planning, finding);
    default:
        return leave(planning, finding, reason_of(planning, finding),
                     finding->group != NULL ? finding->group->count : 0);
    }
}

/* Ghosts that may not be looked into are in no group. */
static int plan_ghosts(struct planning *planning)
{
    int64_t ghosts = planning->explanation->ghosts;
    for (int i = 0; i < planning->explanation->groups.count; i++)
        if (planning->explanation->groups.each[i].state == STATE_CLOSE)
            ghosts = 0;
    return ghosts > 0 ? leave(planning, NULL, AID_GHOST, ghosts) : 0;
}

/* ---- counts ---- */

static struct aid_tally tally_of(const struct facts *facts)
{
    struct aid_tally tally = {0};
    for (int i = 0; i < facts->process_count; i++) {
        const struct fact_process *process = &facts->processes[i];
        tally.descriptors += !process->is_heir && process->descriptors > 0 ? process->descriptors : 0;
        tally.ghosts += !process->is_heir && process->ghosts > 0 ? process->ghosts : 0;
    }
    for (int i = 0; i < facts->socket_count; i++)
        tally.states[facts->sockets[i].state] += facts->sockets[i].state != STATE_CLOSE;
    return tally;
}

static int by_process(const void *a, const void *b)
{
    const struct aid_step *left = a, *right = b;
    if (left->pid != right->pid)
        return left->pid < right->pid ? -1 : 1;
    if (left->cure != right->cure)
        return left->cure < right->cure ? -1 : 1;
    return (left->on->fd > right->on->fd) - (left->on->fd < right->on->fd);
}

int first_aid_plan(const struct explanation *explanation, struct first_aid *aid)
{
    struct planning planning = {.explanation = explanation, .facts = explanation->facts, .aid = aid};
    *aid = (struct first_aid){
        .wait_ms = FIRST_AID_WAIT_MS, .is_dry = true, .before = tally_of(explanation->facts)};
    int rc = plan_halves(&planning);
    for (int i = 0; i < explanation->finding_count && rc == 0; i++)
        rc = plan_finding(&planning, &explanation->findings[i]);
    if (rc == 0)
        rc = plan_ghosts(&planning);
    if (rc != 0)
        first_aid_free(aid);
    else if (aid->step_count > 0)
        qsort(aid->steps, (size_t)aid->step_count, sizeof *aid->steps, by_process);
    return rc;
}

void first_aid_free(struct first_aid *aid)
{
    free(aid->steps);
    free(aid->left);
    *aid = (struct first_aid){0};
}

/* ---- one step ---- */

static bool is_still(const void *context, const struct borrowed_socket *now)
{
    const struct fact_socket *then = context;
    bool is_other = now->cookie != 0 && then->cookie != 0 && now->cookie != then->cookie;
    return !is_other && now->state == then->state && now->life.is_known &&
           tcp_life_data_received(&now->life, now->state) == then->bytes_received &&
           tcp_life_data_acked(&now->life, now->state, then->way == WAY_OUTGOING) == then->bytes_acked;
}

/* Returns 0 or a negative errno: ESTALE, something has changed. */
static int check_socket(int process, const struct fact_socket *socket)
{
    struct borrowed_socket now;
    int rc = borrowed_socket_read(process, socket->fd, socket->inode, &now);
    return rc != 0 || is_still(socket, &now) ? rc : -ESTALE;
}

static int check_sender(const struct aid_step *step)
{
    struct thread_call call;
    int rc = thread_call_read_exactly(step->pid, step->tid, &call);
    if (rc < 0)
        return rc == -ESRCH ? -ESTALE : rc;
    return rc > 0 && call.kind == IN_WRITE && call.fd == step->on->fd ? 0 : -ESTALE;
}

static int take_step(const struct aid_step *step, bool is_dry)
{
    int process = borrowed_socket_process(step->pid);
    if (process < 0)
        return process;
    int rc = step->tid != 0 ? check_sender(step) : check_socket(process, step->lingering);
    if (rc == 0 && is_dry)
        rc = check_socket(process, step->on);
    else if (rc == 0)
        rc = borrowed_socket_shutdown(process, step->on->fd, step->on->inode, cures[step->cure].how, is_still,
                                      step->on);
    close(process);
    return rc;
}

static void attempt(struct aid_step *step, bool is_dry)
{
    int rc = take_step(step, is_dry);
    bool has_changed = rc == -ESTALE || rc == -EBADF || rc == -ENOTCONN || rc == -EOPNOTSUPP;
    step->error = -rc;
    step->outcome = rc == 0 ? (is_dry ? AID_PLANNED : AID_DONE) : has_changed ? AID_CHANGED : AID_FAILED;
}

/* ---- what has come of it ---- */

static bool is_open(const struct aid_step *step, const struct fact_socket *socket)
{
    return descriptor_is_socket(step->pid, socket->fd, socket->inode) != 0;
}

static int count_freed(struct aid_step *steps, int count)
{
    int freed = 0;
    for (int i = 0; i < count; i++) {
        struct aid_step *step = &steps[i];
        if (step->outcome != AID_DONE)
            continue;
        step->freed = !is_open(step, step->on);
        if (step->lingering != step->on)
            step->freed += !is_open(step, step->lingering);
        freed += step->freed;
    }
    return freed;
}

static bool is_stopped(const volatile sig_atomic_t *stop)
{
    return stop != NULL && *stop != 0;
}

/* Until all descriptors are freed, or so long none is. Returns whether all are. */
static bool await_freed(struct aid_step *steps, int count, int64_t wait_ms, const volatile sig_atomic_t *stop)
{
    const struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};
    int wanted = 0, freed = count_freed(steps, count);
    int64_t since_us = monotonic_us();
    for (int i = 0; i < count; i++)
        wanted += steps[i].outcome == AID_DONE ? steps[i].descriptors : 0;
    while (freed < wanted && !is_stopped(stop) && monotonic_us() - since_us < wait_ms * 1000) {
        nanosleep(&nap, NULL);
        int now = count_freed(steps, count);
        if (now > freed)
            since_us = monotonic_us();
        freed = now;
    }
    return freed >= wanted;
}

static bool is_ghost(int process, const struct aid_step *step, const struct fact_socket *socket)
{
    struct borrowed_socket now;
    return is_open(step, socket) && borrowed_socket_read(process, socket->fd, socket->inode, &now) == 0 &&
           now.state == STATE_CLOSE;
}

static void count_ghosts(struct aid_step *step)
{
    int process = step->outcome == AID_DONE && step->freed < step->descriptors
                      ? borrowed_socket_process(step->pid)
                      : -1;
    if (process < 0)
        return;
    step->ghosts = is_ghost(process, step, step->on);
    if (step->lingering != step->on)
        step->ghosts += is_ghost(process, step, step->lingering);
    close(process);
}

static int has_one(void *context, const struct descriptor *descriptor)
{
    (void)context;
    (void)descriptor;
    return 1;
}

/* A process that has ended, or is about to, has freed nothing by itself. All its descriptors are gone at once
 * then, before it is a zombie. */
static void note_end(struct aid_step *step)
{
    if (step->outcome != AID_DONE || descriptors_each(step->pid, has_one, NULL) == 1)
        return;
    step->outcome = AID_FAILED;
    step->error = ESRCH;
    step->freed = 0;
}

/* ---- all steps ---- */

/* Those of one process and one cure: one first, and the others when it has freed a descriptor. */
static void give_some(struct aid_step *steps, int count, int64_t wait_ms, const volatile sig_atomic_t *stop)
{
    int i = 0;
    bool has_helped = true;
    for (bool is_tried = false; i < count && !is_tried && !is_stopped(stop); i++) {
        attempt(&steps[i], false);
        is_tried = steps[i].outcome == AID_DONE;
        has_helped = !is_tried || await_freed(&steps[i], 1, wait_ms, stop) || steps[i].freed > 0;
    }
    for (; i < count && !is_stopped(stop); i++) {
        if (has_helped)
            attempt(&steps[i], false);
        else
            steps[i].outcome = AID_STOPPED;
    }
    if (has_helped)
        (void)await_freed(steps, count, wait_ms, stop);
}

void first_aid_give(struct first_aid *aid, bool is_dry, const volatile sig_atomic_t *stop)
{
    struct aid_step *steps = aid->steps;
    aid->is_dry = is_dry;
    for (int i = 0; is_dry && i < aid->step_count && !is_stopped(stop); i++)
        attempt(&steps[i], true);
    for (int i = 0, k; !is_dry && i < aid->step_count; i = k) {
        for (k = i + 1;
             k < aid->step_count && steps[k].pid == steps[i].pid && steps[k].cure == steps[i].cure;)
            k++;
        give_some(&steps[i], k - i, aid->wait_ms, stop);
    }
    (void)count_freed(steps, aid->step_count);
    for (int i = 0; i < aid->step_count; i++) {
        note_end(&steps[i]);
        count_ghosts(&steps[i]);
    }
    aid->is_interrupted = is_stopped(stop);
}

int first_aid_count(const struct first_aid *aid, enum aid_outcome outcome)
{
    int count = 0;
    for (int i = 0; i < aid->step_count; i++)
        count += aid->steps[i].outcome == outcome;
    return count;
}

void first_aid_look_after(struct first_aid *aid, const struct facts_request *request, int64_t grace_ms)
{
    struct facts_request again = *request;
    struct facts facts;
    struct explanation explanation;
    again.window_ms = 0;
    again.stop = NULL;
    aid->was_looked_after = true;
    int rc = facts_take(&again, &facts);
    aid->after_error = -rc;
    if (rc != 0)
        return;
    rc = explanation_of(&facts, grace_ms, &explanation);
    aid->after_error = -rc;
    if (rc == 0) {
        aid->after = tally_of(&facts);
        aid->lingers = explanation_has_something(&explanation);
        explanation_free(&explanation);
    }
    facts_free(&facts);
}
