#include "engine/event_witness.h"

#include "kernel/netns.h"
#include "model/transition.h"

void event_witness_aim(struct event_witness *witness, struct socket_events *events,
                       const struct port_range *ports)
{
    witness->events = events;
    if (events == NULL)
        return;
    socket_events_aim(events, netns_inode(), ports);
    socket_events_read(events, &witness->before);
    event_witness_read(witness);
}

void event_witness_read(struct event_witness *witness)
{
    struct transition_counts all;
    if (witness->events == NULL)
        return;
    socket_events_read(witness->events, &all);
    witness->now = transitions_since(&all, &witness->before);
}

void event_witness_gauge(const struct event_witness *witness, const struct histogram looked[SIDE_COUNT],
                         struct histogram sides[SIDE_COUNT])
{
    struct transition_counts all;
    socket_events_read(witness->events, &all);
    const struct transition_counts now = transitions_since(&all, &witness->before);
    transitions_gauge(&now, socket_events_level(witness->events), looked, sides);
}

void event_witness_look_begins(struct event_witness *witness)
{
    event_witness_read(witness);
    witness->at_begin = witness->now;
}

void event_witness_look_ends(struct event_witness *witness)
{
    event_witness_read(witness);
    witness->is_still = transitions_are_still(&witness->at_begin, &witness->now);
}

enum agreement event_witness_compare(const struct event_witness *witness,
                                     const struct histogram sides[SIDE_COUNT], struct difference *difference)
{
    if (witness->events == NULL)
        return AGREES;
    if (!witness->is_still)
        return MOVES;
    return transitions_agree(&witness->now, socket_events_level(witness->events), sides, difference)
               ? AGREES
               : DIFFERS;
}

/* True when it counts as a difference. */
static bool is_proof(struct event_witness *witness, const struct difference *difference)
{
    if (!transitions_were_missed(&witness->now))
        return true;
    if (witness->no_verdict.text[0] == '\0')
        witness->no_verdict = *difference;
    return false;
}

bool event_witness_note(struct event_witness *witness, enum agreement agreement,
                        const struct difference *difference)
{
    if (witness->events == NULL || agreement == MOVES)
        return true;
    witness->compared++;
    witness->agreed += agreement == AGREES;
    return agreement == AGREES || !is_proof(witness, difference);
}

bool event_witness_is_as_expected(struct event_witness *witness, int64_t conns,
                                  const struct order_transitions *expected, struct difference *difference)
{
    struct difference how;
    if (witness->events == NULL)
        return true;
    event_witness_read(witness);
    const struct transition_report report = event_witness_report(witness, conns);
    if (transitions_are_as_expected(&report, expected, &how) || !is_proof(witness, &how))
        return true;
    *difference = how;
    return false;
}

struct transition_report event_witness_report(const struct event_witness *witness, int64_t conns)
{
    return (struct transition_report){
        .level = socket_events_level(witness->events),
        .lack = socket_events_lack(witness->events),
        .counts = &witness->now,
        .conns = conns,
        .agreed = witness->agreed,
        .compared = witness->compared,
    };
}
