#include "worker/open_descriptors.h"

#include "kernel/act.h"
#include "kernel/ghost.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 };

static int grow(struct open_descriptors *descriptors, int fd)
{
    int capacity = descriptors->capacity == 0 ? FIRST_CAPACITY : descriptors->capacity;
    while (capacity <= fd)
        capacity *= 2;
    bool *grown = realloc(descriptors->is_held, (size_t)capacity * sizeof *grown);
    if (grown == NULL)
        return -ENOMEM;
    memset(grown + descriptors->capacity, 0, (size_t)(capacity - descriptors->capacity) * sizeof *grown);
    descriptors->is_held = grown;
    descriptors->capacity = capacity;
    return 0;
}

int open_descriptors_add(struct open_descriptors *descriptors, int fd)
{
    int rc = fd >= descriptors->capacity ? grow(descriptors, fd) : 0;
    if (rc != 0)
        return rc;
    descriptors->count += !descriptors->is_held[fd];
    descriptors->is_held[fd] = true;
    return 0;
}

void open_descriptors_remove(struct open_descriptors *descriptors, int fd)
{
    if (fd >= descriptors->capacity || !descriptors->is_held[fd])
        return;
    descriptors->is_held[fd] = false;
    descriptors->count--;
}

int64_t open_descriptors_ghosts(const struct open_descriptors *descriptors)
{
    int64_t ghosts = 0;
    for (int fd = 0; fd < descriptors->capacity; fd++)
        ghosts += descriptors->is_held[fd] && is_ghost(fd);
    return ghosts;
}

void open_descriptors_count(const struct open_descriptors *descriptors, int64_t of[STATE_COUNT])
{
    memset(of, 0, STATE_COUNT * sizeof *of);
    for (int fd = 0; fd < descriptors->capacity; fd++)
        if (descriptors->is_held[fd])
            of[descriptor_state(fd)]++;
}

void open_descriptors_abort_all(struct open_descriptors *descriptors)
{
    for (int fd = 0; fd < descriptors->capacity; fd++)
        if (descriptors->is_held[fd])
            act_apply(ACT_ABORT, fd);
    free(descriptors->is_held);
    *descriptors = (struct open_descriptors){0};
}
