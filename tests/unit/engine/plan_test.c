#include "../unit.h"

#include "../namespace_child.h"
#include "base/min_max.h"
#include "control/hosts.h"
#include "engine/plan.h"
#include "kernel/packet_drop.h"
#include "kernel/sysctl.h"
#include "kernel/vanish.h"

static const struct shared_limits unlimited = {.max_orphans = INT64_MAX, .tcp_pages = INT64_MAX};

static bool holds_forever(int64_t hold_ms, int order_count, const char *name, int step, int order_index)
{
    const struct run_settings settings = {.hold_ms = hold_ms, .experiment_count = order_count};
    const struct plan plan = {.settings = &settings};
    return plan_holds_forever(&plan, close_order_find(name), step, order_index);
}

static void the_last_step_of_the_last_order_is_held_forever(void **state)
{
    (void)state;
    assert_true(holds_forever(HOLD_FOREVER, 1, "server-first", 2, 0));
    assert_true(holds_forever(HOLD_FOREVER, 3, "leak", 1, 2));
    assert_true(holds_forever(HOLD_FOREVER, 1, "never-close", 0, 0)); /* its only one */
}

static void an_earlier_step_or_order_is_not_held_forever(void **state)
{
    (void)state;
    assert_false(holds_forever(HOLD_FOREVER, 1, "server-first", 0, 0));
    assert_false(holds_forever(HOLD_FOREVER, 1, "server-first", 1, 0));
    assert_false(holds_forever(HOLD_FOREVER, 2, "server-first", 2, 0));
}

static void a_hold_of_some_length_ends(void **state)
{
    (void)state;
    assert_false(holds_forever(0, 1, "server-first", 2, 0));
    assert_false(holds_forever(86400000, 1, "server-first", 2, 0));
}

static void a_settle_time_that_was_given_is_kept(void **state)
{
    (void)state;
    const struct run_settings settings = {.conns = 100000000, .settle_ms = 1};
    assert_int_equal(plan_settle_ms(&settings), 1);
}

static void a_small_storm_settles_within_five_seconds(void **state)
{
    (void)state;
    const struct run_settings settings = {.conns = 100000, .settle_ms = SETTLE_BY_SIZE};
    assert_int_equal(plan_settle_ms(&settings), 5000);
}

static void a_large_storm_has_a_minute_to_settle(void **state)
{
    (void)state;
    const struct run_settings settings = {.conns = 100001, .settle_ms = SETTLE_BY_SIZE};
    assert_int_equal(plan_settle_ms(&settings), 60000);
}

/* ---- connections that come one by one ---- */

static const struct fault_case faulty = {.bug = {.name = "some-cause"}, .server_nofile = 24};

static struct experiment order_named(const char *name)
{
    assert_non_null(close_order_find(name));
    return experiment_of_order(close_order_find(name));
}

static struct hosts *this_machine(void)
{
    static struct hosts hosts;
    struct address address;
    assert_true(address_parse("127.0.0.1", &address));
    hosts_here(&hosts, &address);
    return &hosts;
}

/* client-first, each for 200 ms; so many a second for so long. */
static struct run_settings flow_of(int64_t rate, int64_t duration_ms)
{
    struct run_settings settings = {
        .conns = rate * duration_ms / 1000,
        .flow = {.rate = rate, .duration_ms = duration_ms, .life_ms = 200, .connect_timeout_ms = 5000},
        .experiments = {order_named("client-first")},
        .experiment_count = 1,
        .hosts = this_machine(),
        .port = 15000,
        .interval_ms = 100,
    };
    assert_true(address_parse("127.0.0.1", &settings.address));
    return settings;
}

static bool has_obstacle(const struct plan *plan, const char *part)
{
    for (int i = 0; i < plan->obstacles.count; i++)
        if (strstr(plan->obstacles.each[i].text, part) != NULL)
            return true;
    return false;
}

static bool has_warning(const struct plan *plan, const char *part)
{
    for (int i = 0; i < plan->warnings.count; i++)
        if (strstr(plan->warnings.each[i].text, part) != NULL)
            return true;
    return false;
}

/* On this machine; what it does not allow is told and does not matter here. */
static struct plan plan_for(const struct run_settings *settings)
{
    struct plan plan;
    plan_make(&plan, settings);
    return plan;
}

static void the_lanes_of_a_short_flow_hold_all_its_connections(void **state)
{
    (void)state;
    struct run_settings settings = flow_of(500, 30000);
    assert_int_equal(plan_for(&settings).on_lanes, 15000);
}

