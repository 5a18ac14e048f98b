#include "watch/watch_closings.h"

#include "base/array.h"
#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    NEWS_BUFFER = 64 << 20, /* taken from memory only while news waits there */
    PORTS = 65536,
};

/* A socket that came to CLOSE_WAIT between these two times, and has not ended as far as is known. */
struct open_closing {
    uint64_t cookie;
    int64_t earliest_us; /* 0: before the count began */
    int64_t latest_us;
    uint16_t local_port, remote_port;
};

/* A socket that has ended between these two times. */
struct heard_end {
    uint64_t cookie;
    uint64_t ends_of; /* the connection: socket_identity() */
    int64_t from_us, to_us;
    int64_t heard_us; /* before its end the peer's last segment came, so long */
    uint16_t local_port, remote_port;
    bool acked_of_server, acked_of_client; /* its FIN, if it was that end of the connection */
    bool has_timewait;                     /* the look has met what it left */
};

struct watch_closings {
    struct socket_deaths news;
    uint16_t port;
    int64_t began_us;           /* to count, the last time */
    int64_t look_us, before_us; /* the begin of the look under way or of the last one, and of that before; 0:
                                   none yet */
    int64_t read_us;            /* when the news was read last */
    int64_t lost, dropped;
    struct open_closing *open, *seen; /* by cookie; of the look under way, as it met them */
    size_t open_count, open_room, seen_count, seen_room;
    struct heard_end *ends; /* since the last look; while a look lasts by connection, then by cookie */
    size_t end_count, end_room;
    bool served[PORTS]; /* a look has shown that this local port is a server's */
    struct closing_row *rows;
    size_t row_room;
    int row_count;
};

struct watch_closings *watch_closings_new(uint16_t port, int64_t now_us)
{
    struct watch_closings *closings = calloc(1, sizeof *closings);
    if (closings != NULL)
        *closings =
            (struct watch_closings){.news = {.fd = -1}, .port = port, .began_us = now_us, .read_us = now_us};
    return closings;
}

void watch_closings_free(struct watch_closings *closings)
{
    if (closings == NULL)
        return;
    socket_deaths_close(&closings->news);
    free(closings->open);
    free(closings->seen);
    free(closings->ends);
    free(closings->rows);
    free(closings);
}

static bool is_wanted(const struct watch_closings *closings, const struct socket_entry *entry)
{
    bool is_connection = entry->remote_port != 0 && entry->state != STATE_LISTEN;
    return is_connection && (closings->port == 0 || entry->local_port == closings->port ||
                             entry->remote_port == closings->port);
}

static int by_connection(const void *a, const void *b)
{
    const struct heard_end *one = a, *other = b;
    return (one->ends_of > other->ends_of) - (one->ends_of < other->ends_of);
}

/* Both kinds begin with it. */
static int by_cookie(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
    return (one > other) - (one < other);
}

/* ---- the news ---- */

int watch_closings_hear(struct watch_closings *closings, const struct socket_life *socket, int64_t from_us,
                        int64_t to_us)
{
    if (!is_wanted(closings, &socket->entry) || socket->is_mptcp)
        return 0;
    if (closings->end_count == CLOSING_NEWS_MAX) {
        watch_closings_lose(closings, to_us);
        return 0;
    }
    int rc = ARRAY_RESERVE(closings->ends, closings->end_room, closings->end_count + 1);
    if (rc == 0)
        closings->ends[closings->end_count++] =
            (struct heard_end){.cookie = socket->cookie,
                               .ends_of = socket_identity(&socket->entry),
                               .from_us = from_us,
                               .to_us = to_us,
                               .heard_us = socket->life.last_ack_recv_ms * 1000,
                               .local_port = socket->entry.local_port,
                               .remote_port = socket->entry.remote_port,
                               .acked_of_server = tcp_life_own_fin_acked(&socket->life, false),
                               .acked_of_client = tcp_life_own_fin_acked(&socket->life, true)};
    return rc;
}

void watch_closings_lose(struct watch_closings *closings, int64_t now_us)
{
    closings->lost++;
    closings->began_us = now_us;
    closings->look_us = closings->before_us = 0;
    closings->open_count = closings->seen_count = closings->end_count = 0;
    closings->row_count = 0;
    closings->dropped = 0;
}

int watch_closings_listen(struct watch_closings *closings)
{
    return socket_deaths_open(&closings->news, NEWS_BUFFER);
}

int watch_closings_fd(const struct watch_closings *closings)
{
    return closings->news.fd;
}

static int on_end(void *context, const struct socket_life *socket)
{
    struct watch_closings *closings = context;
    return watch_closings_hear(closings, socket, closings->read_us, monotonic_us());
}

int watch_closings_read(struct watch_closings *closings)
{
    if (closings->news.fd < 0)
        return 0;
    int64_t dropped = closings->news.dropped, now_us = monotonic_us();
    int rc = socket_deaths_read(&closings->news, on_end, closings);
    closings->read_us = now_us;
    if (rc == 0 && closings->news.dropped != dropped)
        watch_closings_lose(closings, monotonic_us());
    return rc;
}

/* ---- a look ---- */

