/* proxy_pair: a client's connection to the proxy, and the one to the backend that belongs to it.
 *
 *   IDLE - connect() -> CONNECTING -> CALLING - the backend has it -> READY - proxy_pair_end() -> FIRST
 *     -> SECOND -> DONE          or FAILED, as long as it is not READY
 *
 * In FIRST the one end has ended, and the other one listens; in SECOND it is the other way round. Every state
 * that waits has a timer of the pair's own. */
#ifndef AUDIT_PROXY_PAIR_H
#define AUDIT_PROXY_PAIR_H

#include "audit/links.h"
#include "audit/proxy.h"

#include <event2/event.h>
#include <event2/event_struct.h>

enum proxy_pair_stage {
    STAGE_IDLE,
    STAGE_CONNECTING,
    STAGE_CALLING,
    STAGE_READY,
    STAGE_FIRST,
    STAGE_SECOND,
    STAGE_DONE,
    STAGE_FAILED,
    STAGE_COUNT,
};

enum { PROXY_TOKEN = 32 }; /* bytes: what a client of a plain TCP proxy says first, and hears back */

/* What the pairs share. */
struct proxy_crowd {
    const struct proxy_settings *settings;
    struct event_base *base;
    uint32_t run; /* in the tokens: another run's are not ours */
    int64_t in_stage[STAGE_COUNT];
    void (*on_change)(void *context);               /* a pair has left a stage */
    void (*on_next_request)(void *context, int fd); /* more came on a connection of the backend: takes it */
    void (*on_answer)(void *context, const char *bytes, size_t length); /* of the proxy's own, to a client */
    void *context;
};

struct proxy_pair;

/* Our end of one of the two connections. */
struct proxy_own_end {
    struct proxy_pair *pair;
    struct event io;
    int fd;                          /* -1: none */
    struct tcp_link link;            /* remote: the proxy's */
    char text[PROXY_PATH_MAX + 512]; /* what it sends before the block */
    size_t text_length, text_sent;
    int64_t block; /* bytes of it to send */
    bool ends;     /* in its manner, when all that is sent */
    bool has_ended;
    bool is_over;  /* it has heard FIN or RST: nothing more comes */
    size_t called; /* CALLING: bytes of the echoed token that came */
};

struct proxy_pair {
    struct proxy_crowd *crowd;
    struct proxy_pair_result *result;
    struct proxy_own_end end[PROXY_SIDES];
    struct event timer;
    enum proxy_pair_stage stage;
    enum proxy_side first;
    int64_t number; /* in the token */
};

/* Of zeroed memory. */
void proxy_pair_init(struct proxy_pair *pair, struct proxy_crowd *crowd, struct proxy_pair_result *result,
                     int64_t number);

/* Starts to connect. Never fails: a failure is how the pair ends. */
void proxy_pair_start(struct proxy_pair *pair);

/* The backend has accepted its connection, which it takes over, in CALLING or before. */
void proxy_pair_adopt(struct proxy_pair *pair, int fd);

/* STAGE_READY: lets the ends end. */
void proxy_pair_end(struct proxy_pair *pair);

/* Closes what is still open of one side, or of both. */
void proxy_pair_close(struct proxy_pair *pair, enum proxy_side side);
void proxy_pair_stop(struct proxy_pair *pair);

#endif