/* A connection is on its lane for its life and for a minute of TIME_WAIT. */
static void the_lanes_of_a_long_flow_hold_a_life_and_a_minute(void **state)
{
    (void)state;
    struct run_settings settings = flow_of(500, 600000);
    assert_int_equal(plan_for(&settings).on_lanes, 500 * 602 / 10 + 1);
    settings.flow.life_ms = 20000;
    assert_int_equal(plan_for(&settings).on_lanes, 500 * 80 + 1);
}

static void a_flow_has_the_lanes_that_so_many_need(void **state)
{
    (void)state;
    struct run_settings settings = flow_of(2000, 120000);
    struct plan plan = plan_for(&settings);
    assert_int_equal(plan.on_lanes, 2000 * 602 / 10 + 1);
    assert_int_equal(plan.lane_count, lanes_needed(plan.on_lanes, plan.pairs, plan.lane_capacity));
    assert_true(plan.lane_count * plan.lane_capacity >= plan.on_lanes);
}

static void a_slow_flow_still_has_a_lane_for_every_pair(void **state)
{
    (void)state;
    struct run_settings settings = flow_of(1, 1000);
    struct plan plan = plan_for(&settings);
    assert_in_range(plan.lane_count, plan.pairs, plan.pairs);
}

static void time_wait_of_a_flow_is_that_of_a_minute(void **state)
{
    (void)state;
    struct run_settings settings = flow_of(500, 600000);
    const struct experiment order = settings.experiments[0], simultaneous = order_named("simultaneous"),
                            abort = order_named("abort"), cause = experiment_of_cause(&faulty, false);
    assert_int_equal(plan_time_wait_of(&settings, &order), 500 * 60 + 1);
    assert_int_equal(plan_time_wait_of(&settings, &simultaneous), 2 * (500 * 60 + 1));
    assert_int_equal(plan_time_wait_of(&settings, &abort), 0);
    settings = flow_of(500, 10000);
    assert_int_equal(plan_time_wait_of(&settings, &order), 5000);
    assert_int_equal(plan_time_wait_of(&settings, &cause), 5000);
}

static void time_wait_all_at_once_is_that_of_all(void **state)
{
    (void)state;
    const struct run_settings settings = {.conns = 70000};
    const struct experiment order = order_named("client-first");
    assert_int_equal(plan_time_wait_of(&settings, &order), 70000);
}

static void a_rate_beyond_the_buckets_says_to_lower_it(void **state)
{
    (void)state;
    struct run_settings settings = flow_of(1000000, 100000);
    struct plan plan = plan_for(&settings);
    if (plan.limits.max_tw_buckets >= plan.time_wait_most)
        skip();
    assert_true(has_obstacle(&plan, "net.ipv4.tcp_max_tw_buckets"));
    assert_true(has_obstacle(&plan, "or lower --rate"));
}

static void a_flow_gets_another_pair_of_processes_by_its_rate(void **state)
{
    (void)state;
    struct run_settings slow = flow_of(5999, 10000), fast = flow_of(6000, 10000);
    assert_int_equal(plan_for(&slow).pairs, 1);
    struct plan plan = plan_for(&fast);
    assert_int_equal(plan.pairs, plan.limits.processors < 2 ? 1 : 2);
}

static void a_flow_never_gets_more_pairs_than_processors_without_need(void **state)
{
    (void)state;
    struct run_settings settings = flow_of(1000000, 100);
    settings.flow.life_ms = 0;
    struct plan plan = plan_for(&settings);
    int64_t held = settings.conns; /* 100,000 within a second */
    int64_t needed = (held + plan.worker_capacity - 1) / plan.worker_capacity;
    int64_t expected = needed > plan.limits.processors ? needed : plan.limits.processors;
    assert_int_equal(plan.pairs, expected);
}

/* Those that are there at one time need descriptors, and those that stay. */
static void descriptors_are_for_those_at_one_time_and_the_leak(void **state)
{
    (void)state;
    struct run_settings settings = flow_of(100, 86400000);
    assert_int_equal(plan_for(&settings).pairs, 1);
    struct plan before = plan_for(&settings);
    settings.leak = before.worker_capacity;
    assert_int_equal(plan_for(&settings).pairs, 2);
}

