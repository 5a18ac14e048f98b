/* audit_target: the server that an audit is told to visit: "127.0.0.1:8080". */
#ifndef CMD_AUDIT_TARGET_H
#define CMD_AUDIT_TARGET_H

#include "audit/audit_settings.h"

/* A name may stand for several addresses, as localhost does for ::1 and 127.0.0.1. */
enum { TARGET_ADDRESSES_MAX = 16 };
struct target_addresses {
    int count;
    struct address each[TARGET_ADDRESSES_MAX];
};

/* Which command takes a target, and of which kinds. */
struct target_taker {
    const char *command; /* what messages begin with: "audit" */
    bool takes_unix, takes_tls;
};

/* As audit_target_take and audit_target_refuse, for any command. */
int target_take(const struct target_taker *taker, const char *text, struct audit_settings *settings,
                struct target_addresses *all);
int target_refuse(const struct target_taker *taker, const char *text, const char *why);

/* Fills in target, address (the first that somebody listens on here, or else the first) and port, and all
 * addresses. `text` stays borrowed. Returns an exit code, not EXIT_AS_EXPECTED after telling. */
int audit_target_take(const char *text, struct audit_settings *settings, struct target_addresses *all);

/* Tells that the target is refused, and returns EXIT_USAGE. */
int audit_target_refuse(const char *text, const char *why);

#endif
