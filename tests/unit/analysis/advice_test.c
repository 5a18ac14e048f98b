#include "../unit.h"

#include "analysis/advice.h"

#include <errno.h>

static void emfile_says_how_to_raise_the_limit(void **state)
{
    (void)state;
    assert_contains(advice_for("accept", EMFILE), "ulimit -n");
    assert_contains(advice_for("connect", EMFILE), "ulimit -n");
}

static void enfile_names_its_sysctl(void **state)
{
    (void)state;
    assert_contains(advice_for("socket", ENFILE), "fs.file-max");
}

static void enobufs_names_its_sysctl(void **state)
{
    (void)state;
    assert_contains(advice_for("connect", ENOBUFS), "net.ipv4.tcp_mem");
}

static void a_connect_without_a_port_names_the_range(void **state)
{
    (void)state;
    assert_contains(advice_for("connect", EADDRNOTAVAIL), "net.ipv4.ip_local_port_range");
    assert_contains(advice_for("connect", EADDRINUSE), "net.ipv4.ip_local_port_range");
}

static void a_listener_in_the_way_asks_for_another_port(void **state)
{
    (void)state;
    assert_contains(advice_for("listen", EADDRINUSE), "--port");
}

static void a_privileged_port_asks_for_a_higher_one(void **state)
{
    (void)state;
    assert_contains(advice_for("listen", EACCES), "--port");
}

static void short_memory_asks_for_fewer_connections(void **state)
{
    (void)state;
    assert_contains(advice_for("accept", ENOMEM), "--conns");
}

static void an_error_that_nobody_foresaw_has_no_advice(void **state)
{
    (void)state;
    assert_string_equal(advice_for("accept", EDOM), "");
    assert_string_equal(advice_for("connect", 0), "");
}

static void advice_for_one_call_is_not_given_for_another(void **state)
{
    (void)state;
    assert_string_not_equal(advice_for("listen", EADDRINUSE), advice_for("connect", EADDRINUSE));
    assert_string_equal(advice_for("accept", EADDRINUSE), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(emfile_says_how_to_raise_the_limit),
        cmocka_unit_test(enfile_names_its_sysctl),
        cmocka_unit_test(enobufs_names_its_sysctl),
        cmocka_unit_test(a_connect_without_a_port_names_the_range),
        cmocka_unit_test(a_listener_in_the_way_asks_for_another_port),
        cmocka_unit_test(a_privileged_port_asks_for_a_higher_one),
        cmocka_unit_test(short_memory_asks_for_fewer_connections),
        cmocka_unit_test(an_error_that_nobody_foresaw_has_no_advice),
        cmocka_unit_test(advice_for_one_call_is_not_given_for_another),
    };
    return cmocka_run_group_tests_name("advice", tests, NULL, NULL);
}
