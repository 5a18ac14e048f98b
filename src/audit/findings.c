#include "audit/findings.h"

#include <stdlib.h>

const char *audit_class_name(enum audit_class class)
{
    static const char *const names[] = {
        [CLASS_CLOSED] = "closed",
        [CLASS_RESET] = "reset",
        [CLASS_STILL_RESPONDING] = "still_responding",
        [CLASS_HELD] = "held",
        [CLASS_NEVER_ACCEPTED] = "never_accepted",
        [CLASS_REFUSED] = "refused",
        [CLASS_TIMED_OUT] = "timed_out",
        [CLASS_FAILED] = "failed",
    };
    return names[class];
}

const char *audit_group_name(enum audit_group group)
{
    static const char *const names[] = {
        [GROUP_NONE] = "none",         [GROUP_FROM_AFAR] = "from_afar",
        [GROUP_NO_OWNER] = "no_owner", [GROUP_EOF_UNREAD] = "eof_unread",
        [GROUP_EOF_READ] = "eof_read", [GROUP_OTHER_PROCESS] = "other_process",
        [GROUP_GHOST] = "ghost",       [GROUP_OPEN] = "open",
    };
    return names[group];
}

/* ---- one connection ---- */

/* A server that sends in the latter half of the grace period is at work. */
static bool is_still_responding(const struct probe *probe, const struct audit_settings *settings)
{
    return probe->sends_on || probe->heard_us > probe->acted_us + settings->grace_ms * 500;
}

static bool is_in_no_process(const struct audit_sight *sight)
{
    return sight->server_seen && sight->inode == 0 &&
           (sight->server_state == STATE_CLOSE_WAIT || sight->server_state == STATE_ESTABLISHED);
}

/* Of one that the client has acted on and that has not ended. */
static enum audit_class class_of_open(const struct probe *probe, const struct audit_settings *settings,
                                      const struct audit_sight *sight, bool server_is_here)
{
    if (settings->order == AUDIT_ABORT) /* what is left of it can only be descriptors: see ghosts */
        return sight->server_seen ? CLASS_HELD : CLASS_CLOSED;
    if (settings->order == AUDIT_HALF_CLOSE && is_still_responding(probe, settings))
        return CLASS_STILL_RESPONDING;
    /* Where the accept queue is full the last ACK of the handshake is dropped: the client is connected to
     * nobody. */
    bool has_no_other_end = server_is_here && sight->own_seen && !sight->server_seen;
    bool is_unanswered = sight->own_seen && sight->own_state == STATE_FIN_WAIT1;
    if (is_in_no_process(sight))
        return CLASS_NEVER_ACCEPTED;
    if (sight->server_seen &&
        sight->inode != 0) /* in FIN_WAIT1: its window is full of what it does not read */
        return CLASS_HELD;
    return has_no_other_end || is_unanswered ? CLASS_TIMED_OUT : CLASS_HELD;
}

static enum audit_class class_of(const struct probe *probe, const struct audit_settings *settings,
                                 const struct audit_sight *sight, bool server_is_here)
{
    static const enum audit_class of_end[] = {
        [END_FIN] = CLASS_CLOSED,          [END_RESET] = CLASS_RESET,   [END_REFUSED] = CLASS_REFUSED,
        [END_TIMED_OUT] = CLASS_TIMED_OUT, [END_FAILED] = CLASS_FAILED,
    };
    return probe->end != END_NONE ? of_end[probe->end]
                                  : class_of_open(probe, settings, sight, server_is_here);
}

static bool is_held(const struct audit_connection *connection)
{
    return connection->class == CLASS_HELD || connection->class == CLASS_NEVER_ACCEPTED;
}

static void file(struct audit_connection *connection, const struct probe *probe,
                 const struct audit_settings *settings, const struct audit_sight *sight, bool server_is_here)
{
    *connection = (struct audit_connection){
        .round = probe->round,
        .class = class_of(probe, settings, sight, server_is_here),
        .before_act = probe->before_act,
        .close_us = probe->end == END_FIN && !probe->before_act ? probe->ended_us - probe->acted_us : -1,
        .bytes = probe->bytes,
        .error = probe->error,
        .port = probe->port,
    };
    if (!is_held(connection) || !sight->server_seen)
        return;
    connection->server_seen = true;
    connection->server_state = sight->server_state;
    connection->unread = sight->unread;
    connection->inode = sight->inode;
}

