#include "../unit.h"

#include "view/watch_view.h"

#include <errno.h>
#include <stdlib.h>

enum { SCREEN = 79, ROWS = 20 };

/* A look that a test fills: rows of each set. */
struct stage {
    struct watch_row rows[WATCH_SETS][40];
    struct watch_look look;
    struct watch_page page;
    struct trend_line lines[8];
    int lines_used;
    char text[16384];
};

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof *stage);
    for (int set = 0; set < WATCH_SETS; set++)
        stage->look.sets[set].each = stage->rows[set];
    stage->page.look = &stage->look;
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static struct watch_row *add(struct stage *stage, enum watch_set set, enum side side, uint16_t port)
{
    struct watch_row *row = &stage->rows[set][stage->look.sets[set].count++];
    row->key.side = (uint8_t)side;
    row->key.port = port;
    row->listens = side == SIDE_SERVER;
    row->oldest_ms = -1;
    row->is_here = true;
    return row;
}

static void held_by(struct watch_row *row, const char *command, pid_t pid)
{
    row->processes = 1;
    row->pid = pid;
    row->key.pid = pid;
    snprintf(row->command, sizeof row->command, "%s", command);
    if (row->key.side == SIDE_CLIENT)
        memcpy(row->key.command, row->command, sizeof row->command);
}

static void close_wait(struct watch_row *row, int64_t count)
{
    row->of[STATE_CLOSE_WAIT] = row->unread = count;
    row->count[GROUP_CLOSE_WAIT] = row->count[GROUP_OWED] = count;
    row->oldest_ms = 86000;
    row->oldest_most_ms = INT64_MAX;
}

/* In CLOSE_WAIT and ghosts. */
static void growing_by(struct stage *stage, struct watch_row *row, double per_s)
{
    struct trend_line *line = &stage->lines[stage->lines_used++];
    for (int i = 0; i < 3600; i++)
        trend_line_add(line, i, (int64_t)(per_s * i));
    row->trends[GROUP_OWED] = line;
}

static void print(struct stage *stage, int rows, int columns)
{
    FILE *out = fmemopen(stage->text, sizeof stage->text, "w");
    watch_print_table(out, &stage->page, rows, columns);
    fputc('\0', out);
    fclose(out);
    char copy[sizeof stage->text];
    memcpy(copy, stage->text, sizeof copy);
    for (char *rest = copy, *line; columns > 0 && (line = strsep(&rest, "\n")) != NULL;)
        assert_true((int)strlen(line) <= columns);
}

/* The widest that there is: eight digits, seven digits of pid, IPv6. */
static void growth_states_age_and_owner_fit_80_columns(void **state)
{
    struct stage *stage = *state;
    struct watch_row *row = add(stage, WATCH_PORTS, SIDE_CLIENT, 54321);
    held_by(row, "fifteen-letters", 4194303);
    close_wait(row, 12345678);
    row->oldest_ms = 9999000;
    row->of[STATE_ESTABLISHED] = 9999;
    growing_by(stage, row, 1234.5);
    assert_true(address_parse("2001:db8:1111:2222:3333:4444:5555:6666", &row->peer));
    print(stage, ROWS, SCREEN);
    assert_contains(stage->text, "+1234.5/s");
    assert_contains(stage->text, "12,345,678");
    assert_contains(stage->text, "9999 s+");
    assert_contains(stage->text, " 4194303 ");
    assert_contains(stage->text, "fift");
    assert_contains(stage->text, "to [2001");
    assert_contains(stage->text, ":54321 ");
    assert_contains(stage->text, "9,999 ESTABLISHED");
    assert_contains(stage->text, "grows");
}

static void what_is_short_is_whole_with_the_unread(void **state)
{
    struct stage *stage = *state;
    struct watch_row *row = add(stage, WATCH_PORTS, SIDE_SERVER, 8080);
    held_by(row, "tcpstorm", 24915);
    close_wait(row, 200);
    row->unread = 77;
    print(stage, ROWS, SCREEN);
    assert_contains(stage->text, "serves :8080 tcpstorm 24915        200           86 s+     77");
    assert_contains(stage->text, "where        process        CLOSE_WAIT    grows oldest unread others\n");
}

