/* look: one look at processes and their sockets while it is being taken, in the order in which its parts are
 * read. A table of sockets comes before the descriptors and another one after them, so that what opens or
 * closes meanwhile is told from what lingers:
 *
 *   look_table      all sockets, the first time                                   look_tables.c, look_mptcp.c
 *   look_holders    every process's descriptors: listeners, siblings, heirs       look_processes.c
 *   look_find_sets  which epoll sets there are                                    look_sets.c
 *   look_threads    calls of all threads, and the sets of poll() and select()     look_threads.c
 *   look_sets       epoll sets, once                                              look_sets.c
 *   look_threads    again: who is at rest now or was then, who is busy
 *   look_table      all sockets, the second time
 *   look_ghosts     descriptors that are in neither table                         look_ghosts.c
 *   look_join       what belongs together becomes facts                           join.c, look_keepers.c,
 *                                                                                 look_servers.c
 *
 * Its functions return 0 or a negative errno; what is refused of one process stands in its fact's `unseen`.
 */
#ifndef EXPLAIN_LOOK_H
#define EXPLAIN_LOOK_H

#include "base/number_set.h"
#include "explain/facts.h"
#include "kernel/descriptors.h"
#include "kernel/epoll_set.h"
#include "kernel/sock_diag.h"
#include "kernel/thread_clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A socket that one of the processes holds; fd -1: by a ring. */
struct holding {
    uint64_t inode;
    int process, fd;
};

/* An entry of an epoll set: member `fd`, which was inode `inode`, of set `set`. */
struct membership {
    uint64_t inode; /* of a socket; 0: of something else */
    int fd;
    uint32_t events;
    int set; /* index of look->sets */
    bool is_mask_known;
};

struct epoll_set {
    int process, fd;
    int same_as;    /* a set before it that this one is, inherited by fork(): it is read once; -1 */
    bool is_unread; /* what is in it is not known, or of a sample only */
    bool at_rest;   /* a thread was in epoll_wait() on it, or on a set that it is in */
    int thread;     /* that one, or -1 */
    unsigned hears; /* enum fact_hears */
};

enum reading_of_threads { FIRST_READING, SECOND_READING };

/* A descriptor in the set of a thread that is in poll() or select(), or in a call on it. */
struct call_on {
    uint64_t inode; /* of a socket; 0: of something else */
    int process, thread;
    enum fact_waiter kind;
    uint32_t events;
    enum reading_of_threads reading;
};

struct look_process {
    pid_t pid;
    bool is_asked, is_sibling; /* neither: it may be an heir */
    bool is_seen;              /* its descriptors were read */
    int fact_index;            /* in facts->processes; -1: it has ended since, and counts for nothing */
    bool is_foreign;           /* its calls have other numbers than ours */
    bool has_ring;
    bool is_blind_to_calls;         /* a thread is in a call that may be on any descriptor */
    int accepting_thread;           /* in accept() on a listener that is not known; -1 */
    bool is_blind_to_sets;          /* so may an entry be of a set */
    struct descriptor *descriptors; /* by fd */
    size_t descriptor_count;
    int64_t read_us;        /* when they were read */
    uint64_t *ring_sockets; /* inodes */
    size_t ring_count;
    size_t first_thread;                    /* its first one in look->threads */
    int64_t in_flight, stale_epoll, ghosts; /* as in its fact */
    int unseen[UNSEEN_COUNT];
};

struct look_thread {
    int process;
    pid_t tid;
    bool was_there;           /* in the first reading */
    struct thread_usage then; /* of the first reading; turns -1: not known */
    int64_t then_us;
    bool is_there;       /* in the second reading, which `fact` is of */
    bool is_set_unknown; /* of poll() or select(): its memory could not be read */
    struct fact_thread fact;
    int sockets_in_call; /* of poll() or select() */
    int fact_index;      /* in facts->threads; -1: it is not there */
};

/* A socket as it was in the first table. */
struct earlier_socket {
    uint64_t cookie, inode;
    enum tcp_state state;
    struct address local;
    uint16_t local_port;
};

/* What the second table says of a local port. */
struct port_use {
    bool is_listening; /* somebody listens on it, in this look or not */
    bool is_shared;    /* several of look->sockets have it */
    bool is_used;
};

struct look {
    const struct facts_request *request;
    struct facts *facts;
    int64_t first_table_us, second_table_us;
    uint32_t socket_device; /* of the inodes of sockets, as epoll sets name it */

