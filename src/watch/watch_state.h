/* watch_state: what the parts of a watch share: watch.c (tables, rows), watch_known.c (what is remembered
 * from look to look), watch_rest.c (what a brief look leaves out), watch_servers.c (which ends are a
 * server's), watch_owners.c (who holds what),
 * watch_follow.c (likewise, without reading all of it), watch_ghosts.c (sockets that have left the tables),
 * watch_places.c (network namespaces), watch_services.c (services, containers, pods). */
#ifndef WATCH_WATCH_STATE_H
#define WATCH_WATCH_STATE_H

#include "base/number_set.h"
#include "kernel/cgroup_table.h"
#include "kernel/kernel_counters.h"
#include "kernel/netns_tables.h"
#include "kernel/process.h"
#include "kernel/witness.h"
#include "watch/watch.h"
#include "watch/watch_group.h"
#include "watch/watch_rows.h"

enum { WATCH_PORTS_COUNT = 65536 };

/* When a socket came to CLOSE_WAIT, microseconds on the clock of monotonic_us(). */
struct watch_since {
    int64_t earliest_us; /* 0: not known */
    int64_t latest_us;   /* 0: it is not in CLOSE_WAIT */
};

struct place;

/* One socket of the look under way: a connection's end, a listener (LISTEN), a ghost (STATE_GONE). Or, in a
 * brief look, several that the last full look has shown and that count alike. */
struct seen {
    uint64_t key;  /* by which it is known at the next look; 0: of several */
    int64_t times; /* how many it stands for */
    uint64_t inode;
    struct address local, remote;
    struct place *place;              /* where it is */
    uint64_t cgroup;                  /* that it was made in; 0: not known */
    uint32_t service;                 /* whose it is: see watch_service_name(); 0: not known */
    uint16_t local_port, remote_port; /* 0: not known, of a ghost */
    int64_t recv_q, send_q;           /* bytes, of all that it stands for; of a listener 0 */
    uint8_t state;
    bool unread, fin_with_data, keeps_alive;
    uint32_t groups, groups_before; /* sets: now, and at the last look */
    uint8_t group_at_rest; /* of ESTABLISHED: the group that it is in when it rests; else WATCH_GROUPS */
    int64_t rests_ms;      /* since data moved last, as that group has it; -1: not asked for */
    bool is_unknown;       /* it was not there at the last look */
    bool is_in_rest;       /* what several stand for in a brief look has it, too */
    uint8_t sought;        /* so often, SOUGHT at most, was its owner not found among all descriptors */
    pid_t pid;             /* 0: no process, or none that was found */
    int fd;                /* its descriptor in that process; -1: not known */
    int process;           /* its place among the processes; -1: none */
    int64_t heard_ms;      /* -1: not asked for */
    int64_t fin_most_ms;   /* likewise */
    struct watch_since since;
};

enum { SOUGHT = 2 }; /* searches in vain, after which an owner is hidden */

/* What is known of a socket since it was seen last. */
struct known {
    uint32_t look;     /* the number of that look */
    uint32_t met_look; /* in which its owner was last seen to have it, where a process was read */
    bool has_inode;
    bool is_in_rest; /* the last full look has shown it in a state that brief looks leave out */
    uint8_t sought;
    pid_t pid;
    int fd;
    uint32_t place; /* its serial */
    struct address remote;
    uint16_t local_port, remote_port;
    bool fin_with_data;
    uint32_t groups;
    struct watch_since since;
};

/* The listener of a port whose accept queue has the fewest places left. */
struct accept_queue {
    int64_t length, limit; /* -1: not known */
    uint64_t inode;
    int process; /* its place among the processes; -1: not known */
};

/* One that holds sockets which were seen. */
struct process {
    pid_t pid;
    struct process_facts facts;
    struct process_command command;
    int64_t descriptors_most; /* RLIMIT_NOFILE; -1: not known */
    int fd_most;              /* the highest descriptor that was seen to be a socket of the tables */
    uint32_t read_look;       /* in which all its descriptors were read last */
    bool is_changed;          /* it has another number of descriptors than when they were read */
    bool is_asked;            /* for this look: may have what has no owner yet */
    bool has_ended;
};

/* A network namespace that is looked into. */
struct place {
    const struct net_namespace *where; /* NULL: our own */
    uint32_t serial;                   /* 0: our own */
    const char *name;                  /* NULL: it is the one that is watched */
    enum netns_sight sight;            /* at the last look; not of our own */
    uint16_t ephemeral_first, ephemeral_last;
    size_t first_seen, seen_count; /* of the look under way: its part of what was seen, ghosts apart */

    /* By port. */
    bool listens[WATCH_PORTS_COUNT]; /* something listens there */
    struct accept_queue queues[WATCH_PORTS_COUNT];
    bool serves[WATCH_PORTS_COUNT]; /* connections whose local port this is were accepted, now or before */
    uint32_t services[WATCH_PORTS_COUNT]; /* of those who listen, where something was seen at the port */
};

