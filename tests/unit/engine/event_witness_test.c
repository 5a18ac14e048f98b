#include "../unit.h"

#include "engine/event_witness.h"
#include "events/socket_events.h"

/* ---- what the kernel counts here ---- */

struct socket_events {
    enum events_level level;
    struct transition_counts counts;
    int aimed;
};

enum events_level socket_events_level(const struct socket_events *events)
{
    return events->level;
}

const char *socket_events_lack(const struct socket_events *events)
{
    return events->level == EVENTS_ALL ? "" : "there are no others";
}

void socket_events_aim(struct socket_events *events, uint64_t netns, const struct port_range *ports)
{
    assert_int_not_equal(netns, 0);
    assert_int_equal(ports->first, 15000);
    events->aimed++;
}

void socket_events_read(const struct socket_events *events, struct transition_counts *counts)
{
    *counts = events->counts;
}

/* ---- a witness of so many CLOSE_WAIT on the server ---- */

static const struct port_range ports = {15000, 15001};

static struct event_witness witness_of(struct socket_events *events)
{
    struct event_witness witness;
    memset(&witness, 0, sizeof witness);
    event_witness_aim(&witness, events, &ports);
    return witness;
}

static void come(struct socket_events *events, enum tcp_state from, enum tcp_state to, int64_t count)
{
    struct side_transitions *server = &events->counts.side[SIDE_SERVER];
    server->moved[from][to][WHY_ORDERLY] += count;
    server->now[from] -= from != STATE_GONE ? count : 0;
    server->now[to] += to != STATE_GONE ? count : 0;
}

static void look(struct event_witness *witness)
{
    event_witness_look_begins(witness);
    event_witness_look_ends(witness);
}

static struct histogram *close_waits(struct histogram sides[SIDE_COUNT], int64_t count)
{
    memset(sides, 0, SIDE_COUNT * sizeof *sides);
    sides[SIDE_SERVER].of[STATE_CLOSE_WAIT] = count;
    return sides;
}

static void without_events_there_is_nothing_to_compare(void **state)
{
    (void)state;
    struct histogram sides[SIDE_COUNT];
    struct difference difference;
    struct event_witness witness = witness_of(NULL);
    look(&witness);
    assert_int_equal(event_witness_compare(&witness, close_waits(sides, 5), &difference), AGREES);
    assert_true(event_witness_note(&witness, AGREES, &difference));
    assert_true(event_witness_is_as_expected(&witness, 5, NULL, &difference));
    assert_int_equal(witness.compared, 0);
}

static void what_earlier_orders_left_does_not_count(void **state)
{
    (void)state;
    struct histogram sides[SIDE_COUNT];
    struct difference difference;
    struct socket_events events = {.level = EVENTS_ALL};
    come(&events, STATE_GONE, STATE_TIME_WAIT, 70);
    struct event_witness witness = witness_of(&events);
    assert_int_equal(events.aimed, 1);
    come(&events, STATE_GONE, STATE_CLOSE_WAIT, 5);
    look(&witness);
    assert_int_equal(event_witness_compare(&witness, close_waits(sides, 5), &difference), AGREES);
    assert_true(event_witness_note(&witness, AGREES, &difference));
    assert_int_equal(witness.compared, 1);
    assert_int_equal(witness.agreed, 1);
}

static void a_difference_is_told_with_both_numbers(void **state)
{
    (void)state;
    struct histogram sides[SIDE_COUNT];
    struct difference difference;
    struct socket_events events = {.level = EVENTS_ALL};
    struct event_witness witness = witness_of(&events);
    come(&events, STATE_GONE, STATE_CLOSE_WAIT, 998);
    look(&witness);
    assert_int_equal(event_witness_compare(&witness, close_waits(sides, 1000), &difference), DIFFERS);
    assert_string_equal(difference.text, "the event counts and the kernel's tables differ: the events count "
                                         "998 CLOSE_WAIT on the server where the tables show 1,000");
    assert_false(event_witness_note(&witness, DIFFERS, &difference));
    assert_string_equal(witness.no_verdict.text, "");
}

