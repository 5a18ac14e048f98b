#include "audit/stock.h"

#include "base/array.h"
#include "base/number_set.h"
#include "kernel/descriptors.h"
#include "kernel/process.h"
#include "kernel/unlisted_sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { TABLES_TRIED = 3 }; /* a dump may be interrupted, by the kernel's own account */

const char *stock_kind_name(enum stock_kind kind)
{
    static const char *const names[] = {
        [STOCK_TCP_LISTENS] = "tcp_listening",
        [STOCK_TCP_ACCEPTED] = "tcp_accepted",
        [STOCK_TCP_OUTGOING] = "tcp_outgoing",
        [STOCK_GHOST] = "ghost",
        [STOCK_SOCKET] = "other_socket",
        [STOCK_PIPE] = "pipe",
        [STOCK_EPOLL] = "epoll",
        [STOCK_EVENTFD] = "eventfd",
        [STOCK_TIMERFD] = "timerfd",
        [STOCK_KERNEL_OBJECT] = "kernel_object",
        [STOCK_FILE] = "file",
    };
    _Static_assert(sizeof names / sizeof names[0] == STOCK_KIND_COUNT, "a name for each kind");
    return names[kind];
}

/* ---- descriptors ---- */

/* Sockets are ghosts until a table has them, or their protocol is read. */
static const enum stock_kind kind_of[DESCRIPTOR_KIND_COUNT] = {
    [DESCRIPTOR_SOCKET] = STOCK_GHOST,    [DESCRIPTOR_PIPE] = STOCK_PIPE,
    [DESCRIPTOR_EPOLL] = STOCK_EPOLL,     [DESCRIPTOR_EVENTFD] = STOCK_EVENTFD,
    [DESCRIPTOR_TIMERFD] = STOCK_TIMERFD, [DESCRIPTOR_KERNEL_OBJECT] = STOCK_KERNEL_OBJECT,
    [DESCRIPTOR_FILE] = STOCK_FILE,
};

struct taking {
    struct stock *stock;
    struct number_set identities;
    pid_t pid;     /* being read */
    size_t *thing; /* by the slots of the identities, when all are known */
    uint64_t listened_on[65536 / 64];
};

/* A socket's is its inode, for the tables; a pipe has another bit, and all others have a bit and no inode. */
static uint64_t identity_of(pid_t pid, const struct descriptor *descriptor)
{
    if (descriptor->kind == DESCRIPTOR_SOCKET)
        return descriptor->inode;
    if (descriptor->kind == DESCRIPTOR_PIPE)
        return descriptor->inode | UINT64_C(1) << 62;
    return UINT64_C(1) << 63 | (uint64_t)descriptor->kind << 56 | (uint64_t)(uint32_t)pid << 32 |
           (uint32_t)descriptor->fd;
}

static int take(void *context, const struct descriptor *descriptor)
{
    struct taking *taking = context;
    struct stock *stock = taking->stock;
    uint64_t identity = identity_of(taking->pid, descriptor);
    int rc = number_set_add(&taking->identities, identity);
    if (rc <= 0)
        return rc;
    rc = ARRAY_RESERVE(stock->each, stock->room, stock->count + 1);
    if (rc == 0)
        stock->each[stock->count++] = (struct stock_thing){.identity = identity,
                                                           .kind = kind_of[descriptor->kind],
                                                           .pid = taking->pid,
                                                           .fd = descriptor->fd};
    return rc;
}

/* A zombie has no descriptors, and nobody but root may see that. */
static bool has_ended(pid_t pid)
{
    struct process_facts facts;
    return process_facts_of(pid, &facts) == -ESRCH;
}

static int take_process(struct taking *taking, pid_t pid)
{
    struct stock *stock = taking->stock;
    struct process_stat stat = {0};
    int rc = process_stat_of(pid, &stat);
    taking->pid = pid;
    if (rc == 0)
        rc = descriptors_each(pid, take, taking);
    if (rc == 0)
        stock->processes[stock->process_count++] = (struct stock_process){pid, stat.started};
    return rc == -ESRCH || (rc == -EACCES && has_ended(pid)) ? 0 : rc;
}

