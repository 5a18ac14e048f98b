/* refusal: why the kernel does not let events be counted, in a sentence that says what to do. */
#ifndef EVENTS_REFUSAL_H
#define EVENTS_REFUSAL_H

#include "events/socket_events.h"

#include <stdbool.h>

/* What the loader met, and what is known of the machine. */
struct circumstances {
    int error;        /* negative errno */
    int major, minor; /* of the kernel's version */
    bool has_types;   /* BTF */
    bool has_right;   /* CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN */
    bool is_first_user_namespace;
};

/* Asks the machine. */
struct circumstances circumstances_here(int error);

/* No events at all. */
void refusal_say(const struct circumstances *circumstances, struct events_refusal *why);

/* Those of EVENTS_STATES, but no more. */
void refusal_say_states_only(const struct circumstances *circumstances, struct events_refusal *why);

#endif
