/* audit_state: what the parts of a running audit share: audit.c (rounds, looks), opener.c, server_fate.c,
 * stocktaking.c, holders.c. */
#ifndef AUDIT_AUDIT_STATE_H
#define AUDIT_AUDIT_STATE_H

#include "audit/audit.h"
#include "audit/growth.h"
#include "audit/probe.h"
#include "audit/reference.h"
#include "audit/server_process.h"
#include "audit/server_side.h"
#include "control/stop_events.h"

#include <event2/event.h>

enum {
    AUDIT_HOLDERS_MAX = 64,   /* processes of which stock is taken beside the server's own */
    AUDIT_LOOKS_TRIED = 3,    /* a dump may be interrupted, by the kernel's own account */
    AUDIT_PAUSE_MIN_US = 1000 /* until the accept queue is looked at again where it had no room: twice as
                                 long each time */
};

struct audit {
    const struct audit_settings *settings;
    const struct witness_backend *witness;
    struct event_base *base;
    struct event *opener, *looker, *teller, *pause, *finder;
    struct stop_events stops;
    struct probe *probes;
    struct probe_crowd crowds[GROWTH_ROUNDS_MAX];
    struct audit_look look;
    int64_t started; /* probes of all rounds so far */
    int round;
    int64_t round_first, round_conns, round_began_us;
    int64_t at_once; /* probes at most that are connecting or talking; 0: as many as there is room for */
    int64_t opened_us, room_us,
        opener_pause_us; /* last opened; last room seen; the pause before the next look */
    int64_t look_took_us, began_us;
    int64_t queued_before;
    uint64_t listeners_before[LISTENERS_MAX];
    int listener_count_before;
    struct server_life *life;
    struct growth growth;
    struct reference reference;       /* of orders that compare */
    pid_t holders[AUDIT_HOLDERS_MAX]; /* neither listen nor descend from who does, and had connections */
    int holder_count, finds;
    bool knows_holders;
    bool is_playing; /* a round's probes are on their way */
    bool interrupted;
    audit_progress *progress;
    void *context;
    struct audit_result *result;
};

/* ---- audit.c ---- */

struct probe_crowd *audit_crowd(struct audit *audit);
/* Whether a round may not go on: interrupted, or this machine has failed. */
bool audit_is_called_off(const struct audit *audit);
/* What this machine could not do makes every verdict void. `what`: a whole clause, static. */
void audit_fail(struct audit *audit, const char *what, int error);
void audit_start_timer(struct audit *audit, struct event *timer, int64_t wait_us);
/* Lets the loop turn for so long. */
void audit_let_pass(struct audit *audit, int64_t wait_us);
/* Plays a round of so many connections, until none of them is on its way any more. */
void audit_play(struct audit *audit, int64_t conns);

/* Returns 0, or the witness's negative errno. */
int audit_take_look(struct audit *audit);

/* ---- opener.c ---- */

/* The timer of the opener. */
void audit_on_open(evutil_socket_t fd, short what, void *context);
/* The number of probes when this round has all of its own. */
int64_t audit_last_of_round(const struct audit *audit);

/* ---- server_fate.c ---- */

/* Whether the server has ended, or crashed. */
bool audit_has_no_future(const struct audit *audit);
/* Looks, and fills in the result's fate and ending. */
void audit_note_fate(struct audit *audit);
/* Likewise when stock has been taken: whether it has ended meanwhile. A process that cannot be looked into
 * any more may be about to end. */
void audit_note_late_end(struct audit *audit, bool is_out_of_sight);

/* ---- stocktaking.c ---- */

/* Before the first connection. Returns 0 or a negative errno, as stock_take(). */
int audit_take_first_stock(struct audit *audit, const struct server_processes *server);
/* Fills in the ghosts of this round, and what grew. */
void audit_take_stock(struct audit *audit);
/* Plays the rounds that tell whether what grew is a leak, if there is such a thing. */
void audit_check_growth(struct audit *audit);
/* Whether the error says that a process may not be looked into, or is none of this machine's. */
bool audit_is_not_for_us(int64_t rc);

/* ---- holders.c ---- */

/* Before a round: looks who has its connections, once for all rounds. */
void audit_start_to_find(struct audit *audit);
/* The timer of that. */
void audit_on_find(evutil_socket_t fd, short what, void *context);
/* Puts who was found behind the server's processes. Returns 0 or -ENOMEM. */
int audit_add_holders(const struct audit *audit, struct server_processes *server);

#endif
