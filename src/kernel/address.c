#include "kernel/address.h"

#include "base/parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

bool address_parse(const char *text, struct address *address)
{
    static const int families[] = {AF_INET, AF_INET6};
    char bare[INET6_ADDRSTRLEN];
    size_t length = strlen(text);
    if (length > 2 && length < sizeof bare && text[0] == '[' && text[length - 1] == ']') {
        snprintf(bare, sizeof bare, "%.*s", (int)length - 2, text + 1);
        text = bare;
    }
    for (int i = 0; i < 2; i++) {
        struct address parsed = {.family = families[i]};
        if (inet_pton(families[i], text, parsed.bytes) == 1) {
            *address = parsed;
            return true;
        }
    }
    return false;
}

bool address_parse_with_port(const char *text, struct address *address, uint16_t *port)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    size_t length = colon != NULL ? (size_t)(colon - text) : 0;
    int64_t number;
    if (colon == NULL || length >= sizeof host || parse_count(colon + 1, 1, UINT16_MAX, &number) != 0)
        return false;
    snprintf(host, sizeof host, "%.*s", (int)length, text);
    if (strchr(host, ':') != NULL && host[0] != '[')
        return false;
    *port = (uint16_t)number;
    return address_parse(host, address);
}

int address_parse_loopback(const char *text, void *address, char *why, size_t why_size)
{
    if (address_parse(text, address) && address_is_loopback(address))
        return 0;
    snprintf(why, why_size, "must be a loopback address: 127.0.0.1 (any of 127.0.0.0/8) or ::1");
    return -EINVAL;
}

bool address_is_loopback(const struct address *address)
{
    static const uint8_t loopback6[16] = {[15] = 1};
    if (address->family == AF_INET)
        return address->bytes[0] == 127;
    return memcmp(address->bytes, loopback6, sizeof loopback6) == 0;
}

bool address_is_wildcard(const struct address *address)
{
    static const uint8_t zero[16];
    return memcmp(address->bytes, zero, sizeof zero) == 0;
}

struct address address_unmapped(const struct address *address)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    struct address out = {.family = AF_INET};
    if (address->family != AF_INET6 || memcmp(address->bytes, prefix, sizeof prefix) != 0)
        return *address;
    memcpy(out.bytes, address->bytes + sizeof prefix, 4);
    return out;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

struct address_text address_text(const struct address *address)
{
    struct address_text out;
    char plain[INET6_ADDRSTRLEN] = "?";
    inet_ntop(address->family, address->bytes, plain, sizeof plain);
    snprintf(out.text, sizeof out.text, address->family == AF_INET6 ? "[%s]" : "%s", plain);
    return out;
}

socklen_t address_to_sockaddr(const struct address *address, uint16_t port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (address->family == AF_INET) {
        struct sockaddr_in *in4 = (struct sockaddr_in *)out;
        in4->sin_family = AF_INET;
        in4->sin_port = htons(port);
        memcpy(&in4->sin_addr, address->bytes, sizeof in4->sin_addr);
        return sizeof *in4;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    memcpy(&in6->sin6_addr, address->bytes, sizeof in6->sin6_addr);
    return sizeof *in6;
}

int address_from_sockaddr(const struct sockaddr_storage *from, struct address *address, uint16_t *port)
{
    *address = (struct address){.family = from->ss_family};
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in4 = (const struct sockaddr_in *)from;
        memcpy(address->bytes, &in4->sin_addr, sizeof in4->sin_addr);
        *port = ntohs(in4->sin_port);
        return 0;
    }
    if (from->ss_family != AF_INET6)
        return -EAFNOSUPPORT;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
    memcpy(address->bytes, &in6->sin6_addr, sizeof in6->sin6_addr);
    *port = ntohs(in6->sin6_port);
    return 0;
}