/* The news from before a look is taken first: what ended later ended after its begin. */
int watch_closings_begin_look(struct watch_closings *closings, int64_t now_us)
{
    int rc = watch_closings_read(closings);
    closings->look_us = now_us;
    closings->seen_count = 0;
    if (closings->end_count > 1)
        qsort(closings->ends, closings->end_count, sizeof *closings->ends, by_connection);
    return rc;
}

/* What the kernel's own word leaves of "after the look before". */
static struct open_closing closing_of(const struct watch_closings *closings, const struct socket_entry *entry,
                                      int64_t now_us)
{
    struct open_closing closing = {.cookie = entry->cookie,
                                   .earliest_us = closings->before_us,
                                   .latest_us = now_us,
                                   .local_port = entry->local_port,
                                   .remote_port = entry->remote_port};
    int64_t most_us = entry->fin_most_ms >= 0 ? now_us - (entry->fin_most_ms + 1) * 1000 : 0;
    if (closing.earliest_us != 0 && most_us > closing.earliest_us)
        closing.earliest_us = most_us;
    if (entry->heard_ms > 0)
        closing.latest_us = now_us - entry->heard_ms * 1000;
    if (closing.latest_us < closing.earliest_us)
        closing.latest_us = closing.earliest_us;
    return closing;
}

int watch_closings_see(struct watch_closings *closings, const struct socket_entry *entry, int64_t now_us)
{
    bool may_be_left =
        entry->inode == 0 && (entry->state == STATE_TIME_WAIT || entry->state == STATE_FIN_WAIT2);
    if (!is_wanted(closings, entry) || entry->cookie == 0)
        return 0;
    if (may_be_left && closings->end_count > 0) {
        const struct heard_end key = {.ends_of = socket_identity(entry)};
        struct heard_end *end =
            bsearch(&key, closings->ends, closings->end_count, sizeof *closings->ends, by_connection);
        if (end != NULL)
            end->has_timewait = true;
    }
    if (entry->state != STATE_CLOSE_WAIT)
        return 0;
    int rc = ARRAY_RESERVE(closings->seen, closings->seen_room, closings->seen_count + 1);
    if (rc == 0)
        closings->seen[closings->seen_count++] = closing_of(closings, entry, now_us);
    return rc;
}

/* ---- rows ---- */

static struct closing_row *row_of(struct watch_closings *closings, uint16_t local_port, uint16_t remote_port,
                                  int *rc)
{
    enum side side = closings->served[local_port] ? SIDE_SERVER : SIDE_CLIENT;
    uint16_t port = side == SIDE_SERVER ? local_port : remote_port;
    for (int i = 0; i < closings->row_count; i++)
        if (closings->rows[i].port == port && closings->rows[i].side == side)
            return &closings->rows[i];
    if (closings->row_count == CLOSING_ROWS_MAX) {
        closings->dropped++;
        return NULL;
    }
    *rc = ARRAY_RESERVE(closings->rows, closings->row_room, closings->row_count + 1);
    if (*rc != 0)
        return NULL;
    struct closing_row *row = &closings->rows[closings->row_count++];
    *row = (struct closing_row){.side = side, .port = port};
    return row;
}

static int64_t not_negative(int64_t us)
{
    return us > 0 ? us : 0;
}

static int add_ended(struct watch_closings *closings, const struct heard_end *end, int64_t least_us,
                     int64_t most_us)
{
    int rc = 0;
    struct closing_row *row = row_of(closings, end->local_port, end->remote_port, &rc);
    if (row != NULL) {
        closing_times_add(&row->least, not_negative(least_us));
        closing_times_add(&row->most, not_negative(most_us));
    }
    return rc;
}

/* Of a connection that no look has met in CLOSE_WAIT: the acknowledgment of its FIN was the last that came,
 * and ended it. Where that was long ago it had closed first, and its descriptor was kept (a ghost) for longer
 * than its timewait socket lived. */
static bool has_closed_last(const struct watch_closings *closings, const struct heard_end *end)
{
    bool is_acked = closings->served[end->local_port] ? end->acked_of_server : end->acked_of_client;
    return closings->before_us != 0 && is_acked && !end->has_timewait &&
           end->heard_us <= end->to_us - closings->before_us;
}

/* ---- the end of a look ---- */

/* What was known of a socket that is in CLOSE_WAIT still; the kernel's word on a first sight is the best. */
static void carry_on(struct open_closing *seen, const struct open_closing *known)
{
    if (known == NULL)
        return;
    seen->earliest_us = known->earliest_us;
    if (known->latest_us < seen->latest_us)
        seen->latest_us = known->latest_us;
}

static const struct open_closing *find_open(const struct open_closing *open, size_t count, uint64_t cookie)
{
    return count > 0 ? bsearch(&cookie, open, count, sizeof *open, by_cookie) : NULL;
}

/* Sorts what was seen, and leaves out what the look has met twice. */
static void sort_seen(struct watch_closings *closings)
{
    size_t kept = 0;
    if (closings->seen_count > 1)
        qsort(closings->seen, closings->seen_count, sizeof *closings->seen, by_cookie);
    for (size_t i = 0; i < closings->seen_count; i++)
        if (kept == 0 || closings->seen[kept - 1].cookie != closings->seen[i].cookie)
            closings->seen[kept++] = closings->seen[i];
    closings->seen_count = kept;
}

