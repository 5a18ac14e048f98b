/* tables_tell: what becomes of a connection whose client hears nothing, as looks at the kernel's tables show
 * it. */
#ifndef AUDIT_TABLES_TELL_H
#define AUDIT_TABLES_TELL_H

#include "audit/probe.h"
#include "audit/server_side.h"

/* The tables have been read, from before_us to now_us: notes in the probe what they tell, and ends it where
 * they say that the server has closed. */
void tables_tell(struct probe *probe, const struct audit_sight *sight, int64_t before_us, int64_t now_us);

/* No process has the server's end any more, which was there: it is gone, or an orphan that the kernel ends.
 */
bool sight_is_let_go(const struct audit_sight *sight);

/* The client has its connection, and the server's kernel waits on: for a first byte (TCP_DEFER_ACCEPT), or
 * for room in the accept queue. */
bool sight_is_half_open(const struct audit_sight *sight);

#endif
