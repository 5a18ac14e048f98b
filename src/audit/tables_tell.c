#include "audit/tables_tell.h"

enum {
    STUCK_BYTES = 2 * SMALL_SEGMENT, /* more than a delayed ACK leaves unacknowledged, */
    STUCK_US = 250000,               /* and for longer */
    HAND_OVER_US = 2000000,          /* for a kernel that waits for a byte, at most */
};

/* After close() the state of the client's own end tells. One that is gone without TIME_WAIT was reset, or the
 * kernel has forgotten it, which says nothing. */
static void tell_of_closed(struct probe *probe, const struct audit_sight *sight, int64_t before_us,
                           int64_t now_us)
{
    bool is_over = sight->own_seen ? sight->own_state == STATE_TIME_WAIT
                                   : !probe_is_forgotten(probe, probe->crowd->settings, before_us);
    if (probe->acted_us != 0 && probe->acted_us < before_us && is_over)
        probe_note_closed(probe, END_FIN, now_us);
}

/* One that was never accepted has no owner either, and is ESTABLISHED: close() leaves no such orphan. */
bool sight_is_let_go(const struct audit_sight *sight)
{
    if (!sight->server_seen)
        return true;
    return sight->inode == 0 && sight->server_state != STATE_ESTABLISHED &&
           sight->server_state != STATE_CLOSE_WAIT && sight->server_state != STATE_SYN_RECV;
}

bool sight_is_half_open(const struct audit_sight *sight)
{
    return sight->own_seen && sight->own_state == STATE_ESTABLISHED && sight->server_seen &&
           sight->server_state == STATE_SYN_RECV;
}

static void note_let_go(struct probe *probe, const struct audit_sight *sight, int64_t now_us)
{
    if (probe->let_go_us != 0)
        return;
    probe->let_go_us = now_us;
    probe->left_orphan = sight->server_seen && sight->server_state == STATE_FIN_WAIT1 && sight->unsent > 0;
}

/* The server's kernel waits for window, or what it has sent does not come in: a segment for which there is no
 * room is dropped, and then it is the retransmission that it waits for. */
static bool has_no_room(struct probe *probe, const struct audit_sight *sight, int64_t now_us)
{
    if (!sight->server_seen || sight->unsent <= STUCK_BYTES)
        probe->stuck_since_us = 0;
    else if (probe->stuck_since_us == 0)
        probe->stuck_since_us = now_us;
    return sight->server_seen &&
           (sight->needs_window || (probe->stuck_since_us > 0 && now_us - probe->stuck_since_us >= STUCK_US));
}

/* The kernel reads its table bucket by bucket: an RST in the middle of it takes away both ends, of which the
 * one that was read before still seems to be there. A look that began later tells how the server let go. */
static bool may_be_torn(const struct probe *probe, const struct audit_sight *sight, int64_t before_us)
{
    return !sight->server_seen && sight->own_seen && before_us <= probe->let_go_us;
}

/* The client is there and does nothing: the server's end tells. */
static void tell_of_silent(struct probe *probe, const struct audit_sight *sight, int64_t before_us,
                           int64_t now_us)
{
    bool never_reads = audit_order_row(probe->crowd->settings->order)->never_reads;
    if (probe->connected_us == 0 || probe->connected_us >= before_us || probe->phase == PROBE_ENDED)
        return;
    probe->was_met |= probe->bytes > 0 || (sight->server_seen && sight->server_state != STATE_SYN_RECV);
    if (never_reads && !probe->was_full && has_no_room(probe, sight, now_us))
        probe_note_full(probe);
    if (!probe->was_met || !sight_is_let_go(sight))
        return;
    note_let_go(probe, sight, now_us);
    if (never_reads && may_be_torn(probe, sight, before_us))
        return;
    if (never_reads ? probe->was_full : probe->is_deaf)
        probe_note_closed(probe, sight->own_seen ? END_FIN : END_RESET, probe->let_go_us);
}

/* A client that is about to reset its connection: later nothing is left that would tell. A kernel that waits
 * for the first byte (TCP_DEFER_ACCEPT) for a second or so hands it over without one then. */
static void tell_before_abort(struct probe *probe, const struct audit_sight *sight, int64_t before_us)
{
    if (probe->phase != PROBE_TALKING || probe->connected_us == 0 || probe->connected_us >= before_us)
        return;
    probe->was_half_open = probe->bytes == 0 && sight_is_half_open(sight);
    probe->was_looked_at = !probe->was_half_open || before_us - probe->connected_us > HAND_OVER_US;
}

void tables_tell(struct probe *probe, const struct audit_sight *sight, int64_t before_us, int64_t now_us)
{
    if (probe->crowd->waits_for_look)
        tell_before_abort(probe, sight, before_us);
    else if (audit_order_is_silent(audit_order_row(probe->crowd->settings->order)))
        tell_of_silent(probe, sight, before_us, now_us);
    else
        tell_of_closed(probe, sight, before_us, now_us);
}
