/* lookup: finds items by a hash of what they are known by. The items are their owner's; two that share a hash
 * are told apart by who asks. */
#ifndef CODE_LOOKUP_H
#define CODE_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

struct lookup_slot {
    uint64_t hash;
    void *item; /* NULL: free */
};

/* Zero-initialised: empty. */
struct lookup {
    struct lookup_slot *slots;
    size_t room, count; /* room: 0, or a power of two */
};

/* The items of this hash, one a call; `at` is 0 before the first. NULL: there are no more. */
void *lookup_next(const struct lookup *lookup, uint64_t hash, size_t *at);

/* Returns 0, or -ENOMEM. */
int lookup_add(struct lookup *lookup, uint64_t hash, void *item);

/* Each item goes to `free_item`, unless that is NULL. */
void lookup_clear(struct lookup *lookup, void (*free_item)(void *item));

/* A number has its bits spread over the whole hash. */
static inline uint64_t lookup_hash(uint64_t number)
{
    number = (number ^ (number >> 32)) * 0x9e3779b97f4a7c15U;
    return number ^ (number >> 29);
}

#endif
