#include "cmd/audit_listen.h"

#include "base/diag.h"
#include "base/parse.h"
#include "cmd/command.h"

#include <errno.h>
#include <string.h>

int audit_listen_take(const struct audit_listen *wish, struct address *address, uint16_t *port)
{
    int64_t number = 0;
    if (parse_count(wish->text, 1, 65535, &number) == 0) {
        address_parse(wish->family == AF_INET6 ? "::1" : "127.0.0.1", address);
        *port = (uint16_t)number;
    } else if (!address_parse_with_port(wish->text, address, port)) {
        diag_error(
            "--%s \"%s\": must be a port from 1 to 65535, or ADDRESS:PORT, such as 9000 or 127.0.0.1:9000",
            wish->option, wish->text);
        return EXIT_USAGE;
    }
    if (!address_is_loopback(address) && !wish->allow_remote) {
        diag_error("--%s \"%s\": it is outside loopback: add --allow-remote to listen there", wish->option,
                   wish->text);
        return EXIT_USAGE;
    }
    return EXIT_AS_EXPECTED;
}

bool audit_listen_is_refusal(int rc)
{
    return rc == -EADDRINUSE || rc == -EADDRNOTAVAIL || rc == -EACCES;
}

void audit_listen_tell(const char *option, const char *text, int rc)
{
    if (rc == -EADDRINUSE)
        diag_error("--%s \"%s\": another program listens there already: choose a free port", option, text);
    else
        diag_error("--%s \"%s\": %s", option, text, strerror(-rc));
}
