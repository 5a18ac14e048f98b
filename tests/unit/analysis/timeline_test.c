#include "../unit.h"

#include "analysis/timeline.h"

#include <math.h>

static void nothing_has_happened_at_first(void **state)
{
    (void)state;
    struct timeline timeline = {0};
    enum timeline_stage stages[STAGE_COUNT];
    assert_int_equal(timeline_in_order(&timeline, stages), 0);
    assert_true(isinf(timeline_first_failure_s(&timeline)));
    for (int i = 0; i < STAGE_COUNT; i++) {
        assert_false(timeline_has(&timeline, (enum timeline_stage)i));
        assert_true(isinf(timeline_at(&timeline, (enum timeline_stage)i)));
        assert_string_equal(timeline_line(&timeline, (enum timeline_stage)i).text, "");
    }
}

static void only_the_first_note_is_news(void **state)
{
    (void)state;
    struct timeline timeline = {0};
    assert_true(timeline_note(&timeline, STAGE_SERVER_EMFILE, 5.4, 1024));
    assert_false(timeline_note(&timeline, STAGE_SERVER_EMFILE, 6.0, 2048));
    assert_true(timeline_has(&timeline, STAGE_SERVER_EMFILE));
    assert_true(timeline_at(&timeline, STAGE_SERVER_EMFILE) == 5.4);
    assert_contains(timeline_line(&timeline, STAGE_SERVER_EMFILE).text, "1,024");
}

static void an_earlier_date_that_comes_late_corrects(void **state)
{
    (void)state;
    struct timeline timeline = {0};
    timeline_note(&timeline, STAGE_SYN_DROPPED, 9.3, 7);
    assert_false(timeline_note(&timeline, STAGE_SYN_DROPPED, 9.2, 2));
    assert_string_equal(timeline_line(&timeline, STAGE_SYN_DROPPED).text,
                        "9.2 s: first SYN dropped by the full accept queue (ListenDrops 2)");
}

static void time_zero_is_a_time(void **state)
{
    (void)state;
    struct timeline timeline = {0};
    assert_true(timeline_note(&timeline, STAGE_CONNECT_SLOW, 0, 0));
    assert_true(timeline_has(&timeline, STAGE_CONNECT_SLOW));
    assert_true(timeline_first_failure_s(&timeline) == 0);
}

static void lines_without_a_number(void **state)
{
    (void)state;
    struct timeline timeline = {0};
    timeline_note(&timeline, STAGE_SERVER_EMFILE, 5.4, 0);
    timeline_note(&timeline, STAGE_CONNECT_SLOW, 10.3, 0);
    timeline_note(&timeline, STAGE_QUEUE_FULL, 6, 0);
    assert_string_equal(timeline_line(&timeline, STAGE_SERVER_EMFILE).text,
                        "5.4 s: first EMFILE: accept() fails, the server is out of descriptors");
    assert_string_equal(timeline_line(&timeline, STAGE_CONNECT_SLOW).text,
                        "10.3 s: connect() takes 1 s: the SYN is being sent again");
    assert_string_equal(timeline_line(&timeline, STAGE_QUEUE_FULL).text, "6.0 s: the accept queue is full");
}

static void lines_with_a_number(void **state)
{
    (void)state;
    struct timeline timeline = {0};
    timeline_note(&timeline, STAGE_QUEUE_FULL, 9.14, 4097);
    assert_string_equal(timeline_line(&timeline, STAGE_QUEUE_FULL).text,
                        "9.1 s: the accept queue is full: 4,097 connections wait, and nobody accepts them");
}

static void a_number_that_means_nothing_is_not_told(void **state)
{
    (void)state;
    struct timeline timeline = {0};
    timeline_note(&timeline, STAGE_REPLY_LOST, 12, 99);
    assert_string_equal(timeline_line(&timeline, STAGE_REPLY_LOST).text,
                        "12.0 s: first reply lost: its connection ended before it was read");
}

static void stages_come_in_the_order_of_time(void **state)
{
    (void)state;
    struct timeline timeline = {0};
    enum timeline_stage stages[STAGE_COUNT];
    timeline_note(&timeline, STAGE_SERVER_EMFILE, 9, 0);
    timeline_note(&timeline, STAGE_CONNECT_SLOW, 3, 0);
    timeline_note(&timeline, STAGE_REPLY_LOST, 5, 0);
    assert_int_equal(timeline_in_order(&timeline, stages), 3);
    assert_int_equal(stages[0], STAGE_CONNECT_SLOW);
    assert_int_equal(stages[1], STAGE_REPLY_LOST);
    assert_int_equal(stages[2], STAGE_SERVER_EMFILE);
    assert_true(timeline_first_failure_s(&timeline) == 3);
}

static void at_the_same_time_the_cause_comes_first(void **state)
{
    (void)state;
    struct timeline timeline = {0};
    enum timeline_stage stages[STAGE_COUNT];
    for (int i = STAGE_COUNT - 1; i >= 0; i--)
        timeline_note(&timeline, (enum timeline_stage)i, 1, 0);
    assert_int_equal(timeline_in_order(&timeline, stages), STAGE_COUNT);
    for (int i = 0; i < STAGE_COUNT; i++)
        assert_int_equal(stages[i], i);
}

static void every_stage_has_a_name_and_a_line_that_fits(void **state)
{
    (void)state;
    struct timeline timeline = {0};
    for (int i = 0; i < STAGE_COUNT; i++) {
        enum timeline_stage stage = (enum timeline_stage)i;
        timeline_note(&timeline, stage, 1e6, INT64_MAX);
        struct timeline_text line = timeline_line(&timeline, stage);
        assert_contains(line.text, "1000000.0 s: ");
        assert_true(strlen(line.text) < sizeof line.text - 1);
        for (int other = 0; other < i; other++)
            assert_string_not_equal(timeline_stage_name(stage),
                                    timeline_stage_name((enum timeline_stage)other));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_has_happened_at_first),
        cmocka_unit_test(only_the_first_note_is_news),
        cmocka_unit_test(an_earlier_date_that_comes_late_corrects),
        cmocka_unit_test(time_zero_is_a_time),
        cmocka_unit_test(lines_without_a_number),
        cmocka_unit_test(lines_with_a_number),
        cmocka_unit_test(a_number_that_means_nothing_is_not_told),
        cmocka_unit_test(stages_come_in_the_order_of_time),
        cmocka_unit_test(at_the_same_time_the_cause_comes_first),
        cmocka_unit_test(every_stage_has_a_name_and_a_line_that_fits),
    };
    return cmocka_run_group_tests_name("timeline", tests, NULL, NULL);
}
