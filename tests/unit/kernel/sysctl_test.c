#include "../unit.h"

#include "../namespace_child.h"
#include "kernel/sysctl.h"

static const char *const net_names[] = {
    "net.ipv4.tcp_fin_timeout",       "net.core.somaxconn",
    "net.ipv6.conf.all.forwarding",   "net.ipv4.conf.eth0/1.rp_filter",
    "net.netfilter.nf-conntrack_max", "net.x",
};

static const char *const other_names[] = {
    "",
    "net",
    "net.",
    "kernel.pid_max",
    "fs.file-max",
    "user.max_net_namespaces",
    "internet.ipv4",
    "net/ipv4/tcp_fin_timeout",
    "net.ipv4.",
    "net..ipv4",
    "net.ipv4/../../kernel.pid_max",
    "net.../kernel",
    "net.ipv4.tcp fin",
    "net.ipv4.tcp_fin_timeout\n",
    "net.ipv4.*",
    "net.ipv4.tcp_fin_timeout=5",
    "/proc/sys/net/core/somaxconn",
};

static void names_of_settings_of_the_network_are_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(net_names); i++)
        if (!sysctl_is_net_name(net_names[i]))
            fail_msg("\"%s\" is refused", net_names[i]);
}

static void other_names_are_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(other_names); i++)
        if (sysctl_is_net_name(other_names[i]))
            fail_msg("\"%s\" is taken", other_names[i]);
}

static void a_name_that_fits_in_no_path_is_none(void **state)
{
    (void)state;
    char name[400] = "net.";
    memset(name + 4, 'x', sizeof name - 5);
    for (size_t length = 5; length < sizeof name; length++) {
        char cut[sizeof name];
        snprintf(cut, sizeof cut, "%.*s", (int)length, name);
        char value[16];
        if (sysctl_is_net_name(cut))
            assert_int_equal(sysctl_read(cut, value, sizeof value),
                             -ENOENT); /* the whole path was asked for */
        else
            assert_true(length > 100);
    }
    assert_false(sysctl_is_net_name(name));
}

static void a_setting_is_read_without_its_newline(void **state)
{
    (void)state;
    char value[32];
    assert_int_equal(sysctl_read("net.ipv4.tcp_fin_timeout", value, sizeof value), 0);
    assert_true(atoi(value) > 0);
    assert_lacks(value, "\n");
}

static void only_its_first_line_is_read(void **state)
{
    (void)state;
    char value[4096];
    if (sysctl_read("net.ipv4.tcp_available_congestion_control", value, sizeof value) != 0)
        skip();
    assert_lacks(value, "\n");
    assert_true(strlen(value) > 0);
}

static void what_does_not_fit_is_cut(void **state)
{
    (void)state;
    char value[3] = {'x', 'x', 'x'}, whole[64];
    assert_int_equal(sysctl_read("net.ipv4.ip_local_port_range", whole, sizeof whole), 0);
    assert_true(strlen(whole) >= 3);
    assert_int_equal(sysctl_read("net.ipv4.ip_local_port_range", value, sizeof value), 0);
    assert_int_equal(strlen(value), 2);
    assert_memory_equal(value, whole, 2);
}

static void a_slash_stands_for_a_dot(void **state)
{
    (void)state;
    char value[32];
    assert_int_equal(sysctl_read("net.ipv4.conf.lo.forwarding", value, sizeof value), 0);
    assert_int_equal(sysctl_read("net.ipv4.conf/lo.forwarding", value, sizeof value), -ENOENT);
}

static void what_is_not_there_cannot_be_read_or_written(void **state)
{
    (void)state;
    char value[32];
    assert_int_equal(sysctl_read("net.ipv4.no_such_thing", value, sizeof value), -ENOENT);
    assert_int_equal(sysctl_write("net.ipv4.no_such_thing", "1"), -ENOENT);
}

static void a_directory_is_no_setting(void **state)
{
    (void)state;
    char value[32];
    assert_int_equal(sysctl_read("net.ipv4", value, sizeof value), -EISDIR);
    assert_int_equal(sysctl_write("net.ipv4", "1"), -EISDIR);
}

/* ---- in a namespace ---- */

static void check_writing(void)
{
    char value[64];
    child_enter(0);
    CHECK(sysctl_write("net.ipv4.tcp_fin_timeout", "7") == 0);
    CHECK(sysctl_read("net.ipv4.tcp_fin_timeout", value, sizeof value) == 0);
    CHECK(strcmp(value, "7") == 0);
    CHECK(sysctl_write("net.ipv4.ip_local_port_range", "20000 30000") == 0);
    CHECK(sysctl_read("net.ipv4.ip_local_port_range", value, sizeof value) == 0);
    CHECK(strcmp(value, "20000\t30000") == 0);
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    char before[64], after[64];
    assert_int_equal(sysctl_read("net.ipv4.tcp_fin_timeout", before, sizeof before), 0);
    in_child(check_writing);
    assert_int_equal(sysctl_read("net.ipv4.tcp_fin_timeout", after, sizeof after), 0);
    assert_string_equal(before, after); /* outside */
}

static void check_bad_values(void)
{
    static const char *const bad[] = {"abc", "-x", "99999999999999999999", "5x"};
    char before[64], after[64];
    child_enter(0);
    CHECK(sysctl_read("net.ipv4.tcp_fin_timeout", before, sizeof before) == 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        CHECK(sysctl_write("net.ipv4.tcp_fin_timeout", bad[i]) == -EINVAL);
    CHECK(sysctl_read("net.ipv4.tcp_fin_timeout", after, sizeof after) == 0);
    CHECK(strcmp(before, after) == 0);
    CHECK(sysctl_write("net.ipv4.ip_local_port_range", "30000 20000") == -EINVAL);
}

static void a_value_that_the_kernel_refuses_is_invalid(void **state)
{
    (void)state;
    in_child(check_bad_values);
}

/* write() takes the first word and says so. */
static void check_two_words(void)
{
    child_enter(0);
    errno = ENOENT; /* of something else */
    CHECK(sysctl_write("net.ipv4.tcp_fin_timeout", "5 6") == -EINVAL);
}

static void a_value_that_is_taken_in_part_is_invalid(void **state)
{
    (void)state;
    in_child(check_two_words);
}

static void check_settings_of_the_machine(void)
{
    child_enter(0);
    CHECK(sysctl_write("net.core.netdev_max_backlog", "5") < 0);
    CHECK(sysctl_write("net.ipv4.tcp_max_orphans", "5") < 0);
}

static void settings_of_the_whole_machine_are_not_there(void **state)
{
    (void)state;
    in_child(check_settings_of_the_machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_settings_of_the_network_are_known),
        cmocka_unit_test(other_names_are_not),
        cmocka_unit_test(a_name_that_fits_in_no_path_is_none),
        cmocka_unit_test(a_setting_is_read_without_its_newline),
        cmocka_unit_test(only_its_first_line_is_read),
        cmocka_unit_test(what_does_not_fit_is_cut),
        cmocka_unit_test(a_slash_stands_for_a_dot),
        cmocka_unit_test(what_is_not_there_cannot_be_read_or_written),
        cmocka_unit_test(a_directory_is_no_setting),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(a_value_that_the_kernel_refuses_is_invalid),
        cmocka_unit_test(a_value_that_is_taken_in_part_is_invalid),
        cmocka_unit_test(settings_of_the_whole_machine_are_not_there),
    };
    return cmocka_run_group_tests_name("sysctl", tests, NULL, NULL);
}
