#include "kernel/tcp_life.h"

#include "base/min_max.h"

#include <linux/tcp.h>
#include <string.h>
#include <time.h>

enum {
    /* Keep-alive asks a peer that has been silent for so long at least (TCP_KEEPIDLE is in seconds). */
    KEEP_IDLE_LEAST_MS = 1000,
    ACK_DELAY_USUAL_MS = 60,
    /* A peer may keep an ACK back that long (TCP_DELACK_MAX in include/net/tcp.h, with two ticks of HZ 100).
     */
    ACK_DELAY_MAX_MS = 220,
    /* With less in its buffer a peer that reads it later has no window to announce: that takes half of it. */
    WITHOUT_WINDOW_UPDATE = 16384,
    MERGED_LEAST_MS = 8, /* no program is trusted to have read the data sooner */
};

/* States whose peer has sent a FIN that was taken. */
#define AFTER_FIN                                                                                            \
    (STATE_SET(STATE_CLOSE_WAIT) | STATE_SET(STATE_LAST_ACK) | STATE_SET(STATE_CLOSING) |                    \
     STATE_SET(STATE_TIME_WAIT))
/* States in which our own FIN has been acknowledged. */
#define AFTER_OWN_FIN (STATE_SET(STATE_FIN_WAIT2) | STATE_SET(STATE_TIME_WAIT))
/* States in which we have sent a FIN, and the program may still have its descriptor. */
#define HALF_CLOSED                                                                                          \
    (STATE_SET(STATE_FIN_WAIT1) | STATE_SET(STATE_FIN_WAIT2) | STATE_SET(STATE_CLOSING) |                    \
     STATE_SET(STATE_LAST_ACK))
#define UNCONNECTED                                                                                          \
    (STATE_SET(STATE_LISTEN) | STATE_SET(STATE_SYN_SENT) | STATE_SET(STATE_SYN_RECV) | STATE_SET(STATE_GONE))

void tcp_life_read(const void *tcp_info, size_t length, struct tcp_life *life)
{
    struct tcp_info info = {0};
    *life = (struct tcp_life){0};
    /* Linux 4.6 and later send at least as much. */
    if (length < offsetof(struct tcp_info, tcpi_data_segs_out) + sizeof info.tcpi_data_segs_out)
        return;
    memcpy(&info, tcp_info, length < sizeof info ? length : sizeof info);
    if (info.tcpi_state >= STATE_COUNT || state_set_has(UNCONNECTED, info.tcpi_state))
        return;
    bool knows_data_sent =
        length >= offsetof(struct tcp_info, tcpi_bytes_retrans) + sizeof info.tcpi_bytes_retrans;
    *life = (struct tcp_life){
        .is_known = true,
        .knows_data_sent = knows_data_sent,
        .data_sent = knows_data_sent ? info.tcpi_bytes_sent - info.tcpi_bytes_retrans : 0,
        .state = (enum tcp_state)info.tcpi_state,
        .is_fast_open = (info.tcpi_options & TCPI_OPT_SYN_DATA) != 0,
        .bytes_received = info.tcpi_bytes_received,
        .bytes_acked = info.tcpi_bytes_acked,
        .data_segs_in = info.tcpi_data_segs_in,
        .data_segs_out = info.tcpi_data_segs_out,
        .segs_in = info.tcpi_segs_in,
        .segs_out = info.tcpi_segs_out,
        .last_data_sent_ms = info.tcpi_last_data_sent,
        .last_data_recv_ms = info.tcpi_last_data_recv,
        .last_ack_recv_ms = info.tcpi_last_ack_recv,
        .rtt_us = info.tcpi_rtt,
    };
}

static struct tcp_age unknown_age(void)
{
    return (struct tcp_age){-1, INT64_MAX};
}

