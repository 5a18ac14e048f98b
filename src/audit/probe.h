/* probe: one connection of an audit, from connect() to what became of it.
 *
 *   CONNECTING --- connected ---> TALKING --- quiet ---> ACTED --- grace is over ---> WAITED
 *       |                            |                     |                            |
 *       +----------------------------+-------- FIN, RST, an error: ENDED <--------------+
 *
 * Every phase but the last two has a timer of the probe's own. TALKING lasts for as many requests as the
 * order has. */
#ifndef AUDIT_PROBE_H
#define AUDIT_PROBE_H

#include "audit/audit.h"
#include "audit/reply_end.h"

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

enum { SMALL_SEGMENT = 536 }; /* never_reads: the least that everybody takes (RFC 9293, 3.7.1) */

enum probe_end { END_NONE, END_FIN, END_RESET, END_REFUSED, END_TIMED_OUT, END_FAILED };

/* What the probes of one round share. */
struct probe_crowd {
    const struct audit_settings *settings;
    struct event_base *base;
    int round;
    int64_t in_phase[PROBE_PHASE_COUNT];
    int64_t acted_us;    /* the last act */
    bool waits_for_look; /* no probe acts before a look at the tables has met it: after its RST nothing would
                            tell whether the server ever heard of it */
    int64_t reply_bytes; /* of a client that waits, where that is known: so much is to be read in any case */
    int64_t late_us, late_span_us; /* asks_late: the second request comes so long after the reply, and up to
                                      so much sooner or later */
    int64_t late_count;
    void (*on_change)(void *context, enum probe_phase from); /* a probe has left a phase */
    void *context;
    char *tls_refusal; /* takes why the first handshake of TLS failed, TLS_WHY_SIZE; NULL: nobody asks */
};

struct probe {
    struct probe_crowd *crowd;
    struct event io, timer;
    int fd;          /* -1: none */
    struct tls *tls; /* NULL: none */
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
    bool is_late;     /* asks_late: it waits for the moment of its second request, and hears nothing */
    bool is_deaf;     /* by a packet filter */
    bool is_cut;      /* TLS was over before its request: only a FIN, or an RST, is to come */
    bool is_shaking;  /* PROBE_CONNECTING: TLS has its handshake */
    /* Where the crowd waits for a look: */
    bool was_looked_at;
    bool was_half_open; /* the server's kernel had not handed it over: see sight_is_half_open() */
    bool missed_looks;  /* it acted all the same: no look came in time */
    /* Of a silent order, by looks at the tables: */
    bool was_met;     /* the server's end has been there, or has sent something */
    bool was_full;    /* never_reads: the server had data for it and no room */
    bool left_orphan; /* its process has closed, and the kernel still has data for the client */
    int64_t stuck_since_us, let_go_us; /* 0: not seen */
    uint16_t port;
    struct address address; /* its own */
    /* Of a Unix socket: the inodes of its own end, and, where it was needed, of the server's; 0: it had none
     * yet. */
    uint64_t inode, server_inode;
    size_t sent;           /* of the present request */
    int64_t asked;         /* requests, the present one included */
    struct reply_end last; /* of what it received */
    int64_t bytes, bytes_since_ask, bytes_since_act;
    int64_t begun_us, connected_us, asked_us, heard_us, acted_us, ended_us;
    int64_t farewell_us, before_farewell_us; /* the first of its newest bytes after the act, and the last byte
                                                before them; 0: there are none */
    int64_t due_us;                          /* when its reply, or its grace period, is over */
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

/* The server's close was seen in the kernel's tables, as END_FIN or END_RESET, and happened at at_us. */
void probe_note_closed(struct probe *probe, enum probe_end how, int64_t at_us);

/* never_reads: the reply has no room. Its grace period begins. */
void probe_note_full(struct probe *probe);

/* From the last byte that it sent or heard, or from the handshake, to the end. Of one that has ended. A
 * server that says a word as it closes, such as a time-out, waited until then. */
int64_t probe_idle_us(const struct probe *probe);

/* For so many requests the order has room: 1, unless it asks again. */
int64_t probe_requests(const struct audit_settings *settings);

#endif
