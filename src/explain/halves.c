#include "explain/halves.h"

#include <errno.h>
#include <stdlib.h>

/* A connection that the process opened, and may be the other half of one that lingers. */
struct outgoing {
    const struct fact_socket *socket;
    int index;
    bool is_doubtful; /* it fits a connection that may still be served */
    bool is_taken;
};

struct search {
    const struct facts *facts;
    const bool *lingers;
    struct outgoing *outgoing; /* by process, bytes sent, bytes received */
    size_t count;
};

/* ---- what fits ---- */

static bool has_one_descriptor(const struct fact_socket *socket)
{
    return socket->holder == HOLDER_PROCESS && socket->process >= 0 && socket->holders == 1 &&
           socket->fd >= 0;
}

static bool is_passed_on(const struct fact_socket *socket)
{
    return socket->has_info && socket->unread == 0 && socket->unsent == 0;
}

static bool may_be_forgotten(const struct fact_socket *socket)
{
    return socket->way == WAY_OUTGOING && socket->state == STATE_ESTABLISHED && socket->in_both &&
           has_one_descriptor(socket) && is_passed_on(socket);
}

/* Sent on at most HALVES_LATE_MS after it came. */
static bool is_passed_on_then(int64_t came_ms, int64_t sent_ms)
{
    return came_ms >= 0 && sent_ms >= 0 && sent_ms <= came_ms + HALVES_EARLY_MS &&
           sent_ms >= came_ms - HALVES_LATE_MS;
}

/* In each direction in which they have carried something. */
static bool at_the_same_time(const struct fact_socket *accepted, const struct fact_socket *out)
{
    return (out->bytes_acked == 0 ||
            is_passed_on_then(accepted->last_data_recv_ms, out->last_data_sent_ms)) &&
           (out->bytes_received == 0 ||
            is_passed_on_then(out->last_data_recv_ms, accepted->last_data_sent_ms));
}

/* ---- outgoing ones that have carried what an accepted one has ---- */

static int compare(int process, uint64_t sent, uint64_t received, const struct outgoing *with)
{
    const struct fact_socket *out = with->socket;
    if (process != out->process)
        return process < out->process ? -1 : 1;
    if (sent != out->bytes_acked)
        return sent < out->bytes_acked ? -1 : 1;
    return received < out->bytes_received ? -1 : received > out->bytes_received;
}

static int by_bytes(const void *a, const void *b)
{
    const struct outgoing *left = a, *right = b;
    int order =
        compare(left->socket->process, left->socket->bytes_acked, left->socket->bytes_received, right);
    return order != 0 ? order : (left->index > right->index) - (left->index < right->index);
}

static int compare_accepted(const struct fact_socket *accepted, const struct outgoing *with)
{
    return compare(accepted->process, accepted->bytes_received, accepted->bytes_acked, with);
}

/* The first of those that have carried the same; the last is the one before the first that compares
 * otherwise. */
