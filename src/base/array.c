#include "base/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_AT_FIRST = 64 };

int array_grow(void *items, size_t *room, size_t wanted, size_t item_size)
{
    void *old;
    memcpy(&old, items, sizeof old); /* a pointer to anything, and C lets no other type look at it */
    size_t more = *room > 0 ? 2 * *room : ROOM_AT_FIRST, size;
    more = more < wanted ? wanted : more;
    void *grown = __builtin_mul_overflow(more, item_size, &size) ? NULL : realloc(old, size);
    if (grown == NULL)
        return -ENOMEM;
    memcpy(items, &grown, sizeof grown);
    *room = more;
    // cppcheck-suppress memleak ; it is the caller's: see memcpy()
    return 0;
}
