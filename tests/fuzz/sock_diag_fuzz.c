/* A buffer as NETLINK_SOCK_DIAG would send it, of TCP and of Unix sockets; the first byte chooses the
 * sequence that was asked for. */
#include "fuzz.h"

#include "kernel/sock_diag.h"
#include "kernel/unix_diag.h"

static int check_entry(void *context, const struct socket_entry *entry)
{
    int64_t *count = context;
    if (entry->state == STATE_GONE || entry->state >= STATE_COUNT)
        abort();
    return ++*count > 10000 ? -1 : 0;
}

static void check_age(struct tcp_age age)
{
    if (age.least_ms < -1 || age.most_ms < age.least_ms)
        abort();
}

static int check_life(void *context, const struct socket_life *socket)
{
    int64_t *count = context;
    check_age(tcp_life_age(&socket->life));
    check_age(tcp_life_fin_age(&socket->life, socket->entry.state, socket->timer == SOCKET_TIMER_KEEPALIVE));
    if (socket->entry.state == STATE_GONE || socket->entry.state >= STATE_COUNT ||
        socket->timer > SOCKET_TIMER_ZERO_WINDOW ||
        tcp_life_data_received(&socket->life, socket->entry.state) > socket->life.bytes_received ||
        tcp_life_data_acked(&socket->life, socket->entry.state, true) > socket->life.bytes_acked)
        abort();
    (void)tcp_life_fin_with_data(&socket->life, true);
    return ++*count > 10000 ? -1 : 0;
}

static int count_unix(void *context, const struct unix_entry *entry)
{
    (void)entry;
    int64_t *count = context;
    return ++*count > 100000 ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t count = 0;
    if (size < 1)
        return 0;
    /* aligned as the receive buffer is, and no byte longer than what came */
    void *buffer = malloc(size);
    if (buffer == NULL)
        return 0;
    memcpy(buffer, data + 1, size - 1);
    sock_diag_parse(buffer, size - 1, data[0], check_entry, &count);
    count = 0;
    sock_diag_parse_lives(buffer, size - 1, data[0], check_life, &count);
    struct unix_place place;
    unix_place_of("@name", &place);
    unix_diag_parse(buffer, size - 1, &place, count_unix, &count);
    free(buffer);
    return 0;
}
