/* visit: one connection as a small server sees it: a descriptor and an event. */
#ifndef CAUSE_VISIT_H
#define CAUSE_VISIT_H

#include "worker/endpoint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct event;
struct visit;

typedef void on_visit(struct visit *visit, short what);

struct visit {
    struct endpoint *endpoint;
    struct event *event;
    on_visit *on_event;
    int fd;
    int64_t unsaid;     /* bytes of a reply that are still to be sent, where the behaviour counts them */
    int64_t since_us;   /* when what it waits for began, where the behaviour counts that */
    int requests;       /* asked on it with visit_ask */
    struct visit *peer; /* where two belong together: the other one; else NULL */
    LIST_ENTRY(visit) link;
};

/* All of an endpoint; the first member of the behaviour's state. */
LIST_HEAD(visits, visit);

/* A behaviour's start, where it has no state but its visits. Returns 0. */
int visits_start(struct endpoint *endpoint);

/* Likewise for one with a state of that size, which comes zeroed. */
int visits_start_with(struct endpoint *endpoint, size_t state_size);

/* A behaviour's stop: frees all visits and the state, and closes nothing. */
void visits_stop(struct endpoint *endpoint);

/* Hears EV_READ, EV_CLOSED or both (`what`; EV_ET too) until told otherwise. */
struct visit *visit_begin(struct endpoint *endpoint, int fd, short what, on_visit *on_event);

/* Hears something else from now on; 0: nothing. */
void visit_hear(struct visit *visit, short what, on_visit *on_event);

/* Likewise, and EV_TIMEOUT when nothing has come for so long; 0: however long it takes. */
void visit_hear_within(struct visit *visit, short what, int64_t ms, on_visit *on_event);

/* Reads and drops whatever comes, and closes at EOF, or when nothing has come for the endpoint's life. */
void visit_until_eof(struct endpoint *endpoint, int fd);

/* Reads and drops what has come. Returns the bytes; 0 at EOF, or when the connection was reset; -1 when
 * nothing has come. */
ssize_t visit_read(struct visit *visit);

/* A client asks: endpoint_ask. Where that fails the visit is over, and false returned. */
bool visit_ask(struct visit *visit, on_visit *on_reply);

/* close(), and the visit is over. */
void visit_close(struct visit *visit);

/* Likewise, of a client: the server has ended it before it answered. A request after others on that
 * connection is lost, the first one is unanswered. */
void visit_close_unanswered(struct visit *visit);

/* Likewise with an RST, whatever is unsent or unread. */
void visit_reset(struct visit *visit);

/* The visit is over without a close(): its descriptor stays open and nobody knows it. */
void visit_forget(struct visit *visit);

#endif
