/* tcp_life: what one connection has lived through, as its TCP_INFO tells (man 7 tcp; tcp_get_info() in
 * net/ipv4/tcp.c of the kernel). Its clocks tick in jiffies: 4 ms with HZ 250, 10 ms with HZ 100. */
#ifndef KERNEL_TCP_LIFE_H
#define KERNEL_TCP_LIFE_H

#include "kernel/tcp_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised: nothing is known. */
struct tcp_life {
    bool is_known;           /* all below is from the kernel: any state can come without it */
    enum tcp_state state;    /* as it is in TCP_INFO itself */
    bool is_fast_open;       /* data came on the SYN (TCPI_OPT_SYN_DATA) */
    uint64_t bytes_received; /* data, and 1 for a FIN that came in order */
    uint64_t bytes_acked;    /* data of ours that the peer has acknowledged, and 1 for our FIN; of a
                                connect() 1 for our SYN too */
    uint64_t data_sent;      /* data of ours, each byte once */
    bool knows_data_sent;    /* since Linux 4.19 */
    uint32_t data_segs_in, data_segs_out;
    uint32_t segs_in, segs_out; /* with those of the handshake and with bare FINs and ACKs */
    int64_t last_data_sent_ms;  /* ago; with data_segs_out 0 since the end of the handshake */
    int64_t last_data_recv_ms;  /* ago; with data_segs_in 0 likewise. A bare FIN does not touch it */
    int64_t last_ack_recv_ms;   /* ago: any segment with an ACK, so also a FIN, a keep-alive answer */
    int64_t rtt_us;             /* smoothed; 0: not measured */
};

/* Fills it from the bytes of a struct tcp_info, of which an old kernel sends fewer. Too few of them: nothing
 * is known. States that have no connection (LISTEN, SYN_SENT, SYN_RECV) have no life either. */
void tcp_life_read(const void *tcp_info, size_t length, struct tcp_life *life);

/* A time before now that lies between two bounds, both inclusive. */
struct tcp_age {
    int64_t least_ms; /* -1: nothing is known */
    int64_t most_ms;  /* INT64_MAX: no upper bound is known */
};

/* Since the end of the handshake; of a socket with TCP_FASTOPEN since its SYN, of one with TCP_DEFER_ACCEPT
 * since its first data. Exact as long as data went one way only, or none did. */
struct tcp_age tcp_life_age(const struct tcp_life *life);

/* Since the peer's FIN came, for a socket whose peer has sent one; in CLOSE, the state of a ghost, if it sent
 * one. Exact where nothing can have touched last_ack_recv since. `keeps_alive`: its keep-alive timer runs or
 * did, so that each answered probe may have reset that clock. Unknown in the states before a FIN. */
struct tcp_age tcp_life_fin_age(const struct tcp_life *life, enum tcp_state state, bool keeps_alive);

/* How long nothing has moved in a connection of which we have ended our half; -1: not known, or another
 * state. In FIN_WAIT2 since the peer's last segment, which has acknowledged our FIN or came after it (the
 * answer to a probe of keep-alive is one too); in FIN_WAIT1, CLOSING and LAST_ACK since data went out last.
 */
int64_t tcp_life_quiet_ms(const struct tcp_life *life, enum tcp_state state);

/* Whether the peer has acknowledged a FIN of ours: it has acknowledged more than there was data, and the SYN
 * where we sent that (`is_outgoing`). False where that is not known. */
bool tcp_life_own_fin_acked(const struct tcp_life *life, bool is_outgoing);

/* Whether the FIN can have come with the last data, or so close to it that the kernel merged both: then one
 * recv() that takes the data steps over the FIN (tcp_try_coalesce), and Recv-Q 0 does not say that anybody
 * has read EOF. True also where something else may have come since, so that its time is not known. */
bool tcp_life_fin_with_data(const struct tcp_life *life, bool keeps_alive);

/* The data in bytes_received, of a socket in that state (in CLOSE it is not known whether a FIN is in it,
 * so 1 too many with some), and in bytes_acked, `is_outgoing`: of one that called connect(). */
uint64_t tcp_life_data_received(const struct tcp_life *life, enum tcp_state state);
uint64_t tcp_life_data_acked(const struct tcp_life *life, enum tcp_state state, bool is_outgoing);

#endif