static void a_file_has_all_however_wide(void **state)
{
    struct stage *stage = *state;
    struct watch_row *row = add(stage, WATCH_PORTS, SIDE_CLIENT, 443);
    held_by(row, "fifteen-letters", 4194303);
    close_wait(row, 3);
    for (int i = STATE_ESTABLISHED; i < STATE_COUNT; i++)
        row->of[i] = 1000 + i;
    assert_true(address_parse("2001:db8:1111:2222:3333:4444:5555:6666", &row->peer));
    print(stage, ROWS, 0);
    assert_contains(stage->text, "to [2001:db8:1111:2222:3333:4444:5555:6666]:443 fifteen-letters 4194303");
    assert_contains(stage->text, "1,009 LAST_ACK");
    assert_contains(stage->text, "1,006 TIME_WAIT");
}

static void states_that_do_not_fit_are_hinted_at(void **state)
{
    struct stage *stage = *state;
    struct watch_row *row = add(stage, WATCH_PORTS, SIDE_SERVER, 80);
    for (int i = STATE_ESTABLISHED; i < STATE_COUNT; i++)
        row->of[i] = 1000;
    print(stage, ROWS, SCREEN);
    assert_contains(stage->text, " ...\n");
}

static void a_process_per_client_is_one_line(void **state)
{
    struct stage *stage = *state;
    struct watch_row *port = add(stage, WATCH_PORTS, SIDE_SERVER, 9106);
    port->processes = 30;
    snprintf(port->command, sizeof port->command, "python3");
    close_wait(port, 30);
    for (int i = 0; i < 30; i++) {
        struct watch_row *owner = add(stage, WATCH_OWNERS, SIDE_SERVER, 9106);
        held_by(owner, "python3", 100 + i);
        close_wait(owner, 1);
    }
    print(stage, ROWS, SCREEN);
    assert_contains(stage->text, "python3 (30)");
    assert_lacks(stage->text, "python3 1");
    assert_lacks(stage->text, "more rows");
}

static void workers_of_a_port_have_a_line_each(void **state)
{
    struct stage *stage = *state;
    struct watch_row *port = add(stage, WATCH_PORTS, SIDE_SERVER, 80);
    port->processes = 2;
    snprintf(port->command, sizeof port->command, "nginx");
    close_wait(port, 9);
    held_by(add(stage, WATCH_OWNERS, SIDE_SERVER, 80), "nginx", 11);
    held_by(add(stage, WATCH_OWNERS, SIDE_SERVER, 80), "nginx", 12);
    held_by(add(stage, WATCH_OWNERS, SIDE_SERVER, 81), "nginx", 13);
    print(stage, ROWS, SCREEN);
    assert_contains(stage->text, "nginx (2)");
    assert_contains(stage->text, "  nginx 11");
    assert_contains(stage->text, "  nginx 12");
    assert_lacks(stage->text, "nginx 13");
    /* Of different names none is theirs. */
    port->command[0] = '\0';
    print(stage, ROWS, SCREEN);
    assert_contains(stage->text, "processes (2)");
}

static void never_accepted_ones_are_told_apart(void **state)
{
    struct stage *stage = *state;
    struct watch_row *port = add(stage, WATCH_PORTS, SIDE_SERVER, 80);
    held_by(port, "httpd", 7);
    close_wait(port, 9);
    struct watch_row *none = add(stage, WATCH_OWNERS, SIDE_SERVER, 80);
    close_wait(none, 4);
    none->unowned = 4;
    print(stage, ROWS, SCREEN);
    assert_contains(stage->text, "  not accepted");
}

static void rows_that_are_left_out_are_counted(void **state)
{
    struct stage *stage = *state;
    for (int i = 0; i < 30; i++)
        held_by(add(stage, WATCH_PORTS, SIDE_SERVER, (uint16_t)(1000 + i)), "x", 1);
    stage->look.sets[WATCH_PORTS].dropped = 1234;
    print(stage, 10, SCREEN);
    assert_contains(stage->text, "... and 20 more rows\n");
    assert_contains(stage->text, "1,234 sockets are beyond 4096 rows");
    assert_lacks(stage->text, "... and -");
    print(stage, 40, SCREEN);
    assert_lacks(stage->text, "more rows");
}

