#include "../unit.h"

#include "view/view.h"

#include <stdlib.h>

static struct run_settings some_settings(void)
{
    struct run_settings settings = {.conns = 1000, .port = 15000, .experiment_count = 2};
    settings.experiments[0] = experiment_of_order(close_order_find("leak"));
    settings.experiments[1] = experiment_of_order(close_order_find("vanish"));
    assert_true(address_parse("127.0.0.1", &settings.address));
    return settings;
}

/* The caller frees it. */
static char *printed(const struct run_settings *settings, int lanes)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    const struct plan plan = {.settings = settings,
                              .limits = {.nofile_hard = 20000, .max_tw_buckets = 262144},
                              .pairs = 2,
                              .lane_capacity = 9410,
                              .lane_count = lanes,
                              .backlog = 4096,
                              .window = 2048};
    view_print_plan(&plan, out);
    fclose(out);
    return text;
}

static void it_says_that_nothing_was_opened_and_what_would_be(void **state)
{
    (void)state;
    struct run_settings settings = some_settings();
    char *text = printed(&settings, 3);
    assert_contains(text, "plan: nothing has been opened\n");
    assert_contains(text, "  connections    1,000 on 127.0.0.1\n");
    assert_contains(text, "  orders         leak vanish\n");
    assert_contains(text, "3 consecutive ports from 15000 up, at most 9,410 connections each");
    assert_contains(text, "2 server and 2 client, at most 20,000 and 20,000 descriptors each");
    assert_contains(text, "4,096 a listener; clients at most 2,048 ahead of accept()");
    assert_contains(text, "net.ipv4.tcp_max_tw_buckets allows 262,144");
    assert_contains(text, "  witness        none\n");
    assert_lacks(text, " leak\n  lanes");
    free(text);
}

static void one_lane_is_one_port(void **state)
{
    (void)state;
    struct run_settings settings = some_settings();
    char *text = printed(&settings, 1);
    assert_contains(text, "1 port from");
    free(text);
}

static void a_flow_is_told_with_its_rate_and_without_a_window(void **state)
{
    (void)state;
    struct run_settings settings = some_settings();
    settings.flow = (struct flow_settings){.rate = 100, .duration_ms = 10000, .life_ms = 200};
    char *text = printed(&settings, 1);
    assert_contains(text, "1,000 on 127.0.0.1, 100 a second for 10s, each for 200ms\n");
    assert_lacks(text, "ahead of accept()");
    free(text);
}

static void a_leak_is_told(void **state)
{
    (void)state;
    struct run_settings settings = some_settings();
    settings.leak = 50;
    char *text = printed(&settings, 1);
    assert_contains(text, "; 50 of them leak\n");
    free(text);
}

static void a_state_that_is_kept_is_told_by_its_name(void **state)
{
    (void)state;
    struct kept_state kept;
    struct run_settings settings = some_settings();
    assert_int_equal(kept_state_make(STATE_LAST_ACK, SIDE_COUNT, &kept), 0);
    settings.experiments[0] = experiment_of_state(&kept);
    settings.experiment_count = 1;
    char *text = printed(&settings, 1);
    assert_contains(text, "  orders         LAST_ACK\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_that_nothing_was_opened_and_what_would_be),
        cmocka_unit_test(one_lane_is_one_port),
        cmocka_unit_test(a_flow_is_told_with_its_rate_and_without_a_window),
        cmocka_unit_test(a_leak_is_told),
        cmocka_unit_test(a_state_that_is_kept_is_told_by_its_name),
    };
    return cmocka_run_group_tests_name("plan_text", tests, NULL, NULL);
}