/* Neither a pass nor an accusation. */
static void where_events_were_missed_a_difference_is_no_verdict(void **state)
{
    (void)state;
    struct histogram sides[SIDE_COUNT];
    struct difference difference;
    struct socket_events events = {.level = EVENTS_ALL};
    struct event_witness witness = witness_of(&events);
    come(&events, STATE_GONE, STATE_CLOSE_WAIT, 998);
    events.counts.unheard = 2;
    look(&witness);
    assert_int_equal(event_witness_compare(&witness, close_waits(sides, 1000), &difference), DIFFERS);
    assert_true(event_witness_note(&witness, DIFFERS, &difference));
    assert_int_equal(witness.compared, 1);
    assert_int_equal(witness.agreed, 0);
    assert_contains(witness.no_verdict.text, "998 CLOSE_WAIT");
}

static void what_moves_during_a_look_is_not_compared(void **state)
{
    (void)state;
    struct histogram sides[SIDE_COUNT];
    struct difference difference;
    struct socket_events events = {.level = EVENTS_ALL};
    struct event_witness witness = witness_of(&events);
    event_witness_look_begins(&witness);
    come(&events, STATE_GONE, STATE_CLOSE_WAIT, 1);
    event_witness_look_ends(&witness);
    assert_int_equal(event_witness_compare(&witness, close_waits(sides, 7), &difference), MOVES);
    assert_true(event_witness_note(&witness, MOVES, &difference));
    assert_int_equal(witness.compared, 0);
}

static void states_that_the_level_does_not_see_are_left_to_looks(void **state)
{
    (void)state;
    struct histogram sides[SIDE_COUNT];
    struct difference difference;
    struct socket_events events = {.level = EVENTS_STATES};
    struct event_witness witness = witness_of(&events);
    look(&witness);
    close_waits(sides, 0);
    sides[SIDE_CLIENT].of[STATE_TIME_WAIT] = sides[SIDE_SERVER].of[STATE_SYN_RECV] = 3;
    assert_int_equal(event_witness_compare(&witness, sides, &difference), AGREES);
    sides[SIDE_CLIENT].of[STATE_LAST_ACK] = 1;
    assert_int_equal(event_witness_compare(&witness, sides, &difference), DIFFERS);
    assert_contains(difference.text, "0 LAST_ACK on the client where the tables show 1");
}

static void transitions_of_another_order_differ(void **state)
{
    (void)state;
    struct difference difference = {""};
    struct socket_events events = {.level = EVENTS_ALL};
    struct event_witness witness = witness_of(&events);
    static struct order_transitions expected;
    memset(&expected, 0, sizeof expected);
    expected.of[SIDE_SERVER][STATE_GONE][STATE_SYN_RECV][WHY_ORDERLY] = (struct transition_range){10, 10};
    come(&events, STATE_GONE, STATE_SYN_RECV, 10);
    assert_true(event_witness_is_as_expected(&witness, 10, &expected, &difference));
    come(&events, STATE_SYN_RECV, STATE_FIN_WAIT1, 1); /* an arrow of the diagram, and none of the order */
    assert_true(event_witness_is_as_expected(&witness, 10, NULL, &difference));
    assert_false(event_witness_is_as_expected(&witness, 10, &expected, &difference));
    assert_string_equal(difference.text,
                        "1 from SYN_RECV to FIN_WAIT1 on the server where the order expects 0");
    events.counts.unheard = 1;
    assert_true(event_witness_is_as_expected(&witness, 10, &expected, &difference));
    assert_contains(witness.no_verdict.text, "SYN_RECV to FIN_WAIT1");
}

static void a_transition_outside_always_differs(void **state)
{
    (void)state;
    struct difference difference = {""};
    struct socket_events events = {.level = EVENTS_ALL};
    struct event_witness witness = witness_of(&events);
    come(&events, STATE_ESTABLISHED, STATE_LAST_ACK, 3);
    assert_false(event_witness_is_as_expected(&witness, 10, NULL, &difference));
    assert_string_equal(difference.text, "3 from ESTABLISHED to LAST_ACK on the server, outside of RFC 9293");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_events_there_is_nothing_to_compare),
        cmocka_unit_test(what_earlier_orders_left_does_not_count),
        cmocka_unit_test(a_difference_is_told_with_both_numbers),
        cmocka_unit_test(where_events_were_missed_a_difference_is_no_verdict),
        cmocka_unit_test(what_moves_during_a_look_is_not_compared),
        cmocka_unit_test(states_that_the_level_does_not_see_are_left_to_looks),
        cmocka_unit_test(transitions_of_another_order_differ),
        cmocka_unit_test(a_transition_outside_always_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
