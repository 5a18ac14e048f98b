/* client_visit: a client's connection while we play its server, from accept() to the moment at which the
 * manner comes to its act. From then on it is a probe (probe_adopt). */
#ifndef AUDIT_CLIENT_VISIT_H
#define AUDIT_CLIENT_VISIT_H

#include "audit/http_request.h"
#include "audit/links.h"
#include "audit/server_manner.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

/* What the visits share. */
struct visit_house {
    struct event_base *base;
    const struct server_manner_row *manner;
    const char *reply; /* NULL: none */
    size_t reply_length;
    bool is_http;     /* requests end where HTTP says so; else where nothing more comes for a moment */
    int64_t requests; /* WHEN_REPLIED: to so many */
    int64_t happened; /* bytes, changes: it grows */
    void (*on_change)(void *context); /* a visit is READY or OVER */
    void *context;
};

enum visit_stage {
    VISIT_TALKS,
    VISIT_READY, /* the act is due; nothing is heard meanwhile */
    VISIT_OVER,  /* the client has ended it before, or this machine has failed: the descriptor is closed */
    VISIT_ADOPTED,
};

struct client_visit {
    struct visit_house *house;
    struct event io, timer;
    int fd; /* -1: none */
    enum visit_stage stage;
    int error; /* OVER: 0: FIN; ECONNRESET: RST; any other: of this machine */
    struct tcp_link link;
    struct http_reader reader;
    bool has_request; /* not HTTP: bytes that no reply has followed */
    int64_t requests, bytes;
    size_t to_send; /* of the reply */
    const char *next;
    int64_t came_us, ended_us;
};

/* Takes the descriptor over. Never fails: a failure is how the visit ends. `visit` is zeroed, and stays where
 * it is.
 */
void client_visit_begin(struct client_visit *visit, struct visit_house *house, int fd);

/* READY: hands the descriptor on. */
int client_visit_adopt(struct client_visit *visit);

/* Closes what is open. */
void client_visit_stop(struct client_visit *visit);

#endif
