#include "audit/findings.h"

#include "audit/growth.h"
#include "audit/tables_tell.h"

#include <stdlib.h>

/* ---- one connection ---- */

/* It has shut down its half, and its descriptor stays: no timer of the kernel ends that. */
static bool is_shut_down(const struct audit_sight *sight)
{
    return sight->server_state == STATE_FIN_WAIT2 && sight->inode != 0;
}

/* The server's end is in a state that only its process can end. In all others it has closed, or shut down, or
 * the kernel is not through with the handshake: TIME_WAIT above all is held by nobody. */
static bool is_servers_turn(const struct audit_sight *sight)
{
    return sight->server_seen &&
           (sight->server_state == STATE_CLOSE_WAIT || sight->server_state == STATE_ESTABLISHED ||
            sight->server_state == STATE_SYN_SENT || is_shut_down(sight)); /* SYN_SENT: see client_audit.h */
}

/* A server that sends in the latter half of the grace period is at work. */
static bool is_still_responding(const struct probe *probe, const struct audit_settings *settings)
{
    return probe->sends_on || probe->heard_us > probe->due_us - settings->grace_ms * 500;
}

/* Where the accept queue is full the last ACK of the handshake is dropped: the client is connected to nobody,
 * and nobody has acknowledged its FIN. */
static bool is_taken_in_by_nobody(const struct audit_sight *sight, bool server_is_here)
{
    if (!sight->own_seen || is_servers_turn(sight))
        return false;
    return sight->own_state == STATE_FIN_WAIT1 || sight_is_half_open(sight) ||
           (server_is_here && !sight->server_seen && sight->own_state == STATE_ESTABLISHED);
}

/* After the RST nothing is left of it but descriptors, and places in the accept queue (see ghosts, and
 * note_queued); of one that was never handed over, not even those. Where the descriptors are not to be seen
 * nobody knows what became of it. */
static enum audit_class class_of_aborted(const struct probe *probe, const struct audit_sight *sight)
{
    if (is_servers_turn(sight))
        return CLASS_HELD;
    return probe->was_half_open ? CLASS_TIMED_OUT : probe->missed_looks ? CLASS_UNKNOWN : CLASS_CLOSED;
}

/* Of a client that never closes: what the server's end does after its own FIN. Without that FIN nobody has
 * closed, and nothing is to be judged; and from afar an orphan looks as one with a descriptor does. */
static enum audit_class class_of_kept_open(const struct probe *probe, const struct audit_sight *sight,
                                           bool server_is_here)
{
    if (!probe->heard_fin || !server_is_here)
        return CLASS_UNKNOWN;
    return is_servers_turn(sight) ? CLASS_HELD : CLASS_CLOSED;
}

/* Of a client that hears nothing: the server's end alone tells. One whose reply had room has not stalled, and
 * nothing is to be judged; nor is it where no look has met the server's end, which may never have been. */
static enum audit_class class_of_silent(const struct probe *probe, const struct audit_sight *sight,
                                        bool never_reads, bool server_is_here)
{
    if (!server_is_here)
        return CLASS_UNKNOWN;
    if (is_servers_turn(sight) && sight->inode == 0)
        return CLASS_NEVER_ACCEPTED;
    if (never_reads && !probe->was_full)
        return CLASS_UNKNOWN;
    if (!sight_is_let_go(sight))
        return sight->inode != 0 ? CLASS_HELD : CLASS_TIMED_OUT;
    return probe->was_met || probe->bytes > 0 ? CLASS_CLOSED : CLASS_UNKNOWN;
}

