/* number_set: a set of numbers other than 0, for tables of sockets: a question takes the same time however
 * many there are, and a number takes 11 to 21 bytes. */
#ifndef BASE_NUMBER_SET_H
#define BASE_NUMBER_SET_H

#include <stddef.h>
#include <stdint.h>

/* Zero-initialised: empty. */
struct number_set {
    uint64_t *slots; /* 0: free */
    size_t slot_count;
    size_t count;
};

/* Returns 1 when the number was not there, 0 when it was, or -ENOMEM. */
int number_set_add(struct number_set *set, uint64_t number);

void number_set_free(struct number_set *set);

#endif
