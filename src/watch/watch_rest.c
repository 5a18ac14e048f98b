/* What a brief look leaves out: connections that rest in ESTABLISHED or TIME_WAIT, as the last full look has
 * shown them. Those that count alike are one. */
#include "base/array.h"
#include "base/hash.h"
#include "watch/watch_state.h"

#include <errno.h>
#include <stdlib.h>

enum {
    CHEAP_US = 10000, /* full looks that take no longer are always taken */
    FULL_SHARE = 300, /* others take at most this part of a core; detailed ones come besides */
};

static int64_t cheap_us(const struct watch *watch)
{
    return watch->settings.cheap_us != 0 ? watch->settings.cheap_us : CHEAP_US;
}

/* Who hears of each connection, or is told what moves where, is shown all. */
bool watch_has_to_be_brief(const struct watch *watch, int64_t now_us)
{
    const struct watch_settings *settings = &watch->settings;
    bool shows_all = watch->wants_all || watch->full_look == 0 || settings->flow != NULL ||
                     settings->closings != NULL || settings->all_namespaces;
    bool is_able = !watch->cannot_be_brief && watch->witness->each_in_states != NULL &&
                   watch->place_count == 1 && watch->places[0]->where == NULL;
    bool takes_long =
        watch->full_took_us > cheap_us(watch) && now_us - watch->full_us < FULL_SHARE * watch->full_took_us;
    return !shows_all && is_able && (takes_long || cheap_us(watch) < 0);
}

bool watch_is_cheap(const struct watch *watch, int64_t took_us)
{
    return took_us <= cheap_us(watch);
}

/* ---- what counts alike ---- */

/* All that a row of any set, or what is told of it, depends on. */
static uint64_t kind_of(const struct watch *watch, const struct seen *seen)
{
    bool serves = seen->place->serves[seen->local_port];
    uint16_t port = serves ? seen->local_port : seen->remote_port;
    uint64_t hash = hash_mix(seen->place->serial, (uint64_t)port << 32 | (uint32_t)seen->pid);
    hash = hash_mix(hash, (uint64_t)seen->service << 32 | seen->groups);
    hash = hash_mix(hash, (uint64_t)seen->is_unknown << 32 | seen->groups_before);
    hash = hash_mix(hash, (uint64_t)seen->sought << 32 | (uint64_t)seen->group_at_rest << 24 |
                              (uint64_t)seen->state << 16 | (uint64_t)serves << 8 | (seen->inode != 0));
    if (watch->settings.by_peer)
        hash = hash_add(hash, seen->remote.bytes, sizeof seen->remote.bytes);
    return hash != 0 ? hash : 1;
}

/* A client's own port tells it from the others, and serves nobody. */
static int begin_kind(struct watch *watch, const struct seen *seen)
{
    int rc = ARRAY_RESERVE(watch->rest, watch->rest_room, watch->rest_count + 1);
    if (rc != 0)
        return rc;
    struct seen *kind = &watch->rest[watch->rest_count++];
    *kind = *seen;
    kind->key = 0;
    kind->fd = -1;
    kind->rests_ms = kind->heard_ms = kind->fin_most_ms = -1;
    if (!seen->place->serves[seen->local_port])
        kind->local_port = 0;
    return 0;
}

static void add_to_kind(struct seen *kind, const struct seen *seen)
{
    kind->times++;
    kind->recv_q += seen->recv_q;
    kind->send_q += seen->send_q;
    if (kind->remote.family != 0 && !address_equal(&kind->remote, &seen->remote))
        kind->remote.family = 0;
}

static bool is_at_rest(const struct seen *seen)
{
    return state_set_has(STATES_AT_REST, (enum tcp_state)seen->state);
}

/* What does not rest stays, in its order. */
static int sort_into_kinds(struct watch *watch, struct number_set *kinds, uint32_t *numbers)
{
    size_t left = 0;
    int rc = 0;
    for (size_t i = 0; i < watch->seen_count && rc == 0; i++) {
        const struct seen *seen = &watch->seen[i];
        if (!is_at_rest(seen)) {
            watch->seen[left++] = *seen;
            continue;
        }
        uint64_t kind = kind_of(watch, seen);
        bool is_new = number_set_add(kinds, kind) > 0; /* there is room */
        uint32_t *number = &numbers[number_set_slot(kinds, kind)];
        if (!is_new) {
            add_to_kind(&watch->rest[*number], seen);
            continue;
        }
        *number = (uint32_t)watch->rest_count;
        rc = begin_kind(watch, seen);
    }
    watch->seen_count = left;
    return rc;
}

int watch_gather_rest(struct watch *watch)
{
    struct number_set kinds = {0};
    size_t count = 0;
    watch->rest_count = 0;
    for (size_t i = 0; i < watch->seen_count; i++)
        count += is_at_rest(&watch->seen[i]);
    int rc = number_set_reserve(&kinds, count);
    uint32_t *numbers = rc == 0 ? calloc(kinds.slot_count, sizeof *numbers) : NULL;
    rc = numbers != NULL ? sort_into_kinds(watch, &kinds, numbers) : -ENOMEM;
    free(numbers);
    number_set_free(&kinds);
    for (size_t i = 0; i < watch->rest_count && rc == 0; i++)
        rc = watch_add_seen(watch, &watch->rest[i]);
    return rc;
}

int watch_carry_rest(struct watch *watch)
{
    int rc = 0;
    watch->seen_count = 0;
    for (size_t i = 0; i < watch->rest_count && rc == 0; i++) {
        struct seen *kind = &watch->rest[i];
        kind->is_unknown = false;
        kind->groups_before = kind->groups;
        rc = watch_add_seen(watch, kind);
    }
    return rc;
}
