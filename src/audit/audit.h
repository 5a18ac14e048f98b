/* audit: does a server close when its clients do? Connections are opened to it, something is done to them,
 * and for a while it is watched what the server does. What it holds then is looked up in the kernel's tables,
 * if the server is on this machine.
 *
 * What cannot be seen is no finding: it is in the result as unknown, and the outcome says whether what was
 * seen is enough for a verdict. */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include "audit/audit_result.h"
#include "audit/audit_settings.h"

/* What is going on, a few times a second. */
typedef void audit_progress(void *context, const char *doing, int64_t done, int64_t total);

/* Returns 0, or a negative errno when this machine could not begin it; ENOENT: the order is an RST, and
 * the address is none of this network namespace. Without a `rate` no more connections are opened at a time
 * than the listener's accept queue has room for. SIGINT, SIGTERM and SIGHUP (unless it is ignored) end it. */
int audit_run(const struct audit_settings *settings, audit_progress *progress, void *context,
              struct audit_result *result);
void audit_free(struct audit_result *result);

/* The first round after which something was held: whether that is so to the end tells a leak from a slow
 * closer. Negative: none. */
int audit_first_held(const struct audit_result *result);

/* What the audit comes to. What is held is a leak however few were audited; that nothing is held is a verdict
 * only when 9 of 10 connections that were asked for have been audited. */
enum audit_outcome audit_outcome_of(const struct audit_result *result, const struct audit_settings *settings);

/* Whether 9 of 10 have been audited. */
bool audit_is_enough(const struct audit_result *result);

/* Whether those that are held may be late only: the server is slowed down, and the last that it closed took
 * it more than half of the grace period. */
bool audit_may_be_late(const struct audit_result *result, const struct audit_settings *settings);

#endif
