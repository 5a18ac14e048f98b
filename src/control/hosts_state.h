/* hosts_state: what the files of hosts share, and nobody else sees: hosts.c speaks with the hosts,
 * hosts_launch.c has to do with the launchers' processes. */
#ifndef CONTROL_HOSTS_STATE_H
#define CONTROL_HOSTS_STATE_H

#include "control/hosts.h"

enum { LATE_PULSE_MS = 3000 }; /* a pulse that late: this process was stopped, and nobody else */

/* ---- hosts.c ---- */

/* Who hears a host; the context is the struct host. */
extern const struct link_ears host_ears;

/* It is gone, or not to be believed: the rest of a sentence tells why. Only the first time counts. */
void host_lose(struct host *host, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Of a timer, whose context is the struct hosts: pings all, and loses those that are silent. */
void hosts_on_pulse(int fd, short what, void *context);

/* ---- hosts_launch.c ---- */

/* Collects the launchers that have ended. */
void hosts_reap(struct hosts *hosts);

/* One launcher at a time may ask for a password, until its host has said hello. */
void hosts_mind_terminal(struct hosts *hosts);

/* Runs the loop until all hosts have got there. Returns 0; -EINTR, once more signals than `stops_allowed`
 * were heard; or -ETIMEDOUT after so long. */
int hosts_wait_for_all(struct hosts *hosts, bool (*is_there)(const struct host *host), int64_t limit_ms,
                       int stops_allowed);

#endif
