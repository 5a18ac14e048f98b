#include "events/socket_events.h"

#include "events/programs.h"
#include "events/refusal.h"
#include "events/slot_counts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LOAD_TRIES = 5 };

_Static_assert(EVENT_PORTS_MAX + 1 == (int)ROWS_MAX, "a row for each, and one for all others");

struct socket_events {
    enum events_level level;
    struct events_refusal lack;
    struct programs programs;
    struct event_slot *sum; /* room for a reading */
};

const char *events_level_name(enum events_level level)
{
    static const char *const names[] = {
        [EVENTS_NONE] = "none", [EVENTS_STATES] = "states", [EVENTS_ALL] = "all"};
    return names[level];
}

/* The kernel stops checking a program when a signal comes, and says EAGAIN. */
static int load(enum events_level level, size_t rows, struct programs *programs)
{
    int rc, tries = LOAD_TRIES;
    do
        rc = programs_load(level, rows, programs);
    while (rc == -EAGAIN && --tries > 0);
    return rc;
}

/* All that can be had; what it lacks, or why there is nothing, in *why. */
static enum events_level load_best(size_t rows, struct programs *programs, struct events_refusal *why)
{
    *why = (struct events_refusal){.text = ""};
    int rc = load(EVENTS_ALL, rows, programs);
    if (rc == 0)
        return EVENTS_ALL;
    struct circumstances all = circumstances_here(rc);
    rc = load(EVENTS_STATES, rows, programs);
    if (rc == 0) {
        refusal_say_states_only(&all, why);
        return EVENTS_STATES;
    }
    struct circumstances states = circumstances_here(rc);
    refusal_say(&states, why);
    return EVENTS_NONE;
}

static struct socket_events *open_rows(size_t rows, struct events_refusal *why)
{
    struct socket_events *events = calloc(1, sizeof *events);
    struct event_slot *sum = malloc(sizeof *sum);
    if (events == NULL || sum == NULL) {
        *why = (struct events_refusal){.text = "out of memory"};
        free(events);
        free(sum);
        return NULL;
    }
    events->sum = sum;
    events->level = load_best(rows, &events->programs, &events->lack);
    if (events->level == EVENTS_NONE) {
        *why = events->lack;
        socket_events_close(events);
        return NULL;
    }
    return events;
}

struct socket_events *socket_events_open(struct events_refusal *why)
{
    return open_rows(1, why);
}

struct socket_events *socket_events_open_by_port(int ports, struct events_refusal *why)
{
    return open_rows((size_t)ports + 1, why);
}

enum events_level socket_events_probe(struct events_refusal *why)
{
    struct programs programs;
    enum events_level level = load_best(1, &programs, why);
    if (level != EVENTS_NONE)
        programs_unload(&programs);
    return level;
}

enum events_level socket_events_level(const struct socket_events *events)
{
    return events->level;
}

const char *socket_events_lack(const struct socket_events *events)
{
    return events->lack.text;
}

/* Nothing is counted until netns is set again. */
static struct event_target *clear_target(struct socket_events *events)
{
    struct event_target *target = events->programs.target;
    __atomic_store_n(&target->netns, 0, __ATOMIC_SEQ_CST);
    memset(target, 0, sizeof *target);
    target->rows_used = 1;
    return target;
}

static void serve(struct event_target *target, unsigned port)
{
    target->serves[port / PORTS_IN_WORD] |= 1ULL << port % PORTS_IN_WORD;
}

void socket_events_aim(struct socket_events *events, uint64_t netns, const struct port_range *ports)
{
    struct event_target *target = clear_target(events);
    target->all = ports == NULL;
    for (unsigned port = ports != NULL ? ports->first : 1; ports != NULL && port <= ports->last; port++)
        serve(target, port);
    __atomic_store_n(&target->netns, netns, __ATOMIC_SEQ_CST);
}

void socket_events_aim_by_port(struct socket_events *events, uint64_t netns, const uint16_t *ports, int count,
                               bool others)
{
    struct event_target *target = clear_target(events);
    target->all = others;
    for (int i = 0; i < count; i++) {
        serve(target, ports[i]);
        if (target->rows_used == events->programs.rows)
            continue;
        target->port_of[target->rows_used] = ports[i];
        target->row_of[ports[i]] = target->rows_used++;
    }
    __atomic_store_n(&target->netns, netns, __ATOMIC_SEQ_CST);
}

static unsigned row_of(const struct socket_events *events, uint16_t port)
{
    return __atomic_load_n(&events->programs.target->row_of[port], __ATOMIC_ACQUIRE);
}

int socket_events_ports(const struct socket_events *events, uint16_t ports[EVENT_PORTS_MAX])
{
    const struct event_target *target = events->programs.target;
    size_t used = __atomic_load_n(&target->rows_used, __ATOMIC_ACQUIRE);
    int count = 0;
    for (size_t row = 1; row < used && row < events->programs.rows; row++)
        if (row_of(events, target->port_of[row]) == row)
            ports[count++] = target->port_of[row];
    return count;
}

static void read_rows(const struct socket_events *events, size_t first, size_t rows, int64_t skipped,
                      struct transition_counts *counts)
{
    const struct programs *programs = &events->programs;
    slot_counts_sum(&programs->slots[first * programs->slots_per_row], rows * programs->slots_per_row,
                    events->sum);
    slot_counts_tell(events->sum, skipped, counts);
}

void socket_events_read(const struct socket_events *events, struct transition_counts *counts)
{
    read_rows(events, 0, events->programs.rows, programs_skipped(&events->programs), counts);
}

void socket_events_read_port(const struct socket_events *events, uint16_t port,
                             struct transition_counts *counts)
{
    read_rows(events, port != 0 ? row_of(events, port) : 0, 1, 0, counts);
}

void socket_events_close(struct socket_events *events)
{
    if (events == NULL)
        return;
    programs_unload(&events->programs);
    free(events->sum);
    free(events);
}
