#include "../unit.h"

#include "audit/http_request.h"

#include <string.h>

/* All at once, and byte by byte: the same number of requests ends. */
static int count(const char *text, bool *is_within)
{
    struct http_reader whole = {.length = 0}, parts = {.length = 0};
    int ended = http_reader_take(&whole, text, strlen(text)), in_parts = 0;
    for (const char *byte = text; *byte != '\0'; byte++)
        in_parts += http_reader_take(&parts, byte, 1);
    assert_int_equal(ended, in_parts);
    assert_int_equal(http_reader_is_within(&whole), http_reader_is_within(&parts));
    *is_within = http_reader_is_within(&whole);
    return ended;
}

static void expect(const char *text, int requests, bool within)
{
    bool is_within;
    assert_int_equal(count(text, &is_within), requests);
    assert_int_equal(is_within, within);
}

static void a_request_ends_with_its_empty_line(void **state)
{
    (void)state;
    expect("", 0, false);
    expect("GET / HTTP/1.1\r\nHost: x\r\n", 0, true);
    expect("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1, false);
    expect("GET / HTTP/1.1\nHost: x\n\n", 1, false);
    expect("\r\n\r\nGET / HTTP/1.1\r\n\r\n", 1, false); /* RFC 9112 2.2: empty lines before are nothing */
    expect("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nG", 2, true);
}

static void a_body_belongs_to_it(void **state)
{
    (void)state;
    expect("POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\n1234", 0, true);
    expect("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n12345", 1, false);
    expect("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 1, false);
    expect("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n\r\n\r\n", 1, false);
    expect("POST / HTTP/1.1\r\nContent-Length: -7\r\n\r\n", 1, false);
    expect("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\nabc", 0, true);
}

static void so_do_chunks(void **state)
{
    (void)state;
    static const char head[] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    char text[256];
    snprintf(text, sizeof text, "%s5\r\nhello\r\n", head);
    expect(text, 0, true);
    snprintf(text, sizeof text, "%s5\r\nhello\r\n0\r\n\r\n", head);
    expect(text, 1, false);
    snprintf(text, sizeof text, "%sa;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\nGET", head);
    expect(text, 1, true);
}

static void a_line_may_be_longer_than_there_is_room_for(void **state)
{
    (void)state;
    char text[2048];
    char cookie[1024];
    memset(cookie, 'c', sizeof cookie);
    cookie[sizeof cookie - 1] = '\0';
    snprintf(text, sizeof text, "GET / HTTP/1.1\r\nCookie: %s\r\nContent-Length: 2\r\n\r\nab", cookie);
    expect(text, 1, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_ends_with_its_empty_line),
        cmocka_unit_test(a_body_belongs_to_it),
        cmocka_unit_test(so_do_chunks),
        cmocka_unit_test(a_line_may_be_longer_than_there_is_room_for),
    };
    return cmocka_run_group_tests_name("http_request", tests, NULL, NULL);
}
