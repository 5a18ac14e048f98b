/* What a recorder writes is what recording reads. */
#include "../unit.h"

#include "view/recording_view.h"
#include "watch/recording.h"

#include <stdlib.h>

static struct watch_flow *flow;
static bool *serves;

static int set_up(void **state)
{
    (void)state;
    flow = watch_flow_new();
    serves = calloc(65536, sizeof *serves);
    serves[80] = true;
    return flow != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    watch_flow_free(flow);
    free(serves);
    return 0;
}

/* A look at t seconds that shows `count` connections of port 80, as many of them in CLOSE_WAIT as rows say.
 */
static void offer(struct recorder *recorder, int64_t t, int count, int close_wait, bool is_last)
{
    struct watch_row row = {.key = {.port = 80, .side = SIDE_SERVER}, .command = "httpd", .oldest_ms = -1};
    row.of[STATE_CLOSE_WAIT] = close_wait;
    struct watch_look look = {.t_s = (double)t};
    look.sets[WATCH_PORTS] = (struct watch_rows){.each = &row, .count = 1};
    watch_flow_begin(flow);
    for (int i = 0; i < count; i++) {
        struct socket_entry entry = {.state = STATE_ESTABLISHED,
                                     .local_port = 80,
                                     .remote_port = (uint16_t)(1000 + i),
                                     .inode = (uint64_t)i + 1};
        address_parse("10.0.0.1", &entry.local);
        address_parse("10.0.0.2", &entry.remote);
        watch_flow_note(flow, &entry);
    }
    watch_flow_end(flow, (t + 1) * 1000000, serves);
    const struct watch_page page = {.look = &look};
    recorder_offer(recorder, &page, flow, is_last);
}

static struct recording recorded(const char *text)
{
    struct recording recording = {.looks = 0};
    struct recording_error why = {""};
    for (const char *line = text, *end; *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        assert_non_null(end);
        if (recording_take_line(&recording, line, (size_t)(end - line), &why) != 0)
            fail_msg("%s", why.text);
    }
    assert_int_equal(recording_end(&recording), 0);
    return recording;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    struct recorder recorder = {.out = open_memstream(&text, &size)};
    recorder_begin(&recorder, &(struct watch_settings){.port = 80}, 1000);
    offer(&recorder, 0, 0, 0, false);
    offer(&recorder, 1, 10, 2, false);
    offer(&recorder, 2, 15, 3, true);
    fclose(recorder.out);
    struct recording recording = recorded(text);
    const struct recorded_port *port = recording_busiest(&recording, SIDE_COUNT);
    assert_non_null(port);
    assert_int_equal(port->port, 80);
    assert_string_equal(port->command, "httpd");
    assert_int_equal(recorded_came(port), 15);
    assert_int_equal(recorded_growth(port), 3);
    assert_int_equal(recording.looks, 3);
    recording_free(&recording);
    free(text);
}

static void it_grows_ever_slower_and_loses_nobody(void **state)
{
    (void)state;
    enum { LOOKS = 5 * RECORDED_LOOKS };
    char *text = NULL;
    size_t size;
    struct recorder recorder = {.out = open_memstream(&text, &size)};
    recorder_begin(&recorder, &(struct watch_settings){.port = 80}, 1000);
    for (int i = 0; i < LOOKS; i++)
        offer(&recorder, i, i / 10, 0, i == LOOKS - 1);
    fclose(recorder.out);
    struct recording recording = recorded(text);
    assert_in_range(recording.looks, 2 * RECORDED_LOOKS, 3 * RECORDED_LOOKS);
    assert_int_equal(recorded_came(recording_busiest(&recording, SIDE_COUNT)), (LOOKS - 1) / 10);
    recording_free(&recording);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_grows_ever_slower_and_loses_nobody, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