struct service_of_group {
    uint64_t cgroup;
    uint32_t service;
};

struct service_of_process {
    pid_t pid;
    uint64_t started;
    uint32_t service;
};

/* Services, containers and pods, and what is known to be theirs. */
struct watch_services {
    char **names; /* by their numbers, less 1 */
    size_t name_count, name_room;
    struct cgroup_table groups;
    struct service_of_group *of_groups; /* by id */
    size_t group_count, group_room;
    struct service_of_process *of_processes; /* by pid: those of the processes */
    size_t process_count;
};

/* A socket of a process that was read, and none of those that were seen: it came meanwhile, is of another
 * protocol or port, or is a ghost. */
struct stray_socket {
    uint64_t inode;
    pid_t pid;
    int fd;
};

/* A socket that was in the last look and is not in this one. */
struct vanished {
    uint64_t inode;
    pid_t pid; /* who had it, and as which descriptor; 0: not known */
    int fd;
};

struct watch {
    struct watch_settings settings;
    uint32_t looks;                 /* the number of the one under way */
    uint32_t full_look;             /* that of the last full one; 0: none yet */
    bool is_brief;                  /* the look under way */
    bool cannot_be_brief;           /* the kernel has refused */
    bool wants_all;                 /* the look under way, or the next one, reads all anew */
    int64_t full_us, full_took_us;  /* the last full look; of this process's time, without owners */
    double full_t_s, full_before_s; /* the t_s of the last full look, and of the one before */
    const struct witness_backend *witness;
    struct process_facts watched;       /* settings.pid */
    struct net_namespaces namespaces;   /* with settings.all_namespaces */
    struct net_namespace watched_place; /* of settings.pid */
    struct place **places;              /* with settings.all_namespaces our own is the first */
    size_t place_count, place_room;
    struct place *read_place; /* whose tables are being read */
    struct watch_services services;
    int64_t began_us, last_us;     /* the first look, the last one; 0: none yet */
    double last_t_s, detailed_t_s; /* the t_s of the last look, of the last detailed one; below 0: none yet */
    int64_t ask_took_us;           /* of this process's time */
    int64_t asked_us;              /* when the owners were last read */
    int64_t read_left_us;          /* of this process's time, for processes to be read to their end */
    int64_t read_us;               /* of it this look has taken */
    double brief_cpu_s;            /* processor seconds of the last brief look; 0: none yet */
    int64_t untimed;               /* at the last detailed look */
    int64_t unfound;               /* at the last look: sockets that stay and have no owner yet */
    struct kernel_counters counters_before; /* at the first look */

    struct seen *seen; /* what is in the tables, and then the ghosts */
    size_t seen_count, seen_room;
    struct seen *rest; /* what brief looks leave out, as the last full one has shown it */
    size_t rest_count, rest_room;
    struct watch_ports_left ports_left[WATCH_PORTS_LEFT_MAX]; /* likewise */
    int ports_left_count;
    struct seen *ghosts; /* when they were last read */
    size_t ghost_count, ghost_room;
    int ghosts_error;            /* why they could not be read: errno; 0: they were */
    struct stray_socket *strays; /* when the owners were last read */
    size_t stray_count, stray_room;
    struct number_set known_keys;
    struct known *known; /* by the slots of the keys */
    size_t known_room;   /* for so many keys */
    uint64_t *held;      /* inodes of the last look that a brief one shows, too */
    size_t held_count, held_room;
    struct vanished *vanished; /* since the last look, as far as this one can tell */
    size_t vanished_count, vanished_room;
    bool has_unknown;          /* this look has shown an inode that was not known */
    struct process *processes; /* by pid */
    int process_count;
    size_t process_room;
    struct process *processes_before; /* by pid: when they were last named */
    int before_count;
    size_t before_room;
    bool reads_limits; /* of all, at this look */
    int refused;
    bool had_news; /* at the last look: who owns what may have been in motion */

    struct watch_table tables[WATCH_SETS];
    struct trend_line all;
};

/* ---- watch.c ---- */

/* Returns 0 or -ENOMEM. */
int watch_add_seen(struct watch *watch, const struct seen *seen);

/* ---- watch_servers.c ---- */

/* Finds out which ports are a server's: place->serves. Returns 0 or -ENOMEM. */
int watch_find_servers(struct watch *watch);

/* ---- watch_grouping.c ---- */

/* Finds out which groups each socket is in, once its past is known. */
void watch_find_groups(struct watch *watch);

/* Which group an ESTABLISHED socket with a descriptor is in when it rests, and for how long it has. */
void watch_note_rest(struct seen *seen, const struct socket_entry *entry);

/* ---- watch_places.c ---- */

