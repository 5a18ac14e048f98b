/* recording: what "watch --record" has written, read again: JSON Lines, of which the first is the head,
 *
 *   {"event":"recording","format":1,"version":"1.0","began":"2026-11-26T14:00:00Z","interval_s":1}
 *
 * and then, for each look that was kept, a line "look" (as "watch --json" has it) and a line "flow": what
 * came and ended since the one before, and what was held then,
 *
 *   {"event":"flow","t_s":2,"over_s":1,"news":true,"lost":0,"dropped":0,"ports":[{"side":"server","port":8080,
 *    "command":"httpd","came":20,"ended":18,"lives_ms":[[256,3],[512,17]],"established":1,"close_wait":2,"ghosts":0,
 *    "unread":0,"unowned":0}]}
 *
 * where lives_ms are pairs: so many connections were open for less than so many milliseconds, and for not
 * less than half of that. Lines with another event are passed over: a last one may be an explanation. */
#ifndef WATCH_RECORDING_H
#define WATCH_RECORDING_H

#include "watch/watch_flow.h"

#include <stddef.h>
#include <stdint.h>

enum {
    RECORDING_FORMAT = 1,
    RECORDED_LINE_MAX = 64 << 20, /* bytes */
};

struct recorded_point {
    double t_s;    /* since the first look */
    double over_s; /* since the one before that was kept */
    int64_t came, ended;
    int64_t established, close_wait, ghosts; /* held then */
    int64_t unread, unowned;                 /* of close_wait */
};

struct recorded_port {
    uint16_t port;
    enum side side;
    char command[16]; /* of the process; "": not known, or several */
    struct recorded_point *points;
    size_t point_count, point_room;
    int64_t lives[FLOW_LIVES]; /* of all points */
};

/* Zero-initialised: nothing was read. */
struct recording {
    char version[32], began[32];
    double span_s; /* from the first look to the last */
    int64_t looks; /* that were kept */
    bool has_news;
    int64_t lost, dropped;
    struct recorded_port *ports;
    size_t port_count, port_room;
    char cause[64]; /* the first that its explanation names; "" */
};

struct recording_error {
    char text[200]; /* what follows `--replay "FILE": ` */
};

/* Takes one line, without its '\n'. The first is the head. Returns 0, -EINVAL with why, or -ENOMEM likewise.
 */
int recording_take_line(struct recording *recording, const char *line, size_t length,
                        struct recording_error *why);

/* After the last line: a port that is in no line at the end holds nothing then. Returns 0 or -ENOMEM. */
int recording_end(struct recording *recording);

/* Reads the file. Returns 0, or a negative errno with why: -EINVAL for what is no recording, or one of
 * another format, or whose last line is cut short. Free it in any case. */
int recording_read(const char *path, struct recording *recording, struct recording_error *why);

void recording_free(struct recording *recording);

/* The port on which CLOSE_WAIT and ghosts grew most; where none did, that to which most connections came.
 * Servers come before clients. NULL: nothing came. `side`: SIDE_COUNT for any. */
const struct recorded_port *recording_busiest(const struct recording *recording, enum side side);

/* CLOSE_WAIT and ghosts at the end, less those at the beginning; 0 where there are fewer. */
int64_t recorded_growth(const struct recorded_port *port);

int64_t recorded_came(const struct recorded_port *port);

/* The life of the n-th connection, in milliseconds: taken from its histogram, so that any row of connections
 * has lives that are distributed as in the recording. 0 where no life is known. */
int64_t recorded_life_ms(const struct recorded_port *port, int64_t nth);

#endif
