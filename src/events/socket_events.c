#include "events/socket_events.h"

#include "events/programs.h"
#include "events/refusal.h"
#include "events/slot_counts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LOAD_TRIES = 5 };

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
static int load(enum events_level level, struct programs *programs)
{
    int rc, tries = LOAD_TRIES;
    do
        rc = programs_load(level, programs);
    while (rc == -EAGAIN && --tries > 0);
    return rc;
}

/* All that can be had; what it lacks, or why there is nothing, in *why. */
static enum events_level load_best(struct programs *programs, struct events_refusal *why)
{
    *why = (struct events_refusal){.text = ""};
    int rc = load(EVENTS_ALL, programs);
    if (rc == 0)
        return EVENTS_ALL;
    struct circumstances all = circumstances_here(rc);
    rc = load(EVENTS_STATES, programs);
    if (rc == 0) {
        refusal_say_states_only(&all, why);
        return EVENTS_STATES;
    }
    struct circumstances states = circumstances_here(rc);
    refusal_say(&states, why);
    return EVENTS_NONE;
}

struct socket_events *socket_events_open(struct events_refusal *why)
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
    events->level = load_best(&events->programs, &events->lack);
    if (events->level == EVENTS_NONE) {
        *why = events->lack;
        socket_events_close(events);
        return NULL;
    }
    return events;
}

enum events_level socket_events_probe(struct events_refusal *why)
{
    struct programs programs;
    enum events_level level = load_best(&programs, why);
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

void socket_events_serve(struct socket_events *events, uint16_t port)
{
    events->programs.target->serves[port] = 1;
}

void socket_events_aim(struct socket_events *events, uint64_t netns, const struct port_range *ports)
{
    struct event_target *target = events->programs.target;
    __atomic_store_n(&target->netns, 0, __ATOMIC_SEQ_CST);
    memset(target->serves, 0, sizeof target->serves);
    target->all = ports == NULL;
    for (unsigned port = ports != NULL ? ports->first : 1; ports != NULL && port <= ports->last; port++)
        target->serves[port] = 1;
    __atomic_store_n(&target->netns, netns, __ATOMIC_SEQ_CST);
}

void socket_events_read(const struct socket_events *events, struct transition_counts *counts)
{
    int64_t skipped = programs_skipped(&events->programs);
    slot_counts_sum(events->programs.slots, events->programs.slot_count, events->sum);
    slot_counts_tell(events->sum, skipped, counts);
}

void socket_events_close(struct socket_events *events)
{
    if (events == NULL)
        return;
    programs_unload(&events->programs);
    free(events->sum);
    free(events);
}
