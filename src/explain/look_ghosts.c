#include "explain/look.h"

#include "base/array.h"
#include "base/clock.h"
#include "kernel/borrowed_socket.h"
#include "kernel/in_flight.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- a ghost ---- */

static bool is_still(const struct look_process *process, const struct descriptor *descriptor)
{
    char path[64], target[48];
    struct descriptor now = {.fd = descriptor->fd};
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)process->pid, descriptor->fd);
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    descriptor_parse(target, &now);
    return now.kind == DESCRIPTOR_SOCKET && now.inode == descriptor->inode;
}

/* No segment came or went: a socket that was never connected. */
static bool is_unused(const struct borrowed_socket *borrowed)
{
    return borrowed->life.segs_in == 0 && borrowed->life.segs_out == 0;
}

static enum fact_way way_of(const struct fact_socket *fact, const struct tcp_life *life)
{
    if (fact->listener >= 0)
        return WAY_ACCEPTED;
    if (life->data_segs_out > 0)
        return WAY_UNKNOWN;
    return life->bytes_acked > 0 ? WAY_OUTGOING : WAY_ACCEPTED;
}

/* Every other end of a connection than that of both halves leaves an error. */
static enum fact_error error_of(const struct fact_socket *fact, const struct borrowed_socket *borrowed)
{
    if (borrowed->error_waits)
        return ERROR_WAITS;
    if (!borrowed->life.knows_data_sent)
        return ERROR_UNKNOWN;
    bool is_outgoing = fact->way != WAY_ACCEPTED;
    return tcp_life_own_fin_acked(&borrowed->life, is_outgoing) ? ERROR_NEEDLESS : ERROR_READ;
}

static void take_borrowed(const struct look *look, const struct borrowed_socket *borrowed,
                          struct fact_socket *fact)
{
    const struct socket_entry entry = {.local = borrowed->local, .local_port = borrowed->local_port};
    fact->cookie = borrowed->cookie;
    fact->local = (struct fact_endpoint){address_unmapped(&borrowed->local), borrowed->local_port};
    fact->listener = look_listener_of(look, &entry);
    fact->way = way_of(fact, &borrowed->life);
    look_take_life(fact, &borrowed->life, STATE_CLOSE, borrowed->keeps_alive);
    fact->error = error_of(fact, borrowed);
    int64_t since_first_ms = (monotonic_us() - look->first_table_us) / 1000;
    fact->in_both = fact->age.least_ms < 0 || fact->age.least_ms >= since_first_ms;
}

/* Its holders are told in join.c. Returns 1, or 0 when it is none. */
static int ghost_of(const struct look *look, int process, const struct descriptor *descriptor, int handle,
                    struct fact_socket *fact)
{
    struct borrowed_socket borrowed;
    *fact = (struct fact_socket){
        .inode = descriptor->inode,
        .state = STATE_CLOSE,
        .listener = -1,
        .in_both = true,
        .age = fact_age_unknown(),
        .fin = fact_age_unknown(),
        .quiet_ms = -1,
        .last_data_recv_ms = -1,
        .last_data_sent_ms = -1,
        .last_ack_recv_ms = -1,
        .process = process,
        .fd = descriptor->fd,
        .closing_ms = -1,
    };
    int rc =
        handle >= 0 ? borrowed_socket_read(handle, descriptor->fd, descriptor->inode, &borrowed) : -EACCES;
    if (rc == 0 && (borrowed.state != STATE_CLOSE || is_unused(&borrowed)))
        return 0;
    if (rc == -EBADF || rc == -ESRCH || rc == -EOPNOTSUPP)
        return 0;
    if (rc == 0)
        take_borrowed(look, &borrowed, fact);
    return rc == 0 || is_still(&look->processes[process], descriptor);
}

static int add_ghost(struct look *look, const struct fact_socket *fact)
{
    int rc = ARRAY_RESERVE(look->ghosts, look->ghost_room, look->ghost_count + 1);
    if (rc == 0)
        look->ghosts[look->ghost_count++] = *fact;
    return rc;
}

/* ---- sockets in no table ---- */

static int take_unlisted(struct look *look, int index, const struct descriptor *descriptor, int handle,
                         struct number_set *taken)
{
    struct look_process *process = &look->processes[index];
    struct socket_protocol protocol;
    struct fact_socket fact;
    int rc = descriptor_protocol(process->pid, descriptor->fd, &protocol);
    if (rc < 0)
        process->unseen[UNSEEN_GHOSTS] = -rc;
    if (rc > 0 && strncmp(protocol.name, "UNIX", 4) == 0) {
        int64_t count = in_flight_read(process->pid, descriptor->fd);
        process->in_flight += count > 0 ? count : 0;
    }
    if (rc <= 0 || (strcmp(protocol.name, "TCP") != 0 && strcmp(protocol.name, "TCPv6") != 0))
        return 0;
    if (ghost_of(look, index, descriptor, handle, &fact) == 0)
        return 0;
    process->ghosts++;
    rc = number_set_add(taken, descriptor->inode);
    return rc == 1 ? add_ghost(look, &fact) : rc;
}

static int read_unlisted(struct look *look, int index, struct number_set *taken)
{
    const struct look_process *process = &look->processes[index];
    int handle = -1, rc = 0;
    for (size_t i = 0; i < process->descriptor_count && rc == 0; i++) {
        const struct descriptor *descriptor = &process->descriptors[i];
        if (descriptor->kind != DESCRIPTOR_SOCKET || number_set_has(&look->listed, descriptor->inode))
            continue;
        if (handle < 0 && !look->request->no_attach)
            handle = borrowed_socket_process(process->pid);
        rc = take_unlisted(look, index, descriptor, handle, taken);
    }
    if (handle >= 0)
        close(handle);
    return rc;
}

int look_ghosts(struct look *look)
{
    struct number_set taken = {0};
    int rc = 0;
    for (size_t i = 0; i < look->process_count && rc == 0; i++)
        rc = read_unlisted(look, (int)i, &taken);
    number_set_free(&taken);
    return rc;
}
