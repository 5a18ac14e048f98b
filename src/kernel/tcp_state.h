/* tcp_state: the eleven states of RFC 9293 section 3.3.2 under the numbers and names that Linux gives them,
 * and "gone" for a connection end that is in no table of the kernel. */
#ifndef KERNEL_TCP_STATE_H
#define KERNEL_TCP_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers as in include/net/tcp_states.h of the kernel; 0 is ours. */
enum tcp_state {
    STATE_GONE = 0,
    STATE_ESTABLISHED = 1,
    STATE_SYN_SENT = 2,
    STATE_SYN_RECV = 3,
    STATE_FIN_WAIT1 = 4,
    STATE_FIN_WAIT2 = 5,
    STATE_TIME_WAIT = 6,
    STATE_CLOSE = 7,
    STATE_CLOSE_WAIT = 8,
    STATE_LAST_ACK = 9,
    STATE_LISTEN = 10,
    STATE_CLOSING = 11,
    STATE_COUNT = 12,
};

/* A set of states: bit (1 << state). */
#define STATE_SET(state) (1U << (state))

static inline bool state_set_has(uint32_t set, enum tcp_state state)
{
    return (set & STATE_SET(state)) != 0;
}

/* "FIN_WAIT2"; "gone" for STATE_GONE. */
const char *tcp_state_name(enum tcp_state state);

/* The name of its CSV column, "fin_wait2". */
const char *tcp_state_column(enum tcp_state state);

/* As it is typed, "fin-wait-2". */
const char *tcp_state_word(enum tcp_state state);

/* The i-th of the eleven states in the order in which a connection passes through them, the order of the CSV.
 */
enum tcp_state tcp_state_in_life_order(size_t i);
enum { LIFE_ORDER_COUNT = 11 };

/* Takes any common spelling: FIN_WAIT2, FIN-WAIT-2, FinWait2, fin_wait_2, SYN_RECEIVED, CLOSED, ESTAB.
 * Returns false when the name is no state. */
bool tcp_state_parse(const char *name, enum tcp_state *state);

#endif
