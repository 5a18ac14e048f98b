/* listener: a listening socket whose waiting connections somebody hears of. */
#ifndef WORKER_LISTENER_H
#define WORKER_LISTENER_H

#include "kernel/address.h"

#include <stdint.h>

struct event;
struct event_base;
struct listener;

typedef void on_waiting(void *owner, struct listener *listener);

struct listener {
    int fd; /* -1: closed */
    struct address address;
    uint16_t port;
    int backlog;
    struct event *event;
    struct event *rest;        /* a timer: until then nothing is heard */
    on_waiting *on_acceptable; /* somebody waits to be accepted */
    void *owner;
    int64_t heard_us;      /* the owner's: when it last took all that waited */
    struct listener *next; /* the owner's */
};

/* Listens and hears. Returns NULL and a negative errno in *error. */
struct listener *listener_open(struct event_base *base, const struct address *address, uint16_t port,
                               int backlog, on_waiting *on_acceptable, void *owner, int *error);

/* Hears nothing for so long; connections queue in the kernel. */
void listener_rest(struct listener *listener, int64_t us);

/* Hears nothing any more; connections queue in the kernel, which goes on listening. */
void listener_leave(struct listener *listener);

/* close(), and nothing is heard any more. Those who wait are reset, unless another process has the socket
 * too: then the kernel goes on listening. */
void listener_close(struct listener *listener);

/* After listener_close(): socket(), bind() and listen() as before, and hears again. Returns 0 or a negative
 * errno, EADDRINUSE where somebody listens there; then it may be tried again. */
int listener_reopen(struct listener *listener);

/* Closes the socket, where it is open. NULL is allowed. */
void listener_free(struct listener *listener);

#endif
