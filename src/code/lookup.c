#include "code/lookup.h"

#include <errno.h>
#include <stdlib.h>

enum { LEAST_ROOM = 16 };

/* `at` counts the slots that were looked at from the hash's own on. */
void *lookup_next(const struct lookup *lookup, uint64_t hash, size_t *at)
{
    while (*at < lookup->room) {
        const struct lookup_slot *slot = &lookup->slots[(hash + (*at)++) & (lookup->room - 1)];
        if (slot->item == NULL)
            break;
        if (slot->hash == hash)
            return slot->item;
    }
    return NULL;
}

static void put(struct lookup_slot *slots, size_t room, uint64_t hash, void *item)
{
    size_t at = hash & (room - 1);
    while (slots[at].item != NULL)
        at = (at + 1) & (room - 1);
    slots[at] = (struct lookup_slot){hash, item};
}

int lookup_add(struct lookup *lookup, uint64_t hash, void *item)
{
    if (lookup->count * 2 >= lookup->room) {
        size_t room = lookup->room == 0 ? LEAST_ROOM : lookup->room * 2;
        struct lookup_slot *slots = calloc(room, sizeof *slots);
        if (slots == NULL)
            return -ENOMEM;
        for (size_t i = 0; i < lookup->room; i++)
            if (lookup->slots[i].item != NULL)
                put(slots, room, lookup->slots[i].hash, lookup->slots[i].item);
        free(lookup->slots);
        lookup->slots = slots;
        lookup->room = room;
    }
    put(lookup->slots, lookup->room, hash, item);
    lookup->count++;
    return 0;
}

void lookup_clear(struct lookup *lookup, void (*free_item)(void *item))
{
    for (size_t i = 0; i < lookup->room && free_item != NULL; i++)
        if (lookup->slots[i].item != NULL)
            free_item(lookup->slots[i].item);
    free(lookup->slots);
    *lookup = (struct lookup){0};
}