/* Each socket that has ended: a time, where it had closed last. */
static int settle_ends(struct watch_closings *closings)
{
    int rc = 0;
    for (size_t i = 0; i < closings->end_count && rc == 0; i++) {
        const struct heard_end *end = &closings->ends[i];
        const struct open_closing *known = find_open(closings->open, closings->open_count, end->cookie);
        if (known == NULL)
            known = find_open(closings->seen, closings->seen_count, end->cookie);
        if (known != NULL && known->earliest_us != 0)
            rc = add_ended(closings, end, end->from_us - known->latest_us, end->to_us - known->earliest_us);
        else if (known == NULL && has_closed_last(closings, end))
            rc = add_ended(closings, end, 0, end->to_us - closings->before_us);
    }
    return rc;
}

static bool has_ended(const struct watch_closings *closings, uint64_t cookie)
{
    return closings->end_count > 0 &&
           bsearch(&cookie, closings->ends, closings->end_count, sizeof *closings->ends, by_cookie) != NULL;
}

/* What was in CLOSE_WAIT, is not any more, and has not ended: it waits for the last acknowledgment, or is a
 * ghost. */
static int keep_unended(struct watch_closings *closings)
{
    size_t seen_count = closings->seen_count;
    for (size_t i = 0; i < closings->open_count; i++) {
        const struct open_closing *open = &closings->open[i];
        if (find_open(closings->seen, seen_count, open->cookie) != NULL || has_ended(closings, open->cookie))
            continue;
        int rc = ARRAY_RESERVE(closings->seen, closings->seen_room, closings->seen_count + 1);
        if (rc != 0)
            return rc;
        closings->seen[closings->seen_count++] = *open;
    }
    return 0;
}

static int count_open(struct watch_closings *closings, int64_t now_us)
{
    int rc = 0;
    for (int i = 0; i < closings->row_count; i++)
        memset(&closings->rows[i].open, 0, sizeof closings->rows[i].open);
    for (size_t i = 0; i < closings->open_count && rc == 0; i++) {
        const struct open_closing *open = &closings->open[i];
        if (open->earliest_us == 0)
            continue;
        struct closing_row *row = row_of(closings, open->local_port, open->remote_port, &rc);
        if (row != NULL)
            closing_times_add(&row->open, not_negative(now_us - open->latest_us));
    }
    return rc;
}

int watch_closings_end_look(struct watch_closings *closings, const bool *serves, int64_t now_us)
{
    for (int port = 1; port < PORTS; port++)
        closings->served[port] |= serves[port];
    if (closings->end_count > 1)
        qsort(closings->ends, closings->end_count, sizeof *closings->ends, by_cookie);
    sort_seen(closings);
    for (size_t i = 0; i < closings->seen_count; i++)
        carry_on(&closings->seen[i],
                 find_open(closings->open, closings->open_count, closings->seen[i].cookie));
    int rc = settle_ends(closings);
    if (rc == 0)
        rc = keep_unended(closings);
    if (closings->seen_count > 1)
        qsort(closings->seen, closings->seen_count, sizeof *closings->seen, by_cookie);
    struct open_closing *open = closings->open;
    size_t room = closings->open_room;
    closings->open = closings->seen;
    closings->open_room = closings->seen_room;
    closings->open_count = closings->seen_count;
    closings->seen = open;
    closings->seen_room = room;
    closings->seen_count = closings->end_count = 0;
    closings->before_us = closings->look_us;
    return rc == 0 ? count_open(closings, now_us) : rc;
}

/* ---- what came of it ---- */

struct closing_rows watch_closings_rows(const struct watch_closings *closings, int64_t now_us)
{
    return (struct closing_rows){.each = closings->rows,
                                 .count = closings->row_count,
                                 .dropped = closings->dropped,
                                 .lost = closings->lost,
                                 .since_s = (double)(now_us - closings->began_us) / 1e6};
}

int64_t closing_row_count(const struct closing_row *row)
{
    return row->least.count + row->open.count;
}

struct closing_bounds closing_row_quantile(const struct closing_row *row, double share)
{
    int64_t rank = (int64_t)ceil(share * (double)closing_row_count(row)) - 1;
    struct closing_times least = row->least;
    for (int i = 0; i < CLOSING_BUCKETS; i++)
        least.in[i] += row->open.in[i];
    rank = not_negative(rank);
    return (struct closing_bounds){
        .least_us = closing_bucket_begin_us(closing_times_bucket(&least, rank)),
        .most_us = rank < row->most.count ? closing_bucket_end_us(closing_times_bucket(&row->most, rank))
                                          : INT64_MAX};
}

struct closing_over closing_row_over(const struct closing_row *row, int64_t us)
{
    return (struct closing_over){.least = closing_times_above_least(&row->least, us) +
                                          closing_times_above_least(&row->open, us),
                                 .most = closing_times_above_most(&row->most, us) + row->open.count};
}
