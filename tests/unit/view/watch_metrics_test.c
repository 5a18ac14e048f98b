#include "../unit.h"

#include "view/watch_metrics.h"

#include <event2/buffer.h>
#include <stdlib.h>

enum { ROWS = 4 * WATCH_SERIES_MAX };

/* A watch whose looks are made here. */
struct scene {
    struct watch_metrics metrics;
    struct watch_look look;
    struct watch_row rows[ROWS];
    char text[4 << 20];
};

static int begin(void **state)
{
    struct scene *scene = test_calloc(1, sizeof *scene);
    scene->look.sets[WATCH_PORTS].each = scene->rows;
    scene->look.took_s = 0.125;
    *state = scene;
    return 0;
}

static int end(void **state)
{
    struct scene *scene = *state;
    watch_metrics_free(&scene->metrics);
    test_free(scene);
    return 0;
}

/* So many in CLOSE_WAIT on a server's port. */
static struct watch_row *has(struct scene *scene, uint16_t port, int64_t count)
{
    struct watch_row *row = &scene->rows[scene->look.sets[WATCH_PORTS].count++];
    *row = (struct watch_row){.key = {.port = port, .side = SIDE_SERVER},
                              .is_here = true,
                              .processes = 1,
                              .command = "httpd",
                              .descriptors = count + 4,
                              .descriptors_most = 1024,
                              .queue_length = 3,
                              .queue_limit = 128};
    row->of[STATE_CLOSE_WAIT] = row->ages[1] = row->unread = count;
    row->ages_ms = 5000 * count;
    row->count[GROUP_CLOSE_WAIT] = row->count[GROUP_OWED] = row->came[GROUP_OWED] = count;
    return row;
}

static void look(struct scene *scene, double t_s)
{
    scene->look.t_s = t_s;
    assert_int_equal(watch_metrics_note(&scene->metrics, &scene->look), 0);
    scene->look.sets[WATCH_PORTS].count = 0;
}

static const char *page(struct scene *scene, bool open_metrics)
{
    struct evbuffer *out = evbuffer_new();
    const struct metric_page page = {.out = out, .open_metrics = open_metrics};
    assert_non_null(out);
    watch_metrics_put(&page, &scene->metrics);
    int length = evbuffer_remove(out, scene->text, sizeof scene->text - 1);
    assert_true(length > 0 && evbuffer_get_length(out) == 0);
    scene->text[length] = '\0';
    evbuffer_free(out);
    return scene->text;
}

#define OF_80 "{side=\"server\",port=\"80\",service=\"\",program=\"httpd\""

#define assert_line(text, line) assert_contains(text, "\n" line "\n")

static void a_row_has_states_kinds_ages_and_room(void **state)
{
    struct scene *scene = *state;
    has(scene, 80, 7);
    look(scene, 0);
    page(scene, true);
    assert_line(scene->text, "tcpstorm_watch_connection_states" OF_80 ",state=\"close_wait\"} 7");
    assert_line(scene->text, "tcpstorm_watch_connection_states" OF_80 ",state=\"fin_wait2\"} 0");
    assert_line(scene->text, "tcpstorm_watch_held" OF_80 ",group=\"owed\"} 7");
    assert_line(scene->text, "tcpstorm_watch_held" OF_80 ",group=\"fin_wait2\"} 0");
    assert_lacks(scene->text, "group=\"established\"");
    assert_line(scene->text, "# TYPE tcpstorm_watch_close_wait_age_seconds gaugehistogram");
    assert_line(scene->text, "tcpstorm_watch_close_wait_age_seconds_bucket" OF_80 ",le=\"1\"} 0");
    assert_line(scene->text, "tcpstorm_watch_close_wait_age_seconds_bucket" OF_80 ",le=\"10\"} 7");
    assert_line(scene->text, "tcpstorm_watch_close_wait_age_seconds_bucket" OF_80 ",le=\"+Inf\"} 7");
    assert_line(scene->text, "tcpstorm_watch_close_wait_age_seconds_gsum" OF_80 "} 35");
    assert_line(scene->text, "tcpstorm_watch_close_wait_unread" OF_80 "} 7");
    assert_line(scene->text, "tcpstorm_watch_open_fds" OF_80 "} 11");
    assert_line(scene->text, "tcpstorm_watch_max_fds" OF_80 "} 1024");
    assert_line(scene->text, "tcpstorm_watch_accept_queue" OF_80 "} 3");
    assert_line(scene->text, "tcpstorm_watch_fds_exhausted_seconds" OF_80 "} +Inf");
    assert_line(scene->text, "tcpstorm_watch_growth_per_second" OF_80 ",group=\"owed\"} NaN");
    assert_line(scene->text, "tcpstorm_watch_growing" OF_80 ",group=\"owed\"} 0");
    assert_line(scene->text, "tcpstorm_watch_look_seconds 0.125");
    assert_line(scene->text, "tcpstorm_watch_up 1");
    page(scene, false);
    assert_line(scene->text, "# TYPE tcpstorm_watch_close_wait_age_seconds histogram");
    assert_line(scene->text, "# TYPE tcpstorm_watch_looks_total counter");
}

static void what_is_gone_goes_back_to_zero_and_stays(void **state)
{
    struct scene *scene = *state;
    has(scene, 80, 7);
    look(scene, 0);
    look(scene, 1);
    page(scene, true);
    assert_line(scene->text, "tcpstorm_watch_connection_states" OF_80 ",state=\"close_wait\"} 0");
    assert_line(scene->text, "tcpstorm_watch_close_wait_age_seconds_bucket" OF_80 ",le=\"+Inf\"} 0");
    assert_line(scene->text, "tcpstorm_watch_open_fds" OF_80 "} NaN");
    assert_line(scene->text, "tcpstorm_watch_growing" OF_80 ",group=\"owed\"} 0");
}