struct tcp_age tcp_life_age(const struct tcp_life *life)
{
    if (!life->is_known)
        return unknown_age();
    if (life->data_segs_out == 0)
        return (struct tcp_age){life->last_data_sent_ms, life->last_data_sent_ms};
    if (life->data_segs_in == 0)
        return (struct tcp_age){life->last_data_recv_ms, life->last_data_recv_ms};
    int64_t oldest = max_of(life->last_data_sent_ms, life->last_data_recv_ms);
    return (struct tcp_age){max_of(oldest, life->last_ack_recv_ms), INT64_MAX};
}

/* Whether the last ACK can be the answer to data that we have sent. It comes a round trip after the data,
 * and as much later as the peer keeps it back; data that is sent again moves last_data_sent too. A peer that
 * reads a lot of it slowly announces its window at any time. */
static bool may_be_answer(const struct tcp_life *life, int64_t delay_ms)
{
    int64_t round_trip_ms = life->rtt_us / 1000 + delay_ms;
    bool is_recent = life->last_data_sent_ms - life->last_ack_recv_ms <= round_trip_ms;
    return life->data_segs_out > 0 && (is_recent || life->bytes_acked > WITHOUT_WINDOW_UPDATE);
}

/* Whether the last ACK can be the answer to a probe: those begin when the last data is old enough. */
static bool may_be_probed(const struct tcp_life *life, bool keeps_alive)
{
    return keeps_alive && life->last_data_recv_ms - life->last_ack_recv_ms >= KEEP_IDLE_LEAST_MS;
}

struct tcp_age tcp_life_fin_age(const struct tcp_life *life, enum tcp_state state, bool keeps_alive)
{
    if (!life->is_known || !state_set_has(AFTER_FIN | STATE_SET(STATE_CLOSE), state))
        return unknown_age();
    int64_t least = life->last_ack_recv_ms;
    int64_t most = max_of(least, life->last_data_recv_ms);
    /* Where we have sent a FIN too, its ACK may be what came last. */
    bool is_exact = !may_be_probed(life, keeps_alive) && !may_be_answer(life, ACK_DELAY_MAX_MS) &&
                    (state == STATE_CLOSE_WAIT || (state == STATE_CLOSE && life->bytes_received > 0));
    return (struct tcp_age){least, is_exact ? least : most};
}

int64_t tcp_life_quiet_ms(const struct tcp_life *life, enum tcp_state state)
{
    if (!life->is_known || !state_set_has(HALF_CLOSED, state))
        return -1;
    return state == STATE_FIN_WAIT2 ? life->last_ack_recv_ms : life->last_data_sent_ms;
}

bool tcp_life_own_fin_acked(const struct tcp_life *life, bool is_outgoing)
{
    return life->is_known && life->knows_data_sent && life->bytes_acked > life->data_sent + is_outgoing;
}

/* Two ticks of the kernel's clock, which that of CLOCK_MONOTONIC_COARSE is. */
static int64_t merged_ms(void)
{
    struct timespec tick = {0};
    if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) != 0)
        return MERGED_LEAST_MS;
    return max_of(MERGED_LEAST_MS, 2 * (tick.tv_nsec / 1000000));
}

bool tcp_life_fin_with_data(const struct tcp_life *life, bool keeps_alive)
{
    int64_t apart = life->last_data_recv_ms - life->last_ack_recv_ms;
    if (!life->is_known || life->data_segs_in == 0)
        return false;
    int64_t near = merged_ms();
    return (apart <= near && apart >= -near) || may_be_probed(life, keeps_alive) ||
           may_be_answer(life, ACK_DELAY_USUAL_MS);
}

uint64_t tcp_life_data_received(const struct tcp_life *life, enum tcp_state state)
{
    bool has_fin = state_set_has(AFTER_FIN, state) || (state == STATE_CLOSE && life->data_segs_in == 0);
    return life->bytes_received - (has_fin && life->bytes_received > 0);
}

uint64_t tcp_life_data_acked(const struct tcp_life *life, enum tcp_state state, bool is_outgoing)
{
    uint64_t others = (uint64_t)state_set_has(AFTER_OWN_FIN, state) + is_outgoing;
    if (life->data_segs_out == 0)
        return 0;
    return life->bytes_acked > others ? life->bytes_acked - others : 0;
}
