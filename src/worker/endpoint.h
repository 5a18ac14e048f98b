/* endpoint: one process's part where connections come one by one: it accepts them, or it connects, and a
 * behaviour does the rest. The well-behaved behaviour plays a script (lives.h); those in src/cause/ have one
 * bug each. */
#ifndef WORKER_ENDPOINT_H
#define WORKER_ENDPOINT_H

#include "model/script.h"
#include "worker/listener.h"
#include "worker/open_descriptors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct endpoint;

struct behaviour {
    const char *name;
    /* Before the first connection. Returns 0 or a negative errno. NULL: nothing to prepare. */
    int (*start)(struct endpoint *endpoint);
    /* A connection is there, accepted or connected: non-blocking, in endpoint->descriptors. */
    void (*on_connection)(struct endpoint *endpoint, int fd);
    /* Connections wait to be accepted. NULL: endpoint_accept_all. */
    void (*on_acceptable)(struct endpoint *endpoint, struct listener *listener);
    /* The server listens. NULL: nothing to do. */
    void (*on_listening)(struct endpoint *endpoint, struct listener *listener);
    /* The client has something to ask. True: it does so on a connection that it has, and counts it in
     * `reused`. False, or NULL: a new connection is opened for it. */
    bool (*on_due)(struct endpoint *endpoint);
    /* The client has waited for connect() long enough. The descriptor is in endpoint->descriptors from now
     * on, and the behaviour's to close. NULL: it is closed. */
    void (*on_given_up)(struct endpoint *endpoint, int fd);
    /* connect() may fail for what the behaviour does (EADDRNOTAVAIL, or ECONNREFUSED after others were
     * accepted): it is counted, and the next is tried. */
    bool may_not_connect;
    /* A client that is refused comes again in a moment, for as long as connect() is waited for: the server is
     * on its way. Then the refusal is counted like any other. */
    bool comes_again;
    /* Descriptors that it holds on connections to others, besides those in endpoint->descriptors. NULL: that
     * is not what it is about. */
    int64_t (*held_elsewhere)(const struct endpoint *endpoint);
    /* Frees what the others made; descriptors in endpoint->descriptors are not its business. NULL: nothing.
     */
    void (*stop)(struct endpoint *endpoint);
};

struct leak_share {
    int64_t count, of; /* so many of the first so many connections are never closed, evenly spread */
};

struct endpoint {
    struct event_base *base;
    const struct behaviour *behaviour;
    bool fixed;      /* the twin without the bug */
    void *state;     /* the behaviour's own */
    int64_t life_us; /* how long a connection lives before its end is begun */
    struct script script;
    struct leak_share leak;
    const char *request; /* what a client asks, borrowed; NULL: what ACT_WRITE sends */
    size_t request_length;

    struct open_descriptors descriptors;
    int64_t begun;  /* connections handed to the behaviour */
    int64_t ended;  /* of them, those that have nothing more to do; leaked ones too */
    int64_t leaked; /* on purpose */
    int64_t lost;   /* an act failed because the connection had ended: a lost reply, a lost request */
    int64_t
        unanswered; /* likewise of a client's first request on a connection, where the behaviour counts it */
    int64_t reused; /* requests on a connection that was there: see on_due */
    int64_t slowest_us; /* the longest time to a reply, where the behaviour measures it */
    int64_t idle_us;    /* how long the other side keeps an idle connection, where the behaviour finds it out;
                           0: not known */
    int64_t errors;     /* accept() failed, connect() failed */
    int last_errno;     /* of these */

    const char *
        failed_call; /* one that failed for a reason of this machine: the endpoint cannot go on. NULL: none */
    int failed_errno;
};

/* Returns 0 or a negative errno. */
int endpoint_start(struct endpoint *endpoint);
/* Stops the behaviour and resets what is held. */
void endpoint_stop(struct endpoint *endpoint);

/* Hands a connected descriptor over. Returns 0 or a negative errno; then it is closed, and the endpoint has
 * failed. */
int endpoint_begin(struct endpoint *endpoint, int fd);

/* accept4() of one waiting connection, to be given to endpoint_begin. Returns the descriptor, or a negative
 * errno: EAGAIN when none waits. A failure that concerns the server is counted. */
int endpoint_accept(struct endpoint *endpoint, const struct listener *listener, int flags);

/* Accepts those that wait and hands them to the behaviour. Where descriptors are short the listener rests for
 * a moment: the queue stays readable, and without that a server out of descriptors spins. */
void endpoint_accept_all(struct endpoint *endpoint, struct listener *listener);

/* A listener's on_acceptable: the owner is the endpoint. */
void endpoint_on_acceptable(void *endpoint, struct listener *listener);

/* The behaviour cannot go on, for a reason of this machine; the first one is kept. */
void endpoint_fail(struct endpoint *endpoint, const char *call, int error);

/* Sends the client's request, which must be small enough for a send buffer that is empty. Returns 0 or a
 * negative errno. */
int endpoint_ask(const struct endpoint *endpoint, int fd);

/* close() of a descriptor that is held. */
void endpoint_close(struct endpoint *endpoint, int fd);

#endif
