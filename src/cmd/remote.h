/* remote: --server-via, --client-via and what goes with them: a run on more than one machine. */
#ifndef CMD_REMOTE_H
#define CMD_REMOTE_H

#include "base/options.h"
#include "control/hosts.h"

#include <stdbool.h>

struct remote {
    const char *launchers[SIDE_COUNT][HOSTS_MAX]; /* from argv */
    int launcher_count[SIDE_COUNT];
    struct address addresses[HOSTS_MAX];
    int address_count;
    bool allow_remote;
    const char *worker_path; /* NULL: this binary's own */
    char own_path[4096];
    struct hosts hosts;
};

/* --address, --server-via, --client-via, --worker-path and --allow-remote, for a struct remote. */
extern const struct option_row remote_rows[];

/* Whether there is an address for each server, of one family, and allowed. Returns 0, or -EINVAL after
 * telling why not. */
int remote_check(const struct remote *remote);

/* True when there are launchers. */
bool remote_is_wanted(const struct remote *remote);

/* Launches the hosts and, but for a dry run, says what will be sent where; without launchers they are this
 * machine, with the first address. Returns an exit_code, after telling why where it is not EXIT_AS_EXPECTED.
 * remote_close follows in any case. */
int remote_open(struct remote *remote, int64_t conns, bool dry_run);
void remote_close(struct remote *remote);

#endif