static int take_descriptors(struct taking *taking, const struct server_processes *server)
{
    struct stock *stock = taking->stock;
    int rc = 0;
    stock->processes = calloc((size_t)server->count + 1, sizeof *stock->processes);
    if (stock->processes == NULL)
        return -ENOMEM;
    for (int i = 0; i < server->count && rc == 0; i++)
        rc = take_process(taking, server->each[i]);
    return rc == 0 && stock->process_count == 0 ? -ESRCH : rc;
}

/* ---- tables ---- */

static bool is_listened_on(const struct taking *taking, uint16_t port)
{
    return (taking->listened_on[port / 64] >> port % 64 & 1) != 0;
}

static int note_entry(void *context, const struct socket_entry *entry)
{
    struct taking *taking = context;
    if (entry->state == STATE_LISTEN)
        taking->listened_on[entry->local_port / 64] |= UINT64_C(1) << entry->local_port % 64;
    size_t slot = number_set_slot(&taking->identities, entry->inode);
    if (slot == NO_SLOT)
        return 0;
    struct stock_thing *thing = &taking->stock->each[taking->thing[slot]];
    thing->kind = entry->state == STATE_LISTEN ? STOCK_TCP_LISTENS : STOCK_TCP_OUTGOING;
    thing->state = entry->state;
    thing->port = entry->local_port;
    thing->peer_port = entry->remote_port;
    thing->peer = address_unmapped(&entry->remote);
    thing->unread = entry->unread;
    thing->unsent = entry->unsent;
    return 0;
}

static int read_table(const struct witness_backend *witness, int family, struct taking *taking)
{
    int rc = -EINTR;
    for (int i = 0; i < TABLES_TRIED && rc == -EINTR; i++)
        rc = witness->each(family, NULL, note_entry, taking);
    return rc;
}

/* Half a table would make ghosts of the other half. */
static int read_tables(const struct witness_backend *witness, struct taking *taking)
{
    const struct stock *stock = taking->stock;
    taking->thing = calloc(taking->identities.slot_count + 1, sizeof *taking->thing);
    if (taking->thing == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < stock->count; i++)
        taking->thing[number_set_slot(&taking->identities, stock->each[i].identity)] = i;
    int rc = read_table(witness, AF_INET, taking);
    if (rc == 0)
        rc = read_table(witness, AF_INET6, taking);
    return rc == -ENOENT ? 0 : rc; /* a kernel without IPv6 has no sockets of it */
}

/* ---- what they are ---- */

static bool is_socket(const struct stock_thing *thing)
{
    return thing->identity >> 62 == 0;
}

bool stock_is_numbered(const struct stock_thing *thing)
{
    return thing->identity >> 63 != 0;
}

static const char unused_tcp[] = "unused TCP";

/* What a socket is that no table had before either does not change, unless it is connected. */
static bool is_known(struct stock_thing *thing, const struct stock *known)
{
    const struct stock_thing *before = known != NULL ? stock_find(known, thing->identity) : NULL;
    bool is_final = before != NULL && (before->kind == STOCK_GHOST || before->kind == STOCK_SOCKET) &&
                    strcmp(before->protocol, unused_tcp) != 0;
    if (!is_final)
        return false;
    thing->kind = before->protocol[0] != '\0' ? STOCK_SOCKET : STOCK_GHOST;
    thing->port = before->port;
    memcpy(thing->protocol, before->protocol, sizeof thing->protocol);
    return true;
}

