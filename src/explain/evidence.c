#include "explain/evidence.h"

#include <math.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

enum {
    DESCRIPTORS_SPARE = 2, /* so few are left where accept() fails, and then some are closed again */
    SHARE_LEAST = 8,
};

static const double MOST_LEAK = 0.9;

static const struct fact_socket *member(const struct evidence *evidence, int i)
{
    return &evidence->facts->sockets[evidence->group->members[i]];
}

/* The process of which it is asked: the first holder, or the one that would accept, or the first that could;
 * -1. */
static int process_asked(const struct evidence *evidence)
{
    const struct group *group = evidence->group;
    if (group->holder != HOLDER_QUEUE)
        return group->first_process;
    if (group->listener >= 0 && evidence->facts->listeners[group->listener].server >= 0)
        return evidence->facts->listeners[group->listener].server;
    for (int i = 0; i < evidence->facts->process_count; i++)
        if (!evidence->facts->processes[i].is_keeper)
            return i;
    return -1;
}

static const struct fact_listener *listener_of(const struct evidence *evidence)
{
    int listener = evidence->group->listener;
    return listener >= 0 ? &evidence->facts->listeners[listener] : NULL;
}

/* ---- who holds them, what state are they in ---- */

bool is_half_closed(const struct evidence *evidence)
{
    return group_is_half_closed(evidence->group);
}

bool is_mptcp(const struct evidence *evidence)
{
    return evidence->group->is_mptcp;
}

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

bool is_in_closed_call(const struct evidence *evidence)
{
    return evidence->group->holder == HOLDER_CALL;
}

bool is_ghost_group(const struct evidence *evidence)
{
    return evidence->group->state == STATE_CLOSE;
}

bool error_waits(const struct evidence *evidence)
{
    return evidence->group->error == ERROR_WAITS;
}

bool error_was_read(const struct evidence *evidence)
{
    return evidence->group->error == ERROR_READ;
}

bool no_error_is_needed(const struct evidence *evidence)
{
    return evidence->group->error == ERROR_NEEDLESS;
}

bool is_of_listener(const struct evidence *evidence)
{
    return evidence->group->way == WAY_ACCEPTED && evidence->group->listener >= 0;
}

bool is_behind(const struct evidence *evidence)
{
    return group_is_behind(evidence->group);
}

bool holder_listens(const struct evidence *evidence)
{
    int process = evidence->group->first_process;
    return evidence->facts->listener_count > 0 && process >= 0 &&
           !evidence->facts->processes[process].is_heir;
}

bool was_mostly_never_used(const struct evidence *evidence)
{
    int unused = 0;
    for (int i = 0; i < evidence->group->count; i++)
        unused += member(evidence, i)->has_info && member(evidence, i)->data_segs_out == 0;
    return 2 * unused > evidence->group->count;
}

