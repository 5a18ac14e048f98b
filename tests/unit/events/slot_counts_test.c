#include "../unit.h"

#include "events/slot_counts.h"

#include <stdlib.h>

/* What the programs write of one connection, as the tracepoint and the kernel's functions tell it. */
static struct event_slot slot;
static struct transition_counts counts;

static void tell(int64_t skipped)
{
    struct event_slot *sum = malloc(sizeof *sum);
    assert_non_null(sum);
    slot_counts_sum(&slot, 1, sum);
    slot_counts_tell(sum, skipped, &counts);
    free(sum);
}

static int clear(void **state)
{
    (void)state;
    memset(&slot, 0, sizeof slot);
    return 0;
}

static int64_t moved(enum side side, enum tcp_state from, enum tcp_state to)
{
    int64_t sum = 0;
    for (int why = 0; why < WHY_COUNT; why++)
        sum += counts.side[side].moved[from][to][why];
    return sum;
}

static int64_t all_moves(enum side side)
{
    int64_t sum = 0;
    for (int from = 0; from < STATE_COUNT; from++)
        for (int to = 0; to < STATE_COUNT; to++)
            sum += moved(side, (enum tcp_state)from, (enum tcp_state)to);
    return sum;
}

static void assert_all_gone(enum side side)
{
    for (int state = 0; state < STATE_COUNT; state++)
        assert_int_equal(counts.side[side].now[state], 0);
}

static void raw(enum side side, enum tcp_state from, enum tcp_state to, enum transition_why why)
{
    if (to == STATE_CLOSE)
        slot.ended[side][from][why]++;
    else
        slot.moved[side][from][to]++;
}

/* The client: SYN_SENT, ESTABLISHED, CLOSE_WAIT, LAST_ACK, and gone. */
static void a_passive_close(void **state)
{
    (void)state;
    raw(SIDE_CLIENT, STATE_CLOSE, STATE_SYN_SENT, WHY_ORDERLY);
    raw(SIDE_CLIENT, STATE_SYN_SENT, STATE_ESTABLISHED, WHY_ORDERLY);
    tell(0);
    assert_int_equal(counts.side[SIDE_CLIENT].now[STATE_ESTABLISHED], 1);
    assert_int_equal(counts.side[SIDE_CLIENT].now[STATE_SYN_SENT], 0);
    raw(SIDE_CLIENT, STATE_ESTABLISHED, STATE_CLOSE_WAIT, WHY_ORDERLY);
    raw(SIDE_CLIENT, STATE_CLOSE_WAIT, STATE_LAST_ACK, WHY_ORDERLY);
    raw(SIDE_CLIENT, STATE_LAST_ACK, STATE_CLOSE, WHY_ORDERLY);
    tell(0);
    assert_int_equal(moved(SIDE_CLIENT, STATE_GONE, STATE_SYN_SENT), 1);
    assert_int_equal(moved(SIDE_CLIENT, STATE_LAST_ACK, STATE_GONE), 1);
    assert_int_equal(all_moves(SIDE_CLIENT), 5);
    assert_int_equal(all_moves(SIDE_SERVER), 0);
    assert_all_gone(SIDE_CLIENT);
}

/* The listener stays; a request and the socket that it becomes are one. */
static void a_request_becomes_a_socket(void **state)
{
    (void)state;
    raw(SIDE_SERVER, STATE_CLOSE, STATE_LISTEN, WHY_ORDERLY);
    slot.request_begun[SIDE_SERVER] = 3;
    tell(0);
    assert_int_equal(counts.side[SIDE_SERVER].now[STATE_SYN_RECV], 3);
    slot.request_became_socket[SIDE_SERVER] = 1;
    slot.request_dropped[SIDE_SERVER][WHY_RESET] = 1;
    raw(SIDE_SERVER, STATE_LISTEN, STATE_SYN_RECV, WHY_ORDERLY);
    raw(SIDE_SERVER, STATE_SYN_RECV, STATE_ESTABLISHED, WHY_ORDERLY);
    tell(0);
    assert_int_equal(moved(SIDE_SERVER, STATE_GONE, STATE_LISTEN), 1);
    assert_int_equal(moved(SIDE_SERVER, STATE_GONE, STATE_SYN_RECV), 3);
    assert_int_equal(moved(SIDE_SERVER, STATE_SYN_RECV, STATE_ESTABLISHED), 1);
    assert_int_equal(counts.side[SIDE_SERVER].moved[STATE_SYN_RECV][STATE_GONE][WHY_RESET], 1);
    assert_int_equal(counts.side[SIDE_SERVER].now[STATE_LISTEN], 1);
    assert_int_equal(counts.side[SIDE_SERVER].now[STATE_SYN_RECV], 1);
    assert_int_equal(counts.side[SIDE_SERVER].now[STATE_ESTABLISHED], 1);
}

