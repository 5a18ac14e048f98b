/* probe: one connection of an audit, from connect() to what became of it. */
#ifndef AUDIT_PROBE_H
#define AUDIT_PROBE_H

#include "audit/audit.h"

#include <event2/event.h>
#include <event2/event_struct.h>

enum probe_phase {
    PROBE_CONNECTING,
    PROBE_TALKING, /* connected: the request goes out, a reply may come */
    PROBE_ACTED,   /* the client has done its part */
    PROBE_ENDED,   /* closed, reset, refused: nothing more will come */
};

enum probe_end { END_NONE, END_FIN, END_RESET, END_REFUSED, END_TIMED_OUT, END_FAILED };

struct probe {
    const struct audit_settings *settings;
    struct event event;
    int fd; /* -1: none */
    enum probe_phase phase;
    enum probe_end end;
    int error;
    int round;
    bool before_act;
    bool sends_on; /* more than is worth reading, after the client's FIN */
    uint16_t port;
    struct address address; /* its own */
    size_t sent;
    int64_t bytes, bytes_since_act;
    int64_t began_us, connected_us, heard_us, acted_us, ended_us;
};

/* Starts to connect. Never fails: a failure is how the probe ends. */
void probe_start(struct probe *probe, struct event_base *base, const struct audit_settings *settings,
                 int round);

/* Time has passed: gives up a connect(), ends a conversation by the client's act. */
void probe_tick(struct probe *probe, int64_t now_us);

/* Closes what is open, without waiting. */
void probe_stop(struct probe *probe);

/* The server's close was seen in the kernel's tables. */
void probe_note_closed(struct probe *probe, int64_t now_us);

#endif
