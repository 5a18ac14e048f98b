#include "../unit.h"

#include "control/hosts.h"

static const struct host_limits plenty = {
    .nofile_hard = 20000,
    .files_left = 1000000,
    .processors = 4,
    .memory_available = (int64_t)16 << 30,
    .port_first = 32768,
    .port_last = 60999,
    .somaxconn = 4096,
    .max_tw_buckets = 100000,
    .max_orphans = 50000,
    .tcp_pages = 300000,
    .fin_timeout_ms = 60000,
    .rfc1337 = 1,
    .ehash_entries = 8192,
    .kernel = "Linux 6.1",
};

static void add(struct hosts *hosts, enum side side, const char *launcher, int64_t memory_mib)
{
    struct host *host = &hosts->each[hosts->count++];
    *host = (struct host){.launcher = launcher, .side = side, .limits = plenty};
    host->limits.memory_available = memory_mib << 20;
    snprintf(host->identity, sizeof host->identity, "boot.%d", hosts->count);
}

static struct hosts servers_with(const int64_t memory_mib[], int count)
{
    struct hosts hosts = {.count = 0};
    for (int i = 0; i < count; i++)
        add(&hosts, SIDE_SERVER, "db", memory_mib[i]);
    add(&hosts, SIDE_CLIENT, "web", 1);
    return hosts;
}

/* How many of `count` server workers each host gets. */
static void place(const struct hosts *hosts, int count, int placed[HOSTS_MAX])
{
    int host[64];
    memset(placed, 0, HOSTS_MAX * sizeof *placed);
    hosts_place(hosts, SIDE_SERVER, count, host);
    for (int i = 0; i < count; i++) {
        assert_in_range(host[i], 0, hosts->count - 1);
        assert_int_equal(hosts->each[host[i]].side, SIDE_SERVER);
        placed[host[i]]++;
    }
}

/* ---- placing ---- */

static void equal_hosts_get_equal_parts(void **state)
{
    (void)state;
    const struct hosts hosts = servers_with((const int64_t[]){1000, 1000, 1000}, 3);
    int placed[HOSTS_MAX];
    place(&hosts, 12, placed);
    for (int i = 0; i < 3; i++)
        assert_int_equal(placed[i], 4);
}

static void a_host_with_twice_the_room_gets_twice_the_workers(void **state)
{
    (void)state;
    const struct hosts hosts = servers_with((const int64_t[]){2000, 1000}, 2);
    int placed[HOSTS_MAX];
    place(&hosts, 30, placed);
    assert_int_equal(placed[0], 20);
    assert_int_equal(placed[1], 10);
}

static void every_host_gets_one_while_there_are_enough(void **state)
{
    (void)state;
    const struct hosts hosts = servers_with((const int64_t[]){1000000, 1, 1, 1}, 4);
    int placed[HOSTS_MAX];
    place(&hosts, 4, placed);
    for (int i = 0; i < 4; i++)
        assert_int_equal(placed[i], 1);
    place(&hosts, 6, placed);
    assert_int_equal(placed[0], 3);
}

static void fewer_workers_than_hosts_are_still_placed(void **state)
{
    (void)state;
    const struct hosts hosts = servers_with((const int64_t[]){1, 1000, 1}, 3);
    int placed[HOSTS_MAX];
    place(&hosts, 1, placed);
    assert_int_equal(placed[1], 1);
}

static void a_host_that_has_nothing_does_not_stop_the_placing(void **state)
{
    (void)state;
    const struct hosts hosts = servers_with((const int64_t[]){0, 0}, 2);
    int placed[HOSTS_MAX];
    place(&hosts, 8, placed);
    assert_int_equal(placed[0] + placed[1], 8);
    assert_true(placed[0] > 0 && placed[1] > 0);
}