/* Of one that the client has acted on and that has not ended. */
static enum audit_class class_of_open(const struct probe *probe, const struct audit_settings *settings,
                                      const struct audit_sight *sight, bool server_is_here, int64_t now_us)
{
    if (probe->phase != PROBE_WAITED)
        return CLASS_UNKNOWN;
    const struct audit_order_row *order = audit_order_row(settings->order);
    if (order->act == ACT_ABORT)
        return class_of_aborted(probe, sight);
    if (order->keeps_open)
        return class_of_kept_open(probe, sight, server_is_here);
    if (audit_order_is_silent(order))
        return class_of_silent(probe, sight, order->never_reads, server_is_here);
    if (order->hears_on && is_still_responding(probe, settings))
        return CLASS_STILL_RESPONDING;
    if (is_servers_turn(sight))
        return sight->inode != 0 ? CLASS_HELD : CLASS_NEVER_ACCEPTED;
    if (is_taken_in_by_nobody(sight, server_is_here))
        return CLASS_TIMED_OUT;
    if (!sight->own_seen && !server_is_here && probe_is_forgotten(probe, settings, now_us))
        return CLASS_UNKNOWN;
    return sight->server_seen || !sight->own_seen || sight->own_state == STATE_TIME_WAIT ? CLASS_CLOSED
                                                                                         : CLASS_HELD;
}

static enum audit_class class_of(const struct probe *probe, const struct audit_settings *settings,
                                 const struct audit_sight *sight, bool server_is_here, int64_t now_us)
{
    static const enum audit_class of_end[] = {
        [END_FIN] = CLASS_CLOSED,          [END_RESET] = CLASS_RESET,   [END_REFUSED] = CLASS_REFUSED,
        [END_TIMED_OUT] = CLASS_TIMED_OUT, [END_FAILED] = CLASS_FAILED,
    };
    /* An RST leaves no TIME_WAIT: where there is one the error was not the peer's. */
    if (probe->end == END_RESET && sight->own_seen && sight->own_state == STATE_TIME_WAIT)
        return CLASS_FAILED;
    return probe->end != END_NONE ? of_end[probe->end]
                                  : class_of_open(probe, settings, sight, server_is_here, now_us);
}

static bool is_held(const struct audit_connection *connection)
{
    return connection->class == CLASS_HELD || connection->class == CLASS_NEVER_ACCEPTED;
}

/* What was answered before the client's FIN left was read before it came. */
static bool was_answered(const struct probe *probe)
{
    return probe->bytes_since_ask > probe->bytes_since_act;
}

static void note_server_end(struct audit_connection *connection, const struct probe *probe,
                            const struct audit_sight *sight)
{
    if (!is_held(connection) || !sight->server_seen)
        return;
    connection->server_seen = true;
    connection->server_state = sight->server_state;
    connection->unread = sight->unread;
    connection->unsent = sight->unsent;
    connection->fin_with_data = sight->fin_with_data && !was_answered(probe);
    connection->inode = sight->inode;
}

/* One that closes after its reply has no idle timeout; where one was expected, that is another one. */
static bool ended_idle(const struct probe *probe, const struct audit_settings *settings)
{
    return probe->end == END_FIN && (!probe->before_act || settings->expect_idle_ms > 0);
}

static void file(struct audit_connection *connection, const struct probe *probe,
                 const struct audit_settings *settings, const struct audit_sight *sight, bool server_is_here,
                 int64_t now_us)
{
    *connection = (struct audit_connection){
        .round = probe->round,
        .class = class_of(probe, settings, sight, server_is_here, now_us),
        .before_act = probe->before_act,
        .requested = settings->request != NULL && probe->sent == settings->request_length,
        .begun_us = probe->begun_us,
        .connected_us = probe->connected_us,
        .close_us = probe->end == END_FIN && !probe->before_act ? probe->ended_us - probe->acted_us : -1,
        .idle_us = ended_idle(probe, settings) ? probe_idle_us(probe) : -1,
        .bytes = probe->bytes,
        .error = probe->error,
        .port = probe->port,
    };
    note_server_end(connection, probe, sight);
}

/* What was held at the end of its round may have been closed since. */
static bool is_still_there(const struct audit_connection *connection, const struct probe *probe,
                           const struct audit_settings *settings, const struct audit_sight *sight)
{
    if (!is_held(connection))
        return false;
    if (connection->server_seen)
        return is_servers_turn(sight) ||
               (audit_order_is_silent(audit_order_row(settings->order)) && !sight_is_let_go(sight));
    return probe->end == END_NONE && sight->own_seen && sight->own_state != STATE_TIME_WAIT;
}

