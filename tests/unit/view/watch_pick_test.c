#include "../unit.h"

#include "view/watch_pick.h"

static struct watch_row rows[] = {
    {.key = {.port = 443, .side = SIDE_SERVER}, .command = "nginx", .listens = true, .oldest_ms = 5},
    {.key = {.port = 80, .side = SIDE_SERVER}, .command = "httpd", .listens = true, .oldest_ms = 9},
    {.key = {.port = 5432, .side = SIDE_CLIENT}, .command = "app", .oldest_ms = -1},
};

static struct watch_look look_of_three(void)
{
    rows[0].of[STATE_CLOSE_WAIT] = 7;
    rows[1].of[STATE_CLOSE_WAIT] = 2;
    rows[2].of[STATE_ESTABLISHED] = 50;
    struct watch_look look = {.t_s = 1};
    look.sets[WATCH_PORTS] = (struct watch_rows){.each = rows, .count = COUNT_OF(rows)};
    return look;
}

/* The ports that are picked, in their order. */
static void expect_ports(enum watch_order order, bool is_reversed, const char *filter, const char *expected)
{
    struct watch_look look = look_of_three(), picked;
    char text[64] = "";
    assert_int_equal(watch_pick(&look, &(struct watch_picking){order, is_reversed, filter}, &picked), 0);
    for (int i = 0; i < picked.sets[WATCH_PORTS].count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " %u",
                 picked.sets[WATCH_PORTS].each[i].key.port);
    assert_string_equal(text, expected);
    watch_picked_free(&picked);
}

static void rows_come_in_the_order_that_is_asked_for(void **state)
{
    (void)state;
    expect_ports(ORDER_OWED, false, "", " 443 80 5432");
    expect_ports(ORDER_OWED, true, "", " 5432 80 443");
    expect_ports(ORDER_AGE, false, "", " 80 443 5432");
    expect_ports(ORDER_SOCKETS, false, "", " 5432 443 80");
    expect_ports(ORDER_PORT, false, "", " 80 443 5432");
    expect_ports(ORDER_PROCESS, false, "", " 5432 80 443");
}

static void a_filter_leaves_those_that_have_it(void **state)
{
    (void)state;
    expect_ports(ORDER_OWED, false, "HTTPD", " 80");
    expect_ports(ORDER_OWED, false, ":443", " 443");
    expect_ports(ORDER_OWED, false, "established", " 5432");
    expect_ports(ORDER_OWED, false, "serves", " 443 80");
    expect_ports(ORDER_OWED, false, "nobody", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_come_in_the_order_that_is_asked_for),
                                       cmocka_unit_test(a_filter_leaves_those_that_have_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
