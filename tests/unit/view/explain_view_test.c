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
    expect_text("Not seen for pid 100: its epoll sets (Permission denied).");
    expect_text("The kernel lost reports of ended sockets 2 times");
}

static void ghosts_without_a_life_are_told(void **state)
{
    (void)state;
    made_server(&made);
    made.processes[0].ghosts = 7;
    expect_text("7 descriptors are open on connections that are gone");
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

/* ---- first aid ---- */

static struct aid_step aid_steps[3];

/* A proxy's forgotten halves: one was done, one had changed, one was not tried. */
static struct first_aid made_aid(void)
{
    made_server(&made);
    for (int i = 0; i < 3; i++) {
        const struct fact_socket *client = made_add(&made, made_close_wait(i));
        struct fact_socket *backend = made_add(&made, made_open(i));
        backend->peer = endpoint("127.0.0.1", 5432);
        aid_steps[i] = (struct aid_step){.cure = CURE_HALF_CLOSE,
                                         .pid = 100,
                                         .lingering = client,
                                         .on = backend,
                                         .outcome = AID_PLANNED,
                                         .descriptors = 2};
    }
    return (struct first_aid){
        .steps = aid_steps,
        .step_count = 3,
        .is_dry = true,
        .before = {.descriptors = 53, .states = {[STATE_ESTABLISHED] = 26, [STATE_CLOSE_WAIT] = 20}}};
}

static char *aid_written(const struct first_aid *aid)
{
    struct explanation explanation;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(explanation_of(&made.facts, EXPLAIN_GRACE_MS, &explanation), 0);
    const struct explain_report report = {
        .explanation = &explanation, .target = ":8080", .grace_ms = EXPLAIN_GRACE_MS, .aid = aid};
    assert_int_equal(explain_print_aid(out, &report), 0);
    assert_int_equal(explain_print_json(out, &report), 0);
    fclose(out);
    explanation_free(&explanation);
    return text;
}

static void a_dry_run_says_what_it_would_do_and_how_to(void **state)
{
    (void)state;
    struct first_aid aid = made_aid();
    char *text = aid_written(&aid);
    assert_contains(text, "First aid, a dry run: nothing is changed.\n"
                          "  shutdown(SHUT_WR) on 3 connections to 127.0.0.1:5432");
    assert_contains(text, "this should free 6 descriptors.");
    assert_contains(text, "\"tcpstorm explain :8080 --free now\"");
    assert_contains(text, "\"first_aid\":{\"dry_run\":true");
    assert_contains(text, "\"planned\":3,\"done\":0");
    assert_lacks(text, "\"after\":");
    free(text);
}

static void what_came_of_first_aid_is_counted(void **state)
{
    (void)state;
    struct first_aid aid = made_aid();
    aid.is_dry = false;
    aid.was_looked_after = true;
    aid.after = (struct aid_tally){.descriptors = 53, .ghosts = 1, .states = {[STATE_CLOSE_WAIT] = 20}};
    aid_steps[0].outcome = AID_DONE;
    aid_steps[0].ghosts = 1;
    aid_steps[1].outcome = AID_CHANGED;
    aid_steps[2].outcome = AID_STOPPED;
    char *text = aid_written(&aid);
    assert_contains(text, ": freed 0 of 2 descriptors, 1 ghost now. The first was a trial,");
    assert_contains(text, "1 other was left alone.");
    assert_contains(text, "1 changed meanwhile, and is left alone.");
    assert_contains(text, "Before: 53 descriptors, no ghosts, 26 ESTABLISHED, 20 CLOSE_WAIT.\n");
    assert_contains(text, "After: 53 descriptors, 1 ghost, 20 CLOSE_WAIT.\n");
    assert_lacks(text, "--free now");
    assert_contains(text, "\"outcome\":\"stopped\"");
    assert_contains(text, "\"after\":{\"descriptors\":53,\"ghosts\":1,\"sockets\":{\"CLOSE_WAIT\":20}}");
    free(text);
}

static void every_reason_has_its_words(void **state)
{
    (void)state;
    struct aid_left left[AID_REASON_COUNT];
    struct first_aid aid = {.left = left, .left_count = AID_REASON_COUNT, .is_dry = true};
    made_server(&made);
    for (int i = 0; i < AID_REASON_COUNT; i++)
        left[i] = (struct aid_left){.reason = (enum aid_reason)i, .count = i == AID_NO_SOCKET ? 0 : 5};
    char *text = aid_written(&aid), *rest = text;
    assert_contains(text, "First aid: nothing outside the program helps, so nothing is changed.\n");
    assert_int_equal(count_of(text, "Left alone: 5 sockets."), AID_REASON_COUNT - 1);
    assert_lacks(text, "(null)");
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '{';)
        assert_true(strlen(line) <= 98);
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
        cmocka_unit_test(a_dry_run_says_what_it_would_do_and_how_to),
        cmocka_unit_test(what_came_of_first_aid_is_counted),
        cmocka_unit_test(every_reason_has_its_words),
    };
    return cmocka_run_group_tests_name("explain_view", tests, NULL, NULL);
}
