/* reference: what a client gets that asks and waits for the reply, for those to be compared with that do not
 * wait. */
#ifndef AUDIT_REFERENCE_H
#define AUDIT_REFERENCE_H

#include "audit/audit.h"

struct event_base;

/* Asks some times, one half-close client each, and waits until the server has closed, or the grace period is
 * over. Returns the bytes of the shortest reply: replies may differ a little. 0: one had none. Ends early
 * when the loop is broken. */
int64_t reference_reply(struct event_base *base, const struct audit_settings *settings);

#endif
