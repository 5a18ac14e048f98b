/* proxy_tables: the connections of a proxy's audit as the kernel of this machine shows them. */
#ifndef AUDIT_PROXY_TABLES_H
#define AUDIT_PROXY_TABLES_H

#include "audit/proxy_pair.h"
#include "kernel/witness.h"

/* Both ends of one connection, as far as they are in our tables. */
struct proxy_sight {
    bool own_seen, seen; /* ours; the proxy's */
    enum tcp_state own_state, state;
    uint32_t unread;
    uint64_t inode; /* of the proxy's end */
};

/* Looks once. `sights`: one for each pair. Returns 0, or the witness's negative errno: what was seen then
 * counts for nothing. */
int proxy_tables_look(const struct witness_backend *witness, const struct proxy_settings *settings,
                      const struct proxy_pair *pairs, int64_t count,
                      struct proxy_sight (*sights)[PROXY_SIDES]);

/* A state that only the process which has the descriptor can end. */
bool proxy_sight_is_held(const struct proxy_sight *sight);

#endif