static void an_order_that_closes_nothing_needs_descriptors_for_all(void **state)
{
    (void)state;
    struct run_settings settings = flow_of(100, 86400000);
    settings.experiments[0] = order_named("leak");
    struct plan plan = plan_for(&settings);
    int64_t needed = (settings.conns + plan.worker_capacity - 1) / plan.worker_capacity;
    assert_int_equal(plan.pairs, needed);
}

/* It may run out of descriptors: that is what it is to show. */
static void a_cause_needs_none_for_what_it_leaks(void **state)
{
    (void)state;
    struct run_settings settings = flow_of(100, 86400000);
    settings.experiments[0] = experiment_of_cause(&faulty, false);
    assert_int_equal(plan_for(&settings).pairs, 1);
}

static void a_server_may_be_given_fewer_descriptors(void **state)
{
    (void)state;
    struct run_settings settings = flow_of(100, 1000);
    struct plan plan = plan_for(&settings);
    assert_int_equal(plan_nofile(&plan, SIDE_SERVER), plan.limits.nofile_hard);
    settings.flow.server_nofile = 256;
    assert_int_equal(plan_nofile(&plan, SIDE_SERVER), 256);
    assert_int_equal(plan_nofile(&plan, SIDE_CLIENT), plan.limits.nofile_hard);
}

static void a_cause_may_need_few_unless_told_otherwise(void **state)
{
    (void)state;
    struct run_settings settings = flow_of(100, 1000);
    settings.experiments[0] = experiment_of_cause(&faulty, false);
    struct plan plan = plan_for(&settings);
    assert_int_equal(plan_nofile(&plan, SIDE_SERVER), 24);
    settings.flow.server_nofile = 64;
    assert_int_equal(plan_nofile(&plan, SIDE_SERVER), 64);
}

static void more_descriptors_than_the_hard_limit_are_an_obstacle(void **state)
{
    (void)state;
    struct run_settings settings = flow_of(100, 1000);
    struct plan plan = plan_for(&settings);
    settings.flow.server_nofile = plan.limits.nofile_hard;
    plan = plan_for(&settings);
    assert_false(has_obstacle(&plan, "--server-nofile"));
    settings.flow.server_nofile++;
    assert_int_equal(plan_make(&plan, &settings), -1);
    assert_true(has_obstacle(&plan, "--server-nofile"));
    assert_true(has_obstacle(&plan, "ulimit -Hn"));
}

static void a_backlog_that_was_given_is_taken(void **state)
{
    (void)state;
    struct run_settings settings = flow_of(100, 1000);
    settings.flow.backlog = 1;
    assert_int_equal(plan_for(&settings).backlog, 1);
}

static void a_backlog_above_somaxconn_is_cut_with_a_warning(void **state)
{
    (void)state;
    struct run_settings settings = flow_of(100, 1000);
    struct plan plan = plan_for(&settings);
    assert_int_equal(plan.backlog, plan.limits.somaxconn < 4096 ? plan.limits.somaxconn : 4096);
    settings.flow.backlog = plan.limits.somaxconn + 1;
    plan = plan_for(&settings);
    assert_int_equal(plan.backlog, plan.limits.somaxconn);
    assert_true(has_warning(&plan, "--backlog"));
    assert_true(has_warning(&plan, "net.core.somaxconn"));
}

static void an_outage_is_expected_where_it_was_made(void **state)
{
    (void)state;
    struct run_settings settings = flow_of(100, 1000);
    assert_false(plan_expects_outage(&settings));
    settings.leak = 20;
    assert_false(plan_expects_outage(&settings));
    settings.flow.server_nofile = 64;
    assert_true(plan_expects_outage(&settings));
    settings = flow_of(100, 1000);
    settings.flow.backlog = 16;
    assert_true(plan_expects_outage(&settings));
    settings = flow_of(100, 1000);
    settings.experiments[0] = experiment_of_cause(&faulty, false);
    assert_true(plan_expects_outage(&settings));
}

/* ---- what orders need ---- */

static struct run_settings at_once(const char *order, int64_t conns)
{
    struct run_settings settings = {.conns = conns,
                                    .experiments = {order_named(order)},
                                    .experiment_count = 1,
                                    .hosts = this_machine(),
                                    .port = 15000,
                                    .hold_ms = 1000,
                                    .settle_ms = SETTLE_BY_SIZE,
                                    .interval_ms = 100};
    assert_true(address_parse("127.0.0.1", &settings.address));
    return settings;
}

