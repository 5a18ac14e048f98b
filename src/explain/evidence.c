#include "explain/evidence.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/poll.h>

enum {
    DESCRIPTORS_SPARE = 2, /* so few are left where accept() fails, and then some are closed again */
    MATCH_PERCENT = 70,
    MATCH_MS = 60,        /* clocks of sockets and of threads differ by less */
    MATCH_LATE_MS = 250,  /* a busy server takes so long from a socket's last data to the call that blocks */
    PAIR_LATE_MS = 10000, /* a proxy under load opens its other half within that time */
    PAIR_EARLY_MS = 300,  /* a table that is read for so long tells ages of different moments */
    PAIR_ADDRESSES = 4,
    SHARE_LEAST = 8,
};

static const double PAIR_LEAST = 0.8, PAIR_MOST = 1.25, MOST_LEAK = 0.9;

static const struct fact_socket *member(const struct evidence *evidence, int i)
{
    return &evidence->facts->sockets[evidence->group->members[i]];
}

/* The process of which it is asked: the first holder, or the first that could accept; -1. */
static int process_asked(const struct evidence *evidence)
{
    if (evidence->group->holder != HOLDER_QUEUE)
        return evidence->group->first_process;
    return evidence->facts->process_count > 0 ? 0 : -1;
}

static const struct fact_listener *listener_of(const struct evidence *evidence)
{
    int listener = evidence->group->listener;
    return listener >= 0 ? &evidence->facts->listeners[listener] : NULL;
}

/* ---- who holds them, what state are they in ---- */

bool is_queued(const struct evidence *evidence)
{
    return evidence->group->holder == HOLDER_QUEUE;
}

bool is_held(const struct evidence *evidence)
{
    return evidence->group->holder == HOLDER_PROCESS || evidence->group->holder == HOLDER_HEIR;
}

/* An heir that waits for it serves it: it is no mere copy. */
bool is_with_heirs(const struct evidence *evidence)
{
    const struct group *group = evidence->group;
    return group->holder == HOLDER_HEIR &&
           (group->waiter == WAITER_NOBODY || group->waiter == WAITER_UNKNOWN);
}

bool is_hidden(const struct evidence *evidence)
{
    return evidence->group->holder == HOLDER_HIDDEN;
}

bool is_in_flight(const struct evidence *evidence)
{
    return evidence->group->holder == HOLDER_IN_FLIGHT;
}

bool is_ghost_group(const struct evidence *evidence)
{
    return evidence->group->state == STATE_CLOSE;
}

bool is_outgoing(const struct evidence *evidence)
{
    return evidence->group->way == WAY_OUTGOING;
}

bool is_accepted(const struct evidence *evidence)
{
    return evidence->group->way == WAY_ACCEPTED;
}

bool descriptors_are_used_up(const struct evidence *evidence)
{
    int process = process_asked(evidence);
    if (process < 0)
        return false;
    const struct fact_process *of = &evidence->facts->processes[process];
    return of->descriptors >= 0 && of->descriptor_limit >= 0 &&
           of->descriptors + DESCRIPTORS_SPARE >= of->descriptor_limit;
}

bool descriptors_were_used_up(const struct evidence *evidence)
{
    int process = process_asked(evidence);
    if (process < 0)
        return false;
    const struct fact_process *of = &evidence->facts->processes[process];
    return descriptors_are_used_up(evidence) ||
           (of->descriptor_limit >= 0 && of->descriptor_table >= of->descriptor_limit);
}

/* ---- what was read ---- */

bool all_is_read(const struct evidence *evidence)
{
    return evidence->group->reading == READING_ALL;
}

bool perhaps_all_is_read(const struct evidence *evidence)
{
    return evidence->group->reading == READING_PERHAPS;
}

bool recv_queue_is_empty(const struct evidence *evidence)
{
    return all_is_read(evidence) || perhaps_all_is_read(evidence);
}

