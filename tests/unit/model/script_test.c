#include "../unit.h"

#include "model/script.h"

#include <errno.h>

static const struct {
    const char *order, *server, *client;
} scripts[] = {
    {"server-first", "close@life", "close@eof"},
    {"client-first", "close@eof", "close@life"},
    {"half-close", "write@eof close@now", "shutdown@life read@data close@eof"},
    {"never-close", "-", "-"},
    {"leak", "-", "close@life"},
    {"simultaneous", "close@life", "close@life"},
    {"abort", "close@eof", "abort@life"},
    {"unread", "close@data", "write@life close@eof"},
    {"fin-with-data", "read@data close@now", "finish@life"},
};

/* What script_text has written; "-" has no words. */
static int read_script(const char *text, struct script *script)
{
    char copy[sizeof((struct script_text){0}.text)];
    char *rest = copy;
    const char *word;
    int rc = 0;
    *script = (struct script){0};
    snprintf(copy, sizeof copy, "%s", strcmp(text, "-") == 0 ? "" : text);
    while (rc == 0 && (word = strsep(&rest, " ")) != NULL)
        rc = *word != '\0' ? script_add_word(script, word) : 0;
    return rc;
}

static void assert_same(const struct script *a, const struct script *b)
{
    assert_int_equal(a->count, b->count);
    for (int i = 0; i < a->count; i++) {
        assert_int_equal(a->steps[i].when, b->steps[i].when);
        assert_int_equal(a->steps[i].act, b->steps[i].act);
    }
}

static void assert_refused(const char *word)
{
    struct script script = {0};
    if (script_add_word(&script, word) != -EINVAL)
        fail_msg("\"%s\" was taken", word);
    assert_int_equal(script.count, 0);
}

static void every_order_has_the_script_of_each_side(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        const struct close_order *order = close_order_find(scripts[i].order);
        assert_non_null(order);
        struct script server = script_of(order, SIDE_SERVER), client = script_of(order, SIDE_CLIENT);
        assert_string_equal(script_text(&server).text, scripts[i].server);
        assert_string_equal(script_text(&client).text, scripts[i].client);
    }
}

static void no_order_that_can_flow_is_missing_here(void **state)
{
    (void)state;
    size_t count = 0;
    for (size_t i = 0; close_order_at(i) != NULL; i++)
        count += order_can_flow(close_order_at(i));
    assert_int_equal(count, COUNT_OF(scripts));
    for (size_t i = 0; i < COUNT_OF(scripts); i++)
        assert_true(order_can_flow(close_order_find(scripts[i].order)));
}

static void a_script_has_as_many_steps_as_its_side_acts(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++) {
        const struct close_order *order = close_order_at(i);
        int acts = 0, steps = 0;
        for (int step = 1; step < order_step_count(order); step++)
            for (int side = 0; side < SIDE_COUNT; side++)
                acts += (order_step_at(order, step)->by & SIDE_SET(side)) != 0;
        for (int side = 0; side < SIDE_COUNT; side++)
            steps += script_of(order, (enum side)side).count;
        assert_int_equal(steps, acts);
    }
}

/* Otherwise a connection would wait for ever. */
static void somebody_begins_when_its_time_has_come(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++) {
        struct script server = script_of(close_order_at(i), SIDE_SERVER);
        struct script client = script_of(close_order_at(i), SIDE_CLIENT);
        bool begins = (server.count > 0 && server.steps[0].when == TRIGGER_LIFE) ||
                      (client.count > 0 && client.steps[0].when == TRIGGER_LIFE);
        assert_int_equal(begins, order_step_count(close_order_at(i)) > 1);
    }
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    for (size_t i = 0; close_order_at(i) != NULL; i++)
        for (int side = 0; side < SIDE_COUNT; side++) {
            struct script written = script_of(close_order_at(i), (enum side)side), read;
            bool is_on_ends = true; /* the other orders are for all connections at once */
            for (int k = 0; k < written.count; k++)
                is_on_ends &= act_is_on_ends(written.steps[k].act);
            assert_int_equal(read_script(script_text(&written).text, &read), is_on_ends ? 0 : -EINVAL);
            if (is_on_ends)
                assert_same(&written, &read);
        }
}

static void every_act_at_every_trigger_reads_back(void **state)
{
    (void)state;
    for (int act = ACT_OPEN + 1; act < ACT_COUNT; act++)
        for (int when = TRIGGER_NOW; when <= TRIGGER_EOF; when++) {
            const struct script written = {1, {{(enum trigger)when, (enum act)act}}};
            struct script read;
            assert_int_equal(read_script(script_text(&written).text, &read),
                             act_is_on_ends((enum act)act) ? 0 : -EINVAL);
            if (act_is_on_ends((enum act)act))
                assert_same(&written, &read);
        }
}

static void the_longest_script_is_written_whole(void **state)
{
    (void)state;
    struct script longest = {.count = SCRIPT_STEPS_MAX}, read;
    for (int i = 0; i < SCRIPT_STEPS_MAX; i++)
        longest.steps[i] = (struct script_step){TRIGGER_LIFE, ACT_SHUTDOWN};
    assert_int_equal(read_script(script_text(&longest).text, &read), 0);
    assert_same(&longest, &read);
}

static void a_step_beyond_the_last_is_refused(void **state)
{
    (void)state;
    struct script full = {.count = SCRIPT_STEPS_MAX};
    assert_int_equal(script_add_word(&full, "close@eof"), -EINVAL);
    assert_int_equal(full.count, SCRIPT_STEPS_MAX);
}

static void a_word_without_act_or_trigger_is_refused(void **state)
{
    (void)state;
    assert_refused("");
    assert_refused("@");
    assert_refused("close");
    assert_refused("close@");
    assert_refused("@life");
    assert_refused("-");
}

static void an_unknown_act_or_trigger_is_refused(void **state)
{
    (void)state;
    assert_refused("slam@life");
    assert_refused("close@noon");
    assert_refused("close@life ");
    assert_refused(" close@life");
    assert_refused("close@life@eof");
    assert_refused("close@eofclose@eof");
    assert_refused("Close@life");
    assert_refused("shutdownshutdownshutdown@life");
}

/* Connections are opened by their arrival. */
static void opening_is_no_step(void **state)
{
    (void)state;
    assert_refused("open@now");
    assert_refused("none@now");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_has_the_script_of_each_side),
        cmocka_unit_test(no_order_that_can_flow_is_missing_here),
        cmocka_unit_test(a_script_has_as_many_steps_as_its_side_acts),
        cmocka_unit_test(somebody_begins_when_its_time_has_come),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(every_act_at_every_trigger_reads_back),
        cmocka_unit_test(the_longest_script_is_written_whole),
        cmocka_unit_test(a_step_beyond_the_last_is_refused),
        cmocka_unit_test(a_word_without_act_or_trigger_is_refused),
        cmocka_unit_test(an_unknown_act_or_trigger_is_refused),
        cmocka_unit_test(opening_is_no_step),
    };
    return cmocka_run_group_tests_name("script", tests, NULL, NULL);
}