static void ports_limit_a_client_and_not_a_server(void **state)
{
    (void)state;
    struct hosts hosts = {.count = 0};
    int host[8], second = 0;
    for (int side = 0; side < SIDE_COUNT; side++)
        for (int i = 0; i < 2; i++)
            add(&hosts, (enum side)side, "x", 100000);
    hosts.each[3].limits.port_last = hosts.each[3].limits.port_first + 99;
    hosts.each[1].limits.port_last = hosts.each[1].limits.port_first + 99;
    hosts_place(&hosts, SIDE_CLIENT, 8, host);
    for (int i = 0; i < 8; i++)
        second += host[i] == 3;
    assert_int_equal(second, 1);
    hosts_place(&hosts, SIDE_SERVER, 8, host);
    second = 0;
    for (int i = 0; i < 8; i++)
        second += host[i] == 1;
    assert_int_equal(second, 4);
}

/* ---- limits ---- */

static struct hosts one_each(void)
{
    struct hosts hosts = {.count = 0};
    add(&hosts, SIDE_SERVER, "db", 1024);
    add(&hosts, SIDE_CLIENT, "web", 1024);
    return hosts;
}

static struct host_limits limits_of(const struct hosts *hosts)
{
    struct host_limits limits;
    memset(&limits, 0xff, sizeof limits);
    hosts_limits(hosts, &limits);
    return limits;
}

static void two_equal_hosts_have_what_one_has_for_each_side(void **state)
{
    (void)state;
    const struct hosts hosts = one_each();
    const struct host_limits limits = limits_of(&hosts);
    assert_int_equal(limits.nofile_hard, plenty.nofile_hard);
    assert_int_equal(limits.files_left, 2 * plenty.files_left);
    assert_int_equal(limits.memory_available, (int64_t)2048 << 20);
    assert_int_equal(limits.max_tw_buckets, plenty.max_tw_buckets);
    assert_int_equal(limits.processors, plenty.processors);
    assert_int_equal(limits.port_first, plenty.port_first);
    assert_int_equal(limits.port_last, plenty.port_last);
    assert_int_equal(limits.somaxconn, plenty.somaxconn);
    assert_int_equal(limits.max_orphans, plenty.max_orphans);
    assert_int_equal(limits.tcp_pages, plenty.tcp_pages);
    assert_int_equal(limits.fin_timeout_ms, plenty.fin_timeout_ms);
    assert_int_equal(limits.rfc1337, 1);
    assert_int_equal(limits.ehash_entries, plenty.ehash_entries);
    assert_string_equal(limits.kernel, "Linux 6.1");
}

static void the_weaker_side_counts_and_its_hosts_add_up(void **state)
{
    (void)state;
    struct hosts hosts = one_each();
    add(&hosts, SIDE_CLIENT, "web2", 512);
    hosts.each[0].limits.memory_available = (int64_t)4096 << 20;
    assert_int_equal(limits_of(&hosts).memory_available, (int64_t)2 * 1536 << 20);
    hosts.each[0].limits.memory_available = (int64_t)100 << 20;
    assert_int_equal(limits_of(&hosts).memory_available, (int64_t)200 << 20);
}

static void what_a_process_may_is_that_of_the_weakest_host(void **state)
{
    (void)state;
    struct hosts hosts = one_each();
    hosts.each[1].limits.nofile_hard = 100;
    hosts.each[1].limits.somaxconn = 10;
    hosts.each[0].limits.fin_timeout_ms = 2000;
    const struct host_limits limits = limits_of(&hosts);
    assert_int_equal(limits.nofile_hard, 100);
    assert_int_equal(limits.somaxconn, 10);
    assert_int_equal(limits.fin_timeout_ms, 2000);
}

static void of_port_ranges_the_lowest_start_and_the_narrowest_width_count(void **state)
{
    (void)state;
    struct hosts hosts = one_each();
    hosts.each[0].limits.port_first = 20000;
    hosts.each[0].limits.port_last = 60000;
    hosts.each[1].limits.port_first = 40000;
    hosts.each[1].limits.port_last = 40599;
    const struct host_limits limits = limits_of(&hosts);
    assert_int_equal(limits.port_first, 20000);
    assert_int_equal(limits.port_last, 20599);
}

