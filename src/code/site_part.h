/* site_part: the part of a stack that tells it from another one, as people read it. */
#ifndef CODE_SITE_PART_H
#define CODE_SITE_PART_H

#include "code/place_text.h"

#include <stdbool.h>

enum { SITE_PART_PLACES = 3 }; /* that are named, at most */

/* Whether two places are the same for a reader. */
bool places_are_alike(const struct place *a, const struct place *b);

/* How many of the outermost places two stacks have in common; NULL has none. */
int sites_share(const struct site *a, const struct site *b);

/* Which place a stack is about: the innermost of the program's own; where there is none, the innermost
 * outside of libc, whose functions are no more than the calls themselves; then any. -1: there is none. */
int site_at(const struct site *site);

/* The next caller that is told; site->count: none is. */
int site_next(const struct site *site, int at);

/* "pool.c:6 in pool_park < conn.c:57 in on_readable": that place and its callers, likewise chosen, at most
 * `most` places in all. The outermost `shared` places of the stack, which others have too, are left out,
 * unless nothing would be left. Where all of the program that is there is shared, as of a loop that calls
 * back, it begins with the outermost function of the library that is not: "bufferevent_disable in libevent <
 * loop.c:50 in main". NULL: "an unknown place". */
struct site_text site_part_text(const struct site *site, int most, int shared);

#endif
