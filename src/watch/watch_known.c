/* What a watch remembers of each socket from look to look. */
#include "watch/watch_state.h"

#include <errno.h>
#include <stdlib.h>

const struct known *watch_find_known(const struct watch *watch, uint64_t key)
{
    size_t slot = number_set_slot(&watch->known_keys, key);
    return slot != NO_SLOT ? &watch->known[slot] : NULL;
}

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
    bool was_there = known != NULL && known->since.latest_us != 0;
    struct watch_since since = {.latest_us = seen->heard_ms > 0 ? now_us - seen->heard_ms * 1000 : now_us};
    if (was_there && known->since.latest_us < since.latest_us)
        since.latest_us = known->since.latest_us;
    since.earliest_us = was_there ? known->since.earliest_us : watch->last_us;
    if (seen->fin_most_ms >= 0)
        since.earliest_us = later(since.earliest_us, now_us - seen->fin_most_ms * 1000);
    if (since.earliest_us > since.latest_us)
        since.earliest_us = since.latest_us;
    return since;
}

bool watch_recall(struct watch *watch, int64_t now_us)
{
    size_t held = 0;
    bool are_same = true;
    for (size_t i = 0; i < watch->seen_count; i++) {
        struct seen *seen = &watch->seen[i];
        const struct known *known = watch_find_known(watch, seen->key);
        seen->since = since_of(watch, seen, known, now_us);
        seen->fin_with_data |= seen->heard_ms < 0 && known != NULL && known->fin_with_data;
        if (seen->inode == 0)
            continue;
        held++;
        are_same &= known != NULL;
        seen->pid = known != NULL ? known->pid : 0;
        seen->was_hidden = known != NULL && known->pid == 0;
    }
    return are_same && held == watch->known_held;
}

static bool is_worth_knowing(const struct seen *seen)
{
    return seen->inode != 0 || seen->state == STATE_CLOSE_WAIT;
}

int watch_remember(struct watch *watch)
{
    struct number_set keys = {0};
    size_t count = 0, held = 0;
    for (size_t i = 0; i < watch->seen_count; i++)
        count += is_worth_knowing(&watch->seen[i]);
    int rc = number_set_reserve(&keys, count);
    struct known *fresh = rc == 0 ? calloc(keys.slot_count, sizeof *fresh) : NULL;
    if (fresh == NULL) {
        number_set_free(&keys);
        return -ENOMEM;
    }
    for (size_t i = 0; i < watch->seen_count; i++) {
        const struct seen *seen = &watch->seen[i];
        held += seen->inode != 0;
        if (!is_worth_knowing(seen))
            continue;
        number_set_add(&keys, seen->key);
        fresh[number_set_slot(&keys, seen->key)] = (struct known){.pid = seen->pid,
                                                                  .remote = seen->remote,
                                                                  .local_port = seen->local_port,
                                                                  .remote_port = seen->remote_port,
                                                                  .fin_with_data = seen->fin_with_data,
                                                                  .since = seen->since};
    }
    number_set_free(&watch->known_keys);
    free(watch->known);
    watch->known_keys = keys;
    watch->known = fresh;
    watch->known_held = held;
    return 0;
}