static size_t first_alike(const struct search *search, const struct fact_socket *accepted)
{
    size_t low = 0, high = search->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_accepted(accepted, &search->outgoing[middle]) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_alike(const struct search *search, const struct fact_socket *accepted, size_t i)
{
    return i < search->count && compare_accepted(accepted, &search->outgoing[i]) == 0;
}

/* ---- those that may still be served ---- */

/* What has come may not have been passed on yet. */
static bool is_in_motion(const struct fact_socket *socket)
{
    return socket->unread > 0 || socket->unsent > 0 || socket->last_data_recv_ms < HALVES_LATE_MS;
}

/* One that has carried the same has done so at the same time. The half of one in motion has sent less than
 * that has received, and received more than that was answered. */
static bool may_be_half_of(const struct fact_socket *served, const struct fact_socket *out)
{
    bool is_held = served->process == out->process || served->holders > 1;
    bool is_older = fact_age_is_known(served->age) && served->age.most_ms != FACT_NO_LIMIT &&
                    out->last_data_sent_ms > served->age.most_ms + HALVES_EARLY_MS;
    if (!is_held || !served->has_info)
        return is_held;
    if (served->bytes_received == out->bytes_acked && served->bytes_acked == out->bytes_received)
        return at_the_same_time(served, out);
    return is_in_motion(served) && served->bytes_received >= out->bytes_acked &&
           served->bytes_acked <= out->bytes_received && !is_older;
}

static void doubt_for(const struct search *search, const struct fact_socket *served)
{
    if (!served->has_info || served->holders > 1 || is_in_motion(served)) {
        for (size_t i = 0; i < search->count; i++)
            search->outgoing[i].is_doubtful |= may_be_half_of(served, search->outgoing[i].socket);
        return;
    }
    for (size_t i = first_alike(search, served); is_alike(search, served, i); i++)
        search->outgoing[i].is_doubtful |= at_the_same_time(served, search->outgoing[i].socket);
}

/* Every connection that is not known to be outgoing, and does not linger for that reason. A ghost is over: a
 * half of its own may be told so as well. */
static void doubt_for_all_served(const struct search *search)
{
    const struct facts *facts = search->facts;
    for (int i = 0; i < facts->socket_count; i++) {
        const struct fact_socket *socket = &facts->sockets[i];
        if (socket->way != WAY_OUTGOING && socket->process >= 0 && socket->state != STATE_CLOSE &&
            !search->lingers[i])
            doubt_for(search, socket);
    }
}

/* ---- pairs ---- */

/* Between the last that came from a client, or else to it, and that on the other half. */
static int64_t apart_ms(const struct fact_socket *accepted, const struct fact_socket *out)
{
    int64_t apart = out->bytes_acked > 0 ? accepted->last_data_recv_ms - out->last_data_sent_ms
                                         : accepted->last_data_sent_ms - out->last_data_recv_ms;
    return apart < 0 ? -apart : apart;
}

/* The nearest in time of those that fit and are free. *fits: one does, free or not. */
static struct outgoing *free_half(const struct search *search, const struct fact_socket *lingering,
                                  bool *fits)
{
    struct outgoing *best = NULL;
    *fits = false;
    for (size_t i = first_alike(search, lingering); is_alike(search, lingering, i); i++) {
        struct outgoing *out = &search->outgoing[i];
        if (!at_the_same_time(lingering, out->socket))
            continue;
        *fits = true;
        bool is_nearer = best == NULL || apart_ms(lingering, out->socket) < apart_ms(lingering, best->socket);
        if (!out->is_doubtful && !out->is_taken && is_nearer)
            best = out;
    }
    return best;
}

static struct half half_of(const struct search *search, int index)
{
    const struct fact_socket *lingering = &search->facts->sockets[index];
    struct half half = {index, -1, HALF_SHARED};
    bool fits;
    if (!has_one_descriptor(lingering) || !is_passed_on(lingering))
        return half;
    half.finding = HALF_SILENT;
    if (lingering->bytes_received == 0 && lingering->bytes_acked == 0)
        return half;
    struct outgoing *out = free_half(search, lingering, &fits);
    half.finding = out != NULL ? HALF_FOUND : fits ? HALF_DOUBTFUL : HALF_NONE;
    half.other = out != NULL ? out->index : -1;
    if (out != NULL)
        out->is_taken = true;
    return half;
}

/* Where more connections fit than linger, one of them is somebody else's: none of its like is sure. */
static void doubt_surplus(const struct search *search, const struct half *half)
{
    const struct fact_socket *lingering = &search->facts->sockets[half->lingering];
    bool fits;
    if (half->finding != HALF_FOUND || free_half(search, lingering, &fits) == NULL)
        return;
    for (size_t i = first_alike(search, lingering); is_alike(search, lingering, i); i++)
        search->outgoing[i].is_doubtful = true;
}

static void withdraw_doubtful(const struct search *search, struct half *half)
{
    const struct fact_socket *lingering = &search->facts->sockets[half->lingering];
    for (size_t i = first_alike(search, lingering); half->other >= 0 && is_alike(search, lingering, i); i++)
        if (search->outgoing[i].index == half->other && search->outgoing[i].is_doubtful)
            *half = (struct half){half->lingering, -1, HALF_DOUBTFUL};
}

int halves_find(const struct facts *facts, const bool *lingers, struct half *halves)
{
    struct search search = {.facts = facts, .lingers = lingers};
    int count = 0;
    search.outgoing = calloc((size_t)facts->socket_count + 1, sizeof *search.outgoing);
    if (search.outgoing == NULL)
        return -ENOMEM;
    for (int i = 0; i < facts->socket_count; i++)
        if (may_be_forgotten(&facts->sockets[i]))
            search.outgoing[search.count++] = (struct outgoing){.socket = &facts->sockets[i], .index = i};
    qsort(search.outgoing, search.count, sizeof *search.outgoing, by_bytes);
    doubt_for_all_served(&search);
    for (int i = 0; i < facts->socket_count; i++)
        if (lingers[i])
            halves[count++] = half_of(&search, i);
    for (int i = 0; i < count; i++)
        doubt_surplus(&search, &halves[i]);
    for (int i = 0; i < count; i++)
        withdraw_doubtful(&search, &halves[i]);
    free(search.outgoing);
    return count;
}
