/* watch_closings: how long connections that their peers have closed wait for the close() of their programs,
 * and for its end: from the peer's FIN to the end of the socket. The looks tell when a socket came to
 * CLOSE_WAIT, and the kernel's news (kernel/socket_deaths.h) when it ended, so that a time is known within
 * bounds only: of a connection that no look has met in CLOSE_WAIT, from nothing to the time since the look
 * before.
 *
 * The news does not tell who closed first. Whoever did leaves a timewait socket with the same two ends (and
 * with the same cookie only where a look had given it one), which the next look shows; a connection whose FIN
 * was acknowledged and that left none has closed last. One that ended by RST before it came to CLOSE_WAIT is
 * none of these. Sockets that were in CLOSE_WAIT when the count began are left out: with them those that stay
 * long would be too many. */
#ifndef WATCH_WATCH_CLOSINGS_H
#define WATCH_WATCH_CLOSINGS_H

#include "kernel/histogram.h"
#include "kernel/socket_deaths.h"
#include "watch/closing_times.h"

#include <stdbool.h>
#include <stdint.h>

enum { CLOSING_ROWS_MAX = 128, CLOSING_NEWS_MAX = 1 << 20 };

/* One port of a server, or one remote port of clients. */
struct closing_row {
    enum side side;
    uint16_t port;
    struct closing_times least, most; /* of those that have ended: it took so long at least, and at most */
    struct closing_times open;        /* of those that have not ended: so long at least */
};

struct watch_closings; /* what is remembered from look to look */

/* `port`: only those with this local or remote port; 0: all. Times are of monotonic_us(). NULL without
 * memory. */
struct watch_closings *watch_closings_new(uint16_t port, int64_t now_us);
void watch_closings_free(struct watch_closings *closings);

/* Asks the kernel for its news, from now on. Returns 0 or a negative errno. */
int watch_closings_listen(struct watch_closings *closings);

/* The descriptor that is readable when there is news. */
int watch_closings_fd(const struct watch_closings *closings);

/* Takes the news that has come, without waiting: often, and between looks. Where some was lost all begins
 * anew. Returns 0 or a negative errno. */
int watch_closings_read(struct watch_closings *closings);

/* ---- what a look tells ---- */

/* Before its sockets; also before another attempt at the same look. Takes the news first. Returns 0 or a
 * negative errno. */
int watch_closings_begin_look(struct watch_closings *closings, int64_t now_us);

/* Each socket of the look. Returns 0 or -ENOMEM. */
int watch_closings_see(struct watch_closings *closings, const struct socket_entry *entry, int64_t now_us);

/* After the last one of a look that was whole; serves[port]: that local port is a server's. Returns 0 or
 * -ENOMEM. */
int watch_closings_end_look(struct watch_closings *closings, const bool *serves, int64_t now_us);

/* ---- the news ---- */

/* A socket has ended between these two times. Returns 0 or -ENOMEM. */
int watch_closings_hear(struct watch_closings *closings, const struct socket_life *socket, int64_t from_us,
                        int64_t to_us);

/* Some news was lost: all that was counted is void, and it begins anew. */
void watch_closings_lose(struct watch_closings *closings, int64_t now_us);

/* ---- what came of it ---- */

struct closing_rows {
    const struct closing_row *each; /* the closings' own, until the next look */
    int count;
    int64_t dropped; /* closings beyond CLOSING_ROWS_MAX rows */
    int64_t lost;    /* times that news was lost, so that all began anew */
    double since_s;  /* so long ago it began to count, the last time */
};

struct closing_rows watch_closings_rows(const struct watch_closings *closings, int64_t now_us);

/* A time that lies between two bounds, in microseconds. */
struct closing_bounds {
    int64_t least_us;
    int64_t most_us; /* INT64_MAX: they have not ended yet */
};

/* Those that have ended, and those that have not. */
int64_t closing_row_count(const struct closing_row *row);

/* The time that this share of them (0 to 1) took at most. The row has some. */
struct closing_bounds closing_row_quantile(const struct closing_row *row, double share);

/* How many took longer than `us`, of all: at least, and at most. */
struct closing_over {
    int64_t least, most;
};
struct closing_over closing_row_over(const struct closing_row *row, int64_t us);

#endif
