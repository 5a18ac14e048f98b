#include "worker/open_descriptors.h"

#include "kernel/act.h"
#include "kernel/ghost.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 };

static int grow(struct held *held, int fd)
{
    int capacity = held->capacity == 0 ? FIRST_CAPACITY : held->capacity;
    while (capacity <= fd)
        capacity *= 2;
    bool *grown = realloc(held->is_held, (size_t)capacity * sizeof *grown);
    if (grown == NULL)
        return -ENOMEM;
    memset(grown + held->capacity, 0, (size_t)(capacity - held->capacity) * sizeof *grown);
    held->is_held = grown;
    held->capacity = capacity;
    return 0;
}

int held_add(struct held *held, int fd)
{
    int rc = fd >= held->capacity ? grow(held, fd) : 0;
    if (rc != 0)
        return rc;
    held->count += !held->is_held[fd];
    held->is_held[fd] = true;
    return 0;
}

void held_remove(struct held *held, int fd)
{
    if (fd >= held->capacity || !held->is_held[fd])
        return;
    held->is_held[fd] = false;
    held->count--;
}

int64_t held_ghosts(const struct held *held)
{
    int64_t ghosts = 0;
    for (int fd = 0; fd < held->capacity; fd++)
        ghosts += held->is_held[fd] && is_ghost(fd);
    return ghosts;
}

void held_abort_all(struct held *held)
{
    for (int fd = 0; fd < held->capacity; fd++)
        if (held->is_held[fd])
            act_apply(ACT_ABORT, fd);
    free(held->is_held);
    *held = (struct held){0};
}
