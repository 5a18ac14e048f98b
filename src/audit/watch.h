/* watch: the TCP sockets of this network namespace as they are, by port, process and peer, without making
 * any; and whether what lingers grows. */
#ifndef AUDIT_WATCH_H
#define AUDIT_WATCH_H

#include "storm/growth.h"
#include "tcp/histogram.h"
#include "tcp/witness.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct watch_settings {
    uint16_t port; /* only sockets with this local or remote port; 0: all */
    pid_t pid;     /* only sockets of this process; 0: all */
    bool by_peer;  /* a row for each peer's address */
};

enum { WATCH_ROWS_MAX = 512 };

/* Sockets that agree in all of the key. */
struct watch_row {
    enum side side; /* server: something listens on the local port */
    uint16_t port;  /* the server's: the local one, or of a client the remote one */
    struct address
        peer;  /* of a client where it is connected to; of a server only by_peer; family 0: several */
    pid_t pid; /* 0: no process, or none that may be looked into */
    char command[16];

    bool is_here; /* in the last look */
    int64_t of[STATE_COUNT];
    int64_t unread;       /* of CLOSE_WAIT: Recv-Q >= 1 */
    int64_t unowned;      /* of CLOSE_WAIT: never accepted */
    int64_t oldest_ms;    /* of CLOSE_WAIT, at least; -1: none */
    struct growth growth; /* of CLOSE_WAIT */
};

struct watch; /* what is remembered from look to look */

struct watch_look {
    double t_s; /* since the first look */
    double took_s;
    int64_t sockets;
    int64_t hidden;       /* sockets that have an owner who may not be looked into */
    int64_t dropped_rows; /* sockets beyond WATCH_ROWS_MAX rows */
    int row_count;
    struct watch_row *rows; /* the watch's own; the most CLOSE_WAIT first */
};

struct watch *watch_new(const struct watch_settings *settings);
void watch_free(struct watch *watch);

/* Looks once; `detailed`: with the kernel's own word on the oldest CLOSE_WAIT, which takes longer. Returns 0,
 * or a negative errno. */
int watch_take(struct watch *watch, bool detailed, struct watch_look *look);

/* The row whose CLOSE_WAIT grow most, by a slope that is sure; NULL when none does. */
const struct watch_row *watch_growing(const struct watch_look *look, struct trend *trend);

#endif
