#include "../unit.h"

#include "view/transition_metrics.h"
#include "view/transition_rows.h"

#include <event2/buffer.h>
#include <stdlib.h>

static struct transition_counts counts_of_some(void)
{
    struct transition_counts counts = {.sampled_one_in = 16};
    struct side_transitions *server = &counts.side[SIDE_SERVER];
    server->moved[STATE_GONE][STATE_SYN_RECV][WHY_ORDERLY] = 300;
    server->moved[STATE_ESTABLISHED][STATE_GONE][WHY_ORDERLY] = 2;
    server->moved[STATE_ESTABLISHED][STATE_GONE][WHY_RESET] = 3;
    server->dwell[STATE_ESTABLISHED].in[1] = 4; /* 1 to 2 us */
    server->dwell[STATE_ESTABLISHED].longest_ns = 2000;
    return counts;
}

static void a_move_is_a_row_whatever_the_reason(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    const struct transition_counts counts = counts_of_some();
    csv_put_header(out, transition_columns);
    transition_rows_put(out, "abort", &counts);
    fclose(out);
    assert_string_equal(text, "order,side,from,to,count,dwell_p50_s,dwell_p90_s,dwell_p99_s,dwell_max_s\n"
                              "abort,server,gone,SYN_RECV,300,,,,\n"
                              "abort,server,ESTABLISHED,gone,5,1.5e-06,1.9e-06,1.99e-06,2e-06\n");
    free(text);
}

static void json_has_each_reason_for_itself(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    const struct transition_counts counts = counts_of_some();
    const struct transition_report report = {.level = EVENTS_ALL, .lack = "", .counts = &counts};
    struct json_writer w = {.out = out};
    json_open(&w, NULL, '{');
    transition_json_put(&w, &report);
    json_close(&w, '}');
    fclose(out);
    assert_contains(text, "\"level\":\"all\",\"transitions\":305,");
    assert_contains(text, "\"diagram\":300,\"reset\":3,\"abort\":2,");
    assert_contains(
        text,
        "{\"side\":\"server\",\"from\":\"ESTABLISHED\",\"to\":\"gone\",\"why\":\"reset\",\"kind\":\"reset\","
        "\"arrow\":\"rcv RST\",\"count\":3}");
    assert_contains(text, "\"state\":\"ESTABLISHED\",\"sampled\":4,");
    assert_lacks(text, "lack");
    free(text);
}

static void page_of(bool open_metrics, char *text, size_t size)
{
    const struct transition_counts counts = counts_of_some();
    struct evbuffer *out = evbuffer_new();
    const struct metric_page page = {.out = out, .open_metrics = open_metrics};
    transition_metrics_put(&page, &counts);
    int length = evbuffer_remove(out, text, size - 1);
    assert_true(length > 0);
    text[length] = '\0';
    evbuffer_free(out);
}

static void metrics_have_a_counter_for_each_move_and_a_histogram_of_times(void **state)
{
    (void)state;
    static char text[16384];
    page_of(true, text, sizeof text);
    assert_contains(text, "# TYPE tcpstorm_transitions counter\n");
    assert_contains(
        text,
        "tcpstorm_transitions_total{side=\"server\",from=\"established\",to=\"gone\",why=\"reset\"} 3\n");
    assert_contains(text, "measured on one in 16.\n# TYPE tcpstorm_state_dwell_seconds histogram\n"
                          "# UNIT tcpstorm_state_dwell_seconds seconds\n");
    assert_contains(
        text, "tcpstorm_state_dwell_seconds_bucket{side=\"server\",state=\"established\",le=\"2e-06\"} 4\n");
    assert_contains(
        text, "tcpstorm_state_dwell_seconds_bucket{side=\"server\",state=\"established\",le=\"+Inf\"} 4\n");
    assert_contains(text, "tcpstorm_state_dwell_seconds_count{side=\"server\",state=\"established\"} 4\n");
    page_of(false, text, sizeof text);
    assert_contains(text, "# TYPE tcpstorm_transitions_total counter\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_move_is_a_row_whatever_the_reason),
        cmocka_unit_test(json_has_each_reason_for_itself),
        cmocka_unit_test(metrics_have_a_counter_for_each_move_and_a_histogram_of_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
