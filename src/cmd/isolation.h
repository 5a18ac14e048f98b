/* isolation: --isolate and --sysctl: a run in a network namespace of its own, with settings of its own. */
#ifndef CMD_ISOLATION_H
#define CMD_ISOLATION_H

#include "base/options.h"
#include "kernel/host_limits.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { ISOLATION_SYSCTLS_MAX = 32 };

struct isolation {
    bool wanted;
    int sysctl_count;
    const char *sysctls[ISOLATION_SYSCTLS_MAX]; /* "name=value", from argv */
    bool stretches_retransmission;              /* states that end by it shall not */
    bool keeps_settings;                        /* those of a new namespace stay, but for `sysctls` */
    int client_ports; /* so many ports for connect(), as towards another host; 0: as many as there are */
    struct shared_limits shared; /* after isolation_enter: the machine's, as read outside; else 0 */
    bool has_own_user; /* after isolation_enter: this process is the root of a user namespace, and was */
    uid_t user;        /* that user outside */
    gid_t group;
    char look_inside[96]; /* after isolation_enter: what to put before a command to run it inside; else "" */
};

/* --isolate and --sysctl, for a struct isolation. */
extern const struct option_row isolation_rows[];

/* isolation_enter and a line on stdout that says how to look inside. For commands whose
 * output is read by people. Returns an exit_code. */
int isolation_enter_and_say(struct isolation *isolation);

/* Enters the namespace where it is wanted, with room for so many connections, and applies the settings.
 * Returns an exit_code, after telling why where it is not EXIT_AS_EXPECTED. */
int isolation_enter(struct isolation *isolation, int64_t conns);

#endif
