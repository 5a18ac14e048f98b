#include "../unit.h"

#include "view/metric_text.h"

#include <event2/buffer.h>
#include <math.h>

struct written {
    struct metric_page page;
    char text[8192];
};

static struct written begin(bool open_metrics)
{
    struct written written = {.page = {.out = evbuffer_new(), .open_metrics = open_metrics}};
    assert_non_null(written.page.out);
    return written;
}

static const char *end(struct written *written)
{
    int length = evbuffer_remove(written->page.out, written->text, sizeof written->text - 1);
    written->text[length > 0 ? length : 0] = '\0';
    evbuffer_free(written->page.out);
    return written->text;
}

static const char *one_of_kind(struct written *written, bool open_metrics, enum metric_kind kind)
{
    const struct metric_family family = {"t_it", kind, "", "It."};
    *written = begin(open_metrics);
    metric_head(&written->page, &family);
    metric_sample(&written->page, &family, NULL, 1);
    return end(written);
}

static void each_format_names_families_in_its_way(void **state)
{
    (void)state;
    struct written written;
    assert_string_equal(one_of_kind(&written, true, METRIC_GAUGE),
                        "# HELP t_it It.\n# TYPE t_it gauge\nt_it 1\n");
    assert_string_equal(one_of_kind(&written, true, METRIC_COUNTER),
                        "# HELP t_it It.\n# TYPE t_it counter\nt_it_total 1\n");
    assert_string_equal(one_of_kind(&written, false, METRIC_COUNTER),
                        "# HELP t_it_total It.\n# TYPE t_it_total counter\nt_it_total 1\n");
    assert_string_equal(one_of_kind(&written, true, METRIC_INFO),
                        "# HELP t_it It.\n# TYPE t_it info\nt_it_info 1\n");
    assert_string_equal(one_of_kind(&written, false, METRIC_INFO),
                        "# HELP t_it_info It.\n# TYPE t_it_info gauge\nt_it_info 1\n");
}

static void the_unit_of_a_time_is_told_in_open_metrics_only(void **state)
{
    (void)state;
    const struct metric_family family = {"t_it_seconds", METRIC_GAUGE, "", "It."};
    struct written written = begin(true);
    metric_head(&written.page, &family);
    assert_contains(end(&written), "\n# UNIT t_it_seconds seconds\n");
    written = begin(false);
    metric_head(&written.page, &family);
    assert_null(strstr(end(&written), "UNIT"));
}

static void values_have_15_digits_and_may_be_unknown(void **state)
{
    (void)state;
    const struct metric_family family = {"t", METRIC_GAUGE, "", ""};
    static const double values[] = {999999999999999.0, 0.25, NAN, INFINITY, -INFINITY, -3};
    struct written written = begin(true);
    for (size_t i = 0; i < COUNT_OF(values); i++)
        metric_sample(&written.page, &family, NULL, values[i]);
    assert_string_equal(end(&written), "t 999999999999999\nt 0.25\nt NaN\nt +Inf\nt -Inf\nt -3\n");
}

static void a_value_of_a_label_may_be_any_text(void **state)
{
    (void)state;
    struct metric_labels labels = {.text = ""};
    metric_labels_add(&labels, "a", "x\"y\\z\n");
    metric_labels_add(&labels, "b", "");
    metric_labels_add(&labels, "c", "\xc3\xa4\xff");
    assert_string_equal(labels.text, "{a=\"x\\\"y\\\\z\\n\",b=\"\",c=\"\xc3\xa4?\"}");
}

/* Whatever its length, also where the escape or the quote does not fit. */
static void a_label_that_does_not_fit_is_left_out_whole(void **state)
{
    (void)state;
    char value[sizeof((struct metric_labels *)0)->text + 8];
    for (size_t length = 480; length < sizeof value - 1; length++) {
        struct metric_labels labels = {.text = ""}, alone = {.text = ""};
        memset(value, '"', length);
        memset(value, 'x', length - 2);
        value[length] = '\0';
        metric_labels_add(&labels, "a", "1");
        metric_labels_add(&labels, "b", value);
        metric_labels_add(&alone, "b", value);
        size_t end = strlen(labels.text), end_alone = strlen(alone.text);
        assert_true(strcmp(labels.text, "{a=\"1\"}") == 0 || end == length + 2 + strlen("{a=\"1\",b=\"\"}"));
        assert_true(end_alone == 0 || end_alone == length + 2 + strlen("{b=\"\"}"));
        assert_true(end < sizeof labels.text);
        metric_labels_add(&labels, "c", "2");
        assert_int_equal(labels.text[strlen(labels.text) - 1], '}');
    }
}

static void a_histogram_adds_its_buckets_up(void **state)
{
    (void)state;
    static const double bounds[] = {0.5, 10, INFINITY};
    static const int64_t in[] = {3, 0, 4};
    const struct metric_family counted = {"t", METRIC_HISTOGRAM, "", ""},
                               now = {"t", METRIC_GAUGE_HISTOGRAM, "", ""};
    struct metric_buckets buckets = {.bounds = bounds, .in = in, .count = 3, .sum = 7.5};
    struct metric_labels labels = {.text = ""};
    metric_labels_add(&labels, "a", "1");
    struct written written = begin(true);
    metric_histogram(&written.page, &counted, &labels, &buckets);
    assert_string_equal(end(&written),
                        "t_bucket{a=\"1\",le=\"0.5\"} 3\nt_bucket{a=\"1\",le=\"10\"} 3\n"
                        "t_bucket{a=\"1\",le=\"+Inf\"} 7\nt_count{a=\"1\"} 7\nt_sum{a=\"1\"} 7.5\n");
    buckets.sum = NAN;
    written = begin(true);
    metric_histogram(&written.page, &now, NULL, &buckets);
    assert_string_equal(
        end(&written),
        "t_bucket{le=\"0.5\"} 3\nt_bucket{le=\"10\"} 3\nt_bucket{le=\"+Inf\"} 7\nt_gcount 7\n");
}

static void the_page_is_at_metrics_and_in_the_format_that_is_asked_for(void **state)
{
    (void)state;
    const struct page_request elsewhere = {"GET", "/", ""}, plain = {"GET", "/metrics", "*/*"},
                              open_metrics = {"GET", "/metrics",
                                              "application/openmetrics-text; version=1.0.0"};
    struct metric_page page;
    const char *type = NULL;
    struct written written = begin(false);
    assert_false(metric_page_begin(&page, &elsewhere, written.page.out, &type));
    assert_contains(end(&written), "/metrics");
    written = begin(false);
    assert_true(metric_page_begin(&page, &plain, written.page.out, &type));
    metric_page_end(&page);
    assert_string_equal(end(&written), "");
    assert_contains(type, "text/plain");
    written = begin(false);
    assert_true(metric_page_begin(&page, &open_metrics, written.page.out, &type));
    metric_build_info(&page);
    metric_page_end(&page);
    assert_contains(end(&written), "} 1\n# EOF\n");
    assert_contains(type, "application/openmetrics-text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_format_names_families_in_its_way),
        cmocka_unit_test(the_unit_of_a_time_is_told_in_open_metrics_only),
        cmocka_unit_test(values_have_15_digits_and_may_be_unknown),
        cmocka_unit_test(a_value_of_a_label_may_be_any_text),
        cmocka_unit_test(a_label_that_does_not_fit_is_left_out_whole),
        cmocka_unit_test(a_histogram_adds_its_buckets_up),
        cmocka_unit_test(the_page_is_at_metrics_and_in_the_format_that_is_asked_for),
    };
    return cmocka_run_group_tests_name("metric_text", tests, NULL, NULL);
}
