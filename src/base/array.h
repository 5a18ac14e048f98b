/* array: an array that grows with what is put into it. Its room doubles, so that an item is moved less than
 * twice, however many come. */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stddef.h>

/* Makes room for `wanted` items in `items`, a pointer to the first of them from malloc(), or NULL with `room`
 * 0. `room`, a size_t, is for how many items there is room. Returns 0, or -ENOMEM with all as it was. */
#define ARRAY_RESERVE(items, room, wanted)                                                                   \
    ((size_t)(wanted) <= (room) ? 0 : array_grow(&(items), &(room), (size_t)(wanted), sizeof *(items)))

/* What ARRAY_RESERVE calls where there is too little room; `items`: address of the pointer. */
int array_grow(void *items, size_t *room, size_t wanted, size_t item_size);

#endif
