#include "../unit.h"

#include "cause/audit_causes.h"

static void each_group_has_the_causes_of_its_signature(void **state)
{
    (void)state;
    assert_string_equal(causes_of_group(GROUP_EOF_READ).text, "ignore-eof, no-half-close");
    assert_string_equal(causes_of_group(GROUP_EOF_UNREAD).text,
                        "paused-read, bounded-pool, emfile, lost-reference");
    assert_string_equal(causes_of_group(GROUP_NO_OWNER).text, "never-accept");
    assert_string_equal(causes_of_group(GROUP_OTHER_PROCESS).text, "fork-inherit");
}

static void groups_that_no_cause_looks_like_have_none(void **state)
{
    (void)state;
    assert_string_equal(causes_of_group(GROUP_NONE).text, "");
    assert_string_equal(causes_of_group(GROUP_FROM_AFAR).text, "");
    assert_string_equal(causes_of_group(GROUP_OPEN).text, "");
    assert_string_equal(causes_of_group(GROUP_GHOST).text, "");
}

static void resets_are_of_a_server_that_does_not_read(void **state)
{
    (void)state;
    assert_string_equal(causes_of_resets().text, "reply-before-read");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_group_has_the_causes_of_its_signature),
        cmocka_unit_test(groups_that_no_cause_looks_like_have_none),
        cmocka_unit_test(resets_are_of_a_server_that_does_not_read),
    };
    return cmocka_run_group_tests_name("audit_causes", tests, NULL, NULL);
}
