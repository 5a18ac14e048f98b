#include "base/number_set.h"

#include <errno.h>
#include <stdlib.h>

enum { ROOM_AT_FIRST = 64 };

/* Open addressing, linear probing: one slot in five is free. */
static size_t slots_for(size_t count)
{
    return count + count / 4 + 1;
}

/* The slot of that number, or the free one where it belongs. Inodes are handed out one after the other: the
 * factor (2^64 over the golden ratio, Knuth's multiplicative hashing) spreads them. */
static size_t slot_of(const struct number_set *set, uint64_t number)
{
    uint64_t hash = (number * 0x9e3779b97f4a7c15U) >> 32;
    size_t i = (size_t)(hash * set->slot_count >> 32);
    while (set->slots[i] != 0 && set->slots[i] != number)
        i = i + 1 < set->slot_count ? i + 1 : 0;
    return i;
}

int number_set_reserve(struct number_set *set, size_t count)
{
    struct number_set larger = {.slot_count = slots_for(count), .count = set->count};
    if (larger.slot_count <= set->slot_count)
        return 0;
    larger.slots = calloc(larger.slot_count, sizeof *larger.slots);
    if (larger.slots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < set->slot_count; i++)
        if (set->slots[i] != 0)
            larger.slots[slot_of(&larger, set->slots[i])] = set->slots[i];
    free(set->slots);
    *set = larger;
    return 0;
}

int number_set_add(struct number_set *set, uint64_t number)
{
    if (slots_for(set->count + 1) > set->slot_count &&
        number_set_reserve(set, set->count > 0 ? 2 * set->count : ROOM_AT_FIRST) != 0)
        return -ENOMEM;
    size_t i = slot_of(set, number);
    if (set->slots[i] == number)
        return 0;
    set->slots[i] = number;
    set->count++;
    return 1;
}

size_t number_set_slot(const struct number_set *set, uint64_t number)
{
    if (number == 0 || set->slot_count == 0)
        return NO_SLOT;
    size_t i = slot_of(set, number);
    return set->slots[i] == number ? i : NO_SLOT;
}

void number_set_free(struct number_set *set)
{
    free(set->slots);
    *set = (struct number_set){0};
}
