/* cause: why connections do not close in real servers and clients, one bug each, and the twin without it. */
#ifndef CAUSE_CAUSE_H
#define CAUSE_CAUSE_H

#include "model/fault_case.h"
#include "worker/endpoint.h"

#include <stddef.h>

/* The i-th, NULL past the last. */
const struct fault_case *cause_at(size_t i);

/* NULL when there is none of that name. */
const struct fault_case *cause_find(const char *name);

/* The name that was probably meant, or NULL. */
const char *cause_nearest(const char *name);

/* What that side does in the cause of that name, or "script"; NULL when there is none. */
const struct behaviour *behaviour_find(const char *name, enum side side);

extern const struct behaviour ignore_eof;
extern const struct behaviour paused_read;
extern const struct behaviour bounded_pool;
extern const struct behaviour never_accept;
extern const struct behaviour emfile;
extern const struct behaviour fork_inherit;
extern const struct behaviour lost_reference;
extern const struct behaviour dead_pool_entry;
extern const struct behaviour no_half_close;
extern const struct behaviour reply_before_read;
extern const struct behaviour half_closed_for_ever;
extern const struct behaviour reset_swallowed;
extern const struct behaviour stalled_reader;
extern const struct behaviour no_timeout;
extern const struct behaviour eof_is_abort;
extern const struct behaviour second_socket_forgotten;
extern const struct behaviour inherited_listener;
extern const struct behaviour no_reuse;
extern const struct behaviour keep_alive_race;
extern const struct behaviour connect_given_up;
extern const struct behaviour blocking_linger;

/* Of the other side, without a bug. */
extern const struct behaviour answers;
extern const struct behaviour deaf_server;
extern const struct behaviour one_slow_reader;

#endif
