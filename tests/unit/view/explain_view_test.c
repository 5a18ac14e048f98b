#include "../explain/made_facts.h"
#include "../unit.h"

#include "view/explain_view.h"

#include <errno.h>
#include <stdlib.h>

static struct made made;

/* What is written of the facts; the caller frees it. */
static char *written(int (*print)(FILE *out, const struct explain_report *report))
{
    struct explanation explanation;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(explanation_of(&made.facts, EXPLAIN_GRACE_MS, &explanation), 0);
    const struct explain_report report = {
        .explanation = &explanation, .target = ":8080", .grace_ms = EXPLAIN_GRACE_MS};
    assert_int_equal(print(out, &report), 0);
    fclose(out);
    explanation_free(&explanation);
    return text;
}

static void expect_text(const char *part)
{
    char *text = written(explain_print_text);
    assert_contains(text, part);
    free(text);
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        count++;
    return count;
}

static void nothing_lingers(void **state)
{
    (void)state;
    made_server(&made);
    made_add(&made, made_open(0));
    expect_text("srv 100 listens on 127.0.0.1:8080; 50 of 1,024 descriptors, no ghosts\n"
                "  Nothing lingers: 1 open connection.\n");
}

static void a_wildcard_address_is_a_port(void **state)
{
    (void)state;
    made_server(&made);
    made.listeners[0].at = endpoint("0.0.0.0", 80);
    expect_text("srv 100 listens on :80;");
}

/* Two groups, of which one could be told from the other, and one reason. */
static void what_is_the_same_of_several_groups_is_said_once(void **state)
{
    (void)state;
    made_server(&made);
    for (int i = 0; i < 20; i++) {
        struct fact_socket *socket = made_add(&made, made_close_wait(i));
        socket->unread = 1;
        socket->wait = made_epoll(i < 10 ? 0 : EPOLLOUT, true);
        socket->wait.events = i < 10 ? EPOLLERR : EPOLLERR | EPOLLHUP;
    }
    char *text = written(explain_print_text);
    assert_int_equal(count_of(text, "10 CLOSE_WAIT, request read"), 2);
    assert_int_equal(count_of(text, "Reading is paused"), 1);
    assert_int_equal(count_of(text, "[shown: paused-read]"), 1);
    assert_int_equal(count_of(text, "Do: "), 1);
    free(text);
}

static void lines_fit_a_terminal(void **state)
{
    (void)state;
    made_server(&made);
    made_process(&made, false);
    made.facts.events_lost = 3;
    for (int i = 0; i < UNSEEN_COUNT; i++)
        made.processes[1].unseen[i] = EACCES;
    for (int i = 0; i < 40; i++) {
        struct fact_socket *socket = made_add(&made, made_close_wait(i));
        socket->unread = i % 2 == 0 ? 1 : 7;
    }
    char *text = written(explain_print_text), *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;)
        assert_true(strlen(line) <= 98);
    free(text);
}

static void what_was_not_seen_is_said(void **state)
{
    (void)state;
    made_server(&made);
    made.processes[0].unseen[UNSEEN_EPOLL] = EACCES;
    made.facts.events_lost = 2;
    expect_text("Not seen of pid 100: its epoll sets (Permission denied).");
    expect_text("The kernel dropped news of ended sockets 2 times");
}

static void ghosts_without_a_life_are_told(void **state)
{
    (void)state;
    made_server(&made);
    made.processes[0].ghosts = 7;
    expect_text("7 descriptors are open of connections that are gone");
}

static void json_is_one_line(void **state)
{
    (void)state;
    made_server(&made);
    made.facts.window_ms = 4000;
    for (int i = 0; i < 20; i++)
        made_add(&made, made_close_wait(i))->unread = 1;
    char *text = written(explain_print_json);
    assert_int_equal(count_of(text, "\n"), 1);
    assert_contains(text, "\"target\":\":8080\"");
    assert_contains(text, "\"causes\":[\"paused-read\"]");
    assert_contains(text, "\"read\":\"part\",\"waiter\":\"nobody\"");
    assert_contains(text, "\"fin_ms\":{\"least\":2000,\"most\":3900}");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_lingers),
        cmocka_unit_test(a_wildcard_address_is_a_port),
        cmocka_unit_test(what_is_the_same_of_several_groups_is_said_once),
        cmocka_unit_test(lines_fit_a_terminal),
        cmocka_unit_test(what_was_not_seen_is_said),
        cmocka_unit_test(ghosts_without_a_life_are_told),
        cmocka_unit_test(json_is_one_line),
    };
    return cmocka_run_group_tests_name("explain_view", tests, NULL, NULL);
}
