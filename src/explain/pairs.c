#include "explain/pairs.h"

#include <errno.h>
#include <stdlib.h>

enum {
    THREAD_EARLY_MS = 60, /* clocks of sockets and of threads differ by less */
    LOCK_LATE_MS = 250,   /* a busy server takes so long from a socket's last data to the call that blocks; */
    OUTSIDE_LATE_MS = 1000, /* ... where that is no lock: it connects and sends first */
    HALF_LATE_MS = 10000,   /* a proxy under load opens its other half within that time */
    HALF_EARLY_MS = 300,    /* a table that is read for so long tells ages of different moments */
    ADDRESSES_MOST = 4,     /* of the backends of a proxy */
};

static const double HALVES_LEAST = 0.8, HALVES_MOST = 1.25;

/* What is being paired, with room for the ages of its sockets and of all that may belong to them. */
struct pairing {
    const struct facts *facts;
    const struct groups *groups;
    const struct group *group;
    int64_t *own, *others;
    int own_count, other_count;
};

static const struct fact_socket *member(const struct pairing *pairing, int i)
{
    return &pairing->facts->sockets[pairing->group->members[i]];
}

static int by_number(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

static void sort(int64_t *ages, int count)
{
    if (count > 0)
        qsort(ages, (size_t)count, sizeof *ages, by_number);
}

/* How many have another of their own that is at most so much younger, or older. */
static int count_pairs(const struct pairing *pairing, int64_t younger_ms, int64_t older_ms)
{
    const int64_t *own = pairing->own, *others = pairing->others;
    int pairs = 0;
    for (int i = 0, k = 0; i < pairing->own_count && k < pairing->other_count;) {
        if (others[k] < own[i] - younger_ms)
            k++;
        else if (others[k] > own[i] + older_ms)
            i++;
        else {
            pairs++;
            i++;
            k++;
        }
    }
    return pairs;
}

/* ---- threads ---- */

static bool is_involved(const struct pairing *pairing, const struct fact_thread *thread)
{
    return thread->process == pairing->group->first_process ||
           (pairing->group->processes > 1 && !pairing->facts->processes[thread->process].is_heir);
}

/* Threads of Go and of Node that wait for a lock are idle: what is blocked there is no thread. */
static bool may_be_blocked(const struct facts *facts, const struct fact_thread *thread, bool by_locks)
{
    enum fact_runtime runtime = facts->processes[thread->process].runtime;
    if (thread->call != CALL_FUTEX)
        return true;
    return by_locks && runtime != RUNTIME_GO && runtime != RUNTIME_NODE;
}

static void gather_asleep(struct pairing *pairing, bool with_locks)
{
    const struct facts *facts = pairing->facts;
    pairing->other_count = 0;
    for (int i = 0; i < facts->thread_count; i++) {
        const struct fact_thread *thread = &facts->threads[i];
        if (is_involved(pairing, thread) && thread->asleep_ms >= 0 && thread_is_outside(thread) &&
            may_be_blocked(facts, thread, with_locks))
            pairing->others[pairing->other_count++] = thread->asleep_ms;
    }
    sort(pairing->others, pairing->other_count);
}

static void pair_threads(struct pairing *pairing, struct pairs *pairs)
{
    bool is_read = pairing->group->reading == READING_ALL;
    pairing->own_count = 0;
    for (int i = 0; i < pairing->group->count; i++)
        if (member(pairing, i)->last_data_recv_ms >= 0)
            pairing->own[pairing->own_count++] = member(pairing, i)->last_data_recv_ms;
    sort(pairing->own, pairing->own_count);
    if (is_read) {
        gather_asleep(pairing, true);
        pairs->late = count_pairs(pairing, INT32_MAX, THREAD_EARLY_MS);
        return;
    }
    gather_asleep(pairing, false);
    pairs->outside = count_pairs(pairing, OUTSIDE_LATE_MS, THREAD_EARLY_MS);
    gather_asleep(pairing, true);
    pairs->threads = count_pairs(pairing, LOCK_LATE_MS, THREAD_EARLY_MS);
}

/* ---- the halves of a proxy ---- */

/* Open connections of that way. Returns to how many addresses, or one more than ADDRESSES_MOST. */
static int gather_open(struct pairing *pairing, enum fact_way way)
{
    const struct facts *facts = pairing->facts;
    const struct fact_socket *seen[ADDRESSES_MOST + 1];
    int addresses = 0;
    pairing->other_count = 0;
    for (int i = 0; i < facts->socket_count; i++) {
        const struct fact_socket *socket = &facts->sockets[i];
        if (socket->state != STATE_ESTABLISHED || socket->way != way || socket->process < 0)
            continue;
        pairing->others[pairing->other_count++] = socket->age.least_ms;
        int k = 0;
        while (k < addresses && !address_equal(&seen[k]->peer.address, &socket->peer.address))
            k++;
        if (k == addresses && addresses <= ADDRESSES_MOST)
            seen[addresses++] = socket;
    }
    return addresses;
}

static bool is_about(int a, int b)
{
    return b > 0 && a >= HALVES_LEAST * b && a <= HALVES_MOST * b;
}

/* As many as linger alike, or as there are at all of that way: the young and the open have other halves too.
 */
static bool are_as_many(const struct pairing *pairing)
{
    const struct facts *facts = pairing->facts;
    const struct group *group = pairing->group;
    int alike = 0, all = 0;
    for (int i = 0; i < pairing->groups->count; i++) {
        const struct group *other = &pairing->groups->each[i];
        if (other->way == group->way && other->holder == group->holder && other->state == group->state &&
            (other->reading == READING_ALL || other->reading == READING_PERHAPS))
            alike += other->count;
    }
    for (int i = 0; i < facts->socket_count; i++)
        all += facts->sockets[i].way == group->way && facts->sockets[i].holder == HOLDER_PROCESS &&
               (facts->sockets[i].state == STATE_ESTABLISHED || facts->sockets[i].state == STATE_CLOSE_WAIT);
    return is_about(pairing->other_count, alike) || is_about(pairing->other_count, all);
}

/* The outgoing half is opened after the accepted one. Where not all ages are known the numbers decide. */
static bool pair_halves(struct pairing *pairing)
{
    const struct group *group = pairing->group;
    bool has_outgoing = group->way == WAY_OUTGOING;
    int addresses = gather_open(pairing, has_outgoing ? WAY_ACCEPTED : WAY_OUTGOING);
    if (!are_as_many(pairing) || (!has_outgoing && addresses > ADDRESSES_MOST))
        return false;
    for (int i = 0; i < group->count; i++) {
        pairing->own[i] = member(pairing, i)->age.least_ms;
        if (pairing->own[i] < 0)
            return true;
    }
    pairing->own_count = group->count;
    sort(pairing->own, pairing->own_count);
    sort(pairing->others, pairing->other_count);
    int count = has_outgoing ? count_pairs(pairing, HALF_EARLY_MS, HALF_LATE_MS)
                             : count_pairs(pairing, HALF_LATE_MS, HALF_EARLY_MS);
    return 100 * count >= PAIRS_PERCENT * group->count;
}

int pairs_of(const struct facts *facts, const struct groups *groups, const struct group *group,
             struct pairs *pairs)
{
    struct pairing pairing = {.facts = facts, .groups = groups, .group = group};
    size_t others = (size_t)(facts->socket_count + facts->thread_count);
    *pairs = (struct pairs){0};
    if (group->holder != HOLDER_PROCESS && group->holder != HOLDER_HEIR)
        return 0;
    pairing.own = calloc((size_t)group->count + 1, sizeof *pairing.own);
    pairing.others = calloc(others + 1, sizeof *pairing.others);
    int rc = pairing.own != NULL && pairing.others != NULL ? 0 : -ENOMEM;
    if (rc == 0)
        pair_threads(&pairing, pairs);
    if (rc == 0 && (group->reading == READING_ALL || group->reading == READING_PERHAPS))
        pairs->halves = pair_halves(&pairing);
    free(pairing.own);
    free(pairing.others);
    return rc;
}
