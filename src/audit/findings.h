/* findings: what the probes and the kernel's tables say together: classes, groups, times. */
#ifndef AUDIT_FINDINGS_H
#define AUDIT_FINDINGS_H

#include "audit/server_side.h"

/* A round is over, and the tables have been read: files its connections, and looks which ones of earlier
 * rounds are still held. `count` is that of all probes so far. */
void findings_take(struct audit_result *result, const struct audit_settings *settings,
                   const struct probe *probes, int64_t first, int64_t count, const struct audit_look *look);

/* All rounds are over: owners, groups, sums, times. */
void findings_conclude(struct audit_result *result, const struct audit_look *look);

#endif