/* Of a socket that no table has. Returns 1, or 0 when it is closed by now, or a negative errno. */
static int tell_protocol(struct stock_thing *thing, const struct stock *known)
{
    if (is_known(thing, known))
        return 1;
    struct socket_protocol protocol;
    int rc = descriptor_protocol(thing->pid, thing->fd, &protocol);
    if (rc <= 0)
        return rc;
    bool is_tcp = strcmp(protocol.name, "TCP") == 0 || strcmp(protocol.name, "TCPv6") == 0;
    struct unlisted_past past = {0};
    if (is_tcp)
        past = unlisted_socket_past(thing->pid, thing->fd, thing->identity);
    thing->port = past.port;
    if (is_tcp && !past.is_unused)
        return 1;
    thing->kind = STOCK_SOCKET;
    snprintf(thing->protocol, sizeof thing->protocol, "%.*s", STOCK_PROTOCOL_SIZE - 1,
             is_tcp ? unused_tcp : protocol.name);
    return 1;
}

static int tell_kinds(struct taking *taking, uint16_t port, const struct stock *known)
{
    struct stock *stock = taking->stock;
    size_t kept = 0;
    for (size_t i = 0; i < stock->count; i++) {
        struct stock_thing *thing = &stock->each[i];
        int rc = is_socket(thing) && thing->kind == STOCK_GHOST ? tell_protocol(thing, known) : 1;
        if (rc < 0)
            return rc;
        if (thing->kind == STOCK_TCP_OUTGOING && is_listened_on(taking, thing->port))
            thing->kind = STOCK_TCP_ACCEPTED;
        thing->is_front = (thing->kind == STOCK_TCP_ACCEPTED && thing->port == port) ||
                          (thing->kind == STOCK_GHOST && (thing->port == port || thing->port == 0));
        if (rc > 0)
            stock->each[kept++] = *thing;
    }
    stock->count = kept;
    return 0;
}

/* ---- the whole ---- */

static int by_identity(const void *a, const void *b)
{
    const struct stock_thing *one = a, *other = b;
    return (one->identity > other->identity) - (one->identity < other->identity);
}

int stock_take(const struct server_processes *server, const struct witness_backend *witness, uint16_t port,
               const struct stock *known, struct stock *stock)
{
    struct taking *taking = calloc(1, sizeof *taking);
    *stock = (struct stock){0};
    if (taking == NULL)
        return -ENOMEM;
    taking->stock = stock;
    int rc = take_descriptors(taking, server);
    if (rc == 0)
        rc = read_tables(witness, taking);
    if (rc == 0)
        rc = tell_kinds(taking, port, known);
    number_set_free(&taking->identities);
    free(taking->thing);
    free(taking);
    if (rc != 0)
        stock_free(stock);
    else if (stock->count > 0)
        qsort(stock->each, stock->count, sizeof *stock->each, by_identity);
    return rc;
}

int stock_merge(struct stock *stock, const struct stock *more)
{
    size_t known = stock->count, processes = (size_t)(stock->process_count + more->process_count);
    struct stock_process *all = reallocarray(stock->processes, processes + 1, sizeof *all);
    if (all == NULL || ARRAY_RESERVE(stock->each, stock->room, stock->count + more->count + 1) != 0) {
        stock->processes = all != NULL ? all : stock->processes;
        return -ENOMEM;
    }
    stock->processes = all;
    for (int i = 0; i < more->process_count; i++)
        stock->processes[stock->process_count++] = more->processes[i];
    for (size_t i = 0; i < more->count; i++) {
        const struct stock before = {.each = stock->each, .count = known};
        if (stock_find(&before, more->each[i].identity) == NULL)
            stock->each[stock->count++] = more->each[i];
    }
    if (stock->count > 0)
        qsort(stock->each, stock->count, sizeof *stock->each, by_identity);
    return 0;
}

void stock_free(struct stock *stock)
{
    free(stock->each);
    free(stock->processes);
    *stock = (struct stock){0};
}

const struct stock_thing *stock_find(const struct stock *stock, uint64_t identity)
{
    const struct stock_thing wanted = {.identity = identity};
    return stock->count > 0 ? bsearch(&wanted, stock->each, stock->count, sizeof *stock->each, by_identity)
                            : NULL;
}

bool stock_has_process(const struct stock *stock, const struct stock_process *process)
{
    for (int i = 0; i < stock->process_count; i++)
        if (stock->processes[i].pid == process->pid && stock->processes[i].started == process->started)
            return true;
    return false;
}