static void a_setting_of_a_namespace_is_an_obstacle_without_one(void **state)
{
    (void)state;
    struct run_settings settings = at_once("late-close", 10);
    struct plan plan;
    assert_int_equal(plan_make(&plan, &settings), -1);
    assert_true(has_obstacle(&plan, "late-close needs net.ipv4.tcp_fin_timeout to be 3"));
    assert_true(has_obstacle(&plan, "add --isolate"));
    settings = at_once("time-wait-overflow", 10);
    plan = plan_for(&settings);
    assert_true(has_obstacle(&plan, "time-wait-overflow needs net.ipv4.tcp_max_tw_buckets to be 5"));
}

static void in_a_namespace_of_its_own_it_is_none(void **state)
{
    (void)state;
    static const char *const needy[] = {"late-close", "time-wait-overflow", "forgotten"};
    for (size_t i = 0; i < COUNT_OF(needy); i++) {
        struct run_settings settings = at_once(needy[i], 10);
        settings.look_inside = "nsenter", settings.shared = unlimited;
        struct plan plan = plan_for(&settings);
        assert_false(has_obstacle(&plan, needy[i]));
    }
}

static void a_filter_is_an_obstacle_where_none_may_be_set(void **state)
{
    (void)state;
    struct run_settings settings = at_once("vanish", 10);
    struct plan plan = plan_for(&settings);
    assert_int_equal(has_obstacle(&plan, "vanish needs a packet filter"), packet_drop_probe() != 0);
}

static void clients_that_vanish_are_an_obstacle_where_none_may(void **state)
{
    (void)state;
    static const struct fault_case vanishing = {
        .bug = {.name = "some-cause"},
        .script[SIDE_CLIENT] = {1, {{TRIGGER_LIFE, ACT_VANISH}}},
    };
    struct run_settings settings = at_once("leak", 10);
    settings.experiments[0] = experiment_of_cause(&vanishing, false);
    struct plan plan = plan_for(&settings);
    assert_int_equal(has_obstacle(&plan, "some-cause needs clients that vanish"), vanish_probe() != 0);
}

static void a_client_of_few_ports_has_one_lane_in_a_namespace_of_its_own(void **state)
{
    (void)state;
    static const struct fault_case needy = {.bug = {.name = "some-cause"}, .client_ports = 100};
    struct run_settings settings = at_once("leak", 1000);
    settings.flow.rate = 100;
    settings.experiments[0] = experiment_of_cause(&needy, false);
    struct plan plan = plan_for(&settings);
    assert_true(has_obstacle(&plan, "some-cause needs a client with 100 ports"));
    assert_true(has_obstacle(&plan, "add --isolate"));
    settings.look_inside = "nsenter", settings.shared = unlimited;
    plan = plan_for(&settings);
    assert_false(has_obstacle(&plan, "some-cause"));
    assert_int_equal(plan.lane_count, 1); /* of several each would have all of the ports */
}

/* As another user, who may set none. */
static void check_filter_as_nobody(void)
{
    child_become_nobody();
    if (packet_drop_probe() == 0)
        child_is_refused("to be refused a filter", 0);
    struct run_settings settings = at_once("vanish", 10);
    struct plan plan;
    CHECK(plan_make(&plan, &settings) == -1);
    CHECK(has_obstacle(&plan, "vanish needs a packet filter"));
    CHECK(has_obstacle(&plan, "add --isolate"));
    child_enter(0);
    settings.look_inside = "nsenter", settings.shared = unlimited;
    CHECK(plan_make(&plan, &settings) == 0);
}

static void an_ordinary_user_is_told_to_isolate(void **state)
{
    (void)state;
    in_child(check_filter_as_nobody);
}

static void what_needs_nothing_has_no_obstacle(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++) {
        if (!order_needs_nothing(close_order_at(i)))
            continue;
        struct run_settings settings = at_once(close_order_at(i)->name, 10);
        struct plan plan = plan_for(&settings);
        assert_false(has_obstacle(&plan, "--isolate"));
    }
}

static void more_orphans_than_the_kernel_keeps_are_an_obstacle(void **state)
{
    (void)state;
    struct run_settings settings = at_once("vanish", 10);
    struct plan plan = plan_for(&settings);
    if (plan.limits.max_orphans > 10000000) {
        print_message("the kernel does not say how many orphans it keeps\n");
        skip();
    }
    assert_false(has_obstacle(&plan, "net.ipv4.tcp_max_orphans"));
    settings.conns = plan.limits.max_orphans;
    plan = plan_for(&settings);
    assert_false(has_obstacle(&plan, "net.ipv4.tcp_max_orphans"));
    settings.conns++;
    assert_int_equal(plan_make(&plan, &settings), -1);
    assert_true(has_obstacle(&plan, "vanish leaves"));
    assert_true(has_obstacle(&plan, "net.ipv4.tcp_max_orphans"));
}

