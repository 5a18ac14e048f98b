#include "explain/contrast.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const double LIFT_LEAST = 3;

enum { NETWORK_BYTES_4 = 3, NETWORK_BYTES_6 = 8 };

/* A trait of one socket; those that compare equal are the same. It is zeroed first: no bytes are left over.
 */
struct value {
    enum trait trait;
    int family;
    uint8_t bytes[16];
    uint64_t number;
};

struct counted {
    struct value value;
    int lingering, healthy;
};

struct list {
    struct counted *each;
    size_t count;
};

static void add(struct list *list, const struct value *value, bool lingers)
{
    list->each[list->count].value = *value;
    list->each[list->count].lingering = lingers;
    list->each[list->count++].healthy = !lingers;
}

static struct value value_of(enum trait trait, uint64_t number)
{
    struct value value;
    memset(&value, 0, sizeof value);
    value.trait = trait;
    value.number = number;
    return value;
}

static void add_address(struct list *list, enum trait trait, const struct fact_endpoint *endpoint,
                        size_t bytes, bool lingers)
{
    struct value value = value_of(trait, trait == TRAIT_LISTENER ? endpoint->port : 0);
    value.family = endpoint->address.family;
    memcpy(value.bytes, endpoint->address.bytes, bytes);
    add(list, &value, lingers);
}

static void add_plain(struct list *list, enum trait trait, uint64_t number, bool lingers)
{
    struct value value = value_of(trait, number);
    add(list, &value, lingers);
}

/* At most one value of each trait. */
static void add_traits(const struct facts *facts, struct list *list, const struct fact_socket *socket,
                       bool lingers)
{
    bool is_4 = socket->peer.address.family == AF_INET;
    if (socket->peer.address.family != 0) {
        add_address(list, TRAIT_PEER, &socket->peer, sizeof socket->peer.address.bytes, lingers);
        add_address(list, TRAIT_NETWORK, &socket->peer, is_4 ? NETWORK_BYTES_4 : NETWORK_BYTES_6, lingers);
    }
    if (socket->listener >= 0)
        add_address(list, TRAIT_LISTENER, &facts->listeners[socket->listener].at,
                    sizeof socket->peer.address.bytes, lingers);
    if (!socket->has_info)
        return;
    if (socket->bytes_received == 0)
        add_plain(list, TRAIT_NEVER_SENT, 0, lingers);
    else
        add_plain(list, socket->data_segs_out == 0 ? TRAIT_UNANSWERED : TRAIT_ANSWERED, 0, lingers);
    if (socket->bytes_received > 0)
        add_plain(list, TRAIT_BYTES, socket->bytes_received, lingers);
    if (socket->keepalive)
        add_plain(list, TRAIT_KEEPALIVE, 0, lingers);
}

static int by_value(const void *a, const void *b)
{
    return memcmp(&((const struct counted *)a)->value, &((const struct counted *)b)->value,
                  sizeof(struct value));
}

static void merge_equal(struct list *list)
{
    size_t kept = 0;
    qsort(list->each, list->count, sizeof *list->each, by_value);
    for (size_t i = 0; i < list->count; i++) {
        if (kept > 0 && by_value(&list->each[kept - 1], &list->each[i]) == 0) {
            list->each[kept - 1].lingering += list->each[i].lingering;
            list->each[kept - 1].healthy += list->each[i].healthy;
        } else {
            list->each[kept++] = list->each[i];
        }
    }
    list->count = kept;
}

/* ---- what tells the most ---- */