static void limits_that_are_not_known_do_not_overflow(void **state)
{
    (void)state;
    struct hosts hosts = one_each();
    for (int i = 0; i < 4; i++)
        add(&hosts, (enum side)(i % 2), "more", 1024);
    for (int i = 0; i < hosts.count; i++) {
        hosts.each[i].limits.files_left = INT64_MAX;
        hosts.each[i].limits.max_orphans = INT64_MAX;
    }
    assert_true(limits_of(&hosts).files_left > (int64_t)1 << 60);
    assert_true(limits_of(&hosts).max_orphans == INT64_MAX);
}

static void kernels_that_differ_are_said_to(void **state)
{
    (void)state;
    struct hosts hosts = one_each();
    snprintf(hosts.each[1].limits.kernel, sizeof hosts.each[1].limits.kernel, "Linux 5.10");
    assert_string_equal(limits_of(&hosts).kernel, "Linux, several versions");
}

/* ---- the rest ---- */

static void hosts_of_one_identity_are_doubles_of_the_first(void **state)
{
    (void)state;
    struct hosts hosts = one_each();
    add(&hosts, SIDE_CLIENT, "web again", 1024);
    snprintf(hosts.each[2].identity, sizeof hosts.each[2].identity, "%s", hosts.each[0].identity);
    assert_false(hosts_is_double(&hosts, 0));
    assert_false(hosts_is_double(&hosts, 1));
    assert_true(hosts_is_double(&hosts, 2));
}

static void counters_of_doubles_count_once(void **state)
{
    (void)state;
    struct hosts hosts = one_each();
    add(&hosts, SIDE_CLIENT, "web again", 1024);
    snprintf(hosts.each[2].identity, sizeof hosts.each[2].identity, "%s", hosts.each[1].identity);
    for (int i = 0; i < hosts.count; i++)
        hosts.each[i].counters.value[0] = 100;
    assert_int_equal(hosts_counters(&hosts).value[0], 200);
}

static void room_for_time_wait_is_that_of_the_fuller_side(void **state)
{
    (void)state;
    struct hosts hosts = one_each();
    add(&hosts, SIDE_CLIENT, "web2", 1024);
    hosts.each[0].time_wait = 99000;
    int64_t most;
    assert_int_equal(hosts_time_wait_room(&hosts, &most), 1000);
    assert_int_equal(most, 100000);
    hosts.each[0].time_wait = 0;
    hosts.each[1].time_wait = 100001;
    assert_int_equal(hosts_time_wait_room(&hosts, &most), 99999);
    assert_int_equal(most, hosts.each[1].limits.max_tw_buckets + hosts.each[2].limits.max_tw_buckets);
}

static void a_host_is_named_by_its_launcher(void **state)
{
    (void)state;
    const struct host far = {.launcher = "ssh web1"}, near = {.launcher = NULL};
    assert_string_equal(host_name(&far).text, "host \"ssh web1\"");
    assert_string_equal(host_word(&far), "ssh web1");
    assert_string_equal(host_name(&near).text, "this machine");
    assert_string_equal(host_word(&near), "local");
}

static void a_very_long_launcher_is_cut(void **state)
{
    (void)state;
    char text[500];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    const struct host host = {.launcher = text};
    assert_true(strlen(host_name(&host).text) < 96);
    assert_int_equal(host_name(&host).text[strlen(host_name(&host).text) - 1], '"');
}

static void sides_are_counted(void **state)
{
    (void)state;
    const struct hosts hosts = servers_with((const int64_t[]){1, 2, 3}, 3);
    assert_int_equal(hosts_count(&hosts, SIDE_SERVER), 3);
    assert_int_equal(hosts_count(&hosts, SIDE_CLIENT), 1);
}