static void a_server_without_a_listener_is_explained(void **state)
{
    struct stage *stage = *state;
    add(stage, WATCH_PORTS, SIDE_SERVER, 80)->listens = false;
    print(stage, ROWS, SCREEN);
    assert_contains(stage->text, "served :80");
    assert_contains(stage->text, "served: nothing listens on that port now");
}

static void root_is_not_told_that_root_may(void **state)
{
    struct stage *stage = *state;
    stage->look.hidden = 3;
    stage->look.refused = 1;
    print(stage, ROWS, SCREEN);
    assert_contains(stage->text, "3 sockets: this user may not see their processes: root may");
    stage->page.is_root = true;
    print(stage, ROWS, SCREEN);
    assert_contains(stage->text, "3 sockets: root of this user namespace may not see their processes");
    assert_lacks(stage->text, "root may\n");
    stage->look.refused = 0;
    print(stage, ROWS, SCREEN);
    assert_contains(stage->text, "3 sockets: no process that holds them can be seen from here");
}

static void ghosts_are_counted_and_explained(void **state)
{
    struct stage *stage = *state;
    struct watch_row *row = add(stage, WATCH_PORTS, SIDE_SERVER, 80);
    held_by(row, "httpd", 7);
    print(stage, ROWS, SCREEN);
    assert_lacks(stage->text, "in no table");
    row->of[STATE_GONE] = stage->look.ghosts = 5;
    row->of[STATE_ESTABLISHED] = 2; /* for which there is no room */
    print(stage, ROWS, SCREEN);
    assert_contains(stage->text, " 5 ghosts ...\n");
    assert_contains(stage->text, "ghosts: 5 socket descriptors are in no table");
    stage->look.ghosts_error = ENOMEM;
    print(stage, ROWS, SCREEN);
    assert_contains(stage->text, "could not be counted: Cannot allocate memory");
}

/* With keep-alive the one turns into the other. */
static void a_sum_that_grows_is_told_with_its_parts(void **state)
{
    struct stage *stage = *state;
    struct watch_row row = {.key = {.side = SIDE_SERVER, .port = 80}};
    held_by(&row, "httpd", 7);
    growing_by(stage, &row, 5.0);
    struct watch_growth growing = {
        .set = WATCH_OWNERS, .group = GROUP_OWED, .row = &row, .trend = watch_row_trend(&row, GROUP_OWED)};
    assert_contains(watch_growth_words(&growing).text, "CLOSE_WAIT on server port 80 (httpd pid 7) grows by");
    row.of[STATE_GONE] = 1300;
    row.of[STATE_CLOSE_WAIT] = 40;
    assert_contains(watch_growth_words(&growing).text,
                    "the sum of CLOSE_WAIT and ghosts on server port 80 (httpd pid 7) grows by");
    assert_contains(watch_growth_words(&growing).text, "; now 40 CLOSE_WAIT, 1,300 ghosts (");
    row.key.side = WATCH_SIDE_UNKNOWN;
    assert_contains(watch_growth_words(&growing).text, "the number of ghosts of httpd pid 7 grows by");
}

static void an_age_is_an_interval_where_it_is_not_known_better(void **state)
{
    struct stage *stage = *state;
    struct watch_row *row = add(stage, WATCH_PORTS, SIDE_SERVER, 80);
    close_wait(row, 3);
    const struct {
        int64_t least_ms, most_ms;
        const char *told;
    } ages[] = {
        {15000, 75000, " 15-75 s"},      {20400, 20499, " 20 s"},          {9000, INT64_MAX, " 9 s+"},
        {15000, 36000000, " 15 s-10 h"}, {36000000, 72000000, " 10-20 h"}, {0, 800, " 0-1 s"},
    };
    for (size_t i = 0; i < COUNT_OF(ages); i++) {
        row->oldest_ms = ages[i].least_ms;
        row->oldest_most_ms = ages[i].most_ms;
        print(stage, ROWS, SCREEN);
        assert_contains(stage->text, ages[i].told);
    }
}

