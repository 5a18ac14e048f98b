#include "view/socket_list.h"

#include "base/number_set.h"
#include "base/number_text.h"
#include "kernel/process.h"
#include "kernel/witness.h"

#include <errno.h>

struct list {
    FILE *out;
    const struct watch_row *row;
    struct number_set inodes; /* of its process; none: of whoever has them */
    int most, count;
};

static int add_inode(void *context, int fd, uint64_t inode)
{
    (void)fd;
    int rc = number_set_add(context, inode);
    return rc < 0 ? rc : 0;
}

static bool is_of_row(const struct list *list, const struct socket_entry *entry)
{
    const struct watch_key *key = &list->row->key;
    if (entry->state == STATE_LISTEN ||
        key->port != (key->side == SIDE_SERVER ? entry->local_port : entry->remote_port))
        return false;
    return list->inodes.count == 0 || number_set_has(&list->inodes, entry->inode);
}

static int print_socket(void *context, const struct socket_entry *entry)
{
    struct list *list = context;
    char local[64], remote[64];
    if (!is_of_row(list, entry))
        return 0;
    if (++list->count > list->most)
        return 0;
    struct address here = address_unmapped(&entry->local), there = address_unmapped(&entry->remote);
    snprintf(local, sizeof local, "%s:%u", address_text(&here).text, entry->local_port);
    snprintf(remote, sizeof remote, "%s:%u", address_text(&there).text, entry->remote_port);
    fprintf(list->out, "%-11s %6u %6u  %-21s %s\n", tcp_state_name(entry->state), entry->unread,
            entry->unsent, local, remote);
    return 0;
}

static int print_all(struct list *list)
{
    int error = 0;
    const struct port_range only = {list->row->key.port, list->row->key.port};
    const struct witness_backend *witness = witness_choose(0, &error);
    if (witness == NULL)
        return error;
    int rc = witness->each(AF_INET, &only, print_socket, list);
    if (rc == 0)
        rc = witness->each(AF_INET6, &only, print_socket, list);
    return rc == -ENOENT || rc == -EAFNOSUPPORT || rc == -EINTR
               ? 0
               : rc; /* without IPv6; or some are shown twice */
}

int socket_list_print(FILE *out, const struct watch_row *row, int most)
{
    struct list list = {.out = out, .row = row, .most = most};
    if (row->key.pid != 0 && process_each_socket(row->key.pid, add_inode, &list.inodes) == -ENOMEM) {
        number_set_free(&list.inodes);
        return -ENOMEM;
    }
    fprintf(out, "%-11s %6s %6s  %-21s %s\n", "state", "Recv-Q", "Send-Q", "here", "there");
    int rc = print_all(&list);
    if (list.count > most)
        fprintf(out, "... and %s more\n", grouped(list.count - most).text);
    number_set_free(&list.inodes);
    return rc;
}
