/* audit_verdict_parts: what the files share that put an audit's meaning into sentences. */
#ifndef VIEW_AUDIT_VERDICT_PARTS_H
#define VIEW_AUDIT_VERDICT_PARTS_H

#include "view/audit_view.h"

/* Adds to the sentences. What has no room is cut off. */
void audit_say(struct audit_verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));

const struct audit_order_row *audit_report_order(const struct audit_report *report);

/* Which processes may be of the server, and may not be looked into; nothing when there are none. */
void audit_say_who_is_unseen(struct audit_verdict *verdict, const struct audit_result *result);

/* Of AUDIT_NO_VERDICT: why. */
void audit_say_no_verdict(struct audit_verdict *verdict, const struct audit_report *report);

#endif
