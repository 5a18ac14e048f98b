/* made_facts: the facts of a server, made by hand. It listens on 127.0.0.1:8080, with one thread at rest in
 * epoll_wait() on set 4, in which the listener is; tests add sockets and threads, and change what they need.
 */
#ifndef TESTS_MADE_FACTS_H
#define TESTS_MADE_FACTS_H

#include "explain/facts.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/epoll.h>

enum { MADE_SOCKETS = 1000, MADE_THREADS = 80, MADE_PROCESSES = 4 };

struct made {
    struct fact_process processes[MADE_PROCESSES];
    struct fact_listener listeners[2];
    struct fact_socket sockets[MADE_SOCKETS], ended[MADE_SOCKETS];
    struct fact_thread threads[MADE_THREADS];
    struct facts facts;
};

static inline struct fact_endpoint endpoint(const char *address, uint16_t port)
{
    struct fact_endpoint at = {.port = port};
    address_parse(address, &at.address);
    return at;
}

static inline struct fact_thread *made_thread(struct made *made, enum fact_call call, int64_t asleep_ms)
{
    struct fact_thread *thread = &made->threads[made->facts.thread_count];
    *thread = (struct fact_thread){.tid = 100 + made->facts.thread_count,
                                   .name = "srv",
                                   .call = call,
                                   .fd = -1,
                                   .asleep_ms = asleep_ms,
                                   .busy_percent = -1,
                                   .turns = -1};
    made->facts.thread_count++;
    return thread;
}

static inline struct fact_process *made_process(struct made *made, bool is_heir)
{
    struct fact_process *process = &made->processes[made->facts.process_count];
    *process = (struct fact_process){.pid = 100 * (made->facts.process_count + 1),
                                     .command = "srv",
                                     .is_heir = is_heir,
                                     .descriptors = 50,
                                     .descriptor_limit = 1024,
                                     .descriptor_table = 256,
                                     .descriptors_before = -1,
                                     .before_ms = -1};
    made->facts.process_count++;
    return process;
}

static inline void made_server(struct made *made)
{
    memset(made, 0, sizeof *made);
    made->facts = (struct facts){.processes = made->processes,
                                 .listeners = made->listeners,
                                 .sockets = made->sockets,
                                 .ended = made->ended,
                                 .threads = made->threads,
                                 .gap_ms = 100,
                                 .opened = -1,
                                 .aborts_on_close = -1,
                                 .events_lost = -1,
                                 .listener_count = 1};
    made_process(made, false);
    struct fact_thread *loop = made_thread(made, CALL_EPOLL_WAIT, 500);
    loop->fd = 4;
    loop->hears = HEARS_LISTENER | HEARS_ACCEPTED;
    made->listeners[0] = (struct fact_listener){
        .inode = 10,
        .at = endpoint("127.0.0.1", 8080),
        .queue = 0,
        .backlog = 512,
        .processes = 1,
        .server = -1,
        .wait = {
            .kind = WAITER_EPOLL, .events = EPOLLIN, .is_mask_known = true, .set_fd = 4, .at_rest = true}};
}

/* In CLOSE_WAIT, accepted, six bytes received and read, the FIN came 200 ms after them, nobody waits. The
 * i-th came 100 ms before the one before it. */
static inline struct fact_socket made_close_wait(int i)
{
    int64_t fin_ms = 2000 + 100 * i;
    return (struct fact_socket){.cookie = 1000 + (uint64_t)i,
                                .inode = 1000 + (uint64_t)i,
                                .state = STATE_CLOSE_WAIT,
                                .way = WAY_ACCEPTED,
                                .local = endpoint("127.0.0.1", 8080),
                                .peer = endpoint("127.0.0.1", (uint16_t)(40000 + i)),
                                .in_both = true,
                                .has_info = true,
                                .bytes_received = 6,
                                .data_segs_in = 1,
                                .segs_in = 4,
                                .last_data_recv_ms = fin_ms + 200,
                                .last_data_sent_ms = fin_ms + 201,
                                .last_ack_recv_ms = fin_ms,
                                .age = fact_age_exact(fin_ms + 201),
                                .fin = fact_age_exact(fin_ms),
                                .holder = HOLDER_PROCESS,
                                .holders = 1,
                                .fd = 20 + i,
                                .wait = {.kind = WAITER_NOBODY, .set_fd = -1, .thread = -1},
                                .closing_ms = -1};
}

static inline struct fact_socket *made_add(struct made *made, struct fact_socket socket)
{
    made->sockets[made->facts.socket_count] = socket;
    return &made->sockets[made->facts.socket_count++];
}

/* Half-closed by the program after its answer, and quiet since. */
static inline struct fact_socket made_half_closed(int i)
{
    struct fact_socket socket = made_close_wait(i);
    socket.state = STATE_FIN_WAIT2;
    socket.fin = fact_age_unknown();
    socket.bytes_acked = 6;
    socket.data_segs_out = 1;
    socket.quiet_ms = 6000 + 100 * i;
    return socket;
}

/* Open, and answered. */
static inline struct fact_socket made_open(int i)
{
    struct fact_socket socket = made_close_wait(i);
    socket.state = STATE_ESTABLISHED;
    socket.fin = fact_age_unknown();
    socket.bytes_acked = 6;
    socket.data_segs_out = 1;
    socket.wait = (struct fact_wait){
        .kind = WAITER_EPOLL, .events = EPOLLIN, .is_mask_known = true, .set_fd = 4, .at_rest = true};
    return socket;
}

static inline struct fact_wait made_epoll(uint32_t events, bool at_rest)
{
    return (struct fact_wait){.kind = WAITER_EPOLL,
                              .events = events | EPOLLERR | EPOLLHUP,
                              .is_mask_known = true,
                              .set_fd = 4,
                              .at_rest = at_rest,
                              .thread = at_rest ? 0 : -1};
}

#endif
