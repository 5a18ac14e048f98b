#include "../trace/synthetic_report.h"

#include "audit/audit_trace.h"
#include "view/parting_note.h"

enum { PORT = 8080 };

/* An audit of few connections, and what a tracer has seen of them. */
struct stage {
    struct audit_settings settings;
    struct audit_result result;
    struct audit_connection audited[8];
    struct traced_connection traced[8];
    struct audit_trace trace;
    struct number_set earlier;
};

static void add_audited(struct stage *stage, enum audit_class class, uint16_t port)
{
    stage->audited[stage->result.count++] = (struct audit_connection){.class = class, .port = port};
}

static struct traced_connection *add_traced(struct stage *stage, uint64_t inode, uint16_t port, bool is_open)
{
    struct traced_connection *connection = &stage->traced[stage->trace.report.count++];
    *connection =
        (struct traced_connection){.inode = inode, .local_port = PORT, .peer_port = port, .is_open = is_open};
    return connection;
}

static const struct parting *compare(struct stage *stage)
{
    stage->settings.port = PORT;
    stage->settings.order = AUDIT_HALF_CLOSE;
    stage->result.connections = stage->audited;
    stage->trace.report.connections = stage->traced;
    parting_free(&stage->trace.parting);
    assert_int_equal(audit_trace_compare(&stage->trace, &stage->result, &stage->settings, &stage->earlier),
                     0);
    return &stage->trace.parting;
}

static void stage_free(struct stage *stage)
{
    parting_free(&stage->trace.parting);
    number_set_free(&stage->earlier);
}

static void they_are_joined_by_the_port_of_the_client(void **state)
{
    (void)state;
    struct stage stage = {.result.count = 0};
    add_audited(&stage, CLASS_CLOSED, 40001);
    add_audited(&stage, CLASS_HELD, 40002);
    add_audited(&stage, CLASS_NEVER_ACCEPTED, 40003);
    add_traced(&stage, 12, 40002, true);
    add_traced(&stage, 11, 40001, false);
    const struct parting *parting = compare(&stage);
    assert_int_equal(parting->by_end[PARTING_CLOSED], 1);
    assert_int_equal(parting->by_end[PARTING_HELD], 1);
    assert_int_equal(parting->by_end[PARTING_UNACCEPTED], 1);
    assert_int_equal(parting->unseen[PARTING_CLOSED] + parting->unseen[PARTING_HELD], 0);
    stage_free(&stage);
}

static void others_of_the_program_are_not_of_the_audit(void **state)
{
    (void)state;
    struct stage stage = {.result.count = 0};
    add_audited(&stage, CLASS_HELD, 40001);
    add_traced(&stage, 1, 40001, true)->is_outgoing = true;
    add_traced(&stage, 2, 40001, true)->local_port = 9000;
    add_traced(&stage, 3, 0, true);
    assert_int_equal(compare(&stage)->unseen[PARTING_HELD], 1);
    stage_free(&stage);
}

static void a_port_that_was_used_again_is_the_latest_one(void **state)
{
    (void)state;
    struct stage stage = {.result.count = 0};
    add_audited(&stage, CLASS_CLOSED, 40001);
    add_audited(&stage, CLASS_HELD, 40001);
    add_traced(&stage, 1, 40001, false);
    add_traced(&stage, 2, 40001, true);
    const struct parting *parting = compare(&stage);
    assert_int_equal(parting->by_end[PARTING_CLOSED], 1);
    assert_int_equal(parting->by_end[PARTING_HELD], 1);
    assert_ptr_equal(parting->forks[0].branches[0].example, &stage.traced[0]);
    assert_ptr_equal(parting->forks[0].branches[1].example, &stage.traced[1]);
    stage_free(&stage);
}

static void those_of_an_earlier_order_are_not_taken_for_this_one(void **state)
{
    (void)state;
    struct stage stage = {.result.count = 0};
    add_audited(&stage, CLASS_HELD, 40001);
    add_traced(&stage, 1, 40001, true);
    assert_int_equal(compare(&stage)->unseen[PARTING_HELD], 0);
    assert_int_equal(compare(&stage)->unseen[PARTING_HELD], 1);
    stage_free(&stage);
}

static void another_socket_than_the_kernel_showed_is_another_connection(void **state)
{
    (void)state;
    struct stage stage = {.result.count = 0};
    add_audited(&stage, CLASS_HELD, 40001);
    stage.audited[0].inode = 7;
    add_traced(&stage, 6, 40001, true);
    assert_int_equal(compare(&stage)->unseen[PARTING_HELD], 1);
    add_traced(&stage, 7, 40001, true);
    assert_int_equal(compare(&stage)->unseen[PARTING_HELD], 0);
    stage_free(&stage);
}

