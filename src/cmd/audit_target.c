#include "cmd/audit_target.h"

#include "audit/server_side.h"
#include "base/diag.h"
#include "cmd/command.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct target_taker audit = {.command = "audit", .takes_unix = true, .takes_tls = true};

int target_refuse(const struct target_taker *taker, const char *text, const char *why)
{
    diag_error("%s \"%s\": %s", taker->command, text, why);
    return EXIT_USAGE;
}

int audit_target_refuse(const char *text, const char *why)
{
    return target_refuse(&audit, text, why);
}

static void list_addresses(const struct addrinfo *found, uint16_t *port, struct target_addresses *all)
{
    all->count = 0;
    for (const struct addrinfo *one = found; one != NULL && all->count < TARGET_ADDRESSES_MAX;
         one = one->ai_next) {
        struct sockaddr_storage where;
        struct address address;
        memcpy(&where, one->ai_addr, one->ai_addrlen);
        if (address_from_sockaddr(&where, &address, port) == 0)
            all->each[all->count++] = address_unmapped(&address);
    }
}

/* Returns 0 or a negative errno. */
static int choose_address(const struct target_addresses *all, struct audit_settings *settings)
{
    int error = 0, listens = 0;
    const struct witness_backend *witness = all->count > 1 ? witness_choose(0, &error) : NULL;
    for (int i = 0; i < all->count && listens == 0; i++) {
        if (witness != NULL && address_is_loopback(&all->each[i]))
            listens = server_side_listens(witness, &all->each[i], settings->port);
        if (i == 0 || listens > 0)
            settings->address = all->each[i];
    }
    return all->count == 0 ? -EAFNOSUPPORT : listens < 0 ? listens : 0;
}

static int resolve(const struct target_taker *taker, const char *text, struct audit_settings *settings,
                   struct target_addresses *all)
{
    char host[256];
    const char *colon = strrchr(text, ':');
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    size_t length = strlen(host);
    if (length > 1 && host[0] == '[' && host[length - 1] == ']') {
        memmove(host, host + 1, length - 2);
        host[length - 2] = '\0';
    }
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(host, colon + 1, &hints, &found);
    if (rc != 0 && strcasecmp(host, "localhost") == 0) /* a container may have no /etc/hosts: RFC 6761, 6.3 */
        rc = getaddrinfo(NULL, colon + 1, &hints, &found);
    if (rc != 0) {
        diag_error("%s \"%s\": the name does not resolve: %s", taker->command, text, gai_strerror(rc));
        return EXIT_USAGE;
    }
    list_addresses(found, &settings->port, all);
    freeaddrinfo(found);
    rc = choose_address(all, settings);
    if (rc == -EAFNOSUPPORT)
        return target_refuse(taker, text, "must be an IPv4 or IPv6 server");
    if (rc != 0) {
        diag_error("%s \"%s\": the listeners there cannot be read: %s", taker->command, text, strerror(-rc));
        return EXIT_MACHINE;
    }
    return address_is_wildcard(&settings->address)
               ? target_refuse(taker, text, "must be one address of the server, not all of them")
               : EXIT_AS_EXPECTED;
}

/* It has one place and no addresses. */
static int take_unix(const char *text, struct audit_settings *settings, struct target_addresses *all)
{
    *all = (struct target_addresses){.count = 1};
    int rc = unix_place_of(text + 5, &settings->unix_place);
    if (rc == -ENAMETOOLONG)
        return audit_target_refuse(text, "the path of a Unix socket can have at most 107 bytes");
    return rc != 0 ? audit_target_refuse(text, "must be unix:/path, or unix:@name for an abstract socket")
                   : EXIT_AS_EXPECTED;
}

int target_take(const struct target_taker *taker, const char *text, struct audit_settings *settings,
                struct target_addresses *all)
{
    const char *allowed = taker->takes_unix
                              ? "must be HOST:PORT, such as 127.0.0.1:8080, [::1]:8080 or localhost:8080, or "
                                "unix:/path"
                              : "must be HOST:PORT, such as 127.0.0.1:8080, [::1]:8080 or localhost:8080";
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    settings->target = text;
    if (taker->takes_unix && strncmp(text, "unix:", 5) == 0)
        return take_unix(text, settings, all);
    if (taker->takes_unix && text[0] == '/')
        return target_refuse(taker, text, "must be unix:/path for a Unix socket, or HOST:PORT");
    if (taker->takes_tls && strncmp(text, "https:", 6) == 0)
        return target_refuse(taker, text, "must be HOST:PORT, with --tls");
    if (strncmp(text, "unix:", 5) == 0 || strstr(text, "://") != NULL || colon == NULL || colon == text ||
        colon[1] == '\0')
        return target_refuse(taker, text, allowed);
    long port = strtol(colon + 1, &end, 10);
    if (*end != '\0' || port < 1 || port > 65535)
        return target_refuse(taker, text, "the port must be from 1 to 65535");
    if (memchr(text, ':', (size_t)(colon - text)) != NULL && text[0] != '[')
        return target_refuse(taker, text, allowed);
    return resolve(taker, text, settings, all);
}

int audit_target_take(const char *text, struct audit_settings *settings, struct target_addresses *all)
{
    return target_take(&audit, text, settings, all);
}
