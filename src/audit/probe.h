/* probe: one connection of an audit, from connect() to what became of it.
 *
 *   CONNECTING --- connected ---> TALKING --- quiet ---> ACTED --- grace is over ---> WAITED
 *       |                            |                     |                            |
 *       +----------------------------+-------- FIN, RST, an error: ENDED <--------------+
 *
 * Every phase but the last two has a timer of the probe's own. */
#ifndef AUDIT_PROBE_H
#define AUDIT_PROBE_H

#include "audit/audit.h"

#include <event2/event.h>
#include <event2/event_struct.h>

enum probe_phase {
    PROBE_NONE, /* not begun */
    PROBE_CONNECTING,
    PROBE_TALKING, /* connected: the request goes out, a reply may come */
    PROBE_ACTED,   /* the client has done its part: the server has its grace period */
    PROBE_WAITED,  /* that is over, and the server has not closed; it is still heard */
    PROBE_ENDED,   /* closed, reset, refused: nothing more will come */
    PROBE_PHASE_COUNT,
};

enum probe_end { END_NONE, END_FIN, END_RESET, END_REFUSED, END_TIMED_OUT, END_FAILED };

/* What the probes of one round share. */
struct probe_crowd {
    const struct audit_settings *settings;
    struct event_base *base;
    int round;
    int64_t in_phase[PROBE_PHASE_COUNT];
    int64_t acted_us;                                        /* the last act */
    void (*on_change)(void *context, enum probe_phase from); /* a probe has left a phase */
    void *context;
};

struct probe {
    struct probe_crowd *crowd;
    struct event io, timer;
    int fd; /* -1: none */
    enum probe_phase phase;
    enum probe_end end;
    int error;
    int round;
    bool before_act;
    bool sends_on;    /* more than is worth reading, after the client's FIN */
    bool is_extended; /* it sent something late, and had its grace period once more */
    bool to_itself;   /* END_REFUSED: connected to itself */
    bool not_opened;  /* END_TIMED_OUT: connect() was not called */
    bool heard_fin;   /* keeps_open: the server's; ours stays, and its grace period begins there */
    uint16_t port;
    struct address address; /* its own */
    /* Of a Unix socket: the inodes of its own end, and, where it was needed, of the server's; 0: it had none
     * yet. */
    uint64_t inode, server_inode;
    size_t sent;
    int64_t bytes, bytes_since_act;
    int64_t connected_us, heard_us, acted_us, ended_us;
    int64_t due_us; /* when its reply, or its grace period, is over */
};

/* Starts to connect. Never fails: a failure is how the probe ends. */
void probe_start(struct probe *probe, struct probe_crowd *crowd);

/* Where we play the server: a connection of a client that came to us from there. Plays the order on it, and
 * waits for what the client does. `fd` is taken over; -1: nobody has accepted it. `bytes` came before. */
void probe_adopt(struct probe *probe, struct probe_crowd *crowd, int fd, const struct address *client,
                 uint16_t port, int64_t bytes);

/* The same of one that the client, or with `error` this machine, has ended before: nothing is played. */
void probe_adopt_ended(struct probe *probe, struct probe_crowd *crowd, enum probe_end how, int error,
                       const struct address *client, uint16_t port, int64_t bytes);

/* Ends as one that timed out, without an attempt. */
void probe_give_up(struct probe *probe, struct probe_crowd *crowd);

/* Closes what is open, without waiting. */
void probe_stop(struct probe *probe);

/* Whether the kernel may have forgotten its own end, which close() left in FIN_WAIT2. */
bool probe_is_forgotten(const struct probe *probe, const struct audit_settings *settings, int64_t now_us);

/* The server's close was seen in the kernel's tables. */
void probe_note_closed(struct probe *probe, int64_t now_us);

#endif
