/* address: an IPv4 or IPv6 address, without a port. */
#ifndef KERNEL_ADDRESS_H
#define KERNEL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct address {
    int family;        /* AF_INET or AF_INET6 */
    uint8_t bytes[16]; /* network order; IPv4 uses the first four, the rest is zero */
};

struct address_text {
    char text[48];
};

/* "127.0.0.1", "::1" or "[::1]". Returns false when the text is no numeric address. */
bool address_parse(const char *text, struct address *address);

/* "127.0.0.1:9464" or "[::1]:9464": a port from 1 to 65535. Returns false when the text is something else. */
bool address_parse_with_port(const char *text, struct address *address, uint16_t *port);

/* As address_parse, but takes loopback only, and fits a row of options: `address` is a struct address.
 * Returns 0, or -EINVAL with the rest of a sentence in `why`. */
int address_parse_loopback(const char *text, void *address, char *why, size_t why_size);

/* 127.0.0.0/8 or ::1. */
bool address_is_loopback(const struct address *address);

/* 0.0.0.0 or ::. */
bool address_is_wildcard(const struct address *address);

/* IPv4 where the address is IPv4 mapped into IPv6 (::ffff:127.0.0.1, RFC 4291 section 2.5.5.2); else as it
 * is. */
struct address address_unmapped(const struct address *address);

bool address_equal(const struct address *a, const struct address *b);

/* The numeric form; an IPv6 address in brackets, so that a port can follow. */
struct address_text address_text(const struct address *address);

/* Fills a socket address for bind() or connect() and returns its length. */
socklen_t address_to_sockaddr(const struct address *address, uint16_t port, struct sockaddr_storage *out);

/* The reverse. Returns 0, or -EAFNOSUPPORT when it is neither IPv4 nor IPv6. */
int address_from_sockaddr(const struct sockaddr_storage *from, struct address *address, uint16_t *port);

#endif