/* Up to a minute of it they are small sockets, and no orphans. */
static void check_fin_timeout(void)
{
    struct plan plan;
    struct run_settings settings = at_once("server-first", 1000);
    child_enter(0);
    settings.look_inside = "nsenter", settings.shared.max_orphans = 999;
    CHECK(sysctl_write("net.ipv4.tcp_fin_timeout", "60") == 0);
    CHECK(plan_make(&plan, &settings) == 0);
    CHECK(sysctl_write("net.ipv4.tcp_fin_timeout", "61") == 0);
    CHECK(plan_make(&plan, &settings) == -1);
    CHECK(has_obstacle(&plan, "server-first leaves 1,000 orphaned sockets in FIN_WAIT2"));
    settings.shared.max_orphans = 1000;
    CHECK(plan_make(&plan, &settings) == 0);
}

static void a_long_fin_wait2_is_an_orphan(void **state)
{
    (void)state;
    in_child(check_fin_timeout);
}

static void data_that_cannot_be_sent_takes_memory_of_tcp(void **state)
{
    (void)state;
    struct run_settings settings = at_once("linger-timeout", 101);
    settings.look_inside = "nsenter", settings.shared = unlimited, settings.shared.tcp_pages = 201;
    struct plan plan = plan_for(&settings);
    assert_true(has_obstacle(&plan, "linger-timeout leaves 101 closed sockets with data"));
    assert_true(has_obstacle(&plan, "in 202 pages of memory, and net.ipv4.tcp_mem allows 201"));
    settings.shared.tcp_pages = 202;
    plan = plan_for(&settings);
    assert_false(has_obstacle(&plan, "net.ipv4.tcp_mem"));
    settings = at_once("vanish", 101); /* a FIN without data */
    settings.look_inside = "nsenter", settings.shared = unlimited, settings.shared.tcp_pages = 1;
    plan = plan_for(&settings);
    assert_false(has_obstacle(&plan, "net.ipv4.tcp_mem"));
}

/* FIN_WAIT1 with its descriptor is no orphan. */
static void a_state_that_is_kept_leaves_no_orphans(void **state)
{
    (void)state;
    struct kept_state kept;
    assert_int_equal(kept_state_make(STATE_FIN_WAIT1, SIDE_COUNT, &kept), 0);
    struct run_settings settings = at_once("leak", 10000000);
    settings.experiments[0] = experiment_of_state(&kept);
    struct plan plan = plan_for(&settings);
    assert_false(has_obstacle(&plan, "net.ipv4.tcp_max_orphans"));
}

/* Past half of its backlog a listener prunes what waits. */
static void half_open_connections_have_a_listener_for_every_third_of_its_backlog(void **state)
{
    (void)state;
    struct kept_state kept;
    assert_int_equal(kept_state_make(STATE_SYN_RECV, SIDE_COUNT, &kept), 0);
    struct run_settings settings = at_once("leak", 100000);
    settings.experiments[0] = experiment_of_state(&kept);
    struct plan plan = plan_for(&settings);
    assert_int_equal(plan.backlog, min_of(65535, plan.limits.somaxconn));
    assert_true(plan.lane_capacity * 3 <= plan.limits.somaxconn);
    assert_true(plan.lane_count * plan.lane_capacity >= settings.conns);
}

static void connections_that_nobody_accepts_fit_in_the_queue(void **state)
{
    (void)state;
    struct run_settings settings = at_once("backlog", 20000);
    struct plan plan = plan_for(&settings);
    assert_int_equal(plan.backlog, min_of(65535, plan.limits.somaxconn));
    assert_true(plan.lane_capacity <= plan.limits.somaxconn);
    assert_true(plan.lane_count * plan.lane_capacity >= settings.conns);
}

static void one_such_order_among_others_decides_for_all(void **state)
{
    (void)state;
    struct run_settings settings = at_once("server-first", 20000), other = at_once("backlog", 20000);
    settings.experiments[settings.experiment_count++] = other.experiments[0];
    assert_int_equal(plan_for(&settings).lane_count, plan_for(&other).lane_count);
}