/* What there is to look into now. Returns 0 or a negative errno: ESRCH, the process that is watched has
 * ended; EXDEV, it is in another network namespace, whose ends of connections settings.flow cannot hear of;
 * ENOMEM; why /proc cannot be read. */
int watch_find_places(struct watch *watch, bool thorough);
void watch_free_places(struct watch *watch);

/* NULL: there is none, or no longer. */
struct place *watch_place_with(const struct watch *watch, uint32_t serial);

/* NULL: it is in none that is watched. */
struct place *watch_place_of_process(const struct watch *watch, pid_t pid);

/* Streams its sockets, of both families. Returns as struct witness_backend's each(); one that has gone, or
 * may not be looked into, has none: place->sight. */
int watch_place_each(const struct watch *watch, struct place *place, bool detailed,
                     const struct port_range *only, on_socket *on_entry, void *context);

/* Fills in what of them the look tells. */
void watch_count_places(const struct watch *watch, struct watch_look *look);

/* ---- watch_services.c ---- */

/* Fills in whose what was seen is, after the owners were named; `anew`: also of processes that are known.
 * Returns 0 or -ENOMEM. */
int watch_find_services(struct watch *watch, bool anew);
void watch_free_services(struct watch *watch);

/* Holds until the watch is freed; NULL: of 0. */
const char *watch_service_name(const struct watch *watch, uint32_t service);

/* ---- watch_rest.c ---- */

/* ESTABLISHED and TIME_WAIT are most of what a busy host has. Whoever leaks shows in the other states, which
 * the kernel tells of alone in a tenth of the time. */
#define STATES_AT_REST (STATE_SET(STATE_ESTABLISHED) | STATE_SET(STATE_TIME_WAIT))

/* Whether a look that is not asked for details has to leave out those, so that looks take little of a core.
 */
bool watch_has_to_be_brief(const struct watch *watch, int64_t now_us);

/* Whether what takes so long of this process's time may be done at every look. */
bool watch_is_cheap(const struct watch *watch, int64_t took_us);

/* At the end of a full look that took long: of what rests those that count alike become one, and are kept for
 * brief looks. Returns 0 or -ENOMEM. */
int watch_gather_rest(struct watch *watch);

/* Begins a brief look with it. Returns 0 or -ENOMEM. */
int watch_carry_rest(struct watch *watch);

/* ---- watch_known.c ---- */

/* NULL: it was not there, or was nobody's and in no state that is remembered. */
struct known *watch_find_known(const struct watch *watch, uint64_t key);

/* Whether the look under way has shown it. */
bool watch_is_seen(const struct watch *watch, const struct known *known);

/* Fills in what the last look knew, and finds what is new and what has vanished. Returns 0 or -ENOMEM. */
int watch_recall(struct watch *watch, int64_t now_us);

/* Returns 0 or -ENOMEM. */
int watch_remember(struct watch *watch);

/* ---- watch_owners.c ---- */

/* Looks at the processes of the last look: in a full look at all, in a brief one at those that hold what it
 * shows, and at some others in turn. What has ended owns nothing any more. Returns whether one has ended, or
 * its number of descriptors has changed. */
bool watch_check_processes(struct watch *watch);

/* The place of that pid among the processes; -1: none. */
int watch_process_with(const struct watch *watch, pid_t pid);

/* Returns 0 or -ENOMEM. */
int watch_note_stray(struct watch *watch, pid_t pid, int fd, uint64_t inode);

/* 0, or -ESRCH: the process that is watched has ended. */
int watch_check_watched(const struct watch *watch);

/* Reads who holds what was seen. Returns 0 or a negative errno. */
int watch_ask_for_owners(struct watch *watch);

/* Reads who the owners are now; `anew`: also of processes that are known. One that has ended meanwhile, and
 * so has no name, owns nothing. */
int watch_name_owners(struct watch *watch, bool anew);

/* ---- watch_follow.c ---- */

/* Finds who holds what is new, and whether what has vanished is still held; makes sure of owners that are
 * known, where they hold what a brief look shows: of so many at each look, in turns. Where all descriptors of
 * all processes would take too long. What is not found has no owner, for now. Returns 0 or -ENOMEM. */
int watch_follow_owners(struct watch *watch, int64_t now_us);

/* ---- watch_ports_left.c ---- */

/* Tells the look which ports are nearly used up. Returns 0 or -ENOMEM. */
int watch_count_ports_left(struct watch *watch, struct watch_look *look);

/* ---- watch_ghosts.c ---- */

/* Adds the ghosts of the last look to what was seen. Returns 0 or -ENOMEM. */
int watch_carry_ghosts(struct watch *watch);

/* After the owners were read and named: drops those that nobody has any more, and finds the new ones. What
 * keeps it from that is in ghosts_error; returns 0 or -ENOMEM. */
int watch_read_ghosts(struct watch *watch);

#endif
