/* deaf-server: a server that no SYN reaches, as behind a firewall that drops what it does not allow. Whoever
 * gets through, or is let through late, is greeted, and has a while to say something. */
#include "cause/cause.h"
#include "cause/visit.h"
#include "kernel/min_ttl.h"

static void on_listening(struct endpoint *endpoint, struct listener *listener)
{
    int rc = min_ttl_begin(listener->fd);
    if (rc != 0)
        endpoint_fail(endpoint, "setsockopt(IP_MINTTL)", -rc);
}

static void on_connection(struct endpoint *endpoint, int fd)
{
    act_apply(ACT_WRITE, fd);
    visit_until_eof(endpoint, fd);
}

const struct behaviour deaf_server = {
    .name = "deaf-server",
    .start = visits_start,
    .on_connection = on_connection,
    .on_listening = on_listening,
    .stop = visits_stop,
};
