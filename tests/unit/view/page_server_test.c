#include "../unit.h"

#include "../event_loop.h"
#include "view/page_server.h"

#include <event2/buffer.h>
#include <sys/resource.h>

/* ---- requests ---- */

static enum page_parsed parse(const char *text, struct page_request *request)
{
    return page_request_parse(text, strlen(text), request);
}

static void a_request_is_a_method_a_path_and_what_is_accepted(void **state)
{
    (void)state;
    struct page_request request;
    assert_int_equal(parse("GET /metrics?a=b HTTP/1.1\r\nHost: here\r\naccept: text/plain\r\nX: y\r\n"
                           "Accept: application/json\r\n\r\nGET /more",
                           &request),
                     PAGE_PARSED);
    assert_string_equal(request.method, "GET");
    assert_string_equal(request.path, "/metrics");
    assert_string_equal(request.accept, " text/plain, application/json,");
    assert_int_equal(parse("HEAD http://here:9464/metrics HTTP/1.0\n\n", &request), PAGE_PARSED);
    assert_string_equal(request.method, "HEAD");
    assert_string_equal(request.path, "/metrics");
    assert_int_equal(parse("GET http://here HTTP/1.1\r\n\r\n", &request), PAGE_PARSED);
    assert_string_equal(request.path, "");
}

static void what_has_no_end_yet_is_waited_for_up_to_a_limit(void **state)
{
    (void)state;
    static char text[PAGE_REQUEST_MAX];
    struct page_request request;
    assert_int_equal(parse("", &request), PAGE_INCOMPLETE);
    assert_int_equal(parse("GET /metrics HTTP/1.1\r\nHost: here\r\n", &request), PAGE_INCOMPLETE);
    memset(text, 'x', sizeof text);
    assert_int_equal(page_request_parse(text, sizeof text - 1, &request), PAGE_INCOMPLETE);
    assert_int_equal(page_request_parse(text, sizeof text, &request), PAGE_TOO_LONG);
}

static void what_is_no_http_is_bad(void **state)
{
    (void)state;
    static const char *const texts[] = {"\r\n\r\n",
                                        "GET\r\n\r\n",
                                        "GET /metrics\r\n\r\n",
                                        "GET /metrics HTTP/2\r\n\r\n",
                                        "GET  HTTP/1.1\r\n\r\n",
                                        "\x16\x03\x01\n\n"};
    struct page_request request;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_int_equal(parse(texts[i], &request), PAGE_BAD);
    assert_int_equal(page_request_parse("GET /\0 HTTP/1.1\r\n\r\n", 20, &request), PAGE_BAD);
}

/* No string of C may end where the request goes on. */
static void a_nul_byte_in_a_head_is_bad(void **state)
{
    static const char text[] = "\0GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                      later[] = "GET / HTTP/1.1\r\nA\0: a\r\n\r\n";
    struct page_request request;
    (void)state;
    assert_int_equal(page_request_parse(text, sizeof text - 1, &request), PAGE_BAD);
    assert_int_equal(page_request_parse(later, sizeof later - 1, &request), PAGE_BAD);
}

static void what_is_too_long_is_cut(void **state)
{
    (void)state;
    char text[6000], *end;
    struct page_request request;
    snprintf(text, sizeof text, "%0500dGET /%02000d HTTP/1.1\r\nAccept: %02000d\r\n\r\n", 0, 0, 0);
    assert_int_equal(parse(text, &request), PAGE_PARSED);
    end = strchr(request.method, '\0');
    assert_int_equal(end - request.method, sizeof request.method - 1);
    assert_int_equal(strlen(request.path), sizeof request.path - 1);
    assert_int_equal(strlen(request.accept), sizeof request.accept - 1);
}

/* ---- visitors ---- */

struct scene {
    struct event_base *base;
    struct loopback listener;
    struct page_server *server;
};

static bool make(void *context, const struct page_request *request, struct evbuffer *body, const char **type)
{
    (void)context;
    *type = "text/x-test";
    evbuffer_add_printf(body, "a page\n");
    return strcmp(request->path, "/page") == 0;
}

static int begin(void **state)
{
    struct scene *scene = test_calloc(1, sizeof *scene);
    scene->base = event_base_new();
    scene->listener = loopback_listen();
    scene->server = page_server_new(scene->base, scene->listener.listener, make, NULL);
    assert_non_null(scene->server);
    *state = scene;
    return 0;
}