static void what_recv_q_does_not_tell_is_said(void **state)
{
    struct stage *stage = *state;
    struct watch_row *row = add(stage, WATCH_PORTS, SIDE_SERVER, 80);
    close_wait(row, 3);
    row->unread = 0;
    print(stage, ROWS, SCREEN);
    assert_lacks(stage->text, "EOF");
    row->fin_with_data = 2;
    print(stage, ROWS, SCREEN);
    assert_contains(stage->text, "2 with nothing unread may not have seen EOF: their FIN came with the data");
}

static void slow_growth_is_no_zero(void **state)
{
    struct stage *stage = *state;
    growing_by(stage, add(stage, WATCH_PORTS, SIDE_SERVER, 80), 0.05);
    growing_by(stage, add(stage, WATCH_PORTS, SIDE_SERVER, 81), 0.001);
    print(stage, ROWS, SCREEN);
    assert_contains(stage->text, "+3.0/min");
    assert_contains(stage->text, "/h");
    assert_lacks(stage->text, "+0.0");
}

static const char *words_of(struct stage *stage, enum watch_set set, struct watch_row *row)
{
    struct watch_growth growing = {
        .set = set, .group = GROUP_OWED, .row = row, .trend = watch_row_trend(row, GROUP_OWED)};
    snprintf(stage->text, sizeof stage->text, "%s", watch_growth_words(&growing).text);
    return stage->text;
}

static void a_sentence_says_who_grows(void **state)
{
    struct stage *stage = *state;
    struct watch_row *row = add(stage, WATCH_OWNERS, SIDE_SERVER, 80);
    growing_by(stage, row, 5);
    assert_contains(words_of(stage, WATCH_OWNERS, row),
                    "CLOSE_WAIT on server port 80 (no process) grows by 5.0/s");
    held_by(row, "httpd", 7);
    assert_contains(words_of(stage, WATCH_OWNERS, row),
                    "CLOSE_WAIT on server port 80 (httpd pid 7) grows by");
    row->processes = 12;
    assert_contains(words_of(stage, WATCH_PORTS, row), "on server port 80 (httpd, 12 processes) grows by");
    assert_contains(words_of(stage, WATCH_PROGRAMS, row),
                    "CLOSE_WAIT on all server ports of httpd, 12 processes grows by");
    row->command[0] = '\0';
    assert_contains(words_of(stage, WATCH_PORTS, row), "on server port 80 (12 processes) grows by");
}

static void what_grows_over_many_ports_only_has_a_note(void **state)
{
    struct stage *stage = *state;
    held_by(add(stage, WATCH_PORTS, SIDE_CLIENT, 80), "crawler", 7);
    struct watch_row *program = add(stage, WATCH_PROGRAMS, SIDE_CLIENT, 0);
    held_by(program, "crawler", 7);
    growing_by(stage, program, 2);
    print(stage, ROWS, 0);
    assert_contains(stage->text, "CLOSE_WAIT on all client ports of crawler pid 7 grows by 2.0/s");
}

static void what_else_is_held_stands_behind_the_states(void **state)
{
    struct stage *stage = *state;
    struct watch_row *row = add(stage, WATCH_PORTS, SIDE_SERVER, 80);
    row->of[STATE_ESTABLISHED] = 40;
    row->queue_length = 129;
    row->queue_limit = 128;
    row->count[GROUP_IDLE] = 30;
    row->send_q = 4096;
    print(stage, ROWS, 0);
    assert_contains(stage->text, " queue 129/128 40 ESTABLISHED 30 idle 4,096 Send-Q\n");
    stage->look.listen_overflows = 7;
    stage->look.ports_left_count = 1;
    stage->look.ports_left[0] = (struct watch_ports_left){.port = 5432, .left = 12, .all = 28232};
    assert_true(address_parse("10.0.0.1", &stage->look.ports_left[0].local));
    assert_true(address_parse("10.0.0.2", &stage->look.ports_left[0].remote));
    print(stage, ROWS, 0);
    assert_contains(stage->text, "accept queues were full 7 times since the first look (ListenOverflows)\n");
    assert_contains(stage->text, "12 of 28,232 ephemeral ports are left from 10.0.0.1 to 10.0.0.2:5432\n");
}