static void a_leak_grows_and_its_end_is_foretold(void **state)
{
    struct scene *scene = *state;
    for (int t = 0; t <= 60; t++) {
        has(scene, 80, 10 * t);
        look(scene, t);
    }
    page(scene, true);
    assert_line(scene->text, "tcpstorm_watch_growing" OF_80 ",group=\"owed\"} 1");
    assert_line(scene->text, "tcpstorm_watch_growth_per_second" OF_80 ",group=\"owed\"} 10");
    /* 1,024 - 604 of them are left, at 10 a second. */
    const char *line = strstr(scene->text, "\ntcpstorm_watch_fds_exhausted_seconds" OF_80 "} ");
    assert_non_null(line);
    double left_s = strtod(strchr(line, '}') + 1, NULL);
    assert_true(left_s > 41 && left_s < 43);
    /* Then it is over. */
    for (int t = 61; t <= 1400; t++) {
        has(scene, 80, 600);
        look(scene, t);
    }
    page(scene, true);
    assert_line(scene->text, "tcpstorm_watch_growing" OF_80 ",group=\"owed\"} 0");
    assert_line(scene->text, "tcpstorm_watch_fds_exhausted_seconds" OF_80 "} +Inf");
}

static int rows_of(const struct scene *scene)
{
    int count = 0;
    for (int i = 0; i <= WATCH_SERIES_OTHER; i++)
        count += scene->metrics.series.rows[i].is_used;
    return count;
}

static void there_are_at_most_so_many_rows_and_the_rest_is_counted_in_one(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < WATCH_SERIES_MAX + 3; i++)
        has(scene, (uint16_t)(1000 + i), 2);
    look(scene, 0);
    assert_int_equal(rows_of(scene), WATCH_SERIES_MAX + 1);
    page(scene, true);
    assert_line(scene->text, "tcpstorm_watch_connection_states{side=\"other\",port=\"other\",service=\"\","
                             "program=\"\",state=\"close_wait\"} 6");
    assert_lacks(scene->text, "port=\"1128\"");
}

static void who_has_been_empty_for_the_longest_time_makes_room(void **state)
{
    struct scene *scene = *state;
    for (int t = 0; t < WATCH_SERIES_MAX; t++) {
        has(scene, (uint16_t)(1000 + t), 1);
        look(scene, t);
    }
    has(scene, 80, 1);
    look(scene, WATCH_SERIES_MAX);
    assert_int_equal(rows_of(scene), WATCH_SERIES_MAX);
    page(scene, true);
    assert_lacks(scene->text, "port=\"1000\"");
    assert_contains(scene->text, "port=\"1001\"");
    assert_contains(scene->text, "port=\"80\"");
    assert_lacks(scene->text, "port=\"other\"");
}

/* What is not known now is called as it was: else each doubt made a new series. */
static void a_port_keeps_its_names(void **state)
{
    struct scene *scene = *state;
    has(scene, 80, 1)->service = "web.service";
    look(scene, 0);
    struct watch_row *row = has(scene, 80, 2);
    row->command[0] = '\0';
    look(scene, 1);
    page(scene, true);
    assert_line(scene->text,
                "tcpstorm_watch_held{side=\"server\",port=\"80\",service=\"web.service\",program=\"httpd\","
                "group=\"owed\"} 2");
    assert_int_equal(rows_of(scene), 1);
}

static void clients_of_one_port_are_told_apart_by_program(void **state)
{
    struct scene *scene = *state;
    has(scene, 5432, 1)->key.side = SIDE_CLIENT;
    struct watch_row *other = has(scene, 5432, 2);
    other->key.side = SIDE_CLIENT;
    memcpy(other->command, "psql", 5);
    look(scene, 0);
    page(scene, true);
    assert_contains(scene->text,
                    "{side=\"client\",port=\"5432\",service=\"\",program=\"httpd\",group=\"owed\"} 1\n");
    assert_contains(scene->text,
                    "{side=\"client\",port=\"5432\",service=\"\",program=\"psql\",group=\"owed\"} 2\n");
}

static void a_lost_look_is_told_and_the_numbers_stay(void **state)
{
    struct scene *scene = *state;
    has(scene, 80, 7);
    look(scene, 0);
    watch_metrics_note_lost(&scene->metrics);
    page(scene, true);
    assert_line(scene->text, "tcpstorm_watch_up 0");
    assert_line(scene->text, "tcpstorm_watch_lost_looks_total 1");
    assert_line(scene->text, "tcpstorm_watch_held" OF_80 ",group=\"owed\"} 7");
}

static void before_the_first_look_it_is_not_up(void **state)
{
    struct scene *scene = *state;
    page(scene, true);
    assert_line(scene->text, "tcpstorm_watch_up 0");
    assert_line(scene->text, "tcpstorm_watch_looks_total 0");
}

#define in_scene(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_scene(a_row_has_states_kinds_ages_and_room),
        in_scene(what_is_gone_goes_back_to_zero_and_stays),
        in_scene(a_leak_grows_and_its_end_is_foretold),
        in_scene(there_are_at_most_so_many_rows_and_the_rest_is_counted_in_one),
        in_scene(who_has_been_empty_for_the_longest_time_makes_room),
        in_scene(a_port_keeps_its_names),
        in_scene(clients_of_one_port_are_told_apart_by_program),
        in_scene(a_lost_look_is_told_and_the_numbers_stay),
        in_scene(before_the_first_look_it_is_not_up),
    };
    return cmocka_run_group_tests_name("watch_metrics", tests, NULL, NULL);
}
