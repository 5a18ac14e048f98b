/* proxy_backend: where the proxy is to forward to: takes its connections, and finds out of which client each
 * one is, by what it says first: a token, or a request with an X-Tcpstorm-Id. */
#ifndef AUDIT_PROXY_BACKEND_H
#define AUDIT_PROXY_BACKEND_H

#include "kernel/address.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

enum { PROXY_HEAD_MAX = 16384 }; /* bytes of a request */

struct proxy_backend;

/* A connection has said of which pair it is; `fd` is handed on. */
typedef void proxy_on_caller(void *context, int64_t number, int fd);
/* accept() failed with this errno: none is taken any more. */
typedef void proxy_on_refusal(void *context, int error);

struct proxy_backend_duty {
    struct event_base *base;
    uint32_t run; /* of the tokens that count */
    bool is_http;
    proxy_on_caller *on_caller;
    proxy_on_refusal *on_refusal;
    void *context;
};

/* Listens. Returns 0 or a negative errno. */
int proxy_backend_open(const struct proxy_backend_duty *duty, const struct address *address, uint16_t port,
                       struct proxy_backend **backend);

/* Another request comes on a connection that was handed on before; it is taken back. */
void proxy_backend_take_back(struct proxy_backend *backend, int fd);

/* Connections that said something else, or nothing: so far. */
int64_t proxy_backend_strangers(const struct proxy_backend *backend);

/* Refuses from now on, and closes what has not said of which pair it is. */
void proxy_backend_close(struct proxy_backend *backend);
void proxy_backend_free(struct proxy_backend *backend);

/* The number in what a caller has said, which ends in 0: -1: there is none, or it is another run's; -2: it is
 * not complete. */
int64_t proxy_caller_number(const char *said, size_t length, bool is_http, uint32_t run);

#endif
