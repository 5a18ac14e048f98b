#include "explain/group.h"

#include "explain/behind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- one socket ---- */

enum reading reading_of(const struct fact_socket *socket)
{
    if (socket->unread == 0)
        return socket->has_info && !socket->is_fin_swallowed ? READING_ALL : READING_PERHAPS;
    if (!socket->has_info)
        return READING_UNKNOWN;
    uint64_t fin = socket->state == STATE_CLOSE_WAIT ? 1 : 0;
    return socket->unread >= socket->bytes_received + fin ? READING_NOTHING : READING_PART;
}

bool socket_proves_eof(const struct fact_socket *socket)
{
    if (!socket->has_info || socket->unread > 0)
        return false;
    if (socket->bytes_received == 0)
        return true;
    return socket->data_segs_out > 0 && fact_age_is_exact(socket->fin) &&
           socket->last_data_sent_ms > socket->fin.most_ms &&
           socket->last_data_sent_ms <= socket->last_data_recv_ms;
}

static bool is_waiting_to_go(const struct fact_socket *socket)
{
    return socket->state == STATE_CLOSE_WAIT || socket->holder == HOLDER_QUEUE;
}

bool socket_lingers(const struct fact_socket *socket, int64_t grace_ms)
{
    if (!socket->in_both)
        return false;
    if (socket->state == STATE_CLOSE)
        return !fact_age_is_known(socket->fin) || socket->fin.least_ms >= grace_ms;
    if (socket->state == STATE_CLOSE_WAIT)
        return socket->fin.least_ms >= grace_ms;
    bool is_nobodys = socket->holder == HOLDER_QUEUE || socket->holder == HOLDER_CALL;
    return is_nobodys && socket->state == STATE_ESTABLISHED && socket->age.least_ms >= grace_ms;
}

#define HALF_CLOSED_STATES                                                                                   \
    (STATE_SET(STATE_FIN_WAIT1) | STATE_SET(STATE_FIN_WAIT2) | STATE_SET(STATE_CLOSING) |                    \
     STATE_SET(STATE_LAST_ACK))

/* A FIN alone in Send-Q counts as 1: it is for the kernel to send, and its timer runs. */
bool socket_is_half_closed(const struct fact_socket *socket)
{
    return socket->inode != 0 && state_set_has(HALF_CLOSED_STATES, socket->state) &&
           (socket->state == STATE_FIN_WAIT2 || socket->unsent > 1);
}

bool group_is_half_closed(const struct group *group)
{
    return state_set_has(HALF_CLOSED_STATES, group->state);
}

bool group_is_behind(const struct group *group)
{
    return group->state == STATE_ESTABLISHED && group->holder == HOLDER_PROCESS && group->way == WAY_OUTGOING;
}

/* "Nobody" counts only where the process waits for other things meanwhile. */
static bool half_closed_lingers(const struct fact_socket *socket, const enum loop_state *loops)
{
    bool is_unheard =
        socket->process >= 0 && socket->wait.kind == WAITER_NOBODY && loops[socket->process] == LOOP_RESTS;
    return socket_is_half_closed(socket) && socket->in_both &&
           socket->quiet_ms >= (is_unheard ? HALF_CLOSED_UNHEARD_MS : HALF_CLOSED_MS);
}

/* ---- what tells one group from another ---- */

/* A socket with what it is sorted by. It has no padding between its keys. */
struct sorted {
    int key[10];
    int64_t fin_ms; /* or, half-closed, since then */
    int index;
};

static enum loop_state loop_of_acceptors(const struct facts *facts)
{
    enum loop_state state = LOOP_UNKNOWN;
    for (int i = 0; i < facts->process_count; i++) {
        if (facts->processes[i].is_heir || facts->processes[i].is_keeper)
            continue;
        enum loop_state of_one = loop_state_of(facts, i);
        if (of_one == LOOP_RESTS)
            return LOOP_RESTS;
        state = of_one == LOOP_STUCK ? LOOP_STUCK : state;
    }
    return state;
}

/* Of whoever could accept it, where that is one. */
static enum loop_state loop_of_queue(const struct facts *facts, const enum loop_state *loops,
                                     enum loop_state acceptors, int listener)
{
    int server = listener >= 0 ? facts->listeners[listener].server : -1;
    return server >= 0 ? loops[server] : acceptors;
}

static int64_t fin_or_quiet_ms(const struct fact_socket *socket)
{
    if (socket->state == STATE_ESTABLISHED && socket->way == WAY_OUTGOING)
        return behind_quiet_ms(socket);
    return socket_is_half_closed(socket) ? socket->quiet_ms : socket->fin.least_ms;
}

static struct sorted sorted_of(const struct facts *facts, const enum loop_state *loops,
                               enum loop_state acceptors, int index)
{
    const struct fact_socket *socket = &facts->sockets[index];
    const struct fact_wait *wait = &socket->wait;
    bool is_queued = socket->holder == HOLDER_QUEUE;
    bool is_open = socket->state == STATE_ESTABLISHED && socket->holder == HOLDER_PROCESS;
    enum reading reading = is_queued || is_open || socket->is_mptcp || socket->state == STATE_CLOSE
                               ? READING_UNKNOWN
                               : reading_of(socket);
    enum loop_state loop = is_queued              ? loop_of_queue(facts, loops, acceptors, socket->listener)
                           : socket->process >= 0 ? loops[socket->process]
                                                  : LOOP_UNKNOWN;
    return (struct sorted){
        .key = {(int)socket->state, (int)socket->holder, (int)socket->way, socket->listener, (int)reading,
                is_queued ? WAITER_NOBODY : (int)wait->kind, is_queued ? 0 : (int)wait->events,
                (is_queued ? 0 : 2 * wait->is_mask_known + wait->at_rest) + 4 * socket->is_mptcp, (int)loop,
                (int)socket->error},
        .fin_ms = fin_or_quiet_ms(socket),
        .index = index};
}