/* After an RST the tables have nothing of a connection that was never accepted. The accept queue has it,
 * in the order in which they came: the newest are in it. What an earlier round did not find there is none. */
static bool may_be_queued(const struct audit_connection *connection, const struct probe *probe, bool is_new)
{
    return probe->phase == PROBE_WAITED &&
           (connection->class == CLASS_NEVER_ACCEPTED || (is_new && connection->class == CLASS_CLOSED));
}

static void note_queued(struct audit_result *result, const struct probe *probes, int64_t first, int64_t count,
                        int64_t queued)
{
    for (int64_t i = count - 1; i >= 0 && queued > 0; i--) {
        struct audit_connection *connection = &result->connections[i];
        if (!may_be_queued(connection, &probes[i], i >= first))
            continue;
        result->held_after[connection->round] += connection->class == CLASS_CLOSED;
        connection->class = CLASS_NEVER_ACCEPTED;
        connection->held_to_the_end = true;
        queued--;
    }
}

/* One that sent something late has been quiet for a whole grace period since: it is not at work. */
static bool is_quiet_since(const struct audit_connection *connection, const struct probe *probe,
                           const struct audit_settings *settings, const struct audit_sight *sight,
                           int64_t now_us)
{
    return connection->class == CLASS_STILL_RESPONDING && probe->end == END_NONE && !probe->sends_on &&
           now_us - probe->heard_us >= settings->grace_ms * 1000 &&
           (is_servers_turn(sight) || (sight->own_seen && !sight->server_seen));
}

/* It was held when it was last seen, and nothing can be seen any more. */
static bool is_out_of_mind(const struct audit_connection *connection, const struct probe *probe,
                           const struct audit_settings *settings, const struct audit_sight *sight,
                           int64_t now_us)
{
    return is_held(connection) && !connection->server_seen && probe->end == END_NONE && !sight->own_seen &&
           probe_is_forgotten(probe, settings, now_us);
}

static void look_again(struct audit_result *result, const struct audit_settings *settings,
                       const struct probe *probes, int64_t count, const struct audit_look *look,
                       int64_t now_us)
{
    result->forgotten = 0;
    for (int64_t i = 0; i < count; i++) {
        struct audit_connection *connection = &result->connections[i];
        const struct audit_sight *sight = &look->sights[i];
        if (is_quiet_since(connection, &probes[i], settings, sight, now_us)) {
            connection->class = CLASS_HELD;
            note_server_end(connection, &probes[i], sight);
            result->held_after[connection->round]++;
        }
        connection->held_to_the_end = is_still_there(connection, &probes[i], settings, sight);
        result->forgotten += is_out_of_mind(connection, &probes[i], settings, sight, now_us);
    }
}

/* Of replies that differ in length one may be a little shorter and whole: then it ends as the others do.
 * Where no two of those that were waited for end alike, only much less than they have is less. */
static bool is_less(const struct audit_result *result, const struct probe *probe)
{
    if (probe->bytes >= result->reply_bytes)
        return false;
    if (probe->bytes * 4 < result->reply_bytes * 3)
        return true;
    return result->reply_end.length > 0 && !reply_end_equal(&probe->last, &result->reply_end);
}

/* It is over, and the client that did not wait has less than one that did. */
static bool has_lost_reply(const struct audit_result *result, const struct audit_settings *settings,
                           const struct probe *probe, const struct audit_connection *connection)
{
    return audit_order_row(settings->order)->fin_with_request && is_less(result, probe) &&
           (connection->class == CLASS_CLOSED || connection->class == CLASS_RESET);
}

/* What became of the requests after the first. */
static void note_requests(struct audit_requests *requests, const struct probe *probe,
                          const struct audit_settings *settings)
{
    bool has_ended = probe->end == END_FIN || probe->end == END_RESET;
    bool is_answered = probe->bytes_since_ask > 0;
    if (probe->asked > 1) {
        requests->sent++;
        requests->answered += is_answered;
        requests->lost += !is_answered && has_ended;
        requests->silent += !is_answered && !has_ended;
    }
    requests->not_kept +=
        probe->asked < probe_requests(settings) && is_answered && has_ended && probe->before_act;
}

