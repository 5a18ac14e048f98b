#include "kernel/proc_net_tcp.h"

#include "base/number_set.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *file_of(int family)
{
    return family == AF_INET ? "/proc/net/tcp" : "/proc/net/tcp6";
}

/* Exactly so many hexadecimal digits; returns what follows them, or NULL. */
static const char *take_hex(const char *p, int digits, uint32_t *value)
{
    *value = 0;
    for (; digits > 0; digits--, p++) {
        if (!isxdigit((unsigned char)*p))
            return NULL;
        *value = *value << 4 | (uint32_t)(isdigit((unsigned char)*p) ? *p - '0' : (*p | 0x20) - 'a' + 10);
    }
    return p;
}

/* "0100007F:3A98": each group of 8 digits is one 32-bit word of the address as the host's memory holds it. */
static const char *take_endpoint(const char *p, int family, struct address *address, uint16_t *port)
{
    *address = (struct address){.family = family};
    int words = family == AF_INET ? 1 : 4;
    for (int i = 0; i < words; i++) {
        uint32_t word;
        if ((p = take_hex(p, 8, &word)) == NULL)
            return NULL;
        memcpy(address->bytes + 4 * i, &word, sizeof word);
    }
    uint32_t value;
    if (*p != ':' || (p = take_hex(p + 1, 4, &value)) == NULL || *p != ' ')
        return NULL;
    *port = (uint16_t)value;
    return p + 1;
}

/* " tx_queue:rx_queue tr:when retrnsmt uid timeout inode ": timer 2 is keep-alive's, 3 that of a timewait
 * socket, 4 that of one that waits for window, `when` counts ticks of user space. The blank after the inode
 * shows that it was not cut. */
static bool take_rest(const char *p, struct socket_entry *entry)
{
    unsigned timer;
    unsigned long when;
    char blank;
    if (sscanf(p, " %8" SCNx32 ":%8" SCNx32 " %2x:%8lx %*8x %*u %*d %" SCNu64 "%c", &entry->unsent,
               &entry->unread, &timer, &when, &entry->inode, &blank) != 6 ||
        blank != ' ')
        return false;
    entry->needs_window = timer == 4;
    entry->keeps_alive = timer == 2;
    entry->unsent = entry->state == STATE_LISTEN ? 0 : entry->unsent;
    entry->ends_in_ms = timer == 3 ? (int64_t)when * 1000 / sysconf(_SC_CLK_TCK) : -1;
    return true;
}

int proc_net_tcp_parse(const char *line, int family, struct socket_entry *entry)
{
    const char *p = strchr(line, ':');
    *entry = (struct socket_entry){0}; /* what these files do not tell is false */
    if (p == NULL || p[1] != ' ')
        return -EBADMSG;
    p = take_endpoint(p + 2, family, &entry->local, &entry->local_port);
    if (p != NULL)
        p = take_endpoint(p, family, &entry->remote, &entry->remote_port);
    if (p == NULL)
        return -EBADMSG;
    uint32_t state;
    if ((p = take_hex(p, 2, &state)) == NULL || *p != ' ' || state == STATE_GONE || state > STATE_COUNT)
        return -EBADMSG;
    entry->state = state == STATE_COUNT ? STATE_SYN_RECV : (enum tcp_state)state;
    entry->heard_ms = entry->fin_most_ms = entry->backlog = -1; /* not in these files */
    entry->received_ms = entry->sent_ms = entry->acked_ms = -1;
    return take_rest(p, entry) ? 0 : -EBADMSG;
}

/* Where the kernel finds nothing behind the place at which it stopped, at the end at the latest, it counts
 * off from the start what it has shown already (tcp_seq_start): as many sockets as have come meanwhile are
 * then shown a second time. */
static int each_in(FILE *file, int family, on_socket *on_entry, void *context)
{
    struct number_set shown = {0};
    char line[256];
    int rc = 0;
    if (fgets(line, sizeof line, file) == NULL) /* the header */
        rc = -EBADMSG;
    while (rc == 0 && fgets(line, sizeof line, file) != NULL) {
        struct socket_entry entry;
        rc = proc_net_tcp_parse(line, family, &entry);
        int is_new = rc == 0 ? number_set_add(&shown, socket_identity(&entry)) : rc;
        rc = is_new > 0 ? on_entry(context, &entry) : is_new;
    }
    number_set_free(&shown);
    return rc == 0 && ferror(file) ? -EIO : rc;
}

static int proc_net_tcp_each(int family, const struct port_range *only, on_socket *on_entry, void *context)
{
    (void)only;
    FILE *file = fopen(file_of(family), "re");
    if (file == NULL)
        return -errno;
    int rc = each_in(file, family, on_entry, context);
    fclose(file);
    return rc;
}

uint64_t proc_net_tcp_inode(pid_t pid)
{
    char path[64];
    struct stat of;
    snprintf(path, sizeof path, "/proc/%d/net/tcp", (int)pid);
    return stat(path, &of) == 0 ? of.st_ino : 0;
}

/* A process may have gone elsewhere, and a pid be another's: the file tells whose it is. */
int proc_net_tcp_each_of(pid_t pid, uint64_t inode, int family, on_socket *on_entry, void *context)
{
    char path[64];
    struct stat of;
    snprintf(path, sizeof path, "/proc/%d/net/%s", (int)pid, family == AF_INET ? "tcp" : "tcp6");
    FILE *file = fopen(path, "re");
    int error = errno;
    if (file == NULL)
        return proc_net_tcp_inode(pid) == inode ? -error : -ESRCH;
    bool is_there = fstat(fileno(file), &of) == 0 &&
                    (family == AF_INET ? of.st_ino == inode : proc_net_tcp_inode(pid) == inode);
    int rc = is_there ? each_in(file, family, on_entry, context) : -ESRCH;
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
    .each_detailed = proc_net_tcp_each,
    .each_listener = proc_net_tcp_each,
    .probe = proc_net_tcp_probe,
};
