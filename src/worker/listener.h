/* door: a listening socket whose waiting connections somebody hears of. */
#ifndef WORKER_LISTENER_H
#define WORKER_LISTENER_H

#include "kernel/address.h"

#include <stdint.h>

struct event;
struct event_base;
struct door;

typedef void on_waiting(void *owner, struct door *door);

struct door {
    int fd;
    uint16_t port;
    struct event *event;
    struct event *rest;        /* a timer: until then nothing is heard */
    on_waiting *on_acceptable; /* somebody waits at the door */
    void *owner;
    int64_t heard_us;  /* the owner's: when it last took all that waited */
    struct door *next; /* the owner's */
};

/* Listens and hears. Returns NULL and a negative errno in *error. */
struct door *door_open(struct event_base *base, const struct address *address, uint16_t port, int backlog,
                       on_waiting *on_acceptable, void *owner, int *error);

/* Hears nothing for so long; connections queue in the kernel. */
void door_rest(struct door *door, int64_t us);

/* Hears nothing any more; connections queue in the kernel, which goes on listening. */
void door_leave(struct door *door);

/* Closes the socket. NULL is allowed. */
void door_free(struct door *door);

#endif