bool was_mostly_unanswered(const struct evidence *evidence)
{
    int unanswered = 0;
    for (int i = 0; i < evidence->group->count; i++)
        unanswered += member(evidence, i)->has_info && member(evidence, i)->data_segs_in == 0 &&
                      member(evidence, i)->data_segs_out > 0;
    return 2 * unanswered > evidence->group->count;
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

bool eof_is_proven(const struct evidence *evidence)
{
    for (int i = 0; i < evidence->group->count; i++)
        if (!socket_proves_eof(member(evidence, i)))
            return false;
    return true;
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

bool is_like_unread_beside(const struct evidence *evidence)
{
    if (perhaps_all_is_read(evidence))
        return is_beside(evidence, READING_PART, 1);
    return all_is_read(evidence) && !eof_is_proven(evidence) &&
           is_beside(evidence, READING_PART, evidence->group->count);
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

bool nobody_waits(const struct evidence *evidence)
{
    return evidence->group->waiter == WAITER_NOBODY;
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

bool somebody_closes(const struct evidence *evidence)
{
    return somebody_is_outside(evidence) &&
           strcmp(evidence->facts->threads[evidence->culprit.thread].call_name, "close") == 0;
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

static bool is_matched(const struct evidence *evidence, int threads)
{
    return threads > 0 && 100 * threads >= PAIRS_PERCENT * evidence->group->count;
}

bool threads_match(const struct evidence *evidence)
{
    return is_matched(evidence, evidence->pairs.threads);
}

bool threads_match_outside(const struct evidence *evidence)
{
    return is_matched(evidence, evidence->pairs.outside);
}

bool late_threads_match(const struct evidence *evidence)
{
    return is_matched(evidence, evidence->pairs.late);
}

bool handler_may_be_blocked(const struct evidence *evidence)
{
    int process = process_asked(evidence), thread = evidence->culprit.thread;
    return (thread >= 0 && thread_is_outside(&evidence->facts->threads[thread])) ||
           (process >= 0 && evidence->facts->processes[process].runtime == RUNTIME_GO);
}

bool others_are_held_up(const struct evidence *evidence)
{
    for (int i = 0; i < evidence->groups->count; i++) {
        const struct group *other = &evidence->groups->each[i];
        bool would_hear = other->waiter == WAITER_EPOLL && other->is_mask_known &&
                          is_level_triggered(other->events) && !other->at_rest;
        bool is_unread = other->reading != READING_ALL && other->reading != READING_PERHAPS &&
                         !other->is_mptcp && !group_is_half_closed(other);
        if (other->holder == HOLDER_QUEUE ||
            (would_hear && is_unread && other->first_process == evidence->group->first_process))
            return true;
    }
    return false;
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

/* ---- others ---- */

bool outgoing_ones_match(const struct evidence *evidence)
{
    return is_accepted(evidence) && evidence->pairs.halves;
}

bool accepted_ones_match(const struct evidence *evidence)
{
    return is_outgoing(evidence) && evidence->pairs.halves;
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

/* Only what began in the window counts, on both sides and early enough to linger by its end: neither old
 * leaks nor connections that were kept open for long, nor what happened after it, of which there are no news,
 * distort it. */
static bool began_in_window(const struct facts *facts, const struct fact_socket *socket, int64_t grace_ms)
{
    return socket->age.least_ms >= facts->window_ago_ms + grace_ms &&
           socket->age.least_ms <= facts->window_ago_ms + facts->window_ms;
}

struct lingering_share lingering_share_of(const struct facts *facts, int64_t grace_ms, int listener)
{
    struct lingering_share share = {0};
    if (facts->window_ms <= 0)
        return share;
    for (int i = 0; i < facts->socket_count; i++) {
        const struct fact_socket *socket = &facts->sockets[i];
        share.lingering += socket->listener == listener && socket_lingers(socket, grace_ms) &&
                           began_in_window(facts, socket, grace_ms);
    }
    share.all = share.lingering;
    for (int i = 0; i < facts->ended_count; i++)
        share.all +=
            facts->ended[i].listener == listener && began_in_window(facts, &facts->ended[i], grace_ms);
    if (share.all == 0)
        return share;
    const double z = 1.96, n = share.all, p = share.lingering / n;
    double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    share.low = fmax(0, middle - half);
    share.high = fmin(1, middle + half);
    return share;
}

/* ---- all of it ---- */

/* Another of its holders may be the one that forgot it; and of several queues on one port it may be in
 * another. */
static bool is_shared(const struct evidence *evidence)
{
    const struct facts *facts = evidence->facts;
    const struct fact_listener *own = listener_of(evidence);
    for (int i = 0; i < evidence->group->count; i++)
        if (member(evidence, i)->holders > 1)
            return true;
    if (evidence->group->holder != HOLDER_QUEUE || own == NULL)
        return false;
    for (int i = 0; i < facts->listener_count; i++)
        if (&facts->listeners[i] != own && facts->listeners[i].queue > 0 &&
            facts->listeners[i].at.port == own->at.port &&
            address_equal(&facts->listeners[i].at.address, &own->at.address))
            return true;
    return false;
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
    evidence->culprit.is_sure = evidence->culprit.is_sure && !is_shared(evidence);
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
    return pairs_of(facts, groups, group, &evidence->pairs);
}
