/* socket_events: programs in the kernel (BPF) that count each transition of TCP's states as it happens, in
 * one network namespace and on given ports. They end with the process that has opened them, however it ends,
 * and with its children that were forked without exec() since.
 */
#ifndef EVENTS_SOCKET_EVENTS_H
#define EVENTS_SOCKET_EVENTS_H

#include "events/transition_counts.h"
#include "kernel/witness.h"

#include <stdbool.h>
#include <stdint.h>

/* What the kernel lets be seen. */
enum events_level {
    EVENTS_NONE,
    EVENTS_STATES, /* full sockets, by the tracepoint: no SYN_RECV before accept, no TIME_WAIT, no orphaned
                      FIN_WAIT2; a full socket in whose place the kernel goes on with a small one counts as
                      gone, from FIN_WAIT2 or CLOSING */
    EVENTS_ALL,    /* requests and timewait sockets too (fentry and fexit) */
};

/* "states", "all". */
const char *events_level_name(enum events_level level);

struct events_refusal {
    char text[256]; /* one sentence: what is missing and what to do */
};

struct socket_events;

/* Loads and attaches the programs of the best level that the kernel and the user's rights allow. To be called
 * before rights are given up and before any listen(): counts begin at 0. They see nothing until
 * socket_events_aim. Returns NULL, after filling *why, where not even EVENTS_STATES can be had. */
struct socket_events *socket_events_open(struct events_refusal *why);

enum { EVENT_PORTS_MAX = 1023 };

/* Likewise, with counts of its own for each of so many ports, at most EVENT_PORTS_MAX. */
struct socket_events *socket_events_open_by_port(int ports, struct events_refusal *why);

/* May be called without opening: what socket_events_open would say. Costs a load of the programs. */
enum events_level socket_events_probe(struct events_refusal *why);

enum events_level socket_events_level(const struct socket_events *events);
/* Why it is not EVENTS_ALL; "" where it is. */
const char *socket_events_lack(const struct socket_events *events);

/* Counts sockets of the network namespace with that inode number (st_ino of /proc/PID/ns/net) whose one end
 * is on `ports`; NULL: all ports. A call of a system call is not needed: it works after rights were given up.
 */
void socket_events_aim(struct socket_events *events, uint64_t netns, const struct port_range *ports);

/* Of events that were opened by port: these ports have counts of their own, as far as there is room.
 * `others`: all other sockets of the network namespace are counted too, and whoever begins to listen on
 * another port gets counts of its own, while there is room. The side of a port on which somebody listens, has
 * listened since, or that is one of these, is the server's; of a connection on no such port this end is the
 * client's.
 */
void socket_events_aim_by_port(struct socket_events *events, uint64_t netns, const uint16_t *ports, int count,
                               bool others);

/* The ports that have counts of their own now, at most EVENT_PORTS_MAX, in no order. Returns how many. */
int socket_events_ports(const struct socket_events *events, uint16_t ports[EVENT_PORTS_MAX]);

/* Sums what has been counted since the beginning. Counts are in mapped memory; only what the programs could
 * not hear is asked for by system calls, which need no right. While sockets move, a moment passes between the
 * first count and the last. */
void socket_events_read(const struct socket_events *events, struct transition_counts *counts);

/* Likewise, of a port that has counts of its own; 0: of all that has not. What was not heard is known of all
 * together only. */
void socket_events_read_port(const struct socket_events *events, uint16_t port,
                             struct transition_counts *counts);

/* NULL is allowed. */
void socket_events_close(struct socket_events *events);

#endif