static int end(void **state)
{
    struct scene *scene = *state;
    page_server_free(scene->server);
    event_base_free(scene->base);
    test_free(scene);
    return 0;
}

static void ask(int fd)
{
    static const char request[] = "GET /page HTTP/1.1\r\n\r\n";
    assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
}

/* Whether the page has come, by now. */
static bool has_page(int fd)
{
    char answer[512];
    ssize_t got = recv(fd, answer, sizeof answer, MSG_DONTWAIT | MSG_PEEK);
    return got > 0 && memmem(answer, (size_t)got, "\r\n\r\na page\n", 11) != NULL;
}

static bool is_closed(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

static void the_oldest_goes_when_there_are_too_many(void **state)
{
    struct scene *scene = *state;
    static int fds[PAGE_VISITORS_MAX + 1];
    for (int i = 0; i <= PAGE_VISITORS_MAX; i++) {
        fds[i] = loopback_connect(&scene->listener);
        run_for_ms(scene->base, 1);
    }
    assert_comes_true(scene->base, is_closed(fds[0]));
    for (int i = 1; i <= PAGE_VISITORS_MAX; i++)
        ask(fds[i]);
    for (int i = 1; i <= PAGE_VISITORS_MAX; i++)
        assert_comes_true(scene->base, has_page(fds[i]));
    for (int i = 0; i <= PAGE_VISITORS_MAX; i++)
        close(fds[i]);
}

/* The lowest limit under which no descriptor can be had. */
static rlim_t descriptors_in_use(void)
{
    int next = dup(STDIN_FILENO);
    close(next);
    return (rlim_t)next;
}

static void without_descriptors_it_rests_and_lets_in_who_has_waited(void **state)
{
    struct scene *scene = *state;
    struct rlimit before, low;
    int fd = loopback_connect(&scene->listener);
    ask(fd);
    getrlimit(RLIMIT_NOFILE, &before);
    low = before;
    low.rlim_cur = descriptors_in_use();
    setrlimit(RLIMIT_NOFILE, &low);
    int turns = 0;
    for (int64_t until_ms = loopback_now_ms() + 200; loopback_now_ms() < until_ms; turns++)
        event_base_loop(scene->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    /* At rest nothing is ready: a loop that may wait does. */
    struct timeval soon = {0, 50000};
    int64_t began_ms = loopback_now_ms();
    event_base_loopexit(scene->base, &soon);
    event_base_dispatch(scene->base);
    int64_t waited_ms = loopback_now_ms() - began_ms;
    setrlimit(RLIMIT_NOFILE, &before);
    assert_true(turns > 0);
    assert_true(waited_ms >= 49);
    assert_comes_true(scene->base, has_page(fd));
    close(fd);
}

static void without_descriptors_the_oldest_makes_room(void **state)
{
    struct scene *scene = *state;
    struct rlimit before, low;
    int idle = loopback_connect(&scene->listener), fd = loopback_connect(&scene->listener);
    assert_int_equal(event_base_loop(scene->base, EVLOOP_ONCE), 0); /* one of them is let in */
    getrlimit(RLIMIT_NOFILE, &before);
    low = before;
    low.rlim_cur = descriptors_in_use();
    setrlimit(RLIMIT_NOFILE, &low);
    ask(fd);
    int64_t until_ms = loopback_now_ms() + DEADLINE_MS;
    bool there = false;
    while (!there && loopback_now_ms() < until_ms) {
        run_for_ms(scene->base, 1);
        there = has_page(fd);
    }
    setrlimit(RLIMIT_NOFILE, &before);
    assert_true(there);
    close(idle);
    close(fd);
}

#define in_scene(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_a_method_a_path_and_what_is_accepted),
        cmocka_unit_test(what_has_no_end_yet_is_waited_for_up_to_a_limit),
        cmocka_unit_test(what_is_no_http_is_bad),
        cmocka_unit_test(a_nul_byte_in_a_head_is_bad),
        cmocka_unit_test(what_is_too_long_is_cut),
        in_scene(the_oldest_goes_when_there_are_too_many),
        in_scene(without_descriptors_it_rests_and_lets_in_who_has_waited),
        in_scene(without_descriptors_the_oldest_makes_room),
    };
    return cmocka_run_group_tests_name("page_server", tests, NULL, NULL);
}
