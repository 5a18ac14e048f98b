#include "../unit.h"

#include "kernel/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static struct address parsed(const char *text)
{
    struct address address;
    memset(&address, 0xff, sizeof address);
    assert_true(address_parse(text, &address));
    return address;
}

static void an_ipv4_address_is_taken(void **state)
{
    (void)state;
    struct address address = parsed("127.0.0.1");
    static const uint8_t bytes[16] = {127, 0, 0, 1};
    assert_int_equal(address.family, AF_INET);
    assert_memory_equal(address.bytes, bytes, sizeof bytes);
}

static void an_ipv6_address_is_taken(void **state)
{
    (void)state;
    struct address address = parsed("::1");
    static const uint8_t bytes[16] = {[15] = 1};
    assert_int_equal(address.family, AF_INET6);
    assert_memory_equal(address.bytes, bytes, sizeof bytes);
}

static void an_ipv6_address_may_be_in_brackets(void **state)
{
    (void)state;
    struct address bare = parsed("::1"), bracketed = parsed("[::1]");
    assert_true(address_equal(&bare, &bracketed));
}

static void the_longest_ipv6_address_may_be_in_brackets(void **state)
{
    (void)state;
    assert_int_equal(parsed("[1111:2222:3333:4444:5555:6666:7777:8888]").family, AF_INET6);
}

static void other_texts_are_no_addresses(void **state)
{
    (void)state;
    static const char *const junk[] = {"",      "localhost", "127.0.0",    "127.0.0.256", "127.0.0.1:80",
                                       "[::1",  "::1]",      "[]",         "::g",         " 127.0.0.1",
                                       "127.1", "::1%lo",    "127.0.0.1 ", "[::1]:80",    "0x7f.0.0.1"};
    for (size_t i = 0; i < COUNT_OF(junk); i++) {
        struct address address;
        if (address_parse(junk[i], &address))
            fail_msg("\"%s\" is taken for an address", junk[i]);
    }
}

static void a_very_long_text_is_no_address(void **state)
{
    (void)state;
    char text[500];
    memset(text, '1', sizeof text);
    text[0] = '[';
    text[sizeof text - 2] = ']';
    text[sizeof text - 1] = '\0';
    struct address address;
    assert_false(address_parse(text, &address));
}

static void a_refused_text_leaves_the_address_alone(void **state)
{
    (void)state;
    struct address address = parsed("127.0.0.5"), before = address;
    assert_false(address_parse("junk", &address));
    assert_true(address_equal(&address, &before));
}

static void loopback_addresses_are_known(void **state)
{
    (void)state;
    static const char *const loopback[] = {"127.0.0.1", "127.0.0.2", "127.255.255.254", "::1"};
    for (size_t i = 0; i < COUNT_OF(loopback); i++) {
        struct address address = parsed(loopback[i]);
        assert_true(address_is_loopback(&address));
    }
}

static void other_addresses_are_not_loopback(void **state)
{
    (void)state;
    static const char *const others[] = {"10.0.0.1", "128.0.0.1", "0.0.0.0",          "126.255.255.255",
                                         "::",       "::2",       "::ffff:127.0.0.1", "fe80::1"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct address address = parsed(others[i]);
        assert_false(address_is_loopback(&address));
    }
}

static void wildcards_are_known(void **state)
{
    (void)state;
    struct address v4 = parsed("0.0.0.0"), v6 = parsed("::"), loopback = parsed("127.0.0.1");
    assert_true(address_is_wildcard(&v4));
    assert_true(address_is_wildcard(&v6));
    assert_false(address_is_wildcard(&loopback));
}

static void addresses_of_two_families_differ(void **state)
{
    (void)state;
    struct address v4 = parsed("0.0.0.0"), v6 = parsed("::");
    assert_false(address_equal(&v4, &v6));
}

static void addresses_that_differ_in_the_last_byte_differ(void **state)
{
    (void)state;
    struct address one = parsed("127.0.0.1"), two = parsed("127.0.0.2");
    struct address one6 = parsed("::1"), two6 = parsed("::2");
    assert_false(address_equal(&one, &two));
    assert_false(address_equal(&one6, &two6));
    assert_true(address_equal(&one, &one));
}

static void an_ipv6_address_is_written_in_brackets(void **state)
{
    (void)state;
    struct address v4 = parsed("127.0.0.1"), v6 = parsed("::1");
    assert_string_equal(address_text(&v4).text, "127.0.0.1");
    assert_string_equal(address_text(&v6).text, "[::1]");
}

static void the_written_form_reads_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"127.1.2.3", "[::1]", "[1111:2222:3333:4444:5555:6666:7777:8888]"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct address address = parsed(texts[i]);
        assert_string_equal(address_text(&address).text, texts[i]);
    }
}

