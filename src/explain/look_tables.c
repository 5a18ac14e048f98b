#include "explain/look.h"

#include "base/array.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* TIME_WAIT holds no descriptor, and a listener stands elsewhere. */
#define WANTED_STATES                                                                                        \
    (STATE_SET(STATE_ESTABLISHED) | STATE_SET(STATE_SYN_SENT) | STATE_SET(STATE_FIN_WAIT1) |                 \
     STATE_SET(STATE_FIN_WAIT2) | STATE_SET(STATE_CLOSE) | STATE_SET(STATE_CLOSE_WAIT) |                     \
     STATE_SET(STATE_LAST_ACK) | STATE_SET(STATE_CLOSING))

static bool serves(const struct socket_entry *listener, const struct socket_entry *entry)
{
    struct address at = address_unmapped(&listener->local), local = address_unmapped(&entry->local);
    return listener->local_port == entry->local_port &&
           (address_is_wildcard(&at) || address_equal(&at, &local));
}

/* The kernel prefers an address to any address, and a listener of the connection's own family. */
static int fitness(const struct socket_entry *listener, const struct socket_entry *entry)
{
    return 1 + 2 * !address_is_wildcard(&listener->local) + (listener->local.family == entry->local.family);
}

/* The first listener on that port, or where it would be. */
static size_t first_listener(const struct look *look, uint16_t port)
{
    size_t low = 0, high = look->listener_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (look->listeners[middle].entry.local_port < port)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_on_port(const struct look *look, size_t listener, uint16_t port)
{
    return listener < look->listener_count && look->listeners[listener].entry.local_port == port;
}

int look_listener_of(const struct look *look, const struct socket_entry *entry)
{
    int found = -1, best = 0;
    for (size_t i = first_listener(look, entry->local_port); is_on_port(look, i, entry->local_port); i++) {
        const struct socket_entry *listener = &look->listeners[i].entry;
        int fit = serves(listener, entry) ? fitness(listener, entry) : 0;
        if (fit > best) {
            best = fit;
            found = (int)i;
        }
    }
    return found;
}

int look_shared_listener_of(const struct look *look, int listener, int process)
{
    const struct socket_entry *one = &look->listeners[listener].entry;
    for (size_t i = first_listener(look, one->local_port); is_on_port(look, i, one->local_port); i++)
        if (address_equal(&look->listeners[i].entry.local, &one->local) &&
            look_holds(look, process, look->listeners[i].entry.inode))
            return (int)i;
    return listener;
}

int look_fullest_listener_of(const struct look *look, int listener)
{
    const struct socket_entry *one = &look->listeners[listener].entry;
    int fullest = listener;
    for (size_t i = first_listener(look, one->local_port); is_on_port(look, i, one->local_port); i++)
        if (address_equal(&look->listeners[i].entry.local, &one->local) &&
            look->listeners[i].entry.unread > look->listeners[fullest].entry.unread)
            fullest = (int)i;
    return fullest;
}

bool look_is_of_listener(const struct look *look, const struct earlier_socket *earlier)
{
    const struct socket_entry entry = {.local = earlier->local, .local_port = earlier->local_port};
    return look_listener_of(look, &entry) >= 0;
}

static int take_first(struct look *look, const struct socket_life *socket)
{
    int rc = ARRAY_RESERVE(look->earlier, look->earlier_room, look->earlier_count + 1);
    if (rc == 0)
        look->earlier[look->earlier_count++] = (struct earlier_socket){
            .cookie = socket->cookie,
            .inode = socket->entry.inode,
            .state = socket->entry.state,
            .local = socket->entry.local,
            .local_port = socket->entry.local_port,
        };
    return rc;
}

/* A socket that one of the processes holds, or that one of the listeners has made, whoever holds it. */
static int take_second(struct look *look, const struct socket_life *socket)
{
    if (!number_set_has(&look->own, socket->entry.inode) && look_listener_of(look, &socket->entry) < 0)
        return 0;
    struct port_use *port = &look->ports[socket->entry.local_port];
    port->is_shared = port->is_used;
    port->is_used = true;
    int rc = ARRAY_RESERVE(look->sockets, look->socket_room, look->socket_count + 1);
    if (rc == 0)
        look->sockets[look->socket_count++] = *socket;
    return rc;
}

static int list(struct look *look, uint64_t inode)
{
    int rc = inode != 0 ? number_set_add(&look->listed, inode) : 0;
    return rc < 0 ? rc : 0;
}

static int on_first(void *context, const struct socket_life *socket)
{
    struct look *look = context;
    int rc = list(look, socket->entry.inode);
    return rc == 0 ? take_first(look, socket) : rc;
}

static int on_second(void *context, const struct socket_life *socket)
{
    struct look *look = context;
    int rc = list(look, socket->entry.inode);
    return rc == 0 ? take_second(look, socket) : rc;
}

static int by_cookie(const void *a, const void *b)
{
    const struct earlier_socket *one = a, *other = b;
    return (one->cookie > other->cookie) - (one->cookie < other->cookie);
}

static int by_inode(const void *a, const void *b)
{
    const struct socket_life *one = a, *other = b;
    return (one->entry.inode > other->entry.inode) - (one->entry.inode < other->entry.inode);
}

/* A listener is listed too: it is no ghost. */
static int on_listener(void *context, const struct socket_life *socket)
{
    struct look *look = context;
    look->ports[socket->entry.local_port].is_listening = true;
    return list(look, socket->entry.inode);
}

static int start_table(struct look *look, enum table which)
{
    free(look->ports);
    look->ports = calloc(UINT16_MAX + 1, sizeof *look->ports);
    if (which == FIRST_TABLE)
        look->earlier_count = 0;
    else
        look->socket_count = 0;
    return look->ports != NULL ? 0 : -ENOMEM;
}

int look_table(struct look *look, enum table which)
{
    static const int families[] = {AF_INET, AF_INET6};
    int rc = start_table(look, which);
    for (size_t i = 0; i < sizeof families / sizeof families[0] && rc == 0; i++) {
        rc = sock_diag_each_life(families[i], STATE_SET(STATE_LISTEN), NULL, on_listener, look);
        if (rc == 0)
            rc = sock_diag_each_life(families[i], WANTED_STATES, NULL,
                                     which == FIRST_TABLE ? on_first : on_second, look);
    }
    if (rc == 0)
        rc = look_mptcp(look, which);
    int64_t now = monotonic_us();
    if (which == FIRST_TABLE) {
        look->first_table_us = now;
        if (look->earlier_count > 0)
            qsort(look->earlier, look->earlier_count, sizeof *look->earlier, by_cookie);
    } else {
        look->second_table_us = now;
        if (look->socket_count > 0)
            qsort(look->sockets, look->socket_count, sizeof *look->sockets, by_inode);
    }
    return rc;
}

const struct socket_life *look_socket(const struct look *look, uint64_t inode)
{
    const struct socket_life wanted = {.entry.inode = inode};
    if (inode == 0 || look->socket_count == 0)
        return NULL;
    return bsearch(&wanted, look->sockets, look->socket_count, sizeof *look->sockets, by_inode);
}

/* ---- facts ---- */

static struct fact_age fact_age_of(struct tcp_age age)
{
    return (struct fact_age){age.least_ms, age.most_ms};
}

static struct fact_endpoint endpoint(const struct address *address, uint16_t port)
{
    return (struct fact_endpoint){address_unmapped(address), port};
}

void look_take_life(struct fact_socket *fact, const struct tcp_life *life, enum tcp_state state,
                    bool keeps_alive)
{
    fact->has_info = life->is_known;
    fact->keepalive = keeps_alive;
    fact->age = fact_age_of(tcp_life_age(life));
    fact->fin = fact_age_of(tcp_life_fin_age(life, state, keeps_alive));
    fact->quiet_ms = tcp_life_quiet_ms(life, state);
    fact->last_data_recv_ms = fact->last_data_sent_ms = fact->last_ack_recv_ms = -1;
    if (!life->is_known)
        return;
    fact->bytes_received = tcp_life_data_received(life, state);
    fact->bytes_acked = tcp_life_data_acked(life, state, fact->way == WAY_OUTGOING);
    fact->data_segs_in = life->data_segs_in;
    fact->data_segs_out = life->data_segs_out;
    fact->segs_in = life->segs_in;
    fact->segs_out = life->segs_out;
    fact->last_data_recv_ms = life->last_data_recv_ms;
    fact->last_data_sent_ms = life->last_data_sent_ms;
    fact->last_ack_recv_ms = life->last_ack_recv_ms;
    fact->is_fin_swallowed =
        state == STATE_CLOSE_WAIT && fact->unread == 0 && tcp_life_fin_with_data(life, keeps_alive);
}

static bool is_in_both(const struct look *look, const struct socket_life *socket)
{
    const struct earlier_socket wanted = {.cookie = socket->cookie};
    const struct earlier_socket *earlier =
        look->earlier_count > 0
            ? bsearch(&wanted, look->earlier, look->earlier_count, sizeof *look->earlier, by_cookie)
            : NULL;
    return earlier != NULL && earlier->state == socket->entry.state && earlier->inode == socket->entry.inode;
}

/* A socket of no listener here: connect() opened it, or its listener belongs to others, or is gone. Until
 * data was sent the kernel's count tells: it has 1 for the SYN of a connect(). Then what is left is that a
 * listener's connections share its port. */
static enum fact_way way_without_listener(const struct look *look, const struct socket_life *socket)
{
    const struct port_use *port = &look->ports[socket->entry.local_port];
    if (socket->entry.state == STATE_SYN_SENT)
        return WAY_OUTGOING;
    if (socket->life.is_known && socket->life.data_segs_out == 0)
        return socket->life.bytes_acked > 0 ? WAY_OUTGOING : WAY_ACCEPTED;
    if (port->is_listening)
        return WAY_ACCEPTED;
    return port->is_shared ? WAY_UNKNOWN : WAY_OUTGOING;
}

struct fact_socket look_fact_socket(const struct look *look, const struct socket_life *socket)
{
    const struct socket_entry *entry = &socket->entry;
    struct fact_socket fact = {
        .cookie = socket->cookie,
        .inode = entry->inode,
        .state = entry->state,
        .listener = look_listener_of(look, entry),
        .local = endpoint(&entry->local, entry->local_port),
        .peer = endpoint(&entry->remote, entry->remote_port),
        .is_mptcp = socket->is_mptcp,
        .in_both = is_in_both(look, socket),
        .unread = entry->unread,
        .unsent = entry->unsent,
        .cgroup = socket->entry.cgroup,
        .process = -1,
        .fd = -1,
        .wait = {.kind = WAITER_NOBODY, .set_fd = -1, .thread = -1},
        .closing_ms = -1,
    };
    fact.way = fact.listener >= 0 ? WAY_ACCEPTED : way_without_listener(look, socket);
    look_take_life(&fact, &socket->life, entry->state, socket->timer == SOCKET_TIMER_KEEPALIVE);
    return fact;
}
