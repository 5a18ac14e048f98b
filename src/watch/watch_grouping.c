/* Which groups a socket is in. */
#include "watch/watch_state.h"

#include "base/min_max.h"

/* Data that lies unread rests since the last of it came. What is not sent rests while none goes, or none is
 * acknowledged: a peer that reads nothing answers probes, one that is gone is sent the same again and again.
 */
void watch_note_rest(struct seen *seen, const struct socket_entry *entry)
{
    seen->group_at_rest = WATCH_GROUPS;
    seen->rests_ms = -1;
    if (entry->state != STATE_ESTABLISHED || entry->inode == 0)
        return;
    bool is_told = entry->received_ms >= 0 && entry->sent_ms >= 0 && entry->acked_ms >= 0;
    if (entry->unread > 0) {
        seen->group_at_rest = GROUP_UNREAD;
        seen->rests_ms = entry->received_ms;
    } else if (entry->unsent > 0) {
        seen->group_at_rest = GROUP_UNSENT;
        seen->rests_ms = entry->sent_ms > entry->acked_ms ? entry->sent_ms : entry->acked_ms;
    } else {
        seen->group_at_rest = GROUP_IDLE;
        seen->rests_ms = min_of(entry->sent_ms, entry->received_ms);
    }
    if (!is_told)
        seen->rests_ms = -1;
}

/* What nobody told at this look is as it was. */
static bool is_at_rest(const struct watch *watch, const struct seen *seen)
{
    int64_t idle_ms = watch->settings.idle_ms;
    if (seen->group_at_rest == WATCH_GROUPS || idle_ms == 0)
        return false;
    return seen->rests_ms >= 0 ? seen->rests_ms >= idle_ms
                               : (seen->groups_before & GROUP_SET(seen->group_at_rest)) != 0;
}

static uint32_t groups_of(const struct watch *watch, const struct seen *seen)
{
    const uint32_t owed = GROUP_SET(GROUP_CLOSE_WAIT) | GROUP_SET(GROUP_GHOSTS);
    enum watch_group of_state = watch_group_of_state((enum tcp_state)seen->state, seen->inode != 0);
    uint32_t groups = of_state != WATCH_GROUPS ? GROUP_SET(of_state) : 0;
    bool may_wait = seen->state == STATE_ESTABLISHED || seen->state == STATE_CLOSE_WAIT;
    if ((groups & owed) != 0)
        groups |= GROUP_SET(GROUP_OWED);
    if (may_wait && seen->inode == 0 && seen->place->listens[seen->local_port])
        groups |= GROUP_SET(GROUP_ACCEPT_QUEUE);
    if (is_at_rest(watch, seen))
        groups |= GROUP_SET(seen->group_at_rest);
    return groups;
}

void watch_find_groups(struct watch *watch)
{
    for (size_t i = 0; i < watch->seen_count; i++)
        watch->seen[i].groups = groups_of(watch, &watch->seen[i]);
}