static int by_key(const void *a, const void *b)
{
    const struct sorted *left = a, *right = b;
    for (size_t i = 0; i < sizeof left->key / sizeof left->key[0]; i++)
        if (left->key[i] != right->key[i])
            return left->key[i] < right->key[i] ? -1 : 1;
    if (left->fin_ms != right->fin_ms)
        return left->fin_ms > right->fin_ms ? -1 : 1;
    return left->index < right->index ? -1 : left->index > right->index;
}

static int by_size(const void *a, const void *b)
{
    const struct group *left = a, *right = b;
    if (left->count != right->count)
        return left->count > right->count ? -1 : 1;
    return left->members < right->members ? -1 : left->members > right->members;
}

/* ---- the groups ---- */

static struct group group_of(const struct sorted *first)
{
    return (struct group){.state = (enum tcp_state)first->key[0],
                          .holder = (enum fact_holder)first->key[1],
                          .way = (enum fact_way)first->key[2],
                          .listener = first->key[3],
                          .reading = (enum reading)first->key[4],
                          .waiter = (enum fact_waiter)first->key[5],
                          .events = (uint32_t)first->key[6],
                          .is_mask_known = (first->key[7] & 2) != 0,
                          .at_rest = (first->key[7] & 1) != 0,
                          .is_mptcp = first->key[7] >= 4,
                          .loop = (enum loop_state)first->key[8],
                          .error = (enum fact_error)first->key[9],
                          .first_process = -1};
}

static void count_processes(const struct facts *facts, struct group *group, bool *is_counted)
{
    memset(is_counted, 0, sizeof *is_counted * (size_t)(facts->process_count + 1));
    for (int i = 0; i < group->count; i++) {
        int process = facts->sockets[group->members[i]].process;
        if (process < 0 || is_counted[process])
            continue;
        is_counted[process] = true;
        group->processes++;
        if (group->first_process < 0)
            group->first_process = process;
    }
}

static void split(const struct facts *facts, const struct sorted *sorted, int count, bool *is_counted,
                  struct groups *groups)
{
    for (int i = 0; i < count; i++) {
        groups->members[i] = sorted[i].index;
        if (i == 0 || memcmp(sorted[i].key, sorted[i - 1].key, sizeof sorted[i].key) != 0) {
            groups->each[groups->count] = group_of(&sorted[i]);
            groups->each[groups->count++].members = &groups->members[i];
        }
        groups->each[groups->count - 1].count++;
    }
    for (int i = 0; i < groups->count; i++)
        count_processes(facts, &groups->each[i], is_counted);
    if (groups->count > 0)
        qsort(groups->each, (size_t)groups->count, sizeof *groups->each, by_size);
}

int groups_of(const struct facts *facts, int64_t grace_ms, struct groups *groups)
{
    size_t sockets = (size_t)facts->socket_count, processes = (size_t)facts->process_count;
    *groups = (struct groups){0};
    struct sorted *sorted = calloc(sockets + 1, sizeof *sorted);
    enum loop_state *loops = calloc(processes + 1, sizeof *loops);
    bool *is_counted = calloc(processes + 1, sizeof *is_counted);
    bool *is_behind = calloc(sockets + 1, sizeof *is_behind);
    int count = 0, rc = -ENOMEM;
    if (sorted == NULL || loops == NULL || is_counted == NULL || is_behind == NULL)
        goto out;
    for (size_t i = 0; i < processes; i++)
        loops[i] = loop_state_of(facts, (int)i);
    enum loop_state acceptors = loop_of_acceptors(facts);
    behind_find(facts, loops, is_behind);
    for (int i = 0; i < facts->socket_count; i++) {
        const struct fact_socket *socket = &facts->sockets[i];
        if (socket_lingers(socket, grace_ms) || half_closed_lingers(socket, loops) || is_behind[i]) {
            sorted[count++] = sorted_of(facts, loops, acceptors, i);
            continue;
        }
        groups->young += is_waiting_to_go(socket);
        groups->half_closed += socket_is_half_closed(socket) && socket->state == STATE_FIN_WAIT2;
    }
    groups->members = calloc((size_t)count + 1, sizeof *groups->members);
    groups->each = calloc((size_t)count + 1, sizeof *groups->each);
    if (groups->members == NULL || groups->each == NULL) {
        groups_free(groups);
        goto out;
    }
    qsort(sorted, (size_t)count, sizeof *sorted, by_key);
    groups->lingering = count;
    split(facts, sorted, count, is_counted, groups);
    rc = 0;
out:
    free(sorted);
    free(loops);
    free(is_counted);
    free(is_behind);
    return rc;
}

void groups_free(struct groups *groups)
{
    free(groups->each);
    free(groups->members);
    *groups = (struct groups){0};
}
