#include "../unit.h"

#include "code/place_text.h"

#include <stdlib.h>

/* A stack of these places; `own` as code makes it. */
static struct site *site_of(const struct place *places, int count)
{
    struct site *site = calloc(1, sizeof *site + (size_t)count * sizeof *places);
    assert_non_null(site);
    memcpy(site->places, places, (size_t)count * sizeof *places);
    site->count = count;
    site->own = -1;
    for (int i = count - 1; i >= 0; i--)
        site->own = places[i].is_own ? i : site->own;
    return site;
}

static void assert_line(const struct place *places, int count, int width, const char *expected)
{
    struct site *site = site_of(places, count);
    assert_string_equal(site_text(site, width).text, expected);
    free(site);
}

static const struct place server[] = {
    {.function = "recv", .module = "libc.so.6", .offset = 0x1234},
    {.function = "conn_free",
     .file = "conn.c",
     .path = "/s/conn.c",
     .line = 24,
     .module = "ev",
     .is_own = true},
    {.function = "event_base_loop", .module = "libevent.so"},
    {.function = "on_readable",
     .file = "conn.c",
     .path = "/s/conn.c",
     .line = 57,
     .module = "ev",
     .is_own = true},
    {.function = "main", .file = "main.c", .path = "/s/main.c", .line = 7, .module = "ev", .is_own = true},
    {.function = "too_much",
     .file = "main.c",
     .path = "/s/main.c",
     .line = 8,
     .module = "ev",
     .is_own = true},
};

static void the_own_places_are_named(void **state)
{
    (void)state;
    assert_line(server, COUNT_OF(server), 200, "conn.c:24 in conn_free < on_readable < main.c:7 in main");
}

static void callers_that_do_not_fit_are_left_out(void **state)
{
    (void)state;
    const char *two = "conn.c:24 in conn_free < on_readable";
    assert_line(server, COUNT_OF(server), (int)strlen(two), two);
    assert_line(server, COUNT_OF(server), (int)strlen(two) - 1, "conn.c:24 in conn_free");
    assert_line(server, COUNT_OF(server), 1, "conn.c:24 in conn...");
}

static void a_tail_call_is_marked(void **state)
{
    (void)state;
    struct place places[] = {server[1], server[3]};
    places[0].is_tail_call = places[1].is_tail_call = true;
    assert_line(places, 2, 200, "conn.c:24 in conn_free (tail call) < on_readable (tail call)");
}

static void without_symbols_it_is_an_offset(void **state)
{
    (void)state;
    const struct place places[] = {
        {.function = "recv", .module = "libc.so.6"},
        {.function = "__libc_thing", .module = "libc.so.6"},
        {.module = "nginx", .offset = 0x4a3f1},
        {.module = "nginx", .offset = 0x4a400},
        {.function = "__libc_start_main", .module = "libc.so.6"},
    };
    assert_line(places, COUNT_OF(places), 200, "recv in libc.so.6 < nginx+0x4a3f1");
    assert_line(&places[2], 1, 200, "nginx+0x4a3f1");
    assert_line(&places[2], 2, 200, "nginx+0x4a3f1 < nginx+0x4a400");
    assert_line(&(struct place){.line = 0}, 1, 200, "an unknown place");
    assert_line(places, 0, 200, "an unknown place");
}

static void a_binary_is_named_once(void **state)
{
    (void)state;
    const struct place places[] = {
        {.module = "nginx", .offset = 0x54173, .is_own = true},
        {.function = "ngx_cycle", .module = "nginx", .is_own = true},
        {.function = "main", .file = "nginx.c", .line = 7, .module = "nginx", .is_own = true},
    };
    assert_line(places, COUNT_OF(places), 200, "nginx+0x54173 < ngx_cycle < nginx.c:7 in main");
    assert_line(&places[1], 2, 200, "ngx_cycle in nginx < nginx.c:7 in main");
}

/* Two files of one name are two files. */
static void a_file_of_the_same_name_is_named_again(void **state)
{
    (void)state;
    const struct place places[] = {
        {.function = "a", .file = "x.c", .path = "/a/x.c", .line = 1, .is_own = true},
        {.function = "b", .file = "x.c", .path = "/b/x.c", .line = 2, .is_own = true},
        {.file = "x.c", .path = "/b/x.c", .line = 3, .is_own = true},
    };
    assert_line(places, COUNT_OF(places), 200, "x.c:1 in a < x.c:2 in b < x.c:3");
}

static void stacks_are_alike_that_are_told_alike(void **state)
{
    (void)state;
    struct place places[] = {server[0], server[1], server[3], server[4], server[5]};
    struct site *one = site_of(places, 5), *deeper = site_of(places, 4), *shorter = site_of(places, 3);
    places[2].line++;
    struct site *other = site_of(places, 5);
    places[2].line--;
    places[0].function = "read";
    struct site *called = site_of(places, 5);
    assert_true(site_is_alike(one, one));
    assert_true(site_is_alike(one, deeper));
    assert_false(site_is_alike(one, shorter));
    assert_false(site_is_alike(shorter, one));
    assert_false(site_is_alike(one, other));
    assert_true(site_is_alike(one, called)); /* what the library called is no place of the program's */
    free(one);
    free(deeper);
    free(shorter);
    free(other);
    free(called);
}

static void names_are_no_orders_to_a_terminal(void **state)
{
    (void)state;
    const struct place place = {.function = "f\033[2J", .file = "a\n.py", .line = 3, .is_own = true};
    assert_string_equal(place_text(&place).text, "a?.py:3 in f?[2J");
}

static void a_long_name_ends_in_dots(void **state)
{
    (void)state;
    char name[600];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const struct place place = {.function = name, .file = "a.c", .line = 3, .is_own = true};
    const char *text = place_text(&place).text;
    assert_int_equal(strlen(text), sizeof((struct place_text *)0)->text - 1);
    assert_string_equal(text + strlen(text) - 3, "...");
}

static void json_has_all_places(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    struct json_writer json = {.out = open_memstream(&text, &length)};
    struct place places[] = {server[0], server[1]};
    places[1].is_inlined = true;
    struct site *site = site_of(places, 2);
    json_open(&json, NULL, '{');
    site_put_json(&json, "stack", site);
    json_close(&json, '}');
    fclose(json.out);
    assert_string_equal(
        text, "{\"stack\":{\"text\":\"conn.c:24 in conn_free\",\"own\":1,\"is_cut\":false,\"places\":["
              "{\"function\":\"recv\",\"module\":\"libc.so.6\",\"offset\":4660},"
              "{\"function\":\"conn_free\",\"file\":\"conn.c\",\"path\":\"/s/conn.c\",\"line\":24,"
              "\"module\":\"ev\",\"offset\":0,\"is_own\":true,\"is_inlined\":true}]}}");
    free(text);
    free(site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_own_places_are_named),
        cmocka_unit_test(callers_that_do_not_fit_are_left_out),
        cmocka_unit_test(a_tail_call_is_marked),
        cmocka_unit_test(without_symbols_it_is_an_offset),
        cmocka_unit_test(a_binary_is_named_once),
        cmocka_unit_test(a_file_of_the_same_name_is_named_again),
        cmocka_unit_test(stacks_are_alike_that_are_told_alike),
        cmocka_unit_test(names_are_no_orders_to_a_terminal),
        cmocka_unit_test(a_long_name_ends_in_dots),
        cmocka_unit_test(json_has_all_places),
    };
    return cmocka_run_group_tests_name("place_text", tests, NULL, NULL);
}