    struct look_process
        *processes; /* asked about, siblings, heirs; others that hold nothing of it are not kept */
    size_t process_count, process_room;
    struct holding *holdings; /* by inode, then process, then fd */
    size_t holding_count, holding_room;
    struct number_set own; /* inodes that the processes asked about and their siblings hold */

    struct socket_life *listeners; /* by port */
    size_t listener_count, listener_room;

    struct earlier_socket *earlier; /* by cookie */
    size_t earlier_count, earlier_room;
    struct socket_life *sockets;
    size_t socket_count, socket_room;
    struct number_set mptcp_before; /* inodes of MPTCP connections in CLOSE_WAIT, in the first table */
    struct number_set mptcp;        /* ... in both */
    int mptcp_error;                /* an errno: those cannot be read */
    struct number_set listed;       /* inodes in either table */
    struct port_use *ports;         /* by number */
    struct fact_socket *ghosts;
    size_t ghost_count, ghost_room;

    struct epoll_set *sets;
    size_t set_count, set_room;
    struct membership *memberships; /* by inode */
    size_t membership_count, membership_room;

    struct look_thread *threads;
    size_t thread_count, thread_room;
    struct call_on *calls; /* by inode */
    size_t call_count, call_room;
    size_t next_thread; /* where the one that is read next probably is */
    struct cpu_clocks clocks;
};

/* ---- the parts ---- */

enum table { FIRST_TABLE, SECOND_TABLE };
int look_table(struct look *look, enum table which);

int look_mptcp(struct look *look, enum table which); /* after the table */

int look_holders(struct look *look);

int look_threads(struct look *look, enum reading_of_threads which);
int look_find_sets(struct look *look);
int look_sets(struct look *look);
int look_ghosts(struct look *look);
int look_join(struct look *look);
void look_processes_free(struct look *look);
void look_free(struct look *look);

/* ---- what they ask one another ---- */

/* The listener whose connections have that end as their local one; -1: none. */
int look_listener_of(const struct look *look, const struct socket_entry *entry);

/* Of several listeners on one address and port (SO_REUSEPORT) the one that this process has; else `listener`.
 */
int look_shared_listener_of(const struct look *look, int listener, int process);

/* Of several on one address and port the one with the most connections in its queue: the kernel does not tell
 * in whose queue a connection is. */
int look_fullest_listener_of(const struct look *look, int listener);

/* Finds who serves each listener, and of several holders of a socket whom to ask about it. */
int look_servers(struct look *look);

/* Whether one of the listeners has made it. */
bool look_is_of_listener(const struct look *look, const struct earlier_socket *earlier);

/* The holdings of an inode: how many, and in *first the place of the first. */
size_t look_holdings_of(const struct look *look, uint64_t inode, size_t *first);

bool look_holds(const struct look *look, int process, uint64_t inode);

bool look_is_listener(const struct look *look, uint64_t inode);

/* The first entry of a set with that inode, and the first call, or where it would be. */
size_t look_first_membership(const struct look *look, uint64_t inode);
size_t look_first_call(const struct look *look, uint64_t inode);

/* The set that is that member of a set; -1: it is no set. */
int look_nested_set(const struct look *look, const struct membership *member);

/* Marks those among the facts that keep a listener and do not serve it. */
int look_keepers(const struct look *look);

/* Whoever waits for a set waits for those in it, and hears what they hear. */
void look_nest_sets(struct look *look);

/* Calls it with every process but our own, until it returns anything but 0. */
typedef int on_pid(struct look *look, pid_t pid, void *context);
int look_each_pid(struct look *look, on_pid *each, void *context);

/* Counts descriptors in messages that nobody has received, of all processes that may be looked into. */
int look_in_flight(struct look *look, int64_t *waiting);

/* The descriptor of that number in that process; NULL: it has none. */
const struct descriptor *look_descriptor(const struct look *look, int process, int fd);

/* Whether someone asked for the look to end. */
bool look_is_stopped(const struct look *look);

/* A socket of the second table with that inode; NULL. */
const struct socket_life *look_socket(const struct look *look, uint64_t inode);

/* Gives a socket the state of the MPTCP connection that it belongs to, if that waits to be closed. */
void look_take_mptcp(const struct look *look, struct fact_socket *fact);

/* Whether both belong to one: it has several TCP connections with its inode. */
bool look_is_same_mptcp(const struct fact_socket *a, const struct fact_socket *b);

/* Fills what a socket's life tells. */
void look_take_life(struct fact_socket *fact, const struct tcp_life *life, enum tcp_state state,
                    bool keeps_alive);

/* Everything of a socket but who holds it and who waits for it. */
struct fact_socket look_fact_socket(const struct look *look, const struct socket_life *socket);

#endif
