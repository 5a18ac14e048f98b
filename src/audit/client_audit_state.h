/* client_audit_state: the audit of a client while it lasts: client_audit.c drives it, client_findings.c says
 * what it comes to. */
#ifndef AUDIT_CLIENT_AUDIT_STATE_H
#define AUDIT_CLIENT_AUDIT_STATE_H

#include "audit/client_audit.h"
#include "audit/client_traces.h"
#include "audit/client_visit.h"
#include "audit/probe.h"
#include "audit/server_side.h"
#include "control/stop_events.h"

struct client_audit {
    const struct client_settings *settings;
    const struct witness_backend *witness;
    struct event_base *base;
    struct event *looker, *teller, *heard;
    struct event acceptable;
    bool accepts; /* `acceptable` is there */
    struct stop_events stops;
    int listener;
    struct program *program;
    bool has_program; /* it was started */
    struct visit_house house;
    struct probe_crowd crowd;
    struct client_visit *visits;
    struct probe *probes;
    struct link_sight *sights;
    struct client_traces traces;
    int64_t count, room; /* of them that have come, and may come */
    int64_t came_us, began_us, looked_us, look_took_us;
    int64_t happened, happened_before; /* events so far, and by the last look */
    int calm_looks;                    /* in a row, before which nothing happened */
    bool is_stopped;                   /* by a signal */
    audit_progress *progress;
    void *context;
    struct client_result *result;
};

/* A last look has been taken. Fills in the result; `look` has room for the sights. */
void client_audit_conclude(struct client_audit *audit, struct audit_look *look);

#endif
