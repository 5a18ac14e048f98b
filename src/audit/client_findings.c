/* What the audit of a client comes to: the findings of any audit, with what the end of a process hides. */
#include "audit/client_audit_state.h"
#include "audit/findings.h"
#include "base/clock.h"

#include <string.h>

enum { EXIT_US = 100000 }; /* what closes so shortly before its process ends may have been closed by that */

/* After an RST only its descriptor tells: of one that was read and was none, that it was closed. */
static bool is_by_exit(const struct client_audit *audit, const struct probe *probe,
                       const struct client_trace *trace)
{
    if (probe->phase == PROBE_ENDED)
        return probe->ended_us > audit->ended_us - EXIT_US &&
               (probe->end == END_FIN || probe->end == END_RESET);
    bool is_told = trace->is_ghost ||
                   (audit->settings->audit.order == AUDIT_ABORT && trace->owner != 0 && !trace->is_unlisted);
    return probe->phase != PROBE_WAITED || !is_told;
}

/* What the end of its process may have closed tells nothing; but what was held when its grace period was over
 * was held. */
static void undo_exit(struct client_audit *audit, int64_t i, struct audit_sight *sight)
{
    const struct client_trace *trace = &audit->traces.each[i];
    struct probe *probe = &audit->probes[i];
    if (probe->phase == PROBE_NONE || !is_by_exit(audit, probe, trace))
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
    bool is_seen = false;
    for (int64_t i = 0; i < audit->count; i++) {
        const struct client_trace *trace = &audit->traces.each[i];
        is_seen |= trace->inode != 0;
        if (!trace->is_ghost || trace->was_held)
            continue;
        result->ghosts++;
        result->ghost_owner = trace->owner;
    }
    result->ghosts_after[0] = result->ghosts;
    result->ghost_sight = !is_seen                         ? GHOSTS_FROM_AFAR
                          : audit->traces.owner_count == 0 ? GHOSTS_NOT_OURS
                                                           : GHOSTS_SEEN;
}

/* Of a process that has ended nobody can tell the owner any more. */
static void name_owners(struct client_audit *audit)
{
    for (int64_t i = 0; i < audit->count; i++) {
        struct audit_connection *connection = &audit->result->audit.connections[i];
        const struct client_trace *trace = &audit->traces.each[i];
        if (connection->owner != 0 || connection->group == GROUP_NONE)
            continue;
        connection->owner = trace->owner;
        memcpy(connection->command, trace->command, sizeof connection->command);
    }
}

void client_audit_conclude(struct client_audit *audit, struct audit_look *look)
{
    const struct server_processes none = {.count = 0};
    struct audit_result *result = &audit->result->audit;
    bool has_ended = audit->has_program && audit->program->is_over;
    for (int64_t i = 0; i < audit->count; i++) {
        look->sights[i] = client_sight_of(&audit->sights[i]);
        look->listener_count |= audit->traces.each[i].inode != 0; /* that is: its ends are in our tables */
        audit->probes[i].port = audit->visits[i].link.remote_port;
        audit->result->unplayed += audit->visits[i].stage != VISIT_ADOPTED;
        if (has_ended)
            undo_exit(audit, i, &look->sights[i]);
    }
    audit->result->has_ended = has_ended;
    note_client(audit);
    count_ghosts(audit);
    findings_take(result, &audit->settings->audit, audit->probes, 0, audit->count, look, 0, monotonic_us());
    result->rounds = 1;
    findings_conclude(result, &audit->settings->audit, &none);
    result->asked = audit->count;
    name_owners(audit);
}
