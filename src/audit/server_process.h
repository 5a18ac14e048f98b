/* server_process: the processes of a server: those that listen, and their descendants; and whether they live.
 */
#ifndef AUDIT_SERVER_PROCESS_H
#define AUDIT_SERVER_PROCESS_H

#include "audit/audit.h"

#include <stddef.h>

struct server_processes {
    pid_t *each; /* owned: first those that listen, then their descendants */
    int listening, count;
    /* Processes that may not be looked into and may be of the server as well: the parent of one that listens,
     * and where that one is such a process, or not there for us, its other children; and the unknown ones
     * that have a listening socket which nobody has who was seen. */
    int unseen;
    pid_t unseen_pid; /* one of them; 0: not known */
};

/* Finds them by the inodes of their listening sockets. This process is none of them, and who descends from
 * process 1 alone is no descendant: what listens there (socket activation) is the parent of everybody.
 * Returns 0, or a negative errno: ESRCH, nobody is known to listen; EACCES, nobody is, and some may not be
 * looked into; any other, /proc could not be read. */
int server_processes_find(const uint64_t *listeners, int listener_count, struct server_processes *found);
void server_processes_free(struct server_processes *processes);

/* Whether they live: those that listened at a time. */
struct server_life;

/* NULL without memory. No processes: whether they live is never known. */
struct server_life *server_life_new(const struct server_processes *processes);
void server_life_free(struct server_life *life);

bool server_life_is_known(const struct server_life *life);

/* Whether all have ended; then *ending is one of them. */
bool server_life_is_over(const struct server_life *life, struct audit_ending *ending);

/* Whether one has been killed by a signal of a fault (SIGSEGV, SIGABRT, ...), as far as the kernel tells:
 * since Linux 6.15, or of a process that nobody has waited for yet. */
bool server_life_has_crash(const struct server_life *life, struct audit_ending *ending);

#endif
