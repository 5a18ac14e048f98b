/* proxy_findings: what our ends have heard and the kernel's tables show of a proxy, and what it comes to. */
#ifndef AUDIT_PROXY_FINDINGS_H
#define AUDIT_PROXY_FINDINGS_H

#include "audit/links.h"
#include "audit/proxy_pair.h"
#include "audit/server_process.h"
#include "kernel/unlisted_sockets.h"

/* All pairs are READY: which sockets of the proxy belong to them. */
void proxy_findings_take_open(struct proxy_pair_result *results, int64_t count,
                              const struct link_sight *const sights[PROXY_SIDES]);

/* All is heard, and of our ends those are open that stay. */
void proxy_findings_take_ended(struct proxy_pair_result *results, int64_t count,
                               const struct link_sight *const sights[PROXY_SIDES], bool is_http);

/* Fills in the owners of what is held or kept by then: what is gone later has none. Returns 0 or a negative
 * errno. */
int proxy_findings_find_owners(struct proxy_pair_result *results, int64_t count,
                               const struct server_processes *proxy);

/* Connections to the backend that the proxy keeps open, when their client has gone. */
int64_t proxy_findings_pooled(const struct proxy_pair *pairs, int64_t count,
                              const struct link_sight *const sights[PROXY_SIDES]);

/* Both our ends are gone. `ghosts`: the descriptors of nothing that the proxy has; NULL: not known. Returns
 * how many connections it holds. */
int64_t proxy_findings_take_held(struct proxy_pair_result *results, int64_t count,
                                 const struct link_sight *const sights[PROXY_SIDES],
                                 const struct unlisted_sockets *ghosts);

/* Losses, cells, sums: of the first result->count of them; the others are no cell's. */
void proxy_findings_conclude(struct proxy_result *result, int64_t with_others, bool is_http);

#endif
