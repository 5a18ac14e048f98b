#include "events/programs.h"

#include <errno.h>

#ifndef HAVE_BPF

int programs_load(enum events_level level, size_t rows, struct programs *programs)
{
    (void)level;
    (void)rows;
    *programs = (struct programs){.slots = NULL};
    return -ENOSYS;
}

void programs_unload(struct programs *programs)
{
    (void)programs;
}

int64_t programs_skipped(const struct programs *programs)
{
    (void)programs;
    return 0;
}

#else

#include "events/bpf/events.lskel.h"
#include "events/bpf/states.lskel.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { SLOTS_IN_ALL = 1024 };

/* In each row: a power of two, and one for each CPU, if it goes: they may share them. */
static uint32_t slots_per_row(size_t rows)
{
    long cpus = sysconf(_SC_NPROCESSORS_CONF);
    uint32_t slots = 1;
    while ((long)slots < cpus && slots < SLOTS_MAX && rows * slots * 2 <= SLOTS_IN_ALL)
        slots *= 2;
    return slots;
}

/* From Linux 7.0 on a tracepoint's programs can be preempted, and may have to forbid it (since 6.10). */
static bool can_be_preempted(void)
{
    struct utsname system;
    return uname(&system) == 0 && atoi(system.release) >= 7;
}

static size_t whole_pages(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

static size_t slots_size(const struct programs *programs)
{
    return whole_pages(programs->rows * programs->slots_per_row * sizeof(struct event_slot));
}

static int map_memory(struct programs *programs, int slots_fd, int target_fd)
{
    void *slots = mmap(NULL, slots_size(programs), PROT_READ, MAP_SHARED, slots_fd, 0);
    if (slots == MAP_FAILED)
        return -errno;
    programs->slots = slots;
    void *target =
        mmap(NULL, whole_pages(sizeof *programs->target), PROT_READ | PROT_WRITE, MAP_SHARED, target_fd, 0);
    if (target == MAP_FAILED)
        return -errno;
    programs->target = target;
    return 0;
}

/* Programs whose own misses count: second copies do not. */
static void add_program(struct programs *programs, int fd)
{
    programs->fd[programs->fd_count++] = fd;
}

/* Both skeletons are structs of their own with the same members. */
#define DEFINE_LOAD(name)                                                                                    \
    static void destroy_##name(void *skeleton)                                                               \
    {                                                                                                        \
        name##__destroy(skeleton);                                                                           \
    }                                                                                                        \
                                                                                                             \
    static int load_##name(struct programs *programs)                                                        \
    {                                                                                                        \
        struct name *skeleton = name##__open();                                                              \
        if (skeleton == NULL)                                                                                \
            return -ENOMEM;                                                                                  \
        programs->skeleton = skeleton;                                                                       \
        programs->destroy = destroy_##name;                                                                  \
        skeleton->maps.slots.max_entries = (uint32_t)(programs->rows * programs->slots_per_row);             \
        skeleton->rodata->slot_mask = (uint32_t)programs->slots_per_row - 1;                                 \
        skeleton->rodata->row_count = (uint32_t)programs->rows;                                              \
        skeleton->rodata->can_be_preempted = can_be_preempted();                                             \
        int rc = name##__load(skeleton);                                                                     \
        if (rc == 0)                                                                                         \
            rc = map_memory(programs, skeleton->maps.slots.map_fd, skeleton->maps.target.map_fd);            \
        if (rc == 0)                                                                                         \
            rc = name##__attach(skeleton) < 0 ? -errno : 0;                                                  \
        add_program(programs, skeleton->progs.move_a.prog_fd);                                               \
        return rc;                                                                                           \
    }

DEFINE_LOAD(events)
DEFINE_LOAD(states)

static int load_all(struct programs *programs)
{
    int rc = load_events(programs);
    const struct events *skeleton = programs->skeleton;
    if (rc != 0)
        return rc;
    add_program(programs, skeleton->progs.small_begins_a.prog_fd);
    add_program(programs, skeleton->progs.small_is_processed.prog_fd);
    add_program(programs, skeleton->progs.small_was_processed.prog_fd);
    add_program(programs, skeleton->progs.small_ends.prog_fd);
    add_program(programs, skeleton->progs.request_begins.prog_fd);
    add_program(programs, skeleton->progs.request_becomes_socket.prog_fd);
    add_program(programs, skeleton->progs.request_is_dropped.prog_fd);
    return 0;
}

int programs_load(enum events_level level, size_t rows, struct programs *programs)
{
    *programs = (struct programs){.rows = rows, .slots_per_row = slots_per_row(rows)};
    int rc = level == EVENTS_ALL ? load_all(programs) : load_states(programs);
    if (rc != 0)
        programs_unload(programs);
    return rc;
}

void programs_unload(struct programs *programs)
{
    if (programs->slots != NULL)
        munmap((void *)programs->slots, slots_size(programs));
    if (programs->target != NULL)
        munmap(programs->target, whole_pages(sizeof *programs->target));
    if (programs->skeleton != NULL)
        programs->destroy(programs->skeleton);
    *programs = (struct programs){.slots = NULL};
}

int64_t programs_skipped(const struct programs *programs)
{
    int64_t skipped = 0;
    for (int i = 0; i < programs->fd_count; i++) {
        struct bpf_prog_info info = {.type = 0};
        union bpf_attr attributes = {.info = {.bpf_fd = (uint32_t)programs->fd[i],
                                              .info_len = sizeof info,
                                              .info = (uint64_t)(uintptr_t)&info}};
        if (syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attributes, sizeof attributes) == 0)
            skipped += (int64_t)info.recursion_misses;
    }
    return skipped;
}

#endif
