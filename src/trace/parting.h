/* parting: where the connections that a program holds part from those that it closes.
 *
 * The way of a connection is the calls on it, each of them once: what is tried again (EAGAIN) and what is
 * repeated makes no other way. Connections of the same set of calls and the same last one are a group; how
 * threads take turns must not split it. Each group of those that were not closed as they should be is held
 * against the group of closed ones that went with it furthest: behind their last common call they part.
 *
 * That says where they ended, not where the fault is. */
#ifndef TRACE_PARTING_H
#define TRACE_PARTING_H

#include "trace/trace_report.h"

#include <stdbool.h>
#include <stdint.h>

/* What became of a connection, as whoever has watched its other end knows. */
enum parting_end {
    PARTING_CLOSED,
    PARTING_HELD,
    PARTING_LOST,       /* closed before all that was to be sent on it was */
    PARTING_RESET,      /* closed by an RST */
    PARTING_OPEN,       /* when the watching was interrupted */
    PARTING_UNACCEPTED, /* no process has it */
    PARTING_OTHER,      /* not to be compared */
    PARTING_END_COUNT,
};

struct parting_sample {
    const struct traced_connection *connection; /* NULL: the tracer has not seen it */
    enum parting_end end;
};

/* Connections that went on alike. */
struct parting_branch {
    enum parting_end end;
    int64_t count;
    const struct traced_connection *example;
    const struct traced_note **steps; /* behind the parting, in order; owned */
    int step_count;
    const struct traced_note *last;  /* the last call of all on it; NULL: none was seen */
    const struct traced_note *close; /* a close() of it, or what took its descriptor; NULL: none was seen */
};

/* Those that part behind the same call. */
struct parting_fork {
    const struct traced_note *after; /* the last call that they have in common; NULL: none */
    const struct traced_note
        *own_before; /* where `after` comes from a library's loop alone: the last call that a function
                        of the program's own made; NULL: none, or `after` is such a one */
    bool is_same;    /* they do not part: no call tells them apart */
    bool has_closed; /* among the branches are closed ones: they come first */
    struct parting_branch *branches; /* owned */
    int count;
};

struct parting {
    int64_t by_end[PARTING_END_COUNT];
    int64_t unseen[PARTING_END_COUNT];  /* of them: the tracer has not seen the connection */
    const struct traced_note *accepted; /* where most of them were accepted; NULL: not seen */
    int64_t accepted_elsewhere;         /* connections */
    struct parting_fork *forks;         /* that of most connections first; owned */
    int count;
};

/* Returns 0 or -ENOMEM. What it points to is the report's; parting_free() in either case. */
int parting_find(const struct parting_sample *samples, int64_t count, struct parting *parting);
void parting_free(struct parting *parting);

/* Whether the note is a call that tells nothing: it had to be tried again. */
bool note_is_idle(const struct traced_note *note);

/* Whether a descriptor of it is gone with that. */
bool note_ends_it(const struct traced_note *note);

/* Whether a reader would take both for the same step. */
bool notes_are_alike(const struct traced_note *a, const struct traced_note *b);

#endif
