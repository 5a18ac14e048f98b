#include "tcp/proc_net_tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *file_of(int family)
{
    return family == AF_INET ? "/proc/net/tcp" : "/proc/net/tcp6";
}

/* "0100007F:3A98": each group of 8 digits is one 32-bit word of the address as the host's memory holds it. */
static const char *take_endpoint(const char *p, int family, struct address *address, uint16_t *port)
{
    *address = (struct address){.family = family};
    int words = family == AF_INET ? 1 : 4;
    for (int i = 0; i < words; i++, p += 8) {
        uint32_t word;
        if (sscanf(p, "%8" SCNx32, &word) != 1 || strnlen(p, 9) < 9)
            return NULL;
        memcpy(address->bytes + 4 * i, &word, sizeof word);
    }
    char *end;
    if (*p != ':')
        return NULL;
    unsigned long value = strtoul(p + 1, &end, 16);
    if (end != p + 5 || *end != ' ')
        return NULL;
    *port = (uint16_t)value;
    return end + 1;
}

int proc_net_tcp_parse(const char *line, int family, struct socket_entry *entry)
{
    const char *p = strchr(line, ':');
    if (p == NULL || p[1] != ' ')
        return -EBADMSG;
    p = take_endpoint(p + 2, family, &entry->local, &entry->local_port);
    if (p != NULL)
        p = take_endpoint(p, family, &entry->remote, &entry->remote_port);
    if (p == NULL)
        return -EBADMSG;
    char *end;
    unsigned long state = strtoul(p, &end, 16);
    if (end != p + 2 || *end != ' ' || state == STATE_GONE || state > STATE_COUNT)
        return -EBADMSG;
    entry->state = state == STATE_COUNT ? STATE_SYN_RECV : (enum tcp_state)state;
    return 0;
}

static int proc_net_tcp_each(int family, const struct port_range *only, on_socket *on_entry, void *context)
{
    (void)only;
    FILE *file = fopen(file_of(family), "re");
    if (file == NULL)
        return -errno;
    char line[256];
    int rc = 0;
    if (fgets(line, sizeof line, file) == NULL) /* the header */
        rc = -EBADMSG;
    while (rc == 0 && fgets(line, sizeof line, file) != NULL) {
        struct socket_entry entry;
        rc = proc_net_tcp_parse(line, family, &entry);
        if (rc == 0)
            rc = on_entry(context, &entry);
    }
    if (rc == 0 && ferror(file))
        rc = -EIO;
    fclose(file);
    return rc;
}

static int proc_net_tcp_probe(void)
{
    return access(file_of(AF_INET), R_OK) == 0 ? 0 : -errno;
}

const struct witness_backend witness_procfs = {
    .name = "procfs",
    .each = proc_net_tcp_each,
    .probe = proc_net_tcp_probe,
};
