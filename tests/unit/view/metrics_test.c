#include "../unit.h"

#include "../event_loop.h"
#include "base/version.h"
#include "view/view.h"

#include <errno.h>

enum { CONNS = 1000 };

/* A run that serves its metrics, and a monitor that asks for them. */
struct scene {
    struct event_base *base;
    struct loopback listener;
    struct observer view;
    struct run_settings settings;
    struct plan plan;
    struct experiment experiment;
    struct histogram sides[SIDE_COUNT];
    char answer[32768];
};

static int begin(void **state)
{
    struct scene *scene = test_calloc(1, sizeof *scene);
    scene->base = event_base_new();
    assert_non_null(scene->base);
    scene->listener = loopback_listen();
    scene->view = metrics_view(scene->listener.listener);
    assert_non_null(scene->view.view);
    scene->settings.conns = CONNS;
    scene->plan.settings = &scene->settings;
    scene->experiment.name = "leak";
    const struct run_start start = {.plan = &scene->plan, .base = scene->base};
    assert_int_equal(scene->view.ops->run_start(scene->view.view, &start), 0);
    const struct order_start order = {.plan = &scene->plan, .experiment = &scene->experiment};
    assert_int_equal(scene->view.ops->order_start(scene->view.view, &order), 0);
    *state = scene;
    return 0;
}

static void end_run(struct scene *scene)
{
    const struct run_end end = {.outcome = OUTCOME_AS_EXPECTED};
    assert_int_equal(scene->view.ops->run_end(scene->view.view, &end), 0);
}

static int end(void **state)
{
    struct scene *scene = *state;
    end_run(scene);
    view_free(&scene->view);
    event_base_free(scene->base);
    test_free(scene);
    return 0;
}

/* Reads until the other side closes, while the loop runs. */
static const char *answer_to(struct scene *scene, int fd)
{
    size_t length = 0;
    ssize_t got = -1;
    int64_t until_ms = loopback_now_ms() + DEADLINE_MS;
    while (got != 0 && loopback_now_ms() < until_ms) {
        run_for_ms(scene->base, 1);
        got = recv(fd, scene->answer + length, sizeof scene->answer - 1 - length, MSG_DONTWAIT);
        length += got > 0 ? (size_t)got : 0;
    }
    assert_int_equal(got, 0);
    scene->answer[length] = '\0';
    close(fd);
    return scene->answer;
}

static const char *ask(struct scene *scene, const char *method, const char *path, const char *headers)
{
    char request[512];
    int fd = loopback_connect(&scene->listener);
    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: here\r\nConnection: close\r\n%s\r\n", method,
             path, headers);
    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    return answer_to(scene, fd);
}

static const char *as_text(struct scene *scene)
{
    return ask(scene, "GET", "/metrics", "");
}

static const char *as_open_metrics(struct scene *scene)
{
    return ask(scene, "GET", "/metrics",
               "Accept: application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.3\r\n");
}

static void look(struct scene *scene, const struct sample *like)
{
    struct sample sample = *like;
    sample.experiment = &scene->experiment;
    sample.conns = CONNS;
    sample.step = "client-close";
    sample.sides = scene->sides;
    assert_int_equal(scene->view.ops->sample(scene->view.view, &sample), 0);
}

#define assert_line(text, line) assert_contains(text, "\n" line "\n")

static void every_state_of_both_sides_is_a_sample_as_node_exporter_calls_it(void **state)
{
    struct scene *scene = *state;
    static const char *const names[STATE_COUNT] = {NULL,         "established", "syn_sent",  "syn_recv",
                                                   "fin_wait1",  "fin_wait2",   "time_wait", "close",
                                                   "close_wait", "last_ack",    "listen",    "closing"};
    char line[128];
    for (int s = STATE_ESTABLISHED; s < STATE_COUNT; s++) {
        scene->sides[SIDE_SERVER].of[s] = 10 + s;
        scene->sides[SIDE_CLIENT].of[s] = 100 + s;
    }
    look(scene, &(struct sample){.opened = 500});
    as_text(scene);
    for (int s = STATE_ESTABLISHED; s < STATE_COUNT; s++)
        for (int side = 0; side < SIDE_COUNT; side++) {
            snprintf(line, sizeof line, "\ntcpstorm_connection_states{side=\"%s\",state=\"%s\"} %d\n",
                     side_name((enum side)side), names[s], (side == SIDE_SERVER ? 10 : 100) + s);
            assert_contains(scene->answer, line);
        }
}

