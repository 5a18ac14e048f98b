#include "../unit.h"

#include "cmd/fail_on.h"

static struct fail_on parsed(const char *text)
{
    struct fail_on fail_on = {0};
    char why[640] = "";
    assert_int_equal(fail_on_parse(text, &fail_on, why, sizeof why), 0);
    return fail_on;
}

static void growth_is_of_all_leaks_unless_groups_are_named(void **state)
{
    (void)state;
    struct fail_on all = parsed("growth"), some = parsed("growth:fin_wait2,syn_sent");
    assert_true((all.growth & GROUP_SET(GROUP_OWED)) != 0 && (all.growth & GROUP_SET(GROUP_IDLE)) != 0);
    assert_int_equal(all.growth & (GROUP_SET(GROUP_CLOSE_WAIT) | GROUP_SET(GROUP_GHOSTS)), 0);
    assert_int_equal(all.growth & GROUP_SET(GROUP_ESTABLISHED), 0);
    assert_false(all.is_chosen);
    assert_int_equal(some.growth, GROUP_SET(GROUP_FIN_WAIT2) | GROUP_SET(GROUP_SYN_SENT));
    assert_true(some.is_chosen);
    /* With keep-alive the one becomes the other. */
    assert_int_equal(parsed("growth:close_wait").growth, GROUP_SET(GROUP_CLOSE_WAIT));
    assert_int_equal(parsed("growth:close_wait,ghosts").growth, GROUP_SET(GROUP_OWED));
}

static void several_stand_beside_each_other(void **state)
{
    (void)state;
    struct fail_on fail_on = parsed("growth:ghosts,age:10m,count:1.5k,eta:1h");
    assert_int_equal(fail_on.growth, GROUP_SET(GROUP_GHOSTS));
    assert_int_equal(fail_on.age_ms, 600000);
    assert_int_equal(fail_on.count, 1500);
    assert_int_equal(fail_on.eta_ms, 3600000);
    assert_true(fail_on_is_any(&fail_on));
    fail_on = parsed("nothing");
    assert_false(fail_on_is_any(&fail_on));
    assert_null(fail_on_takes_time(&fail_on));
    fail_on = parsed("age:1s");
    assert_null(fail_on_takes_time(&fail_on));
    fail_on = parsed("eta:1s");
    assert_string_equal(fail_on_takes_time(&fail_on), "eta");
}

static void what_is_none_of_them_is_refused(void **state)
{
    (void)state;
    const char *const texts[] = {"",           ",",
                                 "growth,",    "leak",
                                 "age",        "age:",
                                 "age:-1s",    "count:0",
                                 "count:many", "eta:0s",
                                 "ghosts",     "growth:",
                                 "growth:foo", "growth,ghosts",
                                 "nothing:1",  "age:1s,ghosts",
                                 "count:1e9"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct fail_on fail_on = {0};
        char why[640] = "";
        if (fail_on_parse(texts[i], &fail_on, why, sizeof why) == 0)
            print_message("taken: \"%s\"\n", texts[i]);
        assert_true(why[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(growth_is_of_all_leaks_unless_groups_are_named),
        cmocka_unit_test(several_stand_beside_each_other),
        cmocka_unit_test(what_is_none_of_them_is_refused),
    };
    return cmocka_run_group_tests_name("fail_on", tests, NULL, NULL);
}
