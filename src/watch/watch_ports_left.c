/* The ephemeral ports that are left from an address of ours to a destination. */
#include "base/hash.h"
#include "watch/watch_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Told where fewer than one in so many are left. */
enum { FEW_SHARE = 10 };

static int64_t ports_of(const struct place *place)
{
    return place->ephemeral_last - place->ephemeral_first + 1;
}

/* TIME_WAIT takes its port, too. */
static bool takes_port(const struct seen *seen)
{
    return seen->state != STATE_LISTEN && seen->state != STATE_GONE &&
           !seen->place->serves[seen->local_port] && seen->local_port >= seen->place->ephemeral_first &&
           seen->local_port <= seen->place->ephemeral_last;
}

static uint64_t destination_of(const struct seen *seen)
{
    uint64_t hash = hash_add(HASH_OF_NOTHING, seen->local.bytes, sizeof seen->local.bytes);
    hash = hash_add(hash, seen->remote.bytes, sizeof seen->remote.bytes);
    hash = hash_add(hash, &seen->remote_port, sizeof seen->remote_port);
    hash = hash_add(hash, &seen->place->serial, sizeof seen->place->serial);
    return hash != 0 ? hash : 1;
}

/* Of each destination with few left the first socket tells it. */
static void pick(const struct watch *watch, struct watch_look *look, const struct number_set *keys,
                 int64_t *taken)
{
    for (size_t i = 0; i < watch->seen_count && look->ports_left_count < WATCH_PORTS_LEFT_MAX; i++) {
        const struct seen *seen = &watch->seen[i];
        size_t slot = takes_port(seen) ? number_set_slot(keys, destination_of(seen)) : NO_SLOT;
        int64_t all = slot != NO_SLOT ? ports_of(seen->place) : 0;
        if (slot == NO_SLOT || (all - taken[slot]) * FEW_SHARE >= all)
            continue;
        look->ports_left[look->ports_left_count++] = (struct watch_ports_left){.local = seen->local,
                                                                               .remote = seen->remote,
                                                                               .port = seen->remote_port,
                                                                               .left = all - taken[slot],
                                                                               .all = all};
        taken[slot] = 0;
    }
}

static int count_anew(const struct watch *watch, struct watch_look *look)
{
    int64_t fewest = UINT16_MAX, count = 0;
    for (size_t i = 0; i < watch->place_count; i++)
        fewest = ports_of(watch->places[i]) < fewest ? ports_of(watch->places[i]) : fewest;
    for (size_t i = 0; i < watch->seen_count; i++)
        count += takes_port(&watch->seen[i]);
    if ((fewest - count) * FEW_SHARE >= fewest)
        return 0; /* even if all went to one destination */
    struct number_set keys = {0};
    int rc = number_set_reserve(&keys, (size_t)count);
    int64_t *taken = rc == 0 ? calloc(keys.slot_count, sizeof *taken) : NULL;
    for (size_t i = 0; taken != NULL && i < watch->seen_count; i++) {
        const struct seen *seen = &watch->seen[i];
        if (!takes_port(seen))
            continue;
        number_set_add(&keys, destination_of(seen));
        taken[number_set_slot(&keys, destination_of(seen))]++;
    }
    if (taken != NULL)
        pick(watch, look, &keys, taken);
    rc = taken != NULL ? 0 : -ENOMEM;
    free(taken);
    number_set_free(&keys);
    return rc;
}

/* A brief look does not see who takes them. */
int watch_count_ports_left(struct watch *watch, struct watch_look *look)
{
    if (!watch->is_brief) {
        int rc = count_anew(watch, look);
        memcpy(watch->ports_left, look->ports_left, sizeof watch->ports_left);
        watch->ports_left_count = look->ports_left_count;
        return rc;
    }
    memcpy(look->ports_left, watch->ports_left, sizeof look->ports_left);
    look->ports_left_count = watch->ports_left_count;
    return 0;
}