static void one_that_was_closed_since_is_not_accused(void **state)
{
    (void)state;
    struct stage stage = {.result.count = 0};
    add_audited(&stage, CLASS_HELD, 40001);
    struct traced_connection *traced = add_traced(&stage, 1, 40001, false);
    assert_int_equal(compare(&stage)->by_end[PARTING_HELD], 1);
    struct traced_note closes = {.call = &close_call, .pid = 1, .times = 1};
    traced->notes = &closes;
    traced->count = 1;
    number_set_free(&stage.earlier);
    stage.earlier = (struct number_set){.count = 0};
    const struct parting *parting = compare(&stage);
    assert_int_equal(parting->by_end[PARTING_HELD], 0);
    assert_int_equal(parting->by_end[PARTING_OTHER], 1);
    stage_free(&stage);
}

static void a_descriptor_that_outlives_its_connection_is_held(void **state)
{
    (void)state;
    struct stage stage = {.result.count = 0};
    add_audited(&stage, CLASS_CLOSED, 40001);
    add_traced(&stage, 1, 40001, true);
    assert_int_equal(compare(&stage)->by_end[PARTING_CLOSED], 1);
    stage.result.by_group[GROUP_GHOST] = 1;
    number_set_free(&stage.earlier);
    stage.earlier = (struct number_set){.count = 0};
    assert_int_equal(compare(&stage)->by_end[PARTING_HELD], 1);
    stage_free(&stage);
}

/* ---- at their lines ---- */

struct heard {
    char text[1200], uri[512];
    int count, line;
};

static int hear(void *context, struct parting_note *note)
{
    struct heard *heard = context;
    heard->count++;
    heard->line = note->has_line ? note->line.line : 0;
    snprintf(heard->text, sizeof heard->text, "%s", note->text);
    snprintf(heard->uri, sizeof heard->uri, "%s", note->has_line ? note->line.uri : "");
    return 0;
}

/* One that is held behind a call at that path, and one that is closed. */
static void hear_held_at(struct stage *stage, const char *path, enum audit_outcome outcome,
                         struct heard *heard)
{
    const struct place place = {
        .function = "pool_park", .file = "pool.c", .path = path, .line = 6, .is_own = true};
    struct traced_note park = {.call = &epoll_call,
                               .detail = EPOLL_CTL_DEL,
                               .pid = 1,
                               .times = 1,
                               .site = site_with(place, NOWHERE, NOWHERE)};
    add_audited(stage, CLASS_HELD, 40001);
    stage->result.by_class[CLASS_HELD] = 1;
    struct traced_connection *traced = add_traced(stage, 1, 40001, true);
    traced->notes = &park;
    traced->count = 1;
    compare(stage);
    stage->trace.is_there = true;
    const struct audit_report report = {
        .settings = &stage->settings, .result = &stage->result, .outcome = outcome, .trace = &stage->trace};
    *heard = (struct heard){.count = 0};
    assert_int_equal(parting_each_note(&report, hear, heard), 0);
    stage_free(stage);
}

static void a_line_is_named_from_the_folder_that_one_is_in(void **state)
{
    (void)state;
    char folder[400], path[512];
    struct stage stage = {.result.count = 0};
    struct heard heard;
    assert_non_null(getcwd(folder, sizeof folder));
    snprintf(path, sizeof path, "%s/src/a pool.c", folder);
    hear_held_at(&stage, path, AUDIT_LEAKS, &heard);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.line, 6);
    assert_string_equal(heard.uri, "src/a%20pool.c");
    assert_contains(heard.text, "1 of 1 connection (half-close) ended with epoll_ctl(DEL) at pool.c:6 in "
                                "pool_park: no close() follows.");
}

static void a_line_elsewhere_is_named_whole(void **state)
{
    (void)state;
    struct stage stage = {.result.count = 0};
    struct heard heard;
    hear_held_at(&stage, "/elsewhere/pool.c", AUDIT_LEAKS, &heard);
    assert_string_equal(heard.uri, "file:///elsewhere/pool.c");
}

static void a_server_that_closes_has_no_line_to_annotate(void **state)
{
    (void)state;
    struct stage stage = {.result.count = 0};
    struct heard heard;
    hear_held_at(&stage, "/s/pool.c", AUDIT_CLOSES, &heard);
    assert_int_equal(heard.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_joined_by_the_port_of_the_client),
        cmocka_unit_test(others_of_the_program_are_not_of_the_audit),
        cmocka_unit_test(a_port_that_was_used_again_is_the_latest_one),
        cmocka_unit_test(those_of_an_earlier_order_are_not_taken_for_this_one),
        cmocka_unit_test(another_socket_than_the_kernel_showed_is_another_connection),
        cmocka_unit_test(one_that_was_closed_since_is_not_accused),
        cmocka_unit_test(a_descriptor_that_outlives_its_connection_is_held),
        cmocka_unit_test(a_line_is_named_from_the_folder_that_one_is_in),
        cmocka_unit_test(a_line_elsewhere_is_named_whole),
        cmocka_unit_test(a_server_that_closes_has_no_line_to_annotate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
