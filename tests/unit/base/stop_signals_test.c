#include "../unit.h"

#include "base/stop_signals.h"

static volatile sig_atomic_t heard;

static void on_stop(int number)
{
    heard = number;
}

static void each_is_heard_until_they_are_put_back(void **state)
{
    (void)state;
    struct sigaction before[STOP_SIGNALS], now;
    signal(SIGHUP, SIG_DFL);
    stop_signals_catch(on_stop, before);
    for (int i = 0; i < STOP_SIGNALS; i++) {
        raise(stop_signals[i]);
        assert_int_equal(heard, stop_signals[i]);
    }
    stop_signals_put_back(before);
    for (int i = 0; i < STOP_SIGNALS; i++) {
        assert_int_equal(sigaction(stop_signals[i], NULL, &now), 0);
        assert_true(now.sa_handler == before[i].sa_handler && now.sa_handler != on_stop);
    }
}

static void a_hang_up_that_is_ignored_stays_so(void **state)
{
    (void)state;
    struct sigaction before[STOP_SIGNALS];
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* as a shell script does for its background jobs */
    assert_true(stop_signal_stays_ignored(SIGHUP));
    assert_false(stop_signal_stays_ignored(SIGINT));
    heard = 0;
    stop_signals_catch(on_stop, before);
    raise(SIGHUP);
    assert_int_equal(heard, 0);
    raise(SIGINT);
    assert_int_equal(heard, SIGINT);
    stop_signals_put_back(before);
    signal(SIGHUP, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    assert_false(stop_signal_stays_ignored(SIGHUP));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_heard_until_they_are_put_back),
        cmocka_unit_test(a_hang_up_that_is_ignored_stays_so),
    };
    return cmocka_run_group_tests_name("stop_signals", tests, NULL, NULL);
}
