#include "../unit.h"

#include "audit/proxy_backend.h"

#include <string.h>

enum { RUN = 0x12ab, NOT_OURS = -1, INCOMPLETE = -2 };

static int64_t token(const char *said)
{
    return proxy_caller_number(said, strlen(said), false, RUN);
}

static int64_t request(const char *said)
{
    return proxy_caller_number(said, strlen(said), true, RUN);
}

static void a_token_names_its_pair(void **state)
{
    (void)state;
    assert_int_equal(token("tcpstorm 000012ab 0000000000042\n"), 42);
    assert_int_equal(token("tcpstorm 000012ab 0000000000042"), INCOMPLETE);
    assert_int_equal(token(""), INCOMPLETE);
    assert_int_equal(token("tcpstorm 000012ac 0000000000042\n"), NOT_OURS);
    assert_int_equal(token("tcpstorm 000012ab 00000000000x2\n"), NOT_OURS);
    assert_int_equal(token("tcpstorm 000012ab -000000000042\n"), NOT_OURS);
    assert_int_equal(token("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"), NOT_OURS);
    assert_int_equal(token("PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n"), NOT_OURS);
}

static void so_does_a_header(void **state)
{
    (void)state;
    assert_int_equal(request("GET / HTTP/1.1\r\nHost: x\r\nX-Tcpstorm-Id: 000012ab-7\r\n\r\n"), 7);
    assert_int_equal(request("GET / HTTP/1.0\r\nx-tcpstorm-id:000012ab-7\r\nHost: x\r\n\r\n"), 7);
    assert_int_equal(request("GET / HTTP/1.1\r\nX-Tcpstorm-Id: 000012ab-7\r\n"), INCOMPLETE);
    assert_int_equal(request("GET / HTTP/1.1\r\nX-Tcpstorm-Id: 000012ac-7\r\n\r\n"), NOT_OURS);
    assert_int_equal(request("GET / HTTP/1.1\r\nX-Tcpstorm-Id: 000012ab--7\r\n\r\n"), NOT_OURS);
    assert_int_equal(request("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), NOT_OURS);
    assert_int_equal(request("\r\n\r\n"), NOT_OURS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_names_its_pair),
        cmocka_unit_test(so_does_a_header),
    };
    return cmocka_run_group_tests_name("proxy_backend", tests, NULL, NULL);
}
