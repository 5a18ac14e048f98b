/* watch_state: what the parts of a watch share: watch.c (tables, rows), watch_known.c (what is remembered
 * from look to look), watch_owners.c (who holds what), watch_ghosts.c (sockets that have left the tables). */
#ifndef WATCH_WATCH_STATE_H
#define WATCH_WATCH_STATE_H

#include "base/number_set.h"
#include "kernel/process.h"
#include "kernel/witness.h"
#include "watch/watch.h"
#include "watch/watch_rows.h"

enum { WATCH_PORTS_COUNT = 65536 };

/* When a socket came to CLOSE_WAIT, microseconds on the clock of monotonic_us(). */
struct watch_since {
    int64_t earliest_us; /* 0: not known */
    int64_t latest_us;   /* 0: it is not in CLOSE_WAIT */
};

/* One socket of the look under way: a connection's end, a listener (LISTEN), a ghost (STATE_GONE). */
struct seen {
    uint64_t key; /* by which it is known at the next look */
    uint64_t inode;
    struct address remote;
    uint16_t local_port, remote_port; /* 0: not known, of a ghost */
    uint8_t state;
    bool unread, fin_with_data, keeps_alive;
    bool was_hidden;     /* its owner was not found at the last look either */
    pid_t pid;           /* 0: no process, or none that was found */
    int process;         /* its place among the processes; -1: none */
    int64_t heard_ms;    /* -1: not asked for */
    int64_t fin_most_ms; /* likewise */
    struct watch_since since;
};

/* What was known of a socket at the last look. */
struct known {
    pid_t pid;
    struct address remote;
    uint16_t local_port, remote_port;
    bool fin_with_data;
    struct watch_since since;
};

/* One that holds sockets which were seen. */
struct process {
    pid_t pid;
    struct process_facts facts;
    struct process_command command;
};

/* A socket of a process that was read, and none of those that were seen: it came meanwhile, is of another
 * protocol or port, or is a ghost. */
struct stray_socket {
    uint64_t inode;
    pid_t pid;
    int fd;
};

struct watch {
    struct watch_settings settings;
    const struct witness_backend *witness;
    struct process_facts watched; /* settings.pid */
    uint16_t ephemeral_first, ephemeral_last;
    int64_t began_us, last_us; /* the first look, the last one; 0: none yet */

    struct seen *seen; /* what is in the tables, and then the ghosts */
    size_t seen_count, seen_room;
    struct seen *ghosts; /* when they were last read */
    size_t ghost_count, ghost_room;
    int ghosts_error;            /* why they could not be read: errno; 0: they were */
    struct stray_socket *strays; /* when the owners were last read */
    size_t stray_count, stray_room;
    struct number_set known_keys;
    struct known *known;       /* by the slots of the keys */
    size_t known_held;         /* of them with an inode */
    struct process *processes; /* by pid */
    int process_count;
    size_t process_room;
    int refused;
    bool had_news; /* at the last look: who owns what may have been in motion */

    bool listens[WATCH_PORTS_COUNT]; /* something listens there */
    bool serves[WATCH_PORTS_COUNT];  /* connections whose local port this is were accepted, now or before */
    struct watch_table tables[WATCH_SETS];
    struct trend_line all;
};

/* ---- watch.c ---- */

/* Returns 0 or -ENOMEM. */
int watch_add_seen(struct watch *watch, const struct seen *seen);

/* ---- watch_known.c ---- */

/* NULL: it was not there, or was nobody's and in no state that is remembered. */
const struct known *watch_find_known(const struct watch *watch, uint64_t key);

/* Fills in what the last look knew. Returns whether the sockets that have descriptors are those of then. */
bool watch_recall(struct watch *watch, int64_t now_us);

/* Returns 0 or -ENOMEM. */
int watch_remember(struct watch *watch);

/* ---- watch_owners.c ---- */

/* Whether a descriptor was closed, passed on or inherited in one of the processes. */
bool watch_have_processes_changed(const struct watch *watch);

/* 0, or -ESRCH: the process that is watched has ended. */
int watch_check_watched(const struct watch *watch);

/* Reads who holds what was seen. Returns 0 or a negative errno. */
int watch_ask_for_owners(struct watch *watch);

/* Reads who the owners are now. One that has ended meanwhile, and so has no name, owns nothing. */
int watch_name_owners(struct watch *watch);

/* ---- watch_ghosts.c ---- */

/* Adds the ghosts of the last look to what was seen. Returns 0 or -ENOMEM. */
int watch_carry_ghosts(struct watch *watch);

/* After the owners were read and named: drops those that nobody has any more, and finds the new ones. What
 * keeps it from that is in ghosts_error; returns 0 or -ENOMEM. */
int watch_read_ghosts(struct watch *watch);

#endif