void findings_take(struct audit_result *result, const struct audit_settings *settings,
                   const struct probe *probes, int64_t first, int64_t count, const struct audit_look *look,
                   int64_t queued_before, int64_t now_us)
{
    const struct audit_order_row *order = audit_order_row(settings->order);
    for (int64_t i = first; i < count; i++) {
        file(&result->connections[i], &probes[i], settings, &look->sights[i], look->listener_count > 0,
             now_us);
        if (has_lost_reply(result, settings, &probes[i], &result->connections[i]))
            result->connections[i].class = CLASS_REPLY_LOST;
        result->server_is_here |= look->sights[i].server_seen;
        result->held_after[probes[i].round] += is_held(&result->connections[i]);
        note_requests(&result->later, &probes[i], settings);
        result->orphans += order->never_reads && probes[i].end == END_FIN && probes[i].left_orphan;
        result->half_open +=
            probes[i].end == END_NONE && (probes[i].was_half_open || sight_is_half_open(&look->sights[i]));
        result->to_itself += probes[i].to_itself;
        result->not_opened += probes[i].not_opened;
    }
    look_again(result, settings, probes, count, look, now_us);
    if (order->act == ACT_ABORT)
        note_queued(result, probes, first, count, look->queued - queued_before);
    result->server_is_here |= look->listener_count > 0;
    result->count = count;
}

/* ---- all of them ---- */

/* Behind a close_notify, which has told the end of file, nobody need read the FIN: it counts 1. */
static bool is_eof_unread(const struct audit_connection *connection, const struct audit_settings *settings)
{
    bool has_notified = settings->tls != NULL && audit_order_notifies(audit_order_row(settings->order));
    return connection->unread > (has_notified ? 1U : 0U);
}

static enum audit_group group_of(const struct audit_connection *connection,
                                 const struct audit_settings *settings)
{
    if (!is_held(connection))
        return GROUP_NONE;
    if (connection->class == CLASS_NEVER_ACCEPTED)
        return GROUP_NO_OWNER;
    if (!connection->server_seen)
        return GROUP_FROM_AFAR;
    if (connection->role == OWNER_NOBODY)
        return GROUP_NO_DESCRIPTOR;
    if (audit_order_row(settings->order)->never_reads && connection->unsent > 0)
        return GROUP_STALLED;
    if (connection->server_state == STATE_ESTABLISHED || connection->server_state == STATE_SYN_SENT)
        return GROUP_OPEN;
    if (connection->server_state != STATE_CLOSE_WAIT)
        return GROUP_SHUT_DOWN;
    if (connection->role == OWNER_HEIR)
        return GROUP_OTHER_PROCESS;
    if (is_eof_unread(connection, settings))
        return GROUP_EOF_UNREAD;
    /* Of TLS the last data is a close_notify, or the handshake's. */
    return connection->fin_with_data && settings->tls == NULL ? GROUP_EOF_UNSURE : GROUP_EOF_READ;
}

static int by_time(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;
    return (one > other) - (one < other);
}

static int64_t quantile(const int64_t *sorted, int64_t count, int percent)
{
    return count > 0 ? sorted[(count - 1) * percent / 100] : -1;
}

static int64_t close_time(const struct audit_connection *connection)
{
    return connection->close_us;
}

static int64_t idle_time(const struct audit_connection *connection)
{
    return connection->idle_us;
}

/* Those that are known, sorted. */
static int64_t collect(const struct audit_result *result, int64_t (*time_of)(const struct audit_connection *),
                       int64_t *times)
{
    int64_t count = 0;
    for (int64_t i = 0; i < result->count; i++)
        if (time_of(&result->connections[i]) >= 0)
            times[count++] = time_of(&result->connections[i]);
    if (count > 0)
        qsort(times, (size_t)count, sizeof *times, by_time);
    return count;
}

