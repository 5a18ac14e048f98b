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
    struct unix_place place;
    unix_place_of("@name", &place);
    unix_diag_parse(buffer, size - 1, &place, count_unix, &count);
    free(buffer);
    return 0;
}
