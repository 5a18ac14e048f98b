#include "audit/audit_trace.h"

#include <errno.h>
#include <stdlib.h>

enum { PORTS = 65536, NONE = -1 };

/* The connections of the report by the port of their client; of one port the latest first. */
struct by_port {
    int *first;  /* PORTS */
    int *before; /* beside the connections */
};

static bool is_of_audit(const struct traced_connection *connection, const struct audit_settings *settings,
                        const struct number_set *earlier)
{
    return !connection->is_outgoing && connection->peer_port != 0 &&
           (connection->local_port == 0 || connection->local_port == settings->port) &&
           !number_set_has(earlier, connection->inode);
}

static int by_port_make(struct by_port *ports, const struct trace_report *report,
                        const struct audit_settings *settings, const struct number_set *earlier)
{
    ports->first = malloc(PORTS * sizeof *ports->first);
    ports->before = malloc(((size_t)report->count + 1) * sizeof *ports->before);
    if (ports->first == NULL || ports->before == NULL)
        return -ENOMEM;
    for (int port = 0; port < PORTS; port++)
        ports->first[port] = NONE;
    for (int i = 0; i < report->count; i++) {
        const struct traced_connection *connection = &report->connections[i];
        if (!is_of_audit(connection, settings, earlier))
            continue;
        ports->before[i] = ports->first[connection->peer_port];
        ports->first[connection->peer_port] = i;
    }
    return 0;
}

/* Each is taken once: a port may have been used again. Another inode than the kernel's table had is another
 * connection. */
static const struct traced_connection *take(struct by_port *ports, const struct trace_report *report,
                                            const struct audit_connection *audited)
{
    int at = audited->port != 0 ? ports->first[audited->port] : NONE;
    while (at != NONE && audited->inode != 0 && report->connections[at].inode != audited->inode)
        at = ports->before[at];
    if (at == NONE)
        return NULL;
    ports->first[audited->port] = ports->before[at];
    return &report->connections[at];
}

/* Nobody was seen to have it, and somebody was seen to let go of it. */
static bool was_let_go(const struct traced_connection *traced)
{
    for (int i = 0; !traced->is_open && i < traced->count; i++)
        if (note_ends_it(&traced->notes[i]))
            return true;
    return false;
}

static enum parting_end end_of(const struct audit_connection *audited, const struct traced_connection *traced,
                               const struct audit_result *result)
{
    bool is_open = traced != NULL && traced->is_open;
    switch (audited->class) {
    case CLASS_CLOSED:
    case CLASS_RESET:
        /* It has left the tables, and its descriptor is there. */
        if (is_open && result->by_group[GROUP_GHOST] > 0)
            return PARTING_HELD;
        return audited->class == CLASS_CLOSED ? PARTING_CLOSED : PARTING_RESET;
    case CLASS_REPLY_LOST:
        return PARTING_LOST;
    case CLASS_HELD: /* or it was closed since */
        return traced != NULL && was_let_go(traced) && audited->group != GROUP_NO_DESCRIPTOR ? PARTING_OTHER
                                                                                             : PARTING_HELD;
    case CLASS_NEVER_ACCEPTED:
        return PARTING_UNACCEPTED;
    case CLASS_UNKNOWN:
        return is_open && result->interrupted ? PARTING_OPEN : PARTING_OTHER;
    default:
        return PARTING_OTHER;
    }
}

static int join(struct audit_trace *trace, const struct audit_result *result, struct by_port *ports)
{
    struct parting_sample *samples = calloc((size_t)result->count + 1, sizeof *samples);
    if (samples == NULL)
        return -ENOMEM;
    for (int64_t i = result->count - 1; i >= 0; i--) {
        const struct audit_connection *audited = &result->connections[i];
        bool is_there = audited->class != CLASS_NEVER_ACCEPTED && audited->class != CLASS_REFUSED &&
                        audited->class != CLASS_TIMED_OUT;
        samples[i].connection = is_there ? take(ports, &trace->report, audited) : NULL;
        samples[i].end = end_of(audited, samples[i].connection, result);
    }
    int rc = parting_find(samples, result->count, &trace->parting);
    free(samples);
    return rc;
}

int audit_trace_compare(struct audit_trace *trace, const struct audit_result *result,
                        const struct audit_settings *settings, struct number_set *earlier)
{
    struct by_port ports = {.first = NULL};
    int rc = by_port_make(&ports, &trace->report, settings, earlier);
    if (rc == 0)
        rc = join(trace, result, &ports);
    for (int i = 0; i < trace->report.count && rc == 0; i++) {
        const uint64_t inode = trace->report.connections[i].inode;
        rc = inode == 0 || number_set_add(earlier, inode) >= 0 ? 0 : -ENOMEM;
    }
    free(ports.first);
    free(ports.before);
    return rc;
}

void audit_trace_free(struct audit_trace *trace)
{
    parting_free(&trace->parting);
    if (trace->is_there)
        trace_report_free(&trace->report);
    trace->is_there = false;
}
