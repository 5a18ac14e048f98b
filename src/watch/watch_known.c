/* What a watch remembers of each socket from look to look. */
#include "base/array.h"
#include "watch/watch_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct known *watch_find_known(const struct watch *watch, uint64_t key)
{
    size_t slot = number_set_slot(&watch->known_keys, key);
    return slot != NO_SLOT ? &watch->known[slot] : NULL;
}

bool watch_is_seen(const struct watch *watch, const struct known *known)
{
    return known->look == watch->looks;
}

/* A full look has shown all that was there; a brief one all that was not at rest. */
static bool was_there(const struct watch *watch, const struct known *known)
{
    return known->look + 1 == watch->looks || (known->is_in_rest && known->look == watch->full_look);
}

/* ---- the table ---- */

static int make_room(struct watch *watch, size_t count)
{
    struct number_set keys = {0};
    if (count <= watch->known_room)
        return 0;
    int rc = number_set_reserve(&keys, count);
    struct known *known = rc == 0 ? calloc(keys.slot_count, sizeof *known) : NULL;
    if (known == NULL) {
        number_set_free(&keys);
        return -ENOMEM;
    }
    for (size_t slot = 0; slot < watch->known_keys.slot_count; slot++) {
        uint64_t key = watch->known_keys.slots[slot];
        if (key == 0)
            continue;
        number_set_add(&keys, key);
        known[number_set_slot(&keys, key)] = watch->known[slot];
    }
    number_set_free(&watch->known_keys);
    free(watch->known);
    watch->known_keys = keys;
    watch->known = known;
    watch->known_room = count;
    return 0;
}

/* That key is not in it. NULL without memory. */
static struct known *add_known(struct watch *watch, uint64_t key)
{
    size_t count = watch->known_keys.count + 1;
    if (make_room(watch, count <= watch->known_room ? count : 2 * count) != 0)
        return NULL;
    number_set_add(&watch->known_keys, key);
    return watch_find_known(watch, key);
}

/* ---- recalling ---- */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* When it came to CLOSE_WAIT, as far as this look and the earlier ones can tell: it was there at the latest
 * when it was first seen in it, or by the kernel's word; and not yet when it was last seen otherwise. The
 * kernel tells in a detailed look only, and is remembered. */
static struct watch_since since_of(const struct watch *watch, const struct seen *seen,
                                   const struct known *known, int64_t now_us)
{
    if (seen->state != STATE_CLOSE_WAIT)
        return (struct watch_since){0, 0};
    bool was_in_it = known != NULL && known->since.latest_us != 0;
    struct watch_since since = {.latest_us = seen->heard_ms > 0 ? now_us - seen->heard_ms * 1000 : now_us};
    if (was_in_it && known->since.latest_us < since.latest_us)
        since.latest_us = known->since.latest_us;
    since.earliest_us = was_in_it ? known->since.earliest_us : watch->last_us;
    if (seen->fin_most_ms >= 0)
        since.earliest_us = later(since.earliest_us, now_us - seen->fin_most_ms * 1000);
    if (since.earliest_us > since.latest_us)
        since.earliest_us = since.latest_us;
    return since;
}

static bool is_worth_knowing(const struct seen *seen)
{
    return seen->key != 0 &&
           (seen->inode != 0 || seen->state == STATE_CLOSE_WAIT || seen->state == STATE_ESTABLISHED);
}

/* NULL: the last look has not shown it. */
static void fill_in(const struct watch *watch, struct seen *seen, const struct known *known, int64_t now_us)
{
    seen->since = since_of(watch, seen, known, now_us);
    seen->is_unknown = known == NULL;
    seen->is_in_rest = known != NULL && watch->is_brief && known->is_in_rest;
    seen->groups_before = known != NULL ? known->groups : 0;
    seen->fin_with_data |= seen->heard_ms < 0 && known != NULL && known->fin_with_data;
    if (known == NULL || seen->inode == 0)
        return;
    seen->pid = known->pid;
    seen->fd = known->fd;
    seen->sought = known->sought;
}

