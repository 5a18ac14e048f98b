#include "events/socket_iterator.h"

#include <errno.h>

#ifndef HAVE_BPF

struct socket_iterator *socket_iterator_open(int *error)
{
    *error = -ENOSYS;
    return NULL;
}

int socket_iterator_look(struct socket_iterator *iterator, const struct look_target *target,
                         struct histogram sides[SIDE_COUNT])
{
    (void)iterator;
    (void)target;
    (void)sides;
    return -ENOSYS;
}

void socket_iterator_close(struct socket_iterator *iterator)
{
    (void)iterator;
}

#else

#include "events/bpf/look.lskel.h"
#include "events/bpf/look_counts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert((int)LOOK_STATES >= STATE_COUNT, "a count for each");

struct socket_iterator {
    struct look *skeleton;
    struct look_counts *counts; /* mapped: what is asked, and counted */
};

static int load(struct socket_iterator *iterator)
{
    iterator->skeleton = look__open();
    if (iterator->skeleton == NULL)
        return -ENOMEM;
    int rc = look__load(iterator->skeleton);
    if (rc != 0)
        return rc;
    if (look__attach(iterator->skeleton) < 0)
        return -errno;
    void *counts = mmap(NULL, sizeof *iterator->counts, PROT_READ | PROT_WRITE, MAP_SHARED,
                        iterator->skeleton->maps.looks.map_fd, 0);
    if (counts == MAP_FAILED)
        return -errno;
    iterator->counts = counts;
    return 0;
}

struct socket_iterator *socket_iterator_open(int *error)
{
    struct socket_iterator *iterator = calloc(1, sizeof *iterator);
    *error = iterator != NULL ? load(iterator) : -ENOMEM;
    if (*error == 0)
        return iterator;
    socket_iterator_close(iterator);
    return NULL;
}

static int begin(const struct socket_iterator *iterator)
{
    union bpf_attr attributes = {.iter_create.link_fd = (uint32_t)iterator->skeleton->links.count_socket_fd};
    int fd = (int)syscall(SYS_bpf, BPF_ITER_CREATE, &attributes, sizeof attributes);
    return fd >= 0 ? fd : -errno;
}

/* The program writes a byte after each LOOK_PULSE sockets, which ends a read(). After a million without one
 * the kernel would say EAGAIN: then the next read() goes on. */
static int read_to_end(int fd, const struct look_target *target)
{
    char pulse;
    ssize_t length;
    while ((length = read(fd, &pulse, sizeof pulse)) != 0) {
        if (length < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (target->on_pulse != NULL)
            target->on_pulse(target->pulse_context);
    }
    return 0;
}

static void take(const struct side_counts *counts, struct histogram *side)
{
    *side = (struct histogram){
        .owned = (int64_t)counts->owned,
        .unread = (int64_t)counts->unread,
        .unowned = (int64_t)counts->unowned,
        .half_closed = (int64_t)counts->half_closed,
        .queued = (int64_t)counts->queued,
    };
    for (int state = 0; state < STATE_COUNT; state++)
        side->of[state] = (int64_t)counts->of[state];
}

int socket_iterator_look(struct socket_iterator *iterator, const struct look_target *target,
                         struct histogram sides[SIDE_COUNT])
{
    if (target->more_count > 0)
        return -ENOTSUP;
    *iterator->counts = (struct look_counts){.family = (unsigned)target->address.family,
                                             .first_port = target->ports.first,
                                             .last_port = target->ports.last};
    memcpy(iterator->counts->address, target->address.bytes, sizeof iterator->counts->address);
    int fd = begin(iterator);
    if (fd < 0)
        return fd;
    int rc = read_to_end(fd, target);
    close(fd);
    for (int side = 0; side < SIDE_COUNT; side++)
        take(&iterator->counts->side[side], &sides[side]);
    return rc;
}

void socket_iterator_close(struct socket_iterator *iterator)
{
    if (iterator == NULL)
        return;
    if (iterator->counts != NULL)
        munmap(iterator->counts, sizeof *iterator->counts);
    if (iterator->skeleton != NULL)
        look__destroy(iterator->skeleton);
    free(iterator);
}

#endif