/* To overflow is what it is for. */
static void what_is_to_overflow_may(void **state)
{
    (void)state;
    struct run_settings settings = at_once("time-wait-overflow", 20000);
    settings.look_inside = "nsenter", settings.shared = unlimited;
    struct plan plan = plan_for(&settings);
    assert_int_equal(plan.time_wait_most, 0);
    assert_int_equal(plan.time_wait_total, 0);
}

static void a_kept_fin_wait2_takes_no_room_of_time_wait_and_has_no_clock(void **state)
{
    (void)state;
    struct kept_state kept;
    assert_int_equal(kept_state_make(STATE_CLOSE_WAIT, SIDE_COUNT, &kept), 0);
    struct run_settings settings = at_once("leak", 100);
    settings.hold_ms = 3600000;
    assert_true(plan_for(&settings).time_wait_most > 0);
    settings.experiments[0] = experiment_of_state(&kept);
    struct plan plan = plan_for(&settings);
    assert_int_equal(plan.time_wait_most, 0);
    assert_false(has_warning(&plan, "outlasts the kernel's timers"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_step_of_the_last_order_is_held_forever),
        cmocka_unit_test(an_earlier_step_or_order_is_not_held_forever),
        cmocka_unit_test(a_hold_of_some_length_ends),
        cmocka_unit_test(a_settle_time_that_was_given_is_kept),
        cmocka_unit_test(a_small_storm_settles_within_five_seconds),
        cmocka_unit_test(a_large_storm_has_a_minute_to_settle),
        cmocka_unit_test(the_lanes_of_a_short_flow_hold_all_its_connections),
        cmocka_unit_test(the_lanes_of_a_long_flow_hold_a_life_and_a_minute),
        cmocka_unit_test(a_flow_has_the_lanes_that_so_many_need),
        cmocka_unit_test(a_slow_flow_still_has_a_lane_for_every_pair),
        cmocka_unit_test(time_wait_of_a_flow_is_that_of_a_minute),
        cmocka_unit_test(time_wait_all_at_once_is_that_of_all),
        cmocka_unit_test(a_rate_beyond_the_buckets_says_to_lower_it),
        cmocka_unit_test(a_flow_gets_another_pair_of_processes_by_its_rate),
        cmocka_unit_test(a_flow_never_gets_more_pairs_than_processors_without_need),
        cmocka_unit_test(descriptors_are_for_those_at_one_time_and_the_leak),
        cmocka_unit_test(an_order_that_closes_nothing_needs_descriptors_for_all),
        cmocka_unit_test(a_cause_needs_none_for_what_it_leaks),
        cmocka_unit_test(a_server_may_be_given_fewer_descriptors),
        cmocka_unit_test(a_cause_may_need_few_unless_told_otherwise),
        cmocka_unit_test(more_descriptors_than_the_hard_limit_are_an_obstacle),
        cmocka_unit_test(a_backlog_that_was_given_is_taken),
        cmocka_unit_test(a_backlog_above_somaxconn_is_cut_with_a_warning),
        cmocka_unit_test(an_outage_is_expected_where_it_was_made),
        cmocka_unit_test(a_setting_of_a_namespace_is_an_obstacle_without_one),
        cmocka_unit_test(in_a_namespace_of_its_own_it_is_none),
        cmocka_unit_test(a_filter_is_an_obstacle_where_none_may_be_set),
        cmocka_unit_test(clients_that_vanish_are_an_obstacle_where_none_may),
        cmocka_unit_test(a_client_of_few_ports_has_one_lane_in_a_namespace_of_its_own),
        cmocka_unit_test(an_ordinary_user_is_told_to_isolate),
        cmocka_unit_test(what_needs_nothing_has_no_obstacle),
        cmocka_unit_test(more_orphans_than_the_kernel_keeps_are_an_obstacle),
        cmocka_unit_test(a_long_fin_wait2_is_an_orphan),
        cmocka_unit_test(data_that_cannot_be_sent_takes_memory_of_tcp),
        cmocka_unit_test(a_state_that_is_kept_leaves_no_orphans),
        cmocka_unit_test(half_open_connections_have_a_listener_for_every_third_of_its_backlog),
        cmocka_unit_test(connections_that_nobody_accepts_fit_in_the_queue),
        cmocka_unit_test(one_such_order_among_others_decides_for_all),
        cmocka_unit_test(what_is_to_overflow_may),
        cmocka_unit_test(a_kept_fin_wait2_takes_no_room_of_time_wait_and_has_no_clock),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