static void sum_up_times(struct audit_result *result, const struct audit_settings *settings)
{
    int64_t *times = calloc((size_t)result->count + 1, sizeof *times), count;
    result->p50_us = result->p90_us = result->p99_us = result->max_us = -1;
    if (times == NULL)
        return;
    if (settings->order == AUDIT_IDLE) {
        count = collect(result, idle_time, times);
        result->idle_us = quantile(times, count, 50);
    }
    count = collect(result, close_time, times);
    result->p50_us = quantile(times, count, 50);
    result->p90_us = quantile(times, count, 90);
    result->p99_us = quantile(times, count, 99);
    result->max_us = quantile(times, count, 100);
    free(times);
}

/* Nobody can tell which descriptors are of which round, but their number after each round tells whether it
 * grows. Where it has not grown since the middle of the rounds it is a stock that is kept, of the last round
 * for all that is known; else they are of the rounds after which there were more than before. */
static void attribute_ghosts(struct audit_result *result, int64_t ghosts)
{
    int last = result->rounds - 1;
    bool grows = last <= 0 || result->ghosts_after[last] > result->ghosts_after[(last) / 2];
    int64_t later = ghosts;
    for (int round = last; round >= 0; round--) {
        int64_t before = round > 0 ? result->ghosts_after[round - 1] : 0;
        if (result->ghosts_after[round] > before)
            result->held_after[round] += result->ghosts_after[round] - before;
        before = !grows ? 0 : before < later ? before : later;
        result->held_to_the_end[round] += later - before;
        later = before;
    }
}

/* Connections that left every table while their descriptor stayed: nobody can tell which ones. */
static void note_ghosts(struct audit_result *result)
{
    int64_t *closed = &result->by_class[CLASS_CLOSED], *reset = &result->by_class[CLASS_RESET];
    int64_t ghosts = result->ghosts < *closed + *reset ? result->ghosts : *closed + *reset;
    int64_t of_closed = ghosts < *closed ? ghosts : *closed;
    *closed -= of_closed;
    *reset -= ghosts - of_closed;
    result->by_class[CLASS_HELD] += ghosts;
    result->by_group[GROUP_GHOST] += ghosts;
    attribute_ghosts(result, ghosts);
}

/* A reset in answer to a request is a refusal, unless something had come before. */
static bool is_played(const struct audit_connection *connection)
{
    return !connection->before_act || connection->bytes > 0 ||
           (connection->requested && connection->class == CLASS_CLOSED);
}

static bool is_audited(const struct audit_connection *connection)
{
    return is_played(connection) && (connection->class == CLASS_CLOSED || connection->class == CLASS_RESET ||
                                     connection->class == CLASS_REPLY_LOST ||
                                     connection->class == CLASS_STILL_RESPONDING || is_held(connection));
}

static bool ended_unplayed(const struct audit_connection *connection)
{
    return !is_played(connection) && (connection->class == CLASS_CLOSED || connection->class == CLASS_RESET);
}

/* What became of it after the RST only its descriptors would tell. */
static bool is_out_of_sight(const struct audit_result *result, const struct audit_settings *settings,
                            const struct audit_connection *connection)
{
    bool sees_all =
        result->ghost_sight == GHOSTS_SEEN && result->unseen_kin == 0 && !result->has_unseen_holder;
    return audit_order_row(settings->order)->act == ACT_ABORT && !sees_all && !connection->before_act &&
           connection->class == CLASS_CLOSED;
}

/* All of them met the same program. Where the FINs that came by themselves were read, it reads them: those
 * that came with the data, by the chance of a few milliseconds, are no other kind. */
static void narrow_unsure(struct audit_result *result)
{
    if (result->by_group[GROUP_EOF_READ] == 0 || result->by_group[GROUP_EOF_UNREAD] > 0)
        return;
    result->by_group[GROUP_EOF_READ] += result->by_group[GROUP_EOF_UNSURE];
    result->by_group[GROUP_EOF_UNSURE] = 0;
    for (int64_t i = 0; i < result->count; i++)
        if (result->connections[i].group == GROUP_EOF_UNSURE)
            result->connections[i].group = GROUP_EOF_READ;
}

