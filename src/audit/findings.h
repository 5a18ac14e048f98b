/* findings: what the probes and the kernel's tables say together: classes, groups, times, and what they come
 * to. */
#ifndef AUDIT_FINDINGS_H
#define AUDIT_FINDINGS_H

#include "audit/server_side.h"

/* A round is over, or was interrupted, and the tables have been read at now_us: files its connections, and
 * looks which ones of earlier rounds are still held. `count` is that of all probes so far; queued_before:
 * what was in the accept queues before the first one. */
void findings_take(struct audit_result *result, const struct audit_settings *settings,
                   const struct probe *probes, int64_t first, int64_t count, const struct audit_look *look,
                   int64_t queued_before, int64_t now_us);

/* All rounds are over, and the owners have been found (owners.h): groups, sums, times. */
void findings_conclude(struct audit_result *result, const struct audit_settings *settings);

#endif
