/* number_set: a set of numbers other than 0, for tables of sockets: a question takes the same time however
 * many there are, and a number takes 10 to 20 bytes. Where each number has something to it, its slot is the
 * place of that in an array beside the set. */
#ifndef BASE_NUMBER_SET_H
#define BASE_NUMBER_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised: empty. */
struct number_set {
    uint64_t *slots; /* 0: free */
    size_t slot_count;
    size_t count;
};

#define NO_SLOT SIZE_MAX

/* Makes room for `count` numbers in all: until there are more, none changes its slot. Returns 0 or -ENOMEM.
 */
int number_set_reserve(struct number_set *set, size_t count);

/* Returns 1 when the number was not there, 0 when it was, or -ENOMEM. */
int number_set_add(struct number_set *set, uint64_t number);

/* Where the number is, below slot_count; NO_SLOT when it is not there. 0 never is. */
size_t number_set_slot(const struct number_set *set, uint64_t number);

static inline bool number_set_has(const struct number_set *set, uint64_t number)
{
    return number_set_slot(set, number) != NO_SLOT;
}

void number_set_free(struct number_set *set);

#endif