static void what_else_is_known_of_a_side_is_there(void **state)
{
    struct scene *scene = *state;
    scene->sides[SIDE_SERVER] = (struct histogram){
        .of = {[STATE_CLOSE_WAIT] = 300}, .unread = 31, .unowned = 32, .ghosts = 33, .queued = 34};
    look(scene,
         &(struct sample){.opened = 1000, .fds = {35, 36}, .errors = {37, 38}, .nofile = {39, 1000000}});
    const char *text = as_text(scene);
    assert_line(text, "tcpstorm_connections_gone{side=\"server\"} 700");
    assert_line(text, "tcpstorm_connections_gone{side=\"client\"} 1000");
    assert_line(text, "tcpstorm_close_wait_unread{side=\"server\"} 31");
    assert_line(text, "tcpstorm_close_wait_unread{side=\"client\"} 0");
    assert_line(text, "tcpstorm_close_wait_unowned{side=\"server\"} 32");
    assert_line(text, "tcpstorm_ghosts{side=\"server\"} 33");
    assert_line(text, "tcpstorm_accept_queue 34");
    assert_line(text, "tcpstorm_open_fds{side=\"server\"} 35");
    assert_line(text, "tcpstorm_open_fds{side=\"client\"} 36");
    assert_line(text, "tcpstorm_errors_total{side=\"server\"} 37");
    assert_line(text, "tcpstorm_errors_total{side=\"client\"} 38");
    assert_line(text, "tcpstorm_max_fds{side=\"server\"} 39");
    assert_line(text, "tcpstorm_max_fds{side=\"client\"} 1000000");
}

static void what_is_known_of_the_run_is_there(void **state)
{
    struct scene *scene = *state;
    look(scene, &(struct sample){.opened = 900});
    look(scene, &(struct sample){.opened = 999, .dropped = 41, .late = 42, .look_s = 0.25});
    const struct progress progress = {
        .experiment = &scene->experiment, .step = "client-close", .doing = "holding"};
    scene->view.ops->progress(scene->view.view, &progress);
    const char *text = as_text(scene);
    assert_line(text, "tcpstorm_connections_wanted 1000");
    assert_line(text, "tcpstorm_connections_opened 999");
    assert_line(text, "tcpstorm_listen_drops_total 41");
    assert_line(text, "tcpstorm_late_arrivals_total 42");
    assert_line(text, "tcpstorm_looks_total 2");
    assert_line(text, "tcpstorm_look_seconds 0.25");
    assert_contains(text, "\ntcpstorm_run_seconds ");
    assert_contains(text, "\ntcpstorm_look_age_seconds ");
    assert_line(text, "tcpstorm_build_info{version=\"" TCPSTORM_VERSION "\"} 1");
    assert_line(text, "tcpstorm_step_info{order=\"leak\",step=\"client-close\",doing=\"holding\"} 1");
}

/* Every family has its HELP and TYPE before its samples; returns how many there are. */
static int check_heads(char *page)
{
    char family[128] = "", *rest = NULL;
    int families = 0;
    for (char *line = strtok_r(page, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            snprintf(family, sizeof family, "%.*s", (int)strcspn(line + 7, " "), line + 7);
            families++;
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            assert_int_equal(strcspn(line + 7, " "), strlen(family));
            assert_memory_equal(line + 7, family, strlen(family));
        } else if (line[0] != '#') {
            assert_memory_equal(line, family, strlen(family));
        }
    }
    return families;
}