/* Where only the tracepoint is heard, and with SYN cookies: a clone without a request. */
static void a_clone_without_a_request(void **state)
{
    (void)state;
    raw(SIDE_SERVER, STATE_LISTEN, STATE_SYN_RECV, WHY_ORDERLY);
    raw(SIDE_SERVER, STATE_SYN_RECV, STATE_ESTABLISHED, WHY_ORDERLY);
    tell(0);
    assert_int_equal(moved(SIDE_SERVER, STATE_GONE, STATE_SYN_RECV), 1);
    assert_int_equal(counts.side[SIDE_SERVER].now[STATE_SYN_RECV], 0);
    assert_int_equal(counts.side[SIDE_SERVER].now[STATE_LISTEN], 0);
}

/* An orphan in FIN_WAIT2 goes on as a small socket, gets the FIN, stays in TIME_WAIT, and ends. */
static void a_small_socket_goes_on(void **state)
{
    (void)state;
    raw(SIDE_SERVER, STATE_ESTABLISHED, STATE_FIN_WAIT1, WHY_ORDERLY);
    raw(SIDE_SERVER, STATE_FIN_WAIT1, STATE_FIN_WAIT2, WHY_ORDERLY);
    raw(SIDE_SERVER, STATE_FIN_WAIT2, STATE_CLOSE, WHY_ORDERLY);
    slot.small_begun[SIDE_SERVER][STATE_FIN_WAIT2][SMALL_FIN_WAIT2][WHY_ORDERLY] = 1;
    tell(0);
    assert_int_equal(counts.side[SIDE_SERVER].now[STATE_FIN_WAIT2], 1);
    assert_int_equal(moved(SIDE_SERVER, STATE_FIN_WAIT2, STATE_GONE), 0);
    slot.small_moved[SIDE_SERVER] = 1;
    tell(0);
    assert_int_equal(counts.side[SIDE_SERVER].now[STATE_FIN_WAIT2], 0);
    assert_int_equal(counts.side[SIDE_SERVER].now[STATE_TIME_WAIT], 1);
    assert_int_equal(moved(SIDE_SERVER, STATE_FIN_WAIT2, STATE_TIME_WAIT), 1);
    slot.small_ended[SIDE_SERVER][SMALL_TIME_WAIT][WHY_ORDERLY] = 1;
    tell(0);
    assert_int_equal(counts.side[SIDE_SERVER].now[STATE_TIME_WAIT], 0);
    assert_int_equal(moved(SIDE_SERVER, STATE_TIME_WAIT, STATE_GONE), 1);
}

/* TIME_WAIT begins at once, from both states that lead there. */
static void time_wait_begins(void **state)
{
    (void)state;
    raw(SIDE_SERVER, STATE_FIN_WAIT2, STATE_CLOSE, WHY_ORDERLY);
    slot.small_begun[SIDE_SERVER][STATE_FIN_WAIT2][SMALL_TIME_WAIT][WHY_ORDERLY] = 1;
    raw(SIDE_CLIENT, STATE_CLOSING, STATE_CLOSE, WHY_ORDERLY);
    slot.small_begun[SIDE_CLIENT][STATE_CLOSING][SMALL_TIME_WAIT][WHY_ORDERLY] = 1;
    tell(0);
    assert_int_equal(moved(SIDE_SERVER, STATE_FIN_WAIT2, STATE_TIME_WAIT), 1);
    assert_int_equal(moved(SIDE_CLIENT, STATE_CLOSING, STATE_TIME_WAIT), 1);
    assert_int_equal(all_moves(SIDE_SERVER), 1);
    assert_int_equal(all_moves(SIDE_CLIENT), 1);
    assert_int_equal(counts.side[SIDE_SERVER].now[STATE_TIME_WAIT], 1);
}