static void an_ipv4_socket_address_has_port_and_address(void **state)
{
    (void)state;
    struct address address = parsed("127.0.0.1");
    struct sockaddr_storage storage;
    assert_int_equal(address_to_sockaddr(&address, 15000, &storage), sizeof(struct sockaddr_in));
    const struct sockaddr_in *in4 = (const struct sockaddr_in *)&storage;
    assert_int_equal(in4->sin_family, AF_INET);
    assert_int_equal(ntohs(in4->sin_port), 15000);
    assert_int_equal(ntohl(in4->sin_addr.s_addr), INADDR_LOOPBACK);
}

static void an_ipv6_socket_address_has_port_and_address(void **state)
{
    (void)state;
    struct address address = parsed("::1");
    struct sockaddr_storage storage;
    assert_int_equal(address_to_sockaddr(&address, 15000, &storage), sizeof(struct sockaddr_in6));
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&storage;
    assert_int_equal(in6->sin6_family, AF_INET6);
    assert_int_equal(ntohs(in6->sin6_port), 15000);
    assert_memory_equal(&in6->sin6_addr, &in6addr_loopback, sizeof in6addr_loopback);
}

static void a_port_is_taken_behind_the_address(void **state)
{
    (void)state;
    struct address address, v4 = parsed("127.0.0.5"), v6 = parsed("::1");
    uint16_t port = 0;
    assert_true(address_parse_with_port("127.0.0.5:9464", &address, &port));
    assert_true(address_equal(&address, &v4));
    assert_int_equal(port, 9464);
    assert_true(address_parse_with_port("[::1]:65535", &address, &port));
    assert_true(address_equal(&address, &v6));
    assert_int_equal(port, 65535);
    assert_true(address_parse_with_port("[1111:2222:3333:4444:5555:6666:7777:8888]:1", &address, &port));
    assert_int_equal(port, 1);
}

static void other_texts_are_no_address_with_a_port(void **state)
{
    (void)state;
    static const char *const junk[] = {
        "",
        ":",
        ":9464",
        "9464",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:+1",
        "127.0.0.1: 80",
        "127.0.0.1:80 ",
        "127.0.0.1:80x",
        "127.0.0.1:http",
        "127.0.0.1:80:81",
        "127.0.0:80",
        "localhost:80",
        "[127.0.0.1:80",
        "::1:80",
        "::1",
        "[::1]",
        "[::1]80",
        "[::1:80",
        "::1]:80",
        "[]:80",
        "[::1]:99999999999999999999",
        "[1111:2222:3333:4444:5555:6666:7777:8888.111.222.333.444.555.666]:80"};
    for (size_t i = 0; i < COUNT_OF(junk); i++) {
        struct address address;
        uint16_t port;
        if (address_parse_with_port(junk[i], &address, &port))
            fail_msg("\"%s\" is taken for an address with a port", junk[i]);
    }
}

static void a_mapped_address_is_an_ipv4_address(void **state)
{
    (void)state;
    struct address mapped = parsed("::ffff:127.0.0.1"), plain = parsed("127.0.0.1"),
                   other = parsed("::7f00:1");
    struct address unmapped = address_unmapped(&mapped);
    assert_true(address_equal(&unmapped, &plain));
    unmapped = address_unmapped(&plain);
    assert_true(address_equal(&unmapped, &plain));
    unmapped = address_unmapped(&other);
    assert_true(address_equal(&unmapped, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mapped_address_is_an_ipv4_address),
        cmocka_unit_test(an_ipv4_address_is_taken),
        cmocka_unit_test(an_ipv6_address_is_taken),
        cmocka_unit_test(an_ipv6_address_may_be_in_brackets),
        cmocka_unit_test(the_longest_ipv6_address_may_be_in_brackets),
        cmocka_unit_test(other_texts_are_no_addresses),
        cmocka_unit_test(a_very_long_text_is_no_address),
        cmocka_unit_test(a_refused_text_leaves_the_address_alone),
        cmocka_unit_test(loopback_addresses_are_known),
        cmocka_unit_test(other_addresses_are_not_loopback),
        cmocka_unit_test(wildcards_are_known),
        cmocka_unit_test(addresses_of_two_families_differ),
        cmocka_unit_test(addresses_that_differ_in_the_last_byte_differ),
        cmocka_unit_test(an_ipv6_address_is_written_in_brackets),
        cmocka_unit_test(the_written_form_reads_back),
        cmocka_unit_test(an_ipv4_socket_address_has_port_and_address),
        cmocka_unit_test(an_ipv6_socket_address_has_port_and_address),
        cmocka_unit_test(a_port_is_taken_behind_the_address),
        cmocka_unit_test(other_texts_are_no_address_with_a_port),
    };
    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