bool something_is_unread(const struct evidence *evidence)
{
    return !recv_queue_is_empty(evidence);
}

bool nothing_is_read(const struct evidence *evidence)
{
    return evidence->group->reading == READING_NOTHING;
}

bool rest_is_unread(const struct evidence *evidence)
{
    return evidence->group->reading == READING_PART;
}

/* Another group of at least so many that differs in nothing but that. */
static bool is_beside(const struct evidence *evidence, enum reading reading, int least)
{
    const struct group *group = evidence->group;
    for (int i = 0; i < evidence->groups->count; i++) {
        const struct group *other = &evidence->groups->each[i];
        if (other->reading == reading && other->count >= least && other->state == group->state &&
            other->holder == group->holder && other->way == group->way && other->waiter == group->waiter &&
            other->events == group->events)
            return true;
    }
    return false;
}

bool is_beside_unread(const struct evidence *evidence)
{
    return is_beside(evidence, READING_PART, 1);
}

bool is_beside_read(const struct evidence *evidence)
{
    return is_beside(evidence, READING_ALL, (evidence->group->count + 1) / 2);
}

bool most_are_unsent(const struct evidence *evidence)
{
    int unsent = 0;
    for (int i = 0; i < evidence->group->count; i++)
        unsent += member(evidence, i)->unsent > 0;
    return 2 * unsent > evidence->group->count;
}

/* ---- who waits ---- */

static bool is_level_triggered(uint32_t events)
{
    return (events & EPOLLIN) != 0 && (events & (EPOLLET | EPOLLONESHOT)) == 0;
}

bool would_be_heard(const struct evidence *evidence)
{
    const struct group *group = evidence->group;
    return group->waiter == WAITER_EPOLL && group->is_mask_known && is_level_triggered(group->events);
}

bool nobody_turns_it(const struct evidence *evidence)
{
    return would_be_heard(evidence) && !evidence->group->at_rest;
}

bool is_spent(const struct evidence *evidence)
{
    const struct group *group = evidence->group;
    return group->waiter == WAITER_EPOLL && group->is_mask_known && (group->events & EPOLLONESHOT) != 0 &&
           (group->events & (EPOLLIN | EPOLLOUT | EPOLLRDHUP)) == 0;
}

bool is_deaf(const struct evidence *evidence)
{
    const struct group *group = evidence->group;
    if (is_spent(evidence))
        return false;
    if (group->waiter == WAITER_EPOLL)
        return group->is_mask_known && (group->events & (EPOLLIN | EPOLLRDNORM)) == 0;
    return (group->waiter == WAITER_POLL || group->waiter == WAITER_SELECT) && group->is_mask_known &&
           (group->events & (POLLIN | POLLRDNORM)) == 0;
}

bool is_edge_triggered(const struct evidence *evidence)
{
    const struct group *group = evidence->group;
    if (group->waiter != WAITER_EPOLL)
        return false;
    return !group->is_mask_known ||
           ((group->events & EPOLLIN) != 0 && (group->events & (EPOLLET | EPOLLONESHOT)) != 0);
}

bool nobody_hears(const struct evidence *evidence)
{
    const struct group *group = evidence->group;
    return group->waiter == WAITER_NOBODY || (group->waiter == WAITER_UNKNOWN && group->loop == LOOP_RESTS);
}

bool loop_is_stuck(const struct evidence *evidence)
{
    return evidence->group->loop == LOOP_STUCK;
}

bool loop_rests(const struct evidence *evidence)
{
    return evidence->group->loop == LOOP_RESTS;
}

bool no_loop_rests(const struct evidence *evidence)
{
    return evidence->group->loop != LOOP_RESTS;
}