/* An entry is marked as seen, whether it is a new one or not. */
static int recall_one(struct watch *watch, struct seen *seen, int64_t now_us)
{
    struct known *known = is_worth_knowing(seen) ? watch_find_known(watch, seen->key) : NULL;
    bool is_old = known != NULL && (was_there(watch, known) || watch_is_seen(watch, known));
    fill_in(watch, seen, is_old ? known : NULL, now_us);
    if (!is_worth_knowing(seen))
        return 0;
    watch->has_unknown |= !is_old && seen->inode != 0;
    if (known == NULL && (known = add_known(watch, seen->key)) == NULL)
        return -ENOMEM;
    if (!is_old)
        *known = (struct known){.has_inode = seen->inode != 0, .fd = -1};
    known->look = watch->looks;
    return 0;
}

static int note_vanished(struct watch *watch, uint64_t key, const struct known *known)
{
    int rc = ARRAY_RESERVE(watch->vanished, watch->vanished_room, watch->vanished_count + 1);
    if (rc == 0)
        watch->vanished[watch->vanished_count++] =
            (struct vanished){.inode = key, .pid = known->pid, .fd = known->fd};
    return rc;
}

static int find_vanished(struct watch *watch)
{
    int rc = 0;
    watch->vanished_count = 0;
    for (size_t i = 0; watch->is_brief && i < watch->held_count && rc == 0; i++) {
        const struct known *known = watch_find_known(watch, watch->held[i]);
        if (known != NULL && !watch_is_seen(watch, known))
            rc = note_vanished(watch, watch->held[i], known);
    }
    for (size_t slot = 0; !watch->is_brief && slot < watch->known_keys.slot_count && rc == 0; slot++) {
        const struct known *known = &watch->known[slot];
        if (watch->known_keys.slots[slot] != 0 && known->has_inode && !watch_is_seen(watch, known) &&
            was_there(watch, known))
            rc = note_vanished(watch, watch->known_keys.slots[slot], known);
    }
    return rc;
}

int watch_recall(struct watch *watch, int64_t now_us)
{
    int rc = 0;
    watch->has_unknown = false;
    for (size_t i = 0; i < watch->seen_count && rc == 0; i++)
        if (watch->seen[i].key != 0)
            rc = recall_one(watch, &watch->seen[i], now_us);
    return rc == 0 ? find_vanished(watch) : rc;
}

/* ---- remembering ---- */

static void remember_one(const struct watch *watch, struct known *known, const struct seen *seen)
{
    bool is_at_rest = state_set_has(STATES_AT_REST, (enum tcp_state)seen->state);
    *known = (struct known){.look = watch->looks,
                            .met_look = known->met_look,
                            .has_inode = seen->inode != 0,
                            .is_in_rest = watch->is_brief ? known->is_in_rest : is_at_rest,
                            .sought = seen->sought,
                            .pid = seen->pid,
                            .fd = seen->fd,
                            .place = seen->place->serial,
                            .remote = seen->remote,
                            .local_port = seen->local_port,
                            .remote_port = seen->remote_port,
                            .fin_with_data = seen->fin_with_data,
                            .groups = seen->groups,
                            .since = seen->since};
}

/* What a full look has not shown is forgotten. */
static int forget(struct watch *watch)
{
    size_t count = 0;
    for (size_t i = 0; i < watch->seen_count; i++)
        count += is_worth_knowing(&watch->seen[i]);
    number_set_free(&watch->known_keys);
    free(watch->known);
    watch->known = NULL;
    watch->known_room = 0;
    return make_room(watch, count + count / 4 + 64); /* for what comes until the next one */
}

int watch_remember(struct watch *watch)
{
    int rc = watch->is_brief ? 0 : forget(watch);
    watch->held_count = 0;
    for (size_t i = 0; i < watch->seen_count && rc == 0; i++) {
        const struct seen *seen = &watch->seen[i];
        if (!is_worth_knowing(seen))
            continue;
        struct known *known = watch_find_known(watch, seen->key);
        if (known == NULL && (known = add_known(watch, seen->key)) == NULL)
            return -ENOMEM;
        remember_one(watch, known, seen);
        bool is_held = seen->inode != 0 && seen->state != STATE_GONE &&
                       !state_set_has(STATES_AT_REST, (enum tcp_state)seen->state);
        rc = is_held ? ARRAY_RESERVE(watch->held, watch->held_room, watch->held_count + 1) : 0;
        if (rc == 0 && is_held)
            watch->held[watch->held_count++] = seen->inode;
    }
    if (!watch->is_brief)
        watch->full_look = watch->looks;
    return rc;
}