/* ---- this machine ---- */

static void without_launchers_each_side_is_on_this_machine(void **state)
{
    (void)state;
    struct hosts hosts;
    struct address address;
    assert_true(address_parse("127.0.0.9", &address));
    hosts_here(&hosts, &address);
    for (int side = 0; side < SIDE_COUNT; side++)
        assert_int_equal(hosts_count(&hosts, (enum side)side), 1);
    assert_true(hosts_is_double(&hosts, 1)); /* one witness sees both sides */
    struct address servers[HOSTS_MAX];
    assert_int_equal(hosts_server_addresses(&hosts, servers), 1);
    assert_true(address_equal(&servers[0], &address));
    assert_string_equal(host_place(&hosts.each[0]).text, "");
    assert_string_equal(host_word(&hosts.each[1]), "local");
}

static void this_machine_is_asked_directly(void **state)
{
    (void)state;
    struct hosts hosts;
    struct address address;
    struct host_limits limits, read;
    assert_true(address_parse("127.0.0.1", &address));
    hosts_here(&hosts, &address);
    host_limits_read(&read);
    hosts_limits(&hosts, &limits);
    assert_int_equal(limits.nofile_hard, read.nofile_hard);
    assert_int_equal(limits.processors, read.processors);
    assert_int_equal(limits.max_tw_buckets, read.max_tw_buckets);
    int64_t most;
    assert_true(hosts_time_wait_room(&hosts, &most) <= read.max_tw_buckets);
    assert_int_equal(most, read.max_tw_buckets);
}

static void its_loop_is_made_when_it_is_wanted(void **state)
{
    (void)state;
    struct hosts hosts;
    struct address address;
    assert_true(address_parse("127.0.0.1", &address));
    hosts_here(&hosts, &address);
    assert_int_equal(hosts_open(&hosts), 0);
    assert_null(hosts.base); /* the limit of descriptors may have to be raised first */
    assert_int_equal(hosts_make_loop(&hosts), 0);
    struct event_base *base = hosts.base;
    assert_non_null(base);
    assert_int_equal(hosts_make_loop(&hosts), 0);
    assert_ptr_equal(hosts.base, base);
    hosts_close(&hosts);
    assert_null(hosts.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_hosts_get_equal_parts),
        cmocka_unit_test(a_host_with_twice_the_room_gets_twice_the_workers),
        cmocka_unit_test(every_host_gets_one_while_there_are_enough),
        cmocka_unit_test(fewer_workers_than_hosts_are_still_placed),
        cmocka_unit_test(a_host_that_has_nothing_does_not_stop_the_placing),
        cmocka_unit_test(ports_limit_a_client_and_not_a_server),
        cmocka_unit_test(two_equal_hosts_have_what_one_has_for_each_side),
        cmocka_unit_test(the_weaker_side_counts_and_its_hosts_add_up),
        cmocka_unit_test(what_a_process_may_is_that_of_the_weakest_host),
        cmocka_unit_test(of_port_ranges_the_lowest_start_and_the_narrowest_width_count),
        cmocka_unit_test(limits_that_are_not_known_do_not_overflow),
        cmocka_unit_test(kernels_that_differ_are_said_to),
        cmocka_unit_test(hosts_of_one_identity_are_doubles_of_the_first),
        cmocka_unit_test(counters_of_doubles_count_once),
        cmocka_unit_test(room_for_time_wait_is_that_of_the_fuller_side),
        cmocka_unit_test(a_host_is_named_by_its_launcher),
        cmocka_unit_test(a_very_long_launcher_is_cut),
        cmocka_unit_test(sides_are_counted),
        cmocka_unit_test(without_launchers_each_side_is_on_this_machine),
        cmocka_unit_test(this_machine_is_asked_directly),
        cmocka_unit_test(its_loop_is_made_when_it_is_wanted),
    };
    return cmocka_run_group_tests_name("hosts", tests, NULL, NULL);
}
