#include "../unit.h"

#include "kernel/process_signals.h"

#include <errno.h>
#include <signal.h>

static void a_mask_has_a_bit_for_each_signal(void **state)
{
    (void)state;
    assert_true(process_signals_line_has("SigIgn:\t0000000000001000", SIGPIPE));
    assert_true(process_signals_line_has("SigCgt:\t0000000180001002", SIGPIPE));
    assert_false(process_signals_line_has("SigIgn:\t0000000000001000", SIGINT));
    assert_false(process_signals_line_has("SigBlk:\t0000000000001000", SIGPIPE));
    assert_true(process_signals_line_has("SigCgt:\t8000000000000000", 64));
    assert_false(process_signals_line_has("SigIgn:", SIGPIPE));
    assert_false(process_signals_line_has("", SIGPIPE));
}

static void on_signal(int number)
{
    (void)number;
}

static void a_process_survives_what_it_ignores_or_catches(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(process_survives_signal(getpid(), SIGPIPE), 0);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(process_survives_signal(getpid(), SIGPIPE), 1);
    signal(SIGPIPE, on_signal);
    assert_int_equal(process_survives_signal(getpid(), SIGPIPE), 1);
    assert_int_equal(process_survives_signal(99999999, SIGPIPE), -ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mask_has_a_bit_for_each_signal),
        cmocka_unit_test(a_process_survives_what_it_ignores_or_catches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