static void prometheus_text_calls_a_counter_by_its_whole_name(void **state)
{
    struct scene *scene = *state;
    const char *text = as_text(scene);
    assert_memory_equal(text, "HTTP/1.1 200 ", 13);
    assert_contains(text, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
    assert_contains(text, "\n# TYPE tcpstorm_looks_total counter\n");
    assert_contains(text, "\n# TYPE tcpstorm_build_info gauge\n");
    assert_contains(text, "\n# TYPE tcpstorm_connection_states gauge\n");
    assert_lacks(text, "# EOF");
    assert_int_equal(check_heads(strstr(scene->answer, "\r\n\r\n") + 4), 19);
}

static void open_metrics_calls_the_family_without_total_and_ends_with_eof(void **state)
{
    struct scene *scene = *state;
    const char *text = as_open_metrics(scene);
    assert_memory_equal(text, "HTTP/1.1 200 ", 13);
    assert_contains(text, "\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n");
    assert_contains(text, "\n# TYPE tcpstorm_looks counter\n");
    assert_line(text, "tcpstorm_looks_total 0");
    assert_contains(text, "\n# TYPE tcpstorm_build info\n");
    assert_contains(text, "\n# TYPE tcpstorm_connection_states gauge\n");
    assert_string_equal(text + strlen(text) - strlen("\n# EOF\n"), "\n# EOF\n");
    assert_int_equal(check_heads(strstr(scene->answer, "\r\n\r\n") + 4), 19);
}

static void before_the_first_look_everything_is_zero(void **state)
{
    struct scene *scene = *state;
    const char *text = as_text(scene);
    assert_line(text, "tcpstorm_connection_states{side=\"server\",state=\"established\"} 0");
    assert_line(text, "tcpstorm_connections_gone{side=\"client\"} 0");
    assert_line(text, "tcpstorm_connections_wanted 1000");
    assert_line(text, "tcpstorm_look_age_seconds 0");
    assert_line(text, "tcpstorm_step_info{order=\"leak\",step=\"\",doing=\"starting\"} 1");
}

static void an_order_that_has_ended_is_told_no_more(void **state)
{
    struct scene *scene = *state;
    const struct order_end over = {.experiment = &scene->experiment};
    scene->sides[SIDE_SERVER].of[STATE_TIME_WAIT] = 5;
    look(scene, &(struct sample){.opened = 5});
    assert_int_equal(scene->view.ops->order_end(scene->view.view, &over), 0);
    const char *text = as_text(scene);
    assert_line(text, "tcpstorm_connection_states{side=\"server\",state=\"time_wait\"} 0");
    assert_line(text, "tcpstorm_connections_wanted 0");
    assert_line(text, "tcpstorm_looks_total 1");
    assert_lacks(text, "leak");
}

static void head_has_no_body(void **state)
{
    const char *text = ask(*state, "HEAD", "/metrics", "");
    assert_memory_equal(text, "HTTP/1.1 200 ", 13);
    assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
    text = ask(*state, "HEAD", "/", "");
    assert_memory_equal(text, "HTTP/1.1 404 ", 13);
    assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
}

static void elsewhere_there_is_nothing_and_nothing_else_is_done(void **state)
{
    struct scene *scene = *state;
    assert_memory_equal(ask(scene, "GET", "/", ""), "HTTP/1.1 404 ", 13);
    assert_memory_equal(ask(scene, "GET", "/metrics/x", ""), "HTTP/1.1 404 ", 13);
    assert_memory_equal(ask(scene, "GET", "/%2e%2e/etc/passwd", ""), "HTTP/1.1 404 ", 13);
    assert_memory_equal(ask(scene, "DELETE", "/metrics", ""), "HTTP/1.1 501 ", 13);
    assert_memory_equal(ask(scene, "POST", "/metrics", "Content-Length: 0\r\n"), "HTTP/1.1 501 ", 13);
}

static void a_header_without_end_is_not_kept(void **state)
{
    struct scene *scene = *state;
    char header[4096];
    int fd = loopback_connect(&scene->listener);
    memset(header, 'x', sizeof header);
    assert_int_equal(send(fd, "GET /metrics HTTP/1.1\r\nX: ", 26, 0), 26);
    ssize_t sent = 0;
    int64_t until_ms = loopback_now_ms() + DEADLINE_MS;
    for (size_t all = 0; sent >= 0 && all < 16u << 20 && loopback_now_ms() < until_ms; all += sizeof header) {
        sent = send(fd, header, sizeof header, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent = sent < 0 && errno == EAGAIN ? 0 : sent;
        run_for_ms(scene->base, 1);
    }
    close(fd);
    assert_true(sent < 0); /* the listener was shut on it */
    assert_memory_equal(as_text(scene), "HTTP/1.1 200 ", 13);
}

static void after_the_run_nobody_listens(void **state)
{
    struct scene *scene = *state;
    struct sockaddr_storage where;
    int waiting = loopback_connect(&scene->listener);
    assert_int_equal(send(waiting, "GET /met", 8, 0), 8);
    run_for_ms(scene->base, 5);
    end_run(scene);
    socklen_t length =
        address_to_sockaddr(&scene->listener.target.address, scene->listener.target.ports.first, &where);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&where, length), -1);
    assert_int_equal(errno, ECONNREFUSED);
    assert_string_equal(answer_to(scene, waiting), "");
    close(fd);
}

#define in_scene(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_scene(every_state_of_both_sides_is_a_sample_as_node_exporter_calls_it),
        in_scene(what_else_is_known_of_a_side_is_there),
        in_scene(what_is_known_of_the_run_is_there),
        in_scene(prometheus_text_calls_a_counter_by_its_whole_name),
        in_scene(open_metrics_calls_the_family_without_total_and_ends_with_eof),
        in_scene(before_the_first_look_everything_is_zero),
        in_scene(an_order_that_has_ended_is_told_no_more),
        in_scene(head_has_no_body),
        in_scene(elsewhere_there_is_nothing_and_nothing_else_is_done),
        in_scene(a_header_without_end_is_not_kept),
        in_scene(after_the_run_nobody_listens),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