void findings_conclude(struct audit_result *result, const struct audit_settings *settings)
{
    result->asked = settings->conns * settings->repeat;
    for (int64_t i = 0; i < result->count; i++) {
        struct audit_connection *connection = &result->connections[i];
        if (is_out_of_sight(result, settings, connection))
            connection->class = CLASS_UNKNOWN;
        connection->group = group_of(connection, settings);
        result->by_class[connection->class]++;
        if (connection->group != GROUP_NONE)
            result->by_group[connection->group]++;
        result->before_act +=
            connection->before_act && (connection->class == CLASS_CLOSED || connection->class == CLASS_RESET);
        result->audited += is_audited(connection);
        result->not_played += ended_unplayed(connection);
        result->reset_after_reply += connection->class == CLASS_RESET && connection->bytes > 0;
        result->held_to_the_end[connection->round] += connection->held_to_the_end;
    }
    narrow_unsure(result);
    sum_up_times(result, settings);
    note_ghosts(result);
}

int audit_first_held(const struct audit_result *result)
{
    for (int round = 0; round < result->rounds; round++)
        if (result->held_after[round] > 0)
            return round;
    return -1;
}

bool audit_is_enough(const struct audit_result *result)
{
    return result->audited * 10 >= result->asked * 9 && result->audited > 0;
}

static bool leaks(const struct audit_result *result, const struct audit_settings *settings)
{
    int first = audit_first_held(result);
    if (first < 0 || settings->repeat == 1 || first == result->rounds - 1)
        return first >= 0;
    return result->held_to_the_end[first] > 0;
}

bool audit_may_be_late(const struct audit_result *result, const struct audit_settings *settings)
{
    return settings->is_slowed && audit_first_held(result) >= 0 &&
           result->max_us > settings->grace_ms * 1000 / 2;
}

/* Within a tenth, or 200 ms: a server's timers are that coarse, and the last byte was under way. */
static bool is_off_time(const struct audit_result *result, const struct audit_settings *settings)
{
    enum { TOLERANCE_MS = 200 };
    int64_t expected_ms = settings->expect_idle_ms;
    int64_t tolerance_ms = expected_ms / 10 > TOLERANCE_MS ? expected_ms / 10 : TOLERANCE_MS;
    return expected_ms > 0 && result->idle_us >= 0 &&
           llabs(result->idle_us - expected_ms * 1000) > tolerance_ms * 1000;
}

/* Nothing to compare with, or no moment to send at. */
static bool has_no_reference(const struct audit_result *result, const struct audit_settings *settings)
{
    const struct audit_order_row *order = audit_order_row(settings->order);
    return (order->fin_with_request && result->reply_bytes <= 0) || (order->asks_late && result->idle_us < 0);
}

enum audit_outcome audit_outcome_of(const struct audit_result *result, const struct audit_settings *settings)
{
    if (result->interrupted)
        return AUDIT_INTERRUPTED;
    if (result->failure != NULL)
        return AUDIT_NO_VERDICT;
    if (result->fate == FATE_ENDED || result->fate == FATE_CRASHED)
        return AUDIT_ENDED;
    if (audit_may_be_late(result, settings))
        return AUDIT_NO_VERDICT;
    if (leaks(result, settings) || growth_is_leak(&result->growth))
        return AUDIT_LEAKS;
    if (result->by_class[CLASS_REPLY_LOST] > 0)
        return AUDIT_LOSES;
    if (has_no_reference(result, settings) || result->fate == FATE_STOPPED_SOMEHOW || result->forgotten > 0 ||
        !audit_is_enough(result) || growth_is_open(&result->growth))
        return AUDIT_NO_VERDICT;
    return is_off_time(result, settings) ? AUDIT_OFF_TIME : AUDIT_CLOSES;
}