/* Neither the listener nor any connection of the process is in an epoll set. */
bool polls_without_epoll(const struct evidence *evidence)
{
    const struct facts *facts = evidence->facts;
    int process = process_asked(evidence);
    for (int i = 0; i < facts->listener_count; i++)
        if (facts->listeners[i].wait.kind == WAITER_EPOLL)
            return false;
    for (int i = 0; i < facts->socket_count; i++)
        if (facts->sockets[i].process == process && facts->sockets[i].wait.kind == WAITER_EPOLL)
            return false;
    return true;
}

bool somebody_is_outside(const struct evidence *evidence)
{
    return evidence->culprit.thread >= 0;
}

bool somebody_is_busy(const struct evidence *evidence)
{
    const struct facts *facts = evidence->facts;
    int process = process_asked(evidence);
    for (int i = 0; i < facts->thread_count; i++)
        if (facts->threads[i].process == process && thread_is_busy(&facts->threads[i]))
            return true;
    return false;
}

bool loop_runs(const struct evidence *evidence)
{
    const struct facts *facts = evidence->facts;
    if (evidence->group->loop != LOOP_UNKNOWN || evidence->culprit.thread >= 0)
        return false;
    int process = process_asked(evidence);
    for (int i = 0; i < facts->thread_count; i++)
        if (facts->threads[i].process == process && facts->threads[i].call == CALL_NONE)
            return true;
    return false;
}

bool heir_waits_for_another(const struct evidence *evidence)
{
    if (evidence->group->holder != HOLDER_HEIR || evidence->culprit.thread < 0)
        return false;
    return evidence->facts->threads[evidence->culprit.thread].peer.address.family != 0;
}

bool threads_match(const struct evidence *evidence)
{
    return evidence->matched_threads > 0 &&
           100 * evidence->matched_threads >= MATCH_PERCENT * evidence->group->count;
}

bool threads_match_outside(const struct evidence *evidence)
{
    return threads_match(evidence) && evidence->matched_outside;
}

/* ---- the listener of a queue ---- */

bool listener_would_be_heard(const struct evidence *evidence)
{
    const struct fact_listener *listener = listener_of(evidence);
    return listener != NULL && listener->wait.kind == WAITER_EPOLL && listener->wait.is_mask_known &&
           (listener->wait.events & EPOLLIN) != 0 && !listener->wait.at_rest;
}

bool listener_is_unserved(const struct evidence *evidence)
{
    const struct fact_listener *listener = listener_of(evidence);
    return listener != NULL && listener->wait.kind == WAITER_NOBODY;
}

bool listener_is_deaf(const struct evidence *evidence)
{
    const struct fact_listener *listener = listener_of(evidence);
    return listener != NULL && listener->wait.kind >= WAITER_EPOLL && listener->wait.kind <= WAITER_SELECT &&
           listener->wait.is_mask_known && (listener->wait.events & EPOLLIN) == 0;
}

bool listener_is_edge_triggered(const struct evidence *evidence)
{
    const struct fact_listener *listener = listener_of(evidence);
    return listener != NULL && listener->wait.kind == WAITER_EPOLL && listener->wait.is_mask_known &&
           listener->wait.at_rest && (listener->wait.events & EPOLLIN) != 0 &&
           (listener->wait.events & EPOLLET) != 0;
}

/* ---- one for each ---- */

