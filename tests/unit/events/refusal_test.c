#include "../unit.h"

#include "events/refusal.h"

#include <errno.h>

static struct events_refusal why;

static const struct circumstances good = {
    .major = 6, .minor = 1, .has_types = true, .has_right = true, .is_first_user_namespace = true};

static const char *say(struct circumstances circumstances)
{
    refusal_say(&circumstances, &why);
    assert_true(strlen(why.text) + 1 < sizeof why.text); /* none is cut off */
    return why.text;
}

static void each_says_what_to_do(void **state)
{
    (void)state;
    struct circumstances it = good;
    it.error = -EPERM;
    it.has_right = false;
    assert_contains(say(it), "as root");
    assert_contains(say(it), "setcap cap_bpf,cap_perfmon+ep");
    it.has_right = true;
    it.is_first_user_namespace = false;
    assert_contains(say(it), "user namespace");
    it.is_first_user_namespace = true;
    assert_contains(say(it), "lockdown");
    it = good;
    it.error = -EINVAL;
    assert_contains(say(it), "Invalid argument");
    it.has_types = false;
    assert_contains(say(it), "CONFIG_DEBUG_INFO_BTF");
    it = good;
    it.error = -EINVAL;
    it.major = 5;
    it.minor = 16;
    assert_contains(say(it), "Linux 5.16 is too old");
    it.minor = 17;
    assert_lacks(say(it), "too old");
    it.error = -ENOMEM;
    assert_contains(say(it), "out of memory");
    it.error = -EMFILE;
    assert_contains(say(it), "ulimit -n");
}

static void what_is_lacking(void **state)
{
    (void)state;
    struct circumstances it = good;
    it.error = -EPERM;
    refusal_say_states_only(&it, &why);
    assert_contains(why.text, "fentry");
    assert_contains(why.text, "TIME_WAIT");
    assert_true(strlen(why.text) + 1 < sizeof why.text);
    it.error = -ESRCH;
    refusal_say_states_only(&it, &why);
    assert_lacks(why.text, "refuses");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_says_what_to_do),
        cmocka_unit_test(what_is_lacking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
