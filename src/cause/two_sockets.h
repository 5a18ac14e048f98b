/* two_sockets: what a proxy is made of: a connection of a client, one to the backend for it, and bytes from
 * each to the other. What it does when one of them ends is the behaviour's. */
#ifndef CAUSE_TWO_SOCKETS_H
#define CAUSE_TWO_SOCKETS_H

#include "cause/visit.h"

/* A behaviour's start and stop. Start returns 0 or a negative errno. */
int proxy_start(struct endpoint *endpoint);
void proxy_stop(struct endpoint *endpoint);

/* A client's connection is there: opens one to the backend, and hears both. Each is the other's peer. Where
 * the backend cannot be had the client's is closed. */
void proxy_begin(struct endpoint *endpoint, int fd, on_visit *client_readable, on_visit *backend_readable);

/* Copies what has come to the peer. Returns the bytes, 0 at EOF, -1 when one of the two can say or hear
 * nothing more. */
ssize_t proxy_copy(const struct visit *from);

/* close() of it and of its peer. */
void proxy_end_both(struct visit *visit);

/* Hears a backend as it should: copies to its client, and ends both with it. */
void proxy_from_backend(struct visit *backend, short what);

/* Descriptors that are open towards the backend. */
int64_t proxy_held_behind(const struct endpoint *endpoint);

#endif
