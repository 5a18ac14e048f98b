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

int remote_parse_server(const char *text, void *target, char *why, size_t why_size);
int remote_parse_client(const char *text, void *target, char *why, size_t why_size);
int remote_parse_address(const char *text, void *target, char *why, size_t why_size);

/* `at`: offset of a struct remote in the command's option struct. */
#define REMOTE_OPTIONS(at)                                                                                   \
    {.name = "address",                                                                                      \
     .value = "ADDR",                                                                                        \
     .help = "where the server listens; one for each --server-via",                                          \
     .preset = "127.0.0.1",                                                                                  \
     .kind = OPTION_CUSTOM,                                                                                  \
     .target = (at),                                                                                         \
     .parse = remote_parse_address},                                                                         \
        {.name = "server-via",                                                                               \
         .value = "COMMAND",                                                                                 \
         .help = "run the server's side behind a launcher, such as 'ssh db1'; repeatable",                   \
         .kind = OPTION_CUSTOM,                                                                              \
         .target = (at),                                                                                     \
         .parse = remote_parse_server},                                                                      \
        {.name = "client-via",                                                                               \
         .value = "COMMAND",                                                                                 \
         .help = "likewise the client's side",                                                               \
         .kind = OPTION_CUSTOM,                                                                              \
         .target = (at),                                                                                     \
         .parse = remote_parse_client},                                                                      \
        {.name = "worker-path",                                                                              \
         .value = "PATH",                                                                                    \
         .help = "of tcpstorm there",                                                                        \
         .preset = "this binary's own",                                                                      \
         .kind = OPTION_TEXT,                                                                                \
         .target = (at) + offsetof(struct remote, worker_path)},                                             \
    {                                                                                                        \
        .name = "allow-remote", .help = "addresses outside loopback", .kind = OPTION_FLAG,                   \
        .target = (at) + offsetof(struct remote, allow_remote)                                               \
    }

/* Returns 0, or -EINVAL after telling why these do not go together. */
int remote_check(const struct remote *remote, bool is_isolated);

/* True when there are launchers. */
bool remote_is_wanted(const struct remote *remote);

/* Launches the hosts and, but for a dry run, says what will be sent where; without launchers they are this
 * machine, with the first address. Returns an exit_code, after telling why where it is not EXIT_AS_EXPECTED.
 * remote_close follows in any case. */
int remote_open(struct remote *remote, int64_t conns, bool dry_run);
void remote_close(struct remote *remote);

#endif