static struct shared_trait shared_of(const struct counted *counted, const struct contrast *contrast)
{
    struct shared_trait shared = {
        .trait = counted->value.trait,
        .peer.port = counted->value.trait == TRAIT_LISTENER ? (uint16_t)counted->value.number : 0,
        .bytes = counted->value.trait == TRAIT_BYTES ? counted->value.number : 0,
        .lingering = counted->lingering,
        .healthy = counted->healthy};
    shared.peer.address.family = counted->value.family;
    memcpy(shared.peer.address.bytes, counted->value.bytes, sizeof shared.peer.address.bytes);
    shared.lift = ((counted->lingering + 0.5) / (contrast->lingering + 1.0)) /
                  ((counted->healthy + 0.5) / (contrast->healthy + 1.0));
    return shared;
}

/* A network says nothing new beside a peer that as many have. */
static bool is_said(const struct contrast *contrast, const struct shared_trait *shared)
{
    for (int i = 0; i < contrast->count; i++) {
        const struct shared_trait *said = &contrast->traits[i];
        if (shared->trait == TRAIT_NETWORK && said->trait == TRAIT_PEER &&
            said->lingering == shared->lingering && said->healthy == shared->healthy)
            return true;
    }
    return false;
}

static void insert(struct contrast *contrast, const struct shared_trait *shared)
{
    int at = contrast->count;
    while (at > 0 && contrast->traits[at - 1].lift < shared->lift)
        at--;
    if (at == CONTRAST_MOST || is_said(contrast, shared))
        return;
    int last = contrast->count < CONTRAST_MOST ? contrast->count++ : CONTRAST_MOST - 1;
    memmove(&contrast->traits[at + 1], &contrast->traits[at],
            (size_t)(last - at) * sizeof contrast->traits[0]);
    contrast->traits[at] = *shared;
}

static void choose(const struct list *list, struct contrast *contrast)
{
    for (size_t i = 0; i < list->count; i++) {
        struct shared_trait shared = shared_of(&list->each[i], contrast);
        if (2 * shared.lingering >= contrast->lingering && shared.lift >= LIFT_LEAST)
            insert(contrast, &shared);
    }
}

/* ---- whom to compare ---- */

/* Accepted connections, which a listener can be asked about; those in its queue are nobody's doing. */
static bool is_comparable(const struct fact_socket *socket)
{
    return socket->way == WAY_ACCEPTED && socket->listener >= 0;
}

static void add_lingering(const struct facts *facts, const struct groups *groups, struct list *list,
                          struct contrast *contrast)
{
    for (int g = 0; g < groups->count; g++)
        for (int i = 0; i < groups->each[g].count; i++) {
            const struct fact_socket *socket = &facts->sockets[groups->each[g].members[i]];
            if (!is_comparable(socket))
                continue;
            contrast->lingering++;
            add_traits(facts, list, socket, true);
        }
}

static void add_healthy(const struct facts *facts, struct list *list, struct contrast *contrast)
{
    for (int i = 0; i < facts->socket_count + facts->ended_count; i++) {
        bool has_ended = i >= facts->socket_count;
        const struct fact_socket *socket =
            has_ended ? &facts->ended[i - facts->socket_count] : &facts->sockets[i];
        bool is_open = socket->state == STATE_ESTABLISHED && socket->holder != HOLDER_QUEUE &&
                       socket->holder != HOLDER_CALL;
        if (!is_comparable(socket) || (!has_ended && !is_open))
            continue;
        contrast->healthy++;
        add_traits(facts, list, socket, false);
    }
}

int contrast_of(const struct facts *facts, const struct groups *groups, struct contrast *contrast)
{
    *contrast = (struct contrast){0};
    size_t most = (size_t)(groups->lingering + facts->socket_count + facts->ended_count);
    struct list list = {.each = calloc(most * TRAIT_COUNT + 1, sizeof *list.each)};
    if (list.each == NULL)
        return -ENOMEM;
    add_lingering(facts, groups, &list, contrast);
    add_healthy(facts, &list, contrast);
    if (contrast->lingering >= CONTRAST_LEAST && contrast->healthy >= CONTRAST_LEAST) {
        merge_equal(&list);
        choose(&list, contrast);
    }
    free(list.each);
    return 0;
}