static void when_descriptors_will_be_gone_has_a_line(void **state)
{
    struct stage *stage = *state;
    struct watch_row *row = add(stage, WATCH_OWNERS, SIDE_SERVER, 80);
    held_by(row, "httpd", 7);
    growing_by(stage, row, 0.5);
    row->descriptors = 2000;
    row->descriptors_most = 3800;
    stage->look.t_s = 3599;
    print(stage, ROWS, 0);
    assert_contains(stage->text, "httpd pid 7 :80 +0.5/s (");
    assert_contains(stage->text, ", descriptors gone in 1 h 0 m (");
    assert_lacks(stage->text, "then the accept queue");
    row->queue_limit = 128;
    row->queue_length = 9;
    row->arrived = 35990; /* ten a second */
    print(stage, ROWS, 0);
    assert_contains(stage->text, ", then the accept queue within 12.0 s\n");
    row->descriptors_most = INT64_MAX;
    print(stage, ROWS, 0);
    assert_lacks(stage->text, "gone in");
}

static void a_group_is_told_with_its_churn(void **state)
{
    struct stage *stage = *state;
    struct watch_row *row = add(stage, WATCH_OWNERS, SIDE_CLIENT, 80);
    held_by(row, "crawler", 7);
    growing_by(stage, row, 2);
    row->trends[GROUP_IDLE] = row->trends[GROUP_OWED];
    row->count[GROUP_IDLE] = 7000;
    row->came[GROUP_IDLE] = 7198;
    struct watch_growth growing = {.set = WATCH_OWNERS,
                                   .group = GROUP_IDLE,
                                   .row = row,
                                   .idle_ms = 60000,
                                   .trend = watch_row_trend(row, GROUP_IDLE)};
    assert_contains(
        watch_growth_words(&growing).text,
        "the number of ESTABLISHED without data for 1m on client of port 80 (crawler pid 7) grows by");
    assert_contains(watch_growth_words(&growing).text, "; of 7,198 that came, 198 left");
}

static void json_has_every_set(void **state)
{
    struct stage *stage = *state;
    struct watch_row *row = add(stage, WATCH_OWNERS, SIDE_SERVER, 80);
    held_by(row, "a\"b", 7);
    row = add(stage, WATCH_PORTS, SIDE_SERVER, 80);
    row->processes = 4;
    add(stage, WATCH_PROGRAMS, SIDE_SERVER, 0);
    FILE *out = fmemopen(stage->text, sizeof stage->text, "w");
    watch_print_json(out, &stage->page);
    fputc('\0', out);
    fclose(out);
    assert_contains(stage->text, "\"rows\":[{\"side\":\"server\",\"port\":80,\"listens\":true,\"pid\":7,"
                                 "\"command\":\"a\\\"b\"");
    assert_contains(stage->text,
                    "\"ports\":[{\"side\":\"server\",\"port\":80,\"listens\":true,\"processes\":4,");
    assert_contains(stage->text, "\"programs\":[{\"side\":\"server\",\"processes\":0,");
    assert_contains(stage->text, "\"hidden\":0,\"ghosts\":0,");
    assert_lacks(stage->text, "oldest");
}

#define view_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        view_test(growth_states_age_and_owner_fit_80_columns),
        view_test(what_is_short_is_whole_with_the_unread),
        view_test(a_file_has_all_however_wide),
        view_test(states_that_do_not_fit_are_hinted_at),
        view_test(a_process_per_client_is_one_line),
        view_test(workers_of_a_port_have_a_line_each),
        view_test(never_accepted_ones_are_told_apart),
        view_test(rows_that_are_left_out_are_counted),
        view_test(a_server_without_a_listener_is_explained),
        view_test(root_is_not_told_that_root_may),
        view_test(ghosts_are_counted_and_explained),
        view_test(a_sum_that_grows_is_told_with_its_parts),
        view_test(an_age_is_an_interval_where_it_is_not_known_better),
        view_test(what_recv_q_does_not_tell_is_said),
        view_test(slow_growth_is_no_zero),
        view_test(a_sentence_says_who_grows),
        view_test(what_grows_over_many_ports_only_has_a_note),
        view_test(what_else_is_held_stands_behind_the_states),
        view_test(when_descriptors_will_be_gone_has_a_line),
        view_test(a_group_is_told_with_its_churn),
        view_test(json_has_every_set),
    };
    return cmocka_run_group_tests_name("watch_view", tests, NULL, NULL);
}