/* What was held at the end of its round may have been closed since. */
static bool is_still_there(const struct audit_connection *connection, const struct probe *probe,
                           const struct audit_sight *sight)
{
    if (!is_held(connection))
        return false;
    if (connection->server_seen)
        return sight->server_seen;
    return probe->end == END_NONE && sight->own_seen && sight->own_state != STATE_TIME_WAIT;
}

void findings_take(struct audit_result *result, const struct audit_settings *settings,
                   const struct probe *probes, int64_t first, int64_t count, const struct audit_look *look)
{
    for (int64_t i = first; i < count; i++) {
        file(&result->connections[i], &probes[i], settings, &look->sights[i], look->listener_count > 0);
        result->server_is_here |= look->sights[i].server_seen;
        result->held_after[probes[i].round] += is_held(&result->connections[i]);
    }
    for (int64_t i = 0; i < count; i++)
        result->connections[i].held_to_the_end =
            is_still_there(&result->connections[i], &probes[i], &look->sights[i]);
    result->server_is_here |= look->listener_count > 0;
    result->count = count;
}

/* ---- all of them ---- */

static enum audit_group group_of(const struct audit_connection *connection, const struct audit_look *look)
{
    if (!is_held(connection))
        return GROUP_NONE;
    if (!connection->server_seen)
        return GROUP_FROM_AFAR;
    if (connection->inode == 0)
        return GROUP_NO_OWNER;
    if (connection->server_state != STATE_CLOSE_WAIT)
        return GROUP_OPEN;
    if (look->listener_count > 0 && connection->owner != 0 && !connection->owner_listens)
        return GROUP_OTHER_PROCESS;
    return connection->unread > 0 ? GROUP_EOF_UNREAD : GROUP_EOF_READ;
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

static void sum_up_times(struct audit_result *result)
{
    int64_t *times = calloc((size_t)result->count + 1, sizeof *times), count = 0;
    result->p50_us = result->p90_us = result->p99_us = result->max_us = -1;
    if (times == NULL)
        return;
    for (int64_t i = 0; i < result->count; i++)
        if (result->connections[i].close_us >= 0)
            times[count++] = result->connections[i].close_us;
    if (count > 0)
        qsort(times, (size_t)count, sizeof *times, by_time);
    result->p50_us = quantile(times, count, 50);
    result->p90_us = quantile(times, count, 90);
    result->p99_us = quantile(times, count, 99);
    result->max_us = quantile(times, count, 100);
    free(times);
}

/* Where the count is lower later, some were closed in between: the oldest first. */
static void attribute_ghosts(struct audit_result *result, int64_t ghosts)
{
    int64_t later = ghosts;
    for (int round = result->rounds - 1; round >= 0; round--) {
        int64_t before = round > 0 ? result->ghosts_after[round - 1] : 0;
        if (result->ghosts_after[round] > before)
            result->held_after[round] += result->ghosts_after[round] - before;
        before = before < later ? before : later;
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

void findings_conclude(struct audit_result *result, const struct audit_look *look)
{
    server_side_owners(look, result->connections, result->count);
    for (int64_t i = 0; i < result->count; i++) {
        struct audit_connection *connection = &result->connections[i];
        connection->group = group_of(connection, look);
        result->by_class[connection->class]++;
        if (connection->group != GROUP_NONE)
            result->by_group[connection->group]++;
        result->before_act += connection->before_act && connection->class != CLASS_REFUSED;
        result->reset_after_reply += connection->class == CLASS_RESET && connection->bytes > 0;
        result->held_to_the_end[connection->round] += connection->held_to_the_end;
    }
    sum_up_times(result);
    note_ghosts(result);
}

int audit_first_held(const struct audit_result *result)
{
    for (int round = 0; round < result->rounds; round++)
        if (result->held_after[round] > 0)
            return round;
    return -1;
}

bool audit_leaks(const struct audit_result *result, const struct audit_settings *settings)
{
    int first = audit_first_held(result);
    if (first < 0 || settings->repeat == 1 || first == result->rounds - 1)
        return first >= 0;
    return result->held_to_the_end[first] > 0;
}

bool audit_is_void(const struct audit_result *result)
{
    int64_t no_verdict =
        result->by_class[CLASS_REFUSED] + result->by_class[CLASS_TIMED_OUT] + result->by_class[CLASS_FAILED];
    return result->count == 0 || no_verdict == result->count;
}
