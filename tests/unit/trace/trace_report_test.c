#include "../unit.h"

#include "trace/trace_report.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* Two connections, one site at three places of it, and one that nothing means. */
static struct trace_report made_report(void)
{
    struct trace_report report = {.code = code_new(), .count = 2, .calls = 17, .rings = 1, .hidden = 2};
    const struct place places[] = {
        {.function = "close", .module = "libc.so.6", .offset = 0x1234},
        {.function = "park",
         .file = "pool.c",
         .path = "/src/pool.c",
         .line = 6,
         .module = "server",
         .is_own = true},
    };
    const struct place others[] = {{.module = "server", .offset = 7, .is_tail_call = true}};
    assert_non_null(code_intern(report.code, others, 1, true));
    const struct site *site = code_intern(report.code, places, 2, false);
    assert_non_null(site);
    report.connections = calloc(2, sizeof *report.connections);
    struct traced_connection *one = &report.connections[0];
    *one = (struct traced_connection){.inode = 5, .local_port = 80, .peer_port = 4000, .is_open = true};
    assert_true(address_parse("127.0.0.1", &one->peer));
    one->count = 2;
    one->notes = calloc(2, sizeof *one->notes);
    one->notes[0] = (struct traced_note){
        .call = traced_call_named("accept4"), .result = RESULT_SOME, .pid = 9, .times = 1};
    one->notes[1] = (struct traced_note){.call = traced_call_named("read"),
                                         .result = RESULT_ERROR,
                                         .error = EAGAIN,
                                         .pid = 9,
                                         .times = 3,
                                         .site = site};
    one->holder_count = 1;
    one->holders = calloc(1, sizeof *one->holders);
    one->holders[0] = (struct traced_holder){.pid = 10, .forked_at = site};
    report.connections[1] = (struct traced_connection){.inode = 6, .is_outgoing = true, .is_cut = true};
    return report;
}

static FILE *written(const struct trace_report *report)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(trace_report_write(report, file), 0);
    rewind(file);
    return file;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct trace_report report = made_report(), copy;
    FILE *file = written(&report);
    assert_int_equal(trace_report_read(&copy, file), 0);
    fclose(file);
    trace_report_free(&report); /* the copy has all that it needs */
    assert_int_equal(copy.count, 2);
    assert_int_equal(copy.calls, 17);
    assert_int_equal(copy.hidden, 2);
    const struct traced_connection *one = &copy.connections[0];
    assert_int_equal(one->inode, 5);
    assert_int_equal(one->peer_port, 4000);
    assert_true(address_is_loopback(&one->peer));
    assert_int_equal(one->count, 2);
    assert_ptr_equal(one->notes[0].call, traced_call_named("accept4"));
    assert_null(one->notes[0].site);
    assert_int_equal(one->notes[1].error, EAGAIN);
    assert_int_equal(one->notes[1].times, 3);
    const struct site *site = one->notes[1].site;
    assert_non_null(site);
    assert_ptr_equal(one->holders[0].forked_at, site);
    assert_int_equal(one->holders[0].pid, 10);
    assert_int_equal(site->count, 2);
    assert_false(site->is_cut);
    assert_null(site->places[0].file);
    assert_int_equal(site->places[0].offset, 0x1234);
    assert_string_equal(site->places[1].function, "park");
    assert_string_equal(site->places[1].path, "/src/pool.c");
    assert_int_equal(site->places[1].line, 6);
    assert_int_equal(site->own, 1);
    assert_true(copy.connections[1].is_outgoing && copy.connections[1].is_cut);
    assert_int_equal(copy.connections[1].count, 0);
    trace_report_free(&copy);
    assert_null(copy.connections);
    trace_report_free(&copy); /* of nothing */
}

static void one_that_was_cut_off_is_refused(void **state)
{
    (void)state;
    struct trace_report report = made_report(), copy;
    FILE *whole = written(&report);
    trace_report_free(&report);
    fseek(whole, 0, SEEK_END);
    long size = ftell(whole);
    rewind(whole);
    char *bytes = malloc((size_t)size);
    assert_int_equal(fread(bytes, 1, (size_t)size, whole), size);
    fclose(whole);
    for (long length = 0; length < size; length++) {
        FILE *part = tmpfile();
        assert_non_null(part);
        assert_int_equal(fwrite(bytes, 1, (size_t)length, part), length);
        rewind(part);
        assert_int_equal(trace_report_read(&copy, part), -EPROTO);
        assert_null(copy.connections);
        fclose(part);
    }
    free(bytes);
}

static void an_empty_one_is_one(void **state)
{
    (void)state;
    struct trace_report report = {.calls = 3}, copy;
    FILE *file = written(&report);
    assert_int_equal(trace_report_read(&copy, file), 0);
    assert_int_equal(copy.count, 0);
    assert_int_equal(copy.calls, 3);
    fclose(file);
    trace_report_free(&copy);
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    struct trace_report report = made_report();
    FILE *full = fopen("/dev/full", "we");
    if (full == NULL)
        skip();
    assert_true(trace_report_write(&report, full) < 0);
    fclose(full);
    trace_report_free(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(one_that_was_cut_off_is_refused),
        cmocka_unit_test(an_empty_one_is_one),
        cmocka_unit_test(a_full_disk_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
