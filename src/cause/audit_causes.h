/* audit_causes: which of the causes leave what an audit has found. */
#ifndef CAUSE_AUDIT_CAUSES_H
#define CAUSE_AUDIT_CAUSES_H

#include "audit/audit.h"

/* The names of the server's bugs whose signature is that of the group, and which fit what else the audit has
 * seen (connections to a backend beside them, descriptors used up, all connections or some), a comma and a
 * space between them; "" when none of them is known to look like that. `clients_reset`: the audit's clients
 * end their connections with an RST. */
struct cause_names {
    char text[200];
};

struct cause_names causes_of_group(enum audit_group group, const struct audit_result *result,
                                   bool clients_reset);

/* Likewise of bugs that leave nothing of the audited connections and a connection to another server for each;
 * "" where something of them is left, or no such connections grew. */
struct cause_names causes_of_growth(const struct audit_result *result);

/* Likewise of bugs that lose replies: by an RST, or by a FIN where the reply should come. */
struct cause_names causes_of_losses(bool by_reset);

#endif