/* Without that, for all that is known, the socket has ended. */
static void where_small_sockets_are_not_seen_it_ends(void **state)
{
    (void)state;
    raw(SIDE_SERVER, STATE_FIN_WAIT1, STATE_FIN_WAIT2, WHY_ORDERLY);
    raw(SIDE_SERVER, STATE_FIN_WAIT2, STATE_CLOSE, WHY_ORDERLY);
    tell(0);
    assert_int_equal(moved(SIDE_SERVER, STATE_FIN_WAIT2, STATE_GONE), 1);
    assert_int_equal(counts.side[SIDE_SERVER].now[STATE_FIN_WAIT2], 0);
}

static void the_reason_of_an_end(void **state)
{
    (void)state;
    raw(SIDE_CLIENT, STATE_ESTABLISHED, STATE_CLOSE, WHY_RESET);
    raw(SIDE_CLIENT, STATE_SYN_SENT, STATE_CLOSE, WHY_TIMED_OUT);
    tell(0);
    assert_int_equal(counts.side[SIDE_CLIENT].moved[STATE_ESTABLISHED][STATE_GONE][WHY_RESET], 1);
    assert_int_equal(counts.side[SIDE_CLIENT].moved[STATE_SYN_SENT][STATE_GONE][WHY_TIMED_OUT], 1);
}

static void what_the_second_copy_has_heard_is_not_missed(void **state)
{
    (void)state;
    slot.replaced = 6;
    slot.small_replaced = 1;
    slot.doubled = 5;
    tell(7);
    assert_int_equal(counts.unheard, 0);
    assert_int_equal(counts.doubled, 5);
    tell(9);
    assert_int_equal(counts.unheard, 2);
    tell(3); /* read before more came */
    assert_int_equal(counts.unheard, 0);
}

static void cpus_are_summed(void **state)
{
    (void)state;
    struct event_slot *slots = calloc(3, sizeof *slots), *sum = malloc(sizeof *sum);
    assert_true(slots != NULL && sum != NULL);
    slots[0].holes = 1;
    slots[2].holes = 2;
    slots[0].dwell[SIDE_SERVER][STATE_CLOSE_WAIT][3] = 4;
    slots[1].dwell[SIDE_SERVER][STATE_CLOSE_WAIT][3] = 5;
    slots[1].dwell[SIDE_SERVER][STATE_CLOSE_WAIT][SLOT_BUCKETS - 1] = 1;
    slots[0].longest_ns[SIDE_SERVER][STATE_CLOSE_WAIT] = 9000;
    slots[1].longest_ns[SIDE_SERVER][STATE_CLOSE_WAIT] = 7000;
    slot_counts_sum(slots, 3, sum);
    slot_counts_tell(sum, 0, &counts);
    const struct dwell *dwell = &counts.side[SIDE_SERVER].dwell[STATE_CLOSE_WAIT];
    assert_int_equal(counts.holes, 3);
    assert_int_equal(dwell->in[3], 9);
    assert_int_equal(dwell->in[DWELL_BUCKETS - 1], 1);
    assert_int_equal(dwell->longest_ns, 9000);
    assert_int_equal(counts.sampled_one_in, SAMPLED_ONE_IN);
    free(slots);
    free(sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_passive_close, clear),
        cmocka_unit_test_setup(a_request_becomes_a_socket, clear),
        cmocka_unit_test_setup(a_clone_without_a_request, clear),
        cmocka_unit_test_setup(a_small_socket_goes_on, clear),
        cmocka_unit_test_setup(time_wait_begins, clear),
        cmocka_unit_test_setup(where_small_sockets_are_not_seen_it_ends, clear),
        cmocka_unit_test_setup(the_reason_of_an_end, clear),
        cmocka_unit_test_setup(what_the_second_copy_has_heard_is_not_missed, clear),
        cmocka_unit_test_setup(cpus_are_summed, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
