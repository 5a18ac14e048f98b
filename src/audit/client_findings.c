/* What the audit of a client comes to: the findings of any audit, with what the end of a process hides. */
#include "audit/client_audit_state.h"
#include "audit/findings.h"
#include "base/clock.h"
#include "kernel/socket_owner.h"

#include <stdlib.h>
#include <string.h>

/* After an RST only its descriptor tells: of one that was read and was none, that it was closed. */
static bool is_told(const struct client_audit *audit, const struct probe *probe,
                    const struct client_trace *trace)
{
    if (probe->phase == PROBE_ENDED)
        return trace->looks_closed > 1 || (probe->end != END_FIN && probe->end != END_RESET);
    return probe->phase == PROBE_WAITED &&
           (trace->is_ghost || (audit->settings->audit.order == AUDIT_ABORT && trace->is_gone));
}

/* What the end of its process may have closed tells nothing; but what was held when its grace period was over
 * was held. */
static void undo_exit(struct client_audit *audit, int64_t i, struct audit_sight *sight)
{
    const struct client_trace *trace = &audit->traces.each[i];
    struct probe *probe = &audit->probes[i];
    if (probe->phase == PROBE_NONE || is_told(audit, probe, trace))
        return;
    probe->end = END_NONE;
    probe->error = 0;
    probe->phase = trace->was_held ? PROBE_WAITED : PROBE_ACTED;
    *sight = trace->was_held ? trace->held : (struct audit_sight){.own_seen = false};
    audit->result->at_exit += !trace->was_held;
}

static void note_client(struct client_audit *audit)
{
    struct client_result *result = audit->result;
    for (int64_t i = 0; i < audit->count && result->client == 0; i++) {
        result->client = audit->traces.each[i].owner;
        memcpy(result->client_command, audit->traces.each[i].command, sizeof result->client_command);
    }
}

static void count_ghosts(struct client_audit *audit)
{
    struct audit_result *result = &audit->result->audit;
    bool is_seen = false, is_known = false;
    for (int64_t i = 0; i < audit->count; i++) {
        const struct client_trace *trace = &audit->traces.each[i];
        is_seen |= trace->inode != 0;
        is_known |= trace->owner != 0;
        if (!trace->is_ghost || trace->was_held)
            continue;
        result->ghosts++;
        result->ghost_owner = trace->owner;
    }
    result->ghosts_after[0] = result->ghosts;
    result->ghost_sight = !is_seen ? GHOSTS_FROM_AFAR : is_known ? GHOSTS_SEEN : GHOSTS_NOT_OURS;
}

static bool is_held(const struct audit_connection *connection)
{
    return connection->class == CLASS_HELD || connection->class == CLASS_NEVER_ACCEPTED;
}

static void note_owner(struct audit_connection *connection, const struct client_trace *trace)
{
    connection->owner = trace->owner;
    memcpy(connection->command, trace->command, sizeof connection->command);
}

/* Who had it when it came may have closed its descriptor since, while a call on it goes on. */
static void note_nobodys(struct client_audit *audit)
{
    struct audit_result *result = &audit->result->audit;
    uint64_t *inodes = calloc((size_t)result->count + 1, sizeof *inodes);
    size_t wanted = 0;
    for (int64_t i = 0; inodes != NULL && i < result->count; i++)
        if (is_held(&result->connections[i]) && result->connections[i].inode != 0)
            inodes[wanted++] = result->connections[i].inode;
    struct socket_owners *owners = wanted > 0 ? socket_owners_new(inodes, wanted) : NULL;
    free(inodes);
    if (owners == NULL)
        return;
    for (int i = 0; i < audit->traces.owner_count; i++)
        socket_owners_read_pid(owners, audit->traces.owners[i]);
    int rc = socket_owners_read_others(owners, audit->traces.owners, audit->traces.owner_count);
    bool saw_all = rc >= 0 && socket_owners_refused(owners) == 0 && audit->traces.owner_count > 0;
    for (int64_t i = 0; i < result->count; i++) {
        struct audit_connection *connection = &result->connections[i];
        if (saw_all && is_held(connection) && connection->inode != 0 && !audit->traces.each[i].has_ended &&
            socket_owner_of(owners, connection->inode) == 0)
            connection->role = OWNER_NOBODY;
    }
    socket_owners_free(owners);
}

static void find_owners(struct client_audit *audit, bool has_ended)
{
    struct audit_result *result = &audit->result->audit;
    for (int64_t i = 0; i < audit->count; i++)
        if (is_held(&result->connections[i]))
            note_owner(&result->connections[i], &audit->traces.each[i]);
    if (!has_ended)
        note_nobodys(audit);
}

void client_audit_conclude(struct client_audit *audit, struct audit_look *look)
{
    struct audit_result *result = &audit->result->audit;
    bool has_ended = audit->has_program && audit->program->is_over;
    for (int64_t i = 0; i < audit->count; i++) {
        const struct client_trace *trace = &audit->traces.each[i];
        look->sights[i] = client_sight_of(&audit->sights[i]);
        look->listener_count |= trace->inode != 0; /* that is: its ends are in our tables */
        audit->probes[i].port = audit->visits[i].link.remote_port;
        audit->result->unplayed += audit->visits[i].stage != VISIT_ADOPTED;
        if (trace->has_ended || (trace->owner == 0 && has_ended))
            undo_exit(audit, i, &look->sights[i]);
    }
    audit->result->has_ended = has_ended;
    note_client(audit);
    count_ghosts(audit);
    findings_take(result, &audit->settings->audit, audit->probes, 0, audit->count, look, 0, monotonic_us());
    result->rounds = 1;
    find_owners(audit, has_ended);
    findings_conclude(result, &audit->settings->audit);
    result->asked = audit->count;
}
