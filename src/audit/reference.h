/* reference: what a client gets that asks and waits, for those to be compared with that do not. */
#ifndef AUDIT_REFERENCE_H
#define AUDIT_REFERENCE_H

#include "audit/audit.h"

struct event_base;

enum { REFERENCES = 3 }; /* clients */

struct reference {
    int came_through;    /* of some clients so many connected, and this machine did not fail them: the rest */
    int64_t reply_bytes; /* of the shortest reply, as replies may differ a little; 0: one had none; -1: no
                            client came through */
    struct reply_end reply_end; /* of all replies; of length 0: they do not end alike, or there is none */
    int64_t idle_us; /* from the last byte, or the handshake, to the server's FIN: the median of those that
                        heard one; -1: none did */
    int64_t
        idle_span_us; /* from the first of them to the last, and never less than what timers are late by */
};

/* Connects some times at once, sends the request where there is one, plays that order and waits until the
 * server has closed, or the grace period is over. Ends early when the loop is broken. */
struct reference reference_play(struct event_base *base, const struct audit_settings *settings,
                                enum audit_order order);

#endif
