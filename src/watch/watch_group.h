/* watch_group: kinds of what processes hold, a row each. Every socket and every ghost is in the group of its
 * state, and may be in more: GROUP_OWED and those from GROUP_IDLE on tell the same sockets in another way. */
#ifndef WATCH_WATCH_GROUP_H
#define WATCH_WATCH_GROUP_H

#include "kernel/tcp_state.h"

#include <stdbool.h>
#include <stdint.h>

enum watch_group {
    GROUP_ESTABLISHED,
    GROUP_SYN_SENT,
    GROUP_SYN_RECV,
    GROUP_FIN_WAIT1,
    GROUP_FIN_WAIT2,        /* with a descriptor */
    GROUP_FIN_WAIT2_ORPHAN, /* without */
    GROUP_TIME_WAIT,
    GROUP_CLOSE_WAIT,
    GROUP_LAST_ACK,
    GROUP_CLOSING,
    GROUP_GHOSTS,
    GROUP_OWED, /* CLOSE_WAIT and ghosts */
    GROUP_IDLE,
    GROUP_UNREAD,
    GROUP_UNSENT,
    GROUP_ACCEPT_QUEUE,
    WATCH_GROUPS,
};

/* A set of groups: bit (1 << group). */
#define GROUP_SET(group) (1U << (group))

struct watch_group_row {
    const char *name;    /* "fin_wait2_orphan" */
    const char *title;   /* in a sentence: "FIN_WAIT2 without a descriptor" */
    const char *meaning; /* one line */
    bool is_leak;        /* what grows there, or stays, is held by a program that should let go of it */
};

extern const struct watch_group_row watch_groups[WATCH_GROUPS];

/* The group of a state; `has_descriptor`: a process holds it. STATE_LISTEN and STATE_CLOSE are in none:
 * WATCH_GROUPS. */
enum watch_group watch_group_of_state(enum tcp_state state, bool has_descriptor);

/* Returns WATCH_GROUPS where there is none of that name. */
enum watch_group watch_group_named(const char *name);

#endif
