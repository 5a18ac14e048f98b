#include "../unit.h"

#include "../namespace_child.h"
#include "control/host_info.h"
#include "control/messages.h"

/* Every number another one. */
static struct host_limits some_limits(void)
{
    return (struct host_limits){
        .nofile_hard = 1,
        .files_left = (int64_t)1 << 53,
        .processors = 3,
        .memory_available = 4,
        .port_first = 5,
        .port_last = 6,
        .somaxconn = 7,
        .max_tw_buckets = 8,
        .max_orphans = 9,
        .tcp_pages = 14,
        .retries2 = 13,
        .rfc1337 = 10,
        .fin_timeout_ms = 11,
        .ehash_entries = 12,
    };
}

static void read_back(const char *text, struct host_limits *limits)
{
    char copy[MESSAGE_LINE_MAX], *rest;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        assert_true(host_info_read_limit(word, limits));
}

static void what_is_reported_reads_back(void **state)
{
    (void)state;
    const struct host_limits limits = some_limits();
    struct host_limits back = {0};
    read_back(host_info_limits(&limits).text, &back);
    assert_memory_equal(&back, &limits, sizeof back);
}

static void the_report_is_a_message(void **state)
{
    (void)state;
    const struct message limits = {.id = MESSAGE_LIMITS, .limits = some_limits()};
    struct message back;
    struct message_text text;
    struct message_complaint why;
    message_encode(&limits, &text);
    assert_memory_equal(text.text, "limits ", 7);
    assert_contains(text.text, " somaxconn=7");
    assert_true(message_decode(WAY_FROM_HOST, text.text, &back, &why));
    assert_memory_equal(&back.limits, &limits.limits, sizeof back.limits);
}

static void fill(struct host_limits *limits, int64_t value)
{
    memset(limits, 0, sizeof *limits);
    for (size_t i = 0; i < HOST_INFO_LIMITS; i++)
        ((int64_t *)limits)[i] = value;
}

static void the_largest_report_fits_a_line_and_every_number_of_it_is_one(void **state)
{
    (void)state;
    struct host_limits limits, back = {0};
    fill(&limits, INT64_MAX);
    struct host_info_text text = host_info_limits(&limits);
    assert_true(strlen(text.text) < sizeof text.text - 32);
    read_back(text.text, &back);
    for (size_t i = 0; i < HOST_INFO_LIMITS; i++)
        assert_true(((int64_t *)&back)[i] > 0);
    assert_int_equal(back.files_left, (int64_t)1 << 53);
    assert_int_equal(back.port_last, 65535);
}

static void what_is_below_nothing_is_told_as_nothing(void **state)
{
    (void)state;
    struct host_limits limits, back = some_limits(), zero;
    fill(&limits, INT64_MIN);
    fill(&zero, 0);
    read_back(host_info_limits(&limits).text, &back);
    assert_memory_equal(&back, &zero, sizeof back);
}

static void only_a_known_name_and_a_number_within_its_bounds_is_a_limit(void **state)
{
    (void)state;
    struct host_limits limits;
    assert_true(host_info_read_limit("port_last=65535", &limits));
    assert_true(host_info_read_limit("nofile_hard=0", &limits));
    static const char *const none[] = {"port_last=65536",
                                       "nofile_hard=-1",
                                       "nofile_hard=2147483648",
                                       "nofile_hard=",
                                       "nofile_hard=1x",
                                       "nofile_hard",
                                       "files_left=9007199254740993",
                                       "colour=7",
                                       "processor=8",
                                       "processorsx=9",
                                       "=10",
                                       ""};
    for (size_t i = 0; i < COUNT_OF(none); i++)
        assert_false(host_info_read_limit(none[i], &limits));
}

static void a_number_that_is_not_told_is_left_alone(void **state)
{
    (void)state;
    struct host_limits limits = some_limits();
    read_back("processors=99", &limits);
    assert_int_equal(limits.processors, 99);
    assert_int_equal(limits.somaxconn, 7);
}

static void an_identity_is_one_word_and_stays(void **state)
{
    (void)state;
    const struct host_info_identity one = host_info_identity(), two = host_info_identity();
    assert_true(strlen(one.text) > 10 && strlen(one.text) < 128);
    assert_null(strpbrk(one.text, " \n"));
    assert_string_equal(one.text, two.text);
}

static struct host_info_identity outside;

static void check_identity(void)
{
    child_enter(0);
    CHECK(strcmp(host_info_identity().text, outside.text) != 0);
}

static void another_namespace_is_another_identity(void **state)
{
    (void)state;
    outside = host_info_identity();
    in_child(check_identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_reported_reads_back),
        cmocka_unit_test(the_report_is_a_message),
        cmocka_unit_test(the_largest_report_fits_a_line_and_every_number_of_it_is_one),
        cmocka_unit_test(what_is_below_nothing_is_told_as_nothing),
        cmocka_unit_test(only_a_known_name_and_a_number_within_its_bounds_is_a_limit),
        cmocka_unit_test(a_number_that_is_not_told_is_left_alone),
        cmocka_unit_test(an_identity_is_one_word_and_stays),
        cmocka_unit_test(another_namespace_is_another_identity),
    };
    return cmocka_run_group_tests_name("host_info", tests, NULL, NULL);
}
