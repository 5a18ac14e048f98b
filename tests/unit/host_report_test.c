#include "unit.h"

#include "namespace_child.h"
#include "storm/host_report.h"

/* Every number another one. */
static struct host_limits some_limits(void)
{
    return (struct host_limits){
        .nofile_hard = 1,
        .files_left = INT64_MAX,
        .processors = 3,
        .memory_available = 4,
        .port_first = 5,
        .port_last = 6,
        .somaxconn = 7,
        .max_tw_buckets = 8,
        .max_orphans = 9,
        .rfc1337 = 10,
        .fin_timeout_ms = 11,
        .ehash_entries = 12,
    };
}

static void read_back(const char *text, struct host_limits *limits)
{
    struct wire_text copy;
    struct wire_line line;
    snprintf(copy.text, sizeof copy.text, "%s", text);
    assert_int_equal(wire_split(copy.text, &line), 0);
    host_report_read_limits(&line, limits);
}

static void what_is_reported_reads_back(void **state)
{
    (void)state;
    const struct host_limits limits = some_limits();
    struct host_limits back = {0};
    read_back(host_report_limits(&limits).text, &back);
    assert_memory_equal(&back, &limits, sizeof back);
}

static void the_report_says_what_it_is(void **state)
{
    (void)state;
    const struct host_limits limits = some_limits();
    assert_memory_equal(host_report_limits(&limits).text, "limits ", 7);
    assert_contains(host_report_limits(&limits).text, " somaxconn=7");
}

static void the_largest_report_fits_a_line(void **state)
{
    (void)state;
    struct host_limits limits, back = {0};
    memset(&limits, 0, sizeof limits);
    for (size_t i = 0; i < offsetof(struct host_limits, kernel) / sizeof(int64_t); i++)
        ((int64_t *)&limits)[i] = INT64_MIN + (int64_t)i;
    struct wire_text text = host_report_limits(&limits);
    assert_true(strlen(text.text) < sizeof text.text - 32);
    read_back(text.text, &back);
    assert_memory_equal(&back, &limits, sizeof back);
}

static void a_number_that_is_not_told_is_left_alone(void **state)
{
    (void)state;
    struct host_limits limits = some_limits();
    read_back("limits processors=99", &limits);
    assert_int_equal(limits.processors, 99);
    assert_int_equal(limits.somaxconn, 7);
}

static void what_is_not_known_is_passed_over(void **state)
{
    (void)state;
    struct host_limits limits = some_limits();
    const struct host_limits before = limits;
    read_back("limits colour=7 processor=8 processorsx=9 =10 processors somaxconn", &limits);
    assert_memory_equal(&limits, &before, sizeof limits);
}

static void an_identity_is_one_word_and_stays(void **state)
{
    (void)state;
    const struct wire_text one = host_report_identity(), two = host_report_identity();
    assert_true(strlen(one.text) > 10 && strlen(one.text) < 128);
    assert_null(strpbrk(one.text, " \n"));
    assert_string_equal(one.text, two.text);
}

static struct wire_text outside;

static void check_identity(void)
{
    child_enter(0);
    CHECK(strcmp(host_report_identity().text, outside.text) != 0);
}

static void another_namespace_is_another_identity(void **state)
{
    (void)state;
    outside = host_report_identity();
    in_child(check_identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_reported_reads_back),
        cmocka_unit_test(the_report_says_what_it_is),
        cmocka_unit_test(the_largest_report_fits_a_line),
        cmocka_unit_test(a_number_that_is_not_told_is_left_alone),
        cmocka_unit_test(what_is_not_known_is_passed_over),
        cmocka_unit_test(an_identity_is_one_word_and_stays),
        cmocka_unit_test(another_namespace_is_another_identity),
    };
    return cmocka_run_group_tests_name("host_report", tests, NULL, NULL);
}
