#include "../unit.h"

#include "cause/audit_causes.h"

static void expect_causes(enum audit_group group, const struct audit_result *result, const char *names)
{
    assert_string_equal(causes_of_group(group, result, false).text, names);
}

static void each_group_has_the_causes_of_its_signature(void **state)
{
    (void)state;
    struct audit_result result = {.audited = 100, .descriptors_left = -1, .by_group[GROUP_EOF_UNREAD] = 20};
    expect_causes(GROUP_EOF_READ, &result, "ignore-eof, no-half-close");
    expect_causes(GROUP_EOF_UNREAD, &result, "paused-read, bounded-pool, emfile, lost-reference");
    result.by_group[GROUP_EOF_UNSURE] = 20;
    expect_causes(GROUP_EOF_UNSURE, &result,
                  "ignore-eof, paused-read, bounded-pool, emfile, lost-reference, no-half-close");
    expect_causes(GROUP_NO_OWNER, &result, "never-accept, inherited-listener");
    expect_causes(GROUP_OTHER_PROCESS, &result, "fork-inherit");
    expect_causes(GROUP_SHUT_DOWN, &result, "half-closed-for-ever");
    expect_causes(GROUP_STALLED, &result, "stalled-reader");
}

static void a_cause_fits_all_that_was_seen(void **state)
{
    (void)state;
    struct audit_result result = {.count = 100,
                                  .audited = 100,
                                  .descriptors_left = 900,
                                  .ghost_sight = GHOSTS_SEEN,
                                  .by_group = {[GROUP_EOF_UNREAD] = 100, [GROUP_EOF_READ] = 100},
                                  .growth = {.rounds = 1}};
    expect_causes(GROUP_EOF_UNREAD, &result, "paused-read, bounded-pool");
    expect_causes(GROUP_EOF_READ, &result, "ignore-eof");
    result.descriptors_left = 20;
    result.growth.count = 1;
    result.growth.rows[0] = (struct growth_row){.kind = STOCK_TCP_OUTGOING, .count = 98};
    expect_causes(GROUP_EOF_UNREAD, &result, "paused-read, bounded-pool, emfile");
    expect_causes(GROUP_EOF_READ, &result, "ignore-eof, no-half-close");
}

static void groups_that_no_cause_looks_like_have_none(void **state)
{
    (void)state;
    const struct audit_result result = {.audited = 100};
    expect_causes(GROUP_NONE, &result, "");
    expect_causes(GROUP_FROM_AFAR, &result, "");
    expect_causes(GROUP_OPEN, &result, "");
    expect_causes(GROUP_GHOST, &result, "");
    expect_causes(GROUP_NO_DESCRIPTOR, &result, "");
}

static void after_a_reset_every_server_that_does_not_hear_it_has_ghosts(void **state)
{
    (void)state;
    const struct audit_result result = {.audited = 100, .descriptors_left = -1};
    assert_string_equal(
        causes_of_group(GROUP_GHOST, &result, true).text,
        "ignore-eof, paused-read, bounded-pool, emfile, lost-reference, no-half-close, reset-swallowed");
    assert_string_equal(causes_of_group(GROUP_NO_OWNER, &result, true).text,
                        "never-accept, inherited-listener");
}

static void a_lost_reply_ends_with_a_reset_or_without(void **state)
{
    (void)state;
    assert_string_equal(causes_of_losses(true).text, "reply-before-read");
    assert_string_equal(causes_of_losses(false).text, "eof-is-abort");
}

static void what_grows_behind_a_clean_front_is_a_forgotten_second_socket(void **state)
{
    (void)state;
    struct audit_result result = {.count = 40, .audited = 40};
    assert_string_equal(causes_of_growth(&result).text, "");
    result.growth.count = 1;
    result.growth.rows[0] =
        (struct growth_row){.kind = STOCK_TCP_OUTGOING, .count = 40, .verdict = GROWTH_GOES_ON};
    assert_string_equal(causes_of_growth(&result).text, "second-socket-forgotten");
    result.growth.rows[0].verdict = GROWTH_STOPS;
    assert_string_equal(causes_of_growth(&result).text, "");
    result.growth.rows[0] = (struct growth_row){.kind = STOCK_FILE, .count = 40, .verdict = GROWTH_GOES_ON};
    assert_string_equal(causes_of_growth(&result).text, "");
    result.growth.rows[0].kind = STOCK_TCP_OUTGOING;
    result.by_class[CLASS_HELD] = 40;
    assert_string_equal(causes_of_growth(&result).text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_grows_behind_a_clean_front_is_a_forgotten_second_socket),
        cmocka_unit_test(each_group_has_the_causes_of_its_signature),
        cmocka_unit_test(a_cause_fits_all_that_was_seen),
        cmocka_unit_test(groups_that_no_cause_looks_like_have_none),
        cmocka_unit_test(after_a_reset_every_server_that_does_not_hear_it_has_ghosts),
        cmocka_unit_test(a_lost_reply_ends_with_a_reset_or_without),
    };
    return cmocka_run_group_tests_name("audit_causes", tests, NULL, NULL);
}