static int by_number(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

/* How many of `a` have one of `b` of their own, from `early` below to `late` above; both sorted. */
static int count_pairs(const int64_t *a, int a_count, const int64_t *b, int b_count, int64_t early,
                       int64_t late)
{
    int pairs = 0;
    for (int i = 0, k = 0; i < a_count && k < b_count;) {
        if (b[k] < a[i] - early)
            k++;
        else if (b[k] > a[i] + late)
            i++;
        else {
            pairs++;
            i++;
            k++;
        }
    }
    return pairs;
}

/* Ages of open connections of one way. Returns how many; *addresses: different peers, PAIR_ADDRESSES + 1 at
 * most. */
static int open_ages(const struct evidence *evidence, enum fact_way way, int64_t *ages, int *addresses)
{
    const struct facts *facts = evidence->facts;
    const struct fact_socket *seen[PAIR_ADDRESSES + 1];
    int count = 0;
    *addresses = 0;
    for (int i = 0; i < facts->socket_count; i++) {
        const struct fact_socket *socket = &facts->sockets[i];
        if (socket->state != STATE_ESTABLISHED || socket->way != way || socket->process < 0)
            continue;
        ages[count++] = socket->age.least_ms;
        int k = 0;
        while (k < *addresses && !address_equal(&seen[k]->peer.address, &socket->peer.address))
            k++;
        if (k == *addresses && *addresses <= PAIR_ADDRESSES)
            seen[(*addresses)++] = socket;
    }
    return count;
}

/* All that linger alike, whatever their group. */
static int count_alike(const struct evidence *evidence)
{
    int count = 0;
    for (int i = 0; i < evidence->groups->count; i++) {
        const struct group *group = &evidence->groups->each[i];
        if (group->way == evidence->group->way && group->holder == evidence->group->holder &&
            (group->reading == READING_ALL || group->reading == READING_PERHAPS))
            count += group->count;
    }
    return count;
}

static bool is_about(int a, int b)
{
    return b > 0 && a >= PAIR_LEAST * b && a <= PAIR_MOST * b;
}

/* Whether open connections of the other way were opened with these: after them where they are outgoing. Where
 * no ages are known their numbers decide. */
static bool others_match(const struct evidence *evidence, enum fact_way way)
{
    const struct facts *facts = evidence->facts;
    const struct group *group = evidence->group;
    int64_t *others = calloc((size_t)facts->socket_count + 1, sizeof *others);
    int64_t *own = calloc((size_t)group->count + 1, sizeof *own);
    bool is_match = false;
    if (others == NULL || own == NULL)
        goto out;
    int addresses, all = 0, known = 0;
    int count = open_ages(evidence, way, others, &addresses);
    for (int i = 0; i < facts->socket_count; i++)
        all += facts->sockets[i].way == group->way && facts->sockets[i].holder == HOLDER_PROCESS &&
               (facts->sockets[i].state == STATE_ESTABLISHED || facts->sockets[i].state == STATE_CLOSE_WAIT);
    int alike = count_alike(evidence);
    is_match = count > 0 && (is_about(count, alike) || is_about(count, all));
    if (way == WAY_OUTGOING)
        is_match = is_match && addresses <= PAIR_ADDRESSES;
    for (int i = 0; i < group->count; i++) {
        own[i] = member(evidence, i)->age.least_ms;
        known += own[i] >= 0;
    }
    if (!is_match || known < group->count)
        goto out;
    qsort(own, (size_t)group->count, sizeof *own, by_number);
    qsort(others, (size_t)count, sizeof *others, by_number);
    int64_t older = way == WAY_OUTGOING ? PAIR_EARLY_MS : PAIR_LATE_MS;
    int64_t younger = way == WAY_OUTGOING ? PAIR_LATE_MS : PAIR_EARLY_MS;
    is_match =
        100 * count_pairs(own, group->count, others, count, younger, older) >= MATCH_PERCENT * group->count;
out:
    free(others);
    free(own);
    return is_match;
}

bool outgoing_ones_match(const struct evidence *evidence)
{
    return others_match(evidence, WAY_OUTGOING);
}

bool accepted_ones_match(const struct evidence *evidence)
{
    return others_match(evidence, WAY_ACCEPTED);
}

/* ---- the window ---- */

bool most_leak(const struct evidence *evidence)
{
    const struct lingering_share *share = &evidence->share;
    return share->all >= SHARE_LEAST && share->lingering >= MOST_LEAK * share->all;
}

bool few_leak(const struct evidence *evidence)
{
    const struct lingering_share *share = &evidence->share;
    return share->all >= SHARE_LEAST && share->high < MOST_LEAK;
}

/* Only what began in the window counts on both sides, so that neither old leaks nor connections that were
 * kept open for long distort it. */
struct lingering_share lingering_share_of(const struct facts *facts, int64_t grace_ms, int listener)
{
    struct lingering_share share = {0};
    if (facts->window_ms <= 0)
        return share;
    for (int i = 0; i < facts->socket_count; i++) {
        const struct fact_socket *socket = &facts->sockets[i];
        if (socket->listener == listener && socket_lingers(socket, grace_ms) && socket->age.least_ms >= 0 &&
            socket->age.least_ms <= facts->window_ms)
            share.lingering++;
    }
    share.all = share.lingering;
    for (int i = 0; i < facts->ended_count; i++) {
        const struct fact_socket *socket = &facts->ended[i];
        if (socket->listener == listener && socket->age.least_ms >= grace_ms &&
            socket->age.least_ms <= facts->window_ms)
            share.all++;
    }
    if (share.all == 0)
        return share;
    const double z = 1.96, n = share.all, p = share.lingering / n;
    double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    share.low = fmax(0, middle - half);
    share.high = fmin(1, middle + half);
    return share;
}

/* ---- threads that fell asleep over the sockets ---- */

static bool is_involved(const struct evidence *evidence, const struct fact_thread *thread)
{
    return thread->process == process_asked(evidence) ||
           (evidence->group->processes > 1 && !evidence->facts->processes[thread->process].is_heir);
}

/* Only where something is unread: a thread that has read EOF may just have gone back to its pool. */
static int match_threads(struct evidence *evidence)
{
    const struct facts *facts = evidence->facts;
    const struct group *group = evidence->group;
    int64_t *data = calloc((size_t)group->count + 1, sizeof *data);
    int64_t *asleep = calloc((size_t)facts->thread_count + 1, sizeof *asleep);
    int data_count = 0, asleep_count = 0, outside = 0, rc = -ENOMEM;
    if (data == NULL || asleep == NULL)
        goto out;
    for (int i = 0; i < group->count; i++)
        if (member(evidence, i)->last_data_recv_ms >= 0)
            data[data_count++] = member(evidence, i)->last_data_recv_ms;
    for (int i = 0; i < facts->thread_count; i++) {
        const struct fact_thread *thread = &facts->threads[i];
        if (!is_involved(evidence, thread) || thread->asleep_ms < 0 || !thread_is_outside(thread))
            continue;
        asleep[asleep_count++] = thread->asleep_ms;
        outside += thread->call != CALL_FUTEX;
    }
    qsort(data, (size_t)data_count, sizeof *data, by_number);
    qsort(asleep, (size_t)asleep_count, sizeof *asleep, by_number);
    evidence->matched_threads = count_pairs(data, data_count, asleep, asleep_count, MATCH_LATE_MS, MATCH_MS);
    evidence->matched_outside = 2 * outside > asleep_count;
    rc = 0;
out:
    free(data);
    free(asleep);
    return rc;
}

static void find_culprit(struct evidence *evidence)
{
    const struct facts *facts = evidence->facts;
    int process = process_asked(evidence);
    evidence->culprit = (struct loop_culprit){.thread = -1};
    if (process < 0)
        return;
    evidence->culprit = loop_culprit_of(facts, process);
    if (evidence->culprit.thread < 0)
        return;
    enum fact_call call = facts->threads[evidence->culprit.thread].call;
    for (int i = 0; i < facts->thread_count; i++)
        evidence->culprit_count += facts->threads[i].process == process && facts->threads[i].call == call &&
                                   thread_is_outside(&facts->threads[i]);
}

int evidence_of(const struct facts *facts, const struct groups *groups, const struct group *group,
                int64_t grace_ms, struct evidence *evidence)
{
    *evidence = (struct evidence){.facts = facts, .groups = groups, .group = group};
    find_culprit(evidence);
    evidence->share = lingering_share_of(facts, grace_ms, group->listener);
    return something_is_unread(evidence) ? match_threads(evidence) : 0;
}
