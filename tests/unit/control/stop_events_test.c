#include "../unit.h"

#include "control/stop_events.h"

#include <signal.h>
#include <unistd.h>

static void note(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    ++*(int *)context;
}

/* Opens, turns once, closes; returns how often on_stop was called. */
static int turn_of_a_loop(void)
{
    int heard = 0;
    struct event_base *base = event_base_new();
    struct stop_events stops = {0};
    assert_int_equal(stop_events_open(&stops, base, note, &heard), 0);
    event_base_loop(base, EVLOOP_NONBLOCK);
    stop_events_close(&stops);
    event_base_free(base);
    return heard;
}

static void a_loop_hears_a_signal(void **state)
{
    (void)state;
    int heard = 0;
    struct event_base *base = event_base_new();
    struct stop_events stops = {0};
    assert_int_equal(stop_events_open(&stops, base, note, &heard), 0);
    raise(SIGTERM);
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    assert_int_equal(heard, 1);
    stop_events_close(&stops);
    event_base_free(base);
}

static void what_comes_between_two_loops_is_heard_by_the_next(void **state)
{
    (void)state;
    stop_signals_hold();
    assert_int_equal(turn_of_a_loop(), 0);
    raise(SIGINT);
    assert_int_equal(turn_of_a_loop(), 1);
    assert_int_equal(turn_of_a_loop(), 1); /* and by all that would follow */
    stop_signals_release();
}

static void what_nobody_has_heard_is_forgotten(void **state)
{
    (void)state;
    stop_signals_hold();
    raise(SIGTERM);
    stop_signals_release();
    assert_false(stop_signals_are_held());
    assert_int_equal(turn_of_a_loop(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_hears_a_signal),
        cmocka_unit_test(what_comes_between_two_loops_is_heard_by_the_next),
        cmocka_unit_test(what_nobody_has_heard_is_forgotten),
    };
    return cmocka_run_group_tests_name("stop_events", tests, NULL, NULL);
}
