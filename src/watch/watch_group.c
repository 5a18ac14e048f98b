#include "watch/watch_group.h"

#include <string.h>

const struct watch_group_row watch_groups[WATCH_GROUPS] = {
    [GROUP_ESTABLISHED] = {"established", "ESTABLISHED", "neither side has closed", false},
    [GROUP_SYN_SENT] = {"syn_sent", "SYN_SENT", "nobody has answered the connect()", true},
    [GROUP_SYN_RECV] = {"syn_recv", "SYN_RECV", "half-open: the peer has not acknowledged our SYN", false},
    [GROUP_FIN_WAIT1] = {"fin_wait1", "FIN_WAIT1", "we have closed, and the peer has not acknowledged it",
                         false},
    [GROUP_FIN_WAIT2] = {"fin_wait2", "FIN_WAIT2 with a descriptor",
                         "the program called shutdown() and not close(), and the peer has not closed", true},
    [GROUP_FIN_WAIT2_ORPHAN] = {"fin_wait2_orphan", "FIN_WAIT2 without a descriptor",
                                "closed; the kernel waits for the peer's FIN for tcp_fin_timeout", false},
    [GROUP_TIME_WAIT] = {"time_wait", "TIME_WAIT", "closed on both sides; the kernel keeps it for 60 s",
                         false},
    [GROUP_CLOSE_WAIT] = {"close_wait", "CLOSE_WAIT", "the peer has closed, and the program has not", true},
    [GROUP_LAST_ACK] = {"last_ack", "LAST_ACK", "closed last, and the peer has not acknowledged it", false},
    [GROUP_CLOSING] = {"closing", "CLOSING", "both closed at once, and the peer has not acknowledged it",
                       false},
    [GROUP_GHOSTS] = {"ghosts", "ghosts", "descriptors whose socket is in none of the kernel's tables", true},
    [GROUP_OWED] =
        {"owed", "CLOSE_WAIT and ghosts",
         "both together: close() calls that are missing. With keep-alive, CLOSE_WAIT turns into a ghost",
         true},
    [GROUP_IDLE] = {"idle", "idle ESTABLISHED", "no data has moved for --idle", true},
    [GROUP_UNREAD] = {"unread", "ESTABLISHED with unread data",
                      "data waits in Recv-Q, and none has come for --idle", true},
    [GROUP_UNSENT] = {"unsent", "ESTABLISHED with unsent data",
                      "data waits in Send-Q, and the peer has taken none for --idle", true},
    [GROUP_ACCEPT_QUEUE] = {"accept_queue", "connections in the accept queue",
                            "the program has not called accept() for them", true},
};

enum watch_group watch_group_of_state(enum tcp_state state, bool has_descriptor)
{
    static const uint8_t groups[STATE_COUNT] = {
        [STATE_GONE] = GROUP_GHOSTS,           [STATE_ESTABLISHED] = GROUP_ESTABLISHED,
        [STATE_SYN_SENT] = GROUP_SYN_SENT,     [STATE_SYN_RECV] = GROUP_SYN_RECV,
        [STATE_FIN_WAIT1] = GROUP_FIN_WAIT1,   [STATE_FIN_WAIT2] = GROUP_FIN_WAIT2,
        [STATE_TIME_WAIT] = GROUP_TIME_WAIT,   [STATE_CLOSE] = WATCH_GROUPS,
        [STATE_CLOSE_WAIT] = GROUP_CLOSE_WAIT, [STATE_LAST_ACK] = GROUP_LAST_ACK,
        [STATE_LISTEN] = WATCH_GROUPS,         [STATE_CLOSING] = GROUP_CLOSING,
    };
    if (state == STATE_FIN_WAIT2 && !has_descriptor)
        return GROUP_FIN_WAIT2_ORPHAN;
    return (enum watch_group)groups[state];
}

enum watch_group watch_group_named(const char *name)
{
    for (int group = 0; group < WATCH_GROUPS; group++)
        if (strcmp(watch_groups[group].name, name) == 0)
            return (enum watch_group)group;
    return WATCH_GROUPS;
}
