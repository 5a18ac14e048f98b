/* The decision table, row by row, and each false diagnosis that threatens with the rule against it. */
#include "../unit.h"

#include "cause/cause.h"
#include "explain/explanation.h"
#include "made_facts.h"

#include <stdio.h>
#include <sys/poll.h>

enum { SOCKETS = 20 };

static struct made made;

/* ---- making ---- */

static struct fact_socket read_all(int i)
{
    return made_close_wait(i);
}

static struct fact_socket read_part(int i)
{
    struct fact_socket socket = made_close_wait(i);
    socket.unread = 1;
    return socket;
}

static struct fact_socket read_nothing(int i)
{
    struct fact_socket socket = made_close_wait(i);
    socket.unread = 7;
    return socket;
}

static struct fact_socket swallowed(int i)
{
    struct fact_socket socket = made_close_wait(i);
    socket.is_fin_swallowed = true;
    socket.last_data_recv_ms = socket.last_ack_recv_ms;
    return socket;
}

static struct fact_socket queued(int i)
{
    struct fact_socket socket = read_nothing(i);
    socket.inode = 0;
    socket.holder = HOLDER_QUEUE;
    socket.process = -1;
    socket.fd = -1;
    socket.holders = 0;
    return socket;
}

static void add_many(struct fact_socket (*one)(int), struct fact_wait wait)
{
    for (int i = 0; i < SOCKETS; i++)
        made_add(&made, one(i))->wait = wait;
}

static const struct fact_wait nobody = {.kind = WAITER_NOBODY, .set_fd = -1, .thread = -1};

/* The loop's thread waits for another server instead of for events. */
static void stick_loop(void)
{
    struct fact_thread *loop = &made.threads[0];
    loop->call = CALL_RECV;
    strcpy(loop->call_name, "recvfrom");
    loop->fd = 12;
    loop->peer = endpoint("127.0.0.1", 34157);
    loop->asleep_ms = 3100;
    loop->hears = 0;
    made.listeners[0].wait.at_rest = false;
    made.listeners[0].wait.thread = -1;
}

static void use_up_descriptors(void)
{
    made.processes[0].descriptors = made.processes[0].descriptor_limit;
}

/* So many of 20 lingering and these ended began in the window. */
static void watch_for(int64_t ms, int ended)
{
    made.facts.window_ms = ms;
    for (int i = 0; i < ended; i++) {
        made.ended[i] = made_close_wait(i % SOCKETS);
        made.ended[i].state = STATE_CLOSE;
    }
    made.facts.ended_count = ended;
}

static struct fact_socket outgoing(int i)
{
    struct fact_socket socket = made_open(i + 100);
    socket.way = WAY_OUTGOING;
    socket.listener = -1;
    socket.local = endpoint("127.0.0.1", (uint16_t)(50000 + i));
    socket.peer = endpoint("127.0.0.1", 9000);
    socket.age = fact_age_exact(made_close_wait(i).age.least_ms - 2);
    return socket;
}

/* ---- rows ---- */

static void ghosts(void)
{
    add_many(read_all, nobody);
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].state = STATE_CLOSE;
}

static void ghosts_with(enum fact_error error)
{
    ghosts();
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].error = error;
}

static void ghosts_whose_error_was_read(void)
{
    ghosts_with(ERROR_READ);
}

static void ghosts_whose_error_waits(void)
{
    ghosts_with(ERROR_WAITS);
}

static void ghosts_behind_stuck_loop(void)
{
    ghosts_with(ERROR_WAITS);
    stick_loop();
}

static void ghosts_of_both_halves(void)
{
    ghosts_with(ERROR_NEEDLESS);
}

static struct fact_socket half_closed(int i)
{
    return made_half_closed(i);
}

static struct fact_socket half_closed_for_long(int i)
{
    struct fact_socket socket = made_half_closed(i);
    socket.quiet_ms = 60000;
    return socket;
}

static void half_closed_forgotten(void)
{
    add_many(half_closed, nobody);
}

static void half_closed_beside_a_thread_outside(void)
{
    add_many(half_closed, nobody);
    made_thread(&made, CALL_SLEEP, 4000);
}

static void half_closed_silent(void)
{
    add_many(half_closed_for_long, made_epoll(EPOLLIN, true));
}

static void half_closed_behind_stuck_loop(void)
{
    add_many(half_closed_for_long, made_epoll(EPOLLIN, false));
    stick_loop();
}

static void half_closed_unsent(void)
{
    add_many(half_closed_for_long, made_epoll(EPOLLIN | EPOLLOUT, true));
    for (int i = 0; i < SOCKETS; i++) {
        made.sockets[i].state = STATE_FIN_WAIT1;
        made.sockets[i].unsent = 100000;
    }
}

static void half_closed_copies(void)
{
    made_process(&made, true);
    strcpy(made.processes[1].command, "sleep");
    add_many(half_closed_for_long, nobody);
    for (int i = 0; i < SOCKETS; i++) {
        made.sockets[i].holder = HOLDER_HEIR;
        made.sockets[i].process = 1;
    }
}

static void accept_fails(void)
{
    add_many(queued, nobody);
    use_up_descriptors();
}

static void queue_behind_armed_loop(void)
{
    add_many(queued, nobody);
    stick_loop();
}

static void queue_behind_stuck_threads(void)
{
    add_many(queued, nobody);
    stick_loop();
    made.listeners[0].wait = nobody;
}

static void queue_behind_a_close(void)
{
    add_many(queued, nobody);
    stick_loop();
    made.threads[0].call = CALL_OTHER;
    strcpy(made.threads[0].call_name, "close");
    made.threads[0].peer = (struct fact_endpoint){0};
}

static void listener_in_no_set(void)
{
    add_many(queued, nobody);
    made.listeners[0].wait = nobody;
}

static void listener_not_to_be_read(void)
{
    add_many(queued, nobody);
    made.listeners[0].wait = made_epoll(0, true);
}

static void listener_on_edge(void)
{
    add_many(queued, nobody);
    made.listeners[0].wait = made_epoll(EPOLLIN | EPOLLET, true);
}

static void queue_unseen(void)
{
    add_many(queued, nobody);
    made.listeners[0].wait.kind = WAITER_UNKNOWN;
}

static void heirs(void)
{
    made_process(&made, true);
    strcpy(made.processes[1].command, "sleep");
    add_many(read_all, nobody);
    for (int i = 0; i < SOCKETS; i++) {
        made.sockets[i].holder = HOLDER_HEIR;
        made.sockets[i].process = 1;
    }
}

static void heirs_that_sleep(void)
{
    heirs();
    made_thread(&made, CALL_SLEEP, 9000)->process = 1;
}

static void heirs_that_wait_for_another(void)
{
    heirs();
    struct fact_thread *thread = made_thread(&made, CALL_RECV, 9000);
    thread->process = 1;
    thread->peer = endpoint("10.0.0.9", 5432);
}

static void closed_in_call(void)
{
    add_many(read_all, nobody);
    for (int i = 0; i < SOCKETS; i++) {
        made.sockets[i].state = STATE_ESTABLISHED;
        made.sockets[i].fin = fact_age_unknown();
        made.sockets[i].holder = HOLDER_CALL;
        struct fact_thread *thread = made_thread(&made, CALL_RECV, 5000);
        thread->fd = 7;
        thread->is_on_closed = true;
    }
}

static void mptcp(void)
{
    add_many(read_all, nobody);
    for (int i = 0; i < SOCKETS; i++) {
        made.sockets[i].is_mptcp = true;
        made.sockets[i].fin.most_ms = FACT_NO_LIMIT;
    }
}

static void in_flight(void)
{
    add_many(read_all, nobody);
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].holder = HOLDER_IN_FLIGHT, made.sockets[i].process = -1;
}

static void hidden(void)
{
    add_many(read_all, nobody);
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].holder = HOLDER_HIDDEN, made.sockets[i].process = -1;
}

static void unsent(void)
{
    add_many(read_all, made_epoll(EPOLLOUT, true));
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].unsent = 100000;
}

static void outgoing_closed(void)
{
    for (int i = 0; i < SOCKETS; i++) {
        struct fact_socket socket = outgoing(i);
        socket.state = STATE_CLOSE_WAIT;
        socket.fin = fact_age_exact(1500);
        socket.wait = nobody;
        made_add(&made, socket);
    }
}

static void outgoing_closed_of_a_client(void)
{
    outgoing_closed();
    made.facts.listener_count = 0;
}

static void outgoing_closed_and_never_used(void)
{
    outgoing_closed();
    for (int i = 0; i < SOCKETS; i++) {
        made.sockets[i].data_segs_out = 0;
        made.sockets[i].bytes_acked = 0;
        made.sockets[i].unread = 3;
    }
}

static void outgoing_closed_without_an_answer(void)
{
    outgoing_closed();
    for (int i = 0; i < SOCKETS; i++) {
        made.sockets[i].data_segs_in = 0;
        made.sockets[i].bytes_received = 0;
    }
}

/* Asked 6 s ago, and of the accepted connections that they were opened for none is left. */
static void forgotten_behind(void)
{
    for (int i = 0; i < SOCKETS; i++) {
        struct fact_socket socket = outgoing(i);
        socket.data_segs_in = 0;
        socket.bytes_received = 0;
        socket.last_data_sent_ms = 6000;
        socket.last_data_recv_ms = 6001;
        socket.wait = nobody;
        made_add(&made, socket);
    }
}

static void forgotten_behind_with_an_answer(void)
{
    forgotten_behind();
    for (int i = 0; i < SOCKETS; i++) {
        made.sockets[i].data_segs_in = 1;
        made.sockets[i].last_data_recv_ms = 5500;
        made.sockets[i].unread = 100;
    }
}

static void outgoing_behind_stuck_loop(void)
{
    outgoing_closed();
    stick_loop();
    for (int i = 0; i < SOCKETS; i++) {
        made.sockets[i].unread = 1;
        made.sockets[i].wait = made_epoll(EPOLLIN, false);
    }
}

static void backend_closed_first(void)
{
    outgoing_closed();
    for (int i = 0; i < SOCKETS; i++) {
        struct fact_socket socket = made_open(i);
        socket.age = fact_age_exact(made_close_wait(i).age.least_ms);
        made_add(&made, socket);
    }
}

static void spins(void)
{
    add_many(read_all, made_epoll(EPOLLIN, true));
    made.threads[0].busy_percent = 99;
}

static void stuck_after_eof(void)
{
    add_many(read_all, made_epoll(EPOLLIN, false));
    for (int i = 0; i < 5; i++)
        made_add(&made, read_part(i + SOCKETS))->wait = made_epoll(EPOLLIN, false);
    made.threads[0].call = CALL_NONE;
    made.threads[0].asleep_ms = 0;
    made.threads[0].busy_percent = 99;
}

static void spins_perhaps(void)
{
    add_many(swallowed, made_epoll(EPOLLIN, true));
    made.threads[0].busy_percent = 99;
}

static void spins_in_poll(void)
{
    add_many(read_all, nobody);
    made.listeners[0].wait = nobody;
    made.threads[0].call = CALL_NONE;
    made.threads[0].asleep_ms = 0;
    made.threads[0].busy_percent = 99;
}

static void spins_for_a_cpu(void)
{
    add_many(read_all, made_epoll(EPOLLIN, false));
    made.threads[0].call = CALL_NONE;
    made.threads[0].asleep_ms = 0;
    made.threads[0].busy_percent = 40;
}

static void proxy(void)
{
    add_many(read_all, nobody);
    for (int i = 0; i < SOCKETS; i++)
        made_add(&made, outgoing(i));
}

/* Threads of the sockets, in a call since their last data. */
static void block_handlers(enum fact_call call)
{
    add_many(read_part, nobody);
    for (int i = 0; i < SOCKETS; i++)
        made_thread(&made, call, made.sockets[i].last_data_recv_ms - 3);
}

static void handlers_of_a_loop_on_lock(void)
{
    block_handlers(CALL_FUTEX);
}

static void handlers_on_lock(void)
{
    block_handlers(CALL_FUTEX);
    made.listeners[0].wait = (struct fact_wait){.kind = WAITER_THREAD, .at_rest = true};
    made.threads[0].call = CALL_ACCEPT;
}

static void handlers_outside(void)
{
    block_handlers(CALL_RECV);
}

static void handlers_that_swallowed(void)
{
    add_many(swallowed, nobody);
    for (int i = 0; i < SOCKETS; i++)
        made_thread(&made, CALL_RECV, made.sockets[i].last_data_recv_ms - 3);
}

static void handlers_that_swallowed_with_backends(void)
{
    handlers_that_swallowed();
    for (int i = 0; i < SOCKETS; i++)
        made_add(&made, outgoing(i));
}

/* As on a busy machine, where one recv() came late enough to take data and FIN, and its thread slept later
 * than that. */
static void a_proxy_beside_threads_outside(void)
{
    proxy();
    for (int i = 0; i < SOCKETS; i++)
        made_thread(&made, CALL_RECV, made.sockets[i].last_data_recv_ms - 400);
}

static void swallowed_beside_a_thread_outside(void)
{
    add_many(swallowed, nobody);
    made_thread(&made, CALL_SLEEP, 400);
}

static void swallowed_on_edges_beside_unread(void)
{
    add_many(swallowed, made_epoll(EPOLLIN | EPOLLET, true));
    for (int i = 0; i < 5; i++)
        made_add(&made, read_part(i + SOCKETS))->wait = made_epoll(EPOLLIN | EPOLLET, true);
}

static void unread_beside_a_thread_outside(void)
{
    add_many(read_part, nobody);
    made_thread(&made, CALL_SLEEP, 400);
}

static void swallowed_behind_stuck_loop(void)
{
    add_many(swallowed, made_epoll(EPOLLIN, false));
    stick_loop();
}

static void swallowed_behind_stuck_poll(void)
{
    add_many(swallowed, nobody);
    stick_loop();
}

static void swallowed_beside_unread(void)
{
    add_many(swallowed, nobody);
    for (int i = 0; i < 5; i++)
        made_add(&made, read_part(i + SOCKETS));
}

static void swallowed_beside_unread_most(void)
{
    swallowed_beside_unread();
    watch_for(10000, 1);
}

static void swallowed_beside_unread_few(void)
{
    swallowed_beside_unread();
    watch_for(10000, 300);
}

/* A few that were read late, when the FIN had come. */
static void read_late_beside_unread(void)
{
    for (int i = 0; i < 6; i++)
        made_add(&made, read_all(i));
    for (int i = 0; i < 6; i++)
        made_add(&made, read_part(i + 6));
}

static void swallowed_beside_read(void)
{
    for (int i = 0; i < 6; i++)
        made_add(&made, swallowed(i));
    for (int i = 0; i < 4; i++)
        made_add(&made, read_all(i + 6));
}

static void swallowed_alone(void)
{
    add_many(swallowed, nobody);
}

static void swallowed_most(void)
{
    add_many(swallowed, nobody);
    watch_for(10000, 1);
}

static void swallowed_few(void)
{
    add_many(swallowed, nobody);
    watch_for(10000, 300);
}

static void eof_read(void)
{
    add_many(read_all, nobody);
}

/* Answered before the FIN came. */
static void eof_proven(void)
{
    add_many(read_all, nobody);
    for (int i = 0; i < SOCKETS; i++) {
        made.sockets[i].data_segs_out = 1;
        made.sockets[i].last_data_sent_ms = made.sockets[i].last_data_recv_ms - 10;
    }
}

static void eof_read_without_data(void)
{
    add_many(read_all, nobody);
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].bytes_received = 0;
}

static void eof_read_late(void)
{
    add_many(read_all, nobody);
    for (int i = 0; i < SOCKETS; i++)
        made_thread(&made, CALL_FUTEX, 500);
}

static void eof_read_few(void)
{
    add_many(read_all, nobody);
    watch_for(10000, 300);
}

static void unread_behind_stuck_loop(void)
{
    add_many(read_part, made_epoll(EPOLLIN, false));
    stick_loop();
}

static void mask_without_reading(void)
{
    add_many(read_part, made_epoll(0, true));
}

static void poll_without_events(void)
{
    add_many(read_part, (struct fact_wait){.kind = WAITER_POLL, .is_mask_known = true, .at_rest = true});
}

static void oneshot(void)
{
    add_many(read_part, made_epoll(0, true));
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].wait.events = EPOLLONESHOT;
}

static void unread_behind_stuck_poll(void)
{
    add_many(read_part, nobody);
    stick_loop();
}

static void never_read_at_limit(void)
{
    add_many(read_nothing, nobody);
    use_up_descriptors();
}

static void never_read_since_the_limit(void)
{
    add_many(read_nothing, nobody);
    made.processes[0].descriptor_table = 1024;
}

static void never_read(void)
{
    add_many(read_nothing, nobody);
}

static void never_read_few(void)
{
    add_many(read_nothing, nobody);
    watch_for(10000, 300);
}

static void edge(void)
{
    add_many(read_part, made_epoll(EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, true));
}

static void mask_not_read(void)
{
    add_many(read_part, made_epoll(0, true));
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].wait.is_mask_known = false;
}

static void unread_nobody(void)
{
    add_many(read_part, nobody);
}

static void unread_nobody_most(void)
{
    add_many(read_part, nobody);
    watch_for(10000, 1);
}

static void unread_nobody_few(void)
{
    add_many(read_part, nobody);
    watch_for(10000, 300);
}

static void unread_unseen(void)
{
    add_many(read_part, (struct fact_wait){.kind = WAITER_UNKNOWN, .set_fd = -1, .thread = -1});
    made.facts.thread_count = 0;
}

static const struct {
    void (*make)(void);
    const char *rule, *causes;
    enum certainty certainty;
    const char *says; /* NULL: nothing in particular */
} rows[] = {
    {ghosts, "ghosts", "", CERTAIN_SHOWN, NULL},
    {ghosts_whose_error_was_read, "reset-swallowed", "reset-swallowed ignore-eof", CERTAIN_ONE_OF,
     "has read that error"},
    {ghosts_whose_error_waits, "ghosts", "", CERTAIN_SHOWN, "nobody has read that error"},
    {ghosts_behind_stuck_loop, "loop-stuck", "", CERTAIN_LIKELY, "127.0.0.1:34157"},
    {ghosts_of_both_halves, "ghosts", "", CERTAIN_LIKELY, "shutdown()"},
    {forgotten_behind, "second-socket-forgotten", "second-socket-forgotten", CERTAIN_LIKELY,
     "127.0.0.1:9000 are open, a request was sent, and nobody waits for them any more: no data has moved for "
     "6.0 s"},
    {forgotten_behind_with_an_answer, "second-socket-forgotten", "second-socket-forgotten", CERTAIN_LIKELY,
     "data has arrived that is unread"},
    {half_closed_forgotten, "half-closed-forgotten", "", CERTAIN_LIKELY, "nobody waits for the peer's FIN"},
    {half_closed_beside_a_thread_outside, "half-closed-forgotten", "", CERTAIN_ONE_OF, "nanosleep"},
    {half_closed_silent, "half-closed-silent", "half-closed-for-ever", CERTAIN_LIKELY,
     "nothing for 1 min 0 s"},
    {half_closed_behind_stuck_loop, "loop-stuck", "", CERTAIN_LIKELY, "127.0.0.1:34157"},
    {half_closed_unsent, "half-closed-unsent", "stalled-reader", CERTAIN_SHOWN, "2,000,000 bytes"},
    {half_closed_copies, "half-closed-copy", "fork-inherit", CERTAIN_LIKELY, "sleep (pid 200)"},
    {accept_fails, "accept-fails", "", CERTAIN_SHOWN, "1,024 of 1,024 descriptors"},
    {queue_behind_a_close, "loop-stuck", "blocking-linger", CERTAIN_LIKELY, "thread 100 has been in close("},
    {queue_behind_armed_loop, "loop-stuck", "", CERTAIN_SHOWN,
     "thread 100 has been in recvfrom(fd 12 -> 127.0.0.1:34157) for 3.1 s"},
    {queue_behind_stuck_threads, "loop-stuck", "", CERTAIN_SHOWN, "127.0.0.1:34157"},
    {listener_in_no_set, "never-accept", "never-accept", CERTAIN_SHOWN, NULL},
    {listener_not_to_be_read, "never-accept", "never-accept", CERTAIN_SHOWN, "epoll set 4"},
    {listener_on_edge, "accept-edge", "never-accept", CERTAIN_LIKELY, "EPOLLIN|EPOLLET"},
    {queue_unseen, "queued", "", CERTAIN_NOT, NULL},
    {heirs, "fork-inherit", "fork-inherit", CERTAIN_SHOWN, "sleep (pid 200)"},
    {heirs_that_sleep, "fork-inherit", "fork-inherit", CERTAIN_SHOWN, "sleep (pid 200)"},
    {heirs_that_wait_for_another, "heir-blocked", "bounded-pool", CERTAIN_LIKELY, "10.0.0.9:5432"},
    {closed_in_call, "closed-in-call", "", CERTAIN_LIKELY,
     "thread 101 has been in recv(fd 7) for 5.0 s, and 19 others"},
    {mptcp, "mptcp", "", CERTAIN_NOT, "DATA_FIN"},
    {in_flight, "in-flight", "", CERTAIN_SHOWN, NULL},
    {hidden, "hidden", "", CERTAIN_NOT, NULL},
    {unsent, "peer-does-not-read", "stalled-reader", CERTAIN_SHOWN, "2,000,000 bytes"},
    {outgoing_closed, "dead-pool-entry", "dead-pool-entry second-socket-forgotten", CERTAIN_ONE_OF,
     "127.0.0.1:9000"},
    {outgoing_closed_of_a_client, "dead-pool-entry", "dead-pool-entry", CERTAIN_LIKELY, "127.0.0.1:9000"},
    {outgoing_closed_and_never_used, "never-used", "connect-given-up dead-pool-entry second-socket-forgotten",
     CERTAIN_ONE_OF, "nothing was ever sent"},
    {outgoing_closed_without_an_answer, "second-socket-forgotten", "second-socket-forgotten", CERTAIN_LIKELY,
     "127.0.0.1:9000"},
    {outgoing_behind_stuck_loop, "loop-stuck", "", CERTAIN_SHOWN, NULL},
    {backend_closed_first, "no-half-close", "no-half-close", CERTAIN_LIKELY, "127.0.0.1:9000"},
    {spins, "eof-spins", "ignore-eof", CERTAIN_LIKELY, "99% busy"},
    {stuck_after_eof, "loop-stuck", "", CERTAIN_LIKELY, "computes"},
    {spins_perhaps, "eof-spins", "ignore-eof", CERTAIN_LIKELY, "99% busy"},
    {spins_in_poll, "eof-spins", "ignore-eof", CERTAIN_LIKELY, "99% busy"},
    {spins_for_a_cpu, "eof-spins", "ignore-eof", CERTAIN_LIKELY, "never sleeps"},
    {proxy, "no-half-close", "no-half-close", CERTAIN_LIKELY, "127.0.0.1:9000"},
    {handlers_outside, "handler-blocked", "bounded-pool", CERTAIN_SHOWN, "20 threads are in recv()"},
    {handlers_that_swallowed, "handler-blocked", "bounded-pool", CERTAIN_LIKELY, "20 threads are in recv()"},
    {handlers_that_swallowed_with_backends, "handler-blocked", "bounded-pool no-half-close", CERTAIN_ONE_OF,
     "127.0.0.1:9000"},
    {a_proxy_beside_threads_outside, "handler-blocked", "bounded-pool no-half-close", CERTAIN_ONE_OF,
     "127.0.0.1:9000"},
    {swallowed_beside_a_thread_outside, "eof-swallowed", "bounded-pool paused-read lost-reference ignore-eof",
     CERTAIN_ONE_OF, "nanosleep"},
    {swallowed_on_edges_beside_unread, "eof-swallowed", "bounded-pool paused-read lost-reference",
     CERTAIN_ONE_OF, NULL},
    {unread_beside_a_thread_outside, "no-longer-read", "bounded-pool paused-read lost-reference",
     CERTAIN_ONE_OF, "nanosleep"},
    {handlers_of_a_loop_on_lock, "handler-blocked", "bounded-pool paused-read lost-reference", CERTAIN_ONE_OF,
     "idle threads of a pool"},
    {handlers_on_lock, "handler-blocked", "bounded-pool", CERTAIN_LIKELY, "20 threads, for 20 sockets"},
    {swallowed_behind_stuck_loop, "loop-stuck", "", CERTAIN_SHOWN, NULL},
    {swallowed_behind_stuck_poll, "loop-stuck", "", CERTAIN_LIKELY, NULL},
    {swallowed_beside_unread_most, "eof-swallowed", "paused-read", CERTAIN_LIKELY, "25 of 26"},
    {swallowed_beside_unread_few, "eof-swallowed", "lost-reference", CERTAIN_LIKELY, "25 of 325"},
    {swallowed_beside_unread, "eof-swallowed", "paused-read lost-reference", CERTAIN_ONE_OF, NULL},
    {read_late_beside_unread, "eof-swallowed", "paused-read lost-reference", CERTAIN_ONE_OF, NULL},
    {swallowed_beside_read, "eof-swallowed", "ignore-eof", CERTAIN_LIKELY, NULL},
    {swallowed_most, "eof-swallowed", "paused-read ignore-eof", CERTAIN_ONE_OF, "20 of 21"},
    {swallowed_few, "eof-swallowed", "lost-reference ignore-eof", CERTAIN_ONE_OF, "20 of 320"},
    {swallowed_alone, "eof-swallowed", "paused-read lost-reference ignore-eof", CERTAIN_ONE_OF, NULL},
    {eof_proven, "ignore-eof", "ignore-eof", CERTAIN_SHOWN, "has read EOF, but has not closed for 3.9 s"},
    {eof_read_without_data, "ignore-eof", "ignore-eof", CERTAIN_SHOWN, "has read EOF"},
    {eof_read_late, "eof-read-late", "ignore-eof bounded-pool", CERTAIN_ONE_OF, "20 threads are in futex()"},
    {eof_read_few, "ignore-eof", "ignore-eof", CERTAIN_LIKELY, "20 of 320"},
    {eof_read, "ignore-eof", "ignore-eof", CERTAIN_LIKELY, "probably read EOF, but has not closed for 3.9 s"},
    {unread_behind_stuck_loop, "loop-stuck", "", CERTAIN_SHOWN, NULL},
    {mask_without_reading, "paused-read", "paused-read", CERTAIN_SHOWN, "no events"},
    {poll_without_events, "paused-read", "paused-read", CERTAIN_SHOWN, "poll()"},
    {oneshot, "oneshot-spent", "bounded-pool paused-read", CERTAIN_ONE_OF, NULL},
    {unread_behind_stuck_poll, "loop-stuck", "", CERTAIN_SHOWN, NULL},
    {never_read_at_limit, "never-read", "emfile bounded-pool", CERTAIN_ONE_OF, NULL},
    {never_read_since_the_limit, "never-read", "emfile bounded-pool", CERTAIN_ONE_OF,
     "the descriptor limit may have been reached"},
    {never_read_few, "never-read", "lost-reference", CERTAIN_LIKELY, "20 of 320"},
    {never_read, "never-read", "bounded-pool", CERTAIN_LIKELY, NULL},
    {edge, "no-longer-read", "bounded-pool paused-read lost-reference", CERTAIN_ONE_OF, "EPOLLET"},
    {mask_not_read, "no-longer-read", "bounded-pool paused-read lost-reference", CERTAIN_ONE_OF, NULL},
    {unread_nobody_most, "no-longer-read", "paused-read", CERTAIN_LIKELY, NULL},
    {unread_nobody_few, "no-longer-read", "lost-reference", CERTAIN_LIKELY, NULL},
    {unread_nobody, "no-longer-read", "paused-read lost-reference", CERTAIN_ONE_OF, NULL},
    {unread_unseen, "not-known", "", CERTAIN_NOT, NULL},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

/* ---- asking ---- */

static void join_causes(const struct rule *rule, char *text)
{
    *text = '\0';
    for (int i = 0; i < RULE_CAUSES && rule->causes[i] != NULL; i++) {
        strcat(text, *text != '\0' ? " " : "");
        strcat(text, rule->causes[i]);
    }
}

/* Of the largest group. */
static const struct rule *explain(struct explanation *explanation)
{
    assert_int_equal(explanation_of(&made.facts, EXPLAIN_GRACE_MS, explanation), 0);
    assert_true(explanation->finding_count > 0);
    return explanation->findings[0].rule;
}

static void expect_rule(const char *name)
{
    struct explanation explanation;
    const struct rule *rule = explain(&explanation);
    assert_string_equal(rule->name, name);
    explanation_free(&explanation);
}

static void expect_nothing(void)
{
    struct explanation explanation;
    assert_int_equal(explanation_of(&made.facts, EXPLAIN_GRACE_MS, &explanation), 0);
    assert_int_equal(explanation.finding_count, 0);
    assert_false(explanation_has_something(&explanation));
    explanation_free(&explanation);
}

static void check_row(int row)
{
    struct explanation explanation;
    char causes[128];
    made_server(&made);
    rows[row].make();
    const struct rule *rule = explain(&explanation);
    const struct finding *finding = &explanation.findings[0];
    join_causes(rule, causes);
    if (strcmp(rule->name, rows[row].rule) != 0 || finding->certainty != rows[row].certainty)
        fail_msg("row %d: %s [%s] where %s was expected", row, rule->name, certainty_name(finding->certainty),
                 rows[row].rule);
    assert_string_equal(causes, rows[row].causes);
    assert_true(finding->verdict.text[0] != '\0' && strchr(finding->verdict.text, '{') == NULL);
    if (rows[row].says != NULL)
        assert_contains(finding->verdict.text, rows[row].says);
    explanation_free(&explanation);
}

static void each_row_of_the_table_is_reached(void **state)
{
    (void)state;
    bool reached[128] = {false};
    int count = 0;
    for (int row = 0; row < ROWS; row++) {
        check_row(row);
        struct explanation explanation;
        const struct rule *rule = explain(&explanation);
        for (int i = 0; rule_at(i) != NULL; i++)
            reached[i] = reached[i] || rule_at(i) == rule;
        explanation_free(&explanation);
    }
    for (; rule_at(count) != NULL; count++)
        if (!reached[count])
            fail_msg("no test reaches row %d of the rules, %s: %s", count, rule_at(count)->name,
                     rule_at(count)->words);
    assert_true(count < 128);
}

static void every_cause_is_one_of_ours(void **state)
{
    (void)state;
    for (int i = 0; rule_at(i) != NULL; i++)
        for (int k = 0; k < RULE_CAUSES && rule_at(i)->causes[k] != NULL; k++)
            assert_non_null(cause_find(rule_at(i)->causes[k]));
}

/* "Your code read 0" is more than the kernel knows. */
static void no_rule_accuses_the_code_of_reading(void **state)
{
    (void)state;
    for (int i = 0; rule_at(i) != NULL; i++)
        assert_null(strstr(rule_at(i)->words, "code"));
}

/* ---- false diagnoses that threaten ---- */

/* A refused connect() leaves such a descriptor too, and its error was returned. */
static void a_ghost_of_no_listener_has_swallowed_no_reset(void **state)
{
    (void)state;
    made_server(&made);
    ghosts_whose_error_was_read();
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].listener = -1;
    expect_rule("ghosts");
}

static void a_pool_of_answered_connections_is_not_forgotten(void **state)
{
    (void)state;
    made_server(&made);
    forgotten_behind();
    for (int i = 0; i < SOCKETS; i++) {
        made.sockets[i].data_segs_in = 1;
        made.sockets[i].last_data_recv_ms = made.sockets[i].last_data_sent_ms - 1;
    }
    expect_nothing();
}

static void few_that_are_only_written_to_are_not_forgotten(void **state)
{
    (void)state;
    made_server(&made);
    forgotten_behind();
    made.facts.socket_count = 7;
    expect_nothing();
}

static void what_was_asked_a_moment_ago_is_not_forgotten(void **state)
{
    (void)state;
    made_server(&made);
    forgotten_behind();
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].last_data_sent_ms = 4999;
    expect_nothing();
}

/* A handler each may be about to read, or an accepted connection each waits for the answer. */
static void what_may_still_be_served_is_not_forgotten(void **state)
{
    (void)state;
    made_server(&made);
    forgotten_behind();
    for (int i = 0; i < SOCKETS; i++)
        made_thread(&made, CALL_FUTEX, 6000);
    expect_nothing();
    made_server(&made);
    forgotten_behind();
    for (int i = 0; i < SOCKETS / 2; i++)
        made_add(&made, made_open(i));
    expect_nothing();
}

static void what_somebody_hears_or_nobody_could_see_is_not_forgotten(void **state)
{
    (void)state;
    made_server(&made);
    forgotten_behind();
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].wait = made_epoll(EPOLLIN, true);
    expect_nothing();
    made_server(&made);
    forgotten_behind();
    stick_loop();
    expect_nothing();
    made_server(&made);
    forgotten_behind();
    made.facts.listener_count = 0;
    expect_nothing();
}

static void a_runtime_that_reads_ahead_is_named_beside_the_program(void **state)
{
    (void)state;
    struct explanation explanation;
    made_server(&made);
    made.processes[0].runtime = RUNTIME_GO;
    add_many(read_all, made_epoll(EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, true));
    const struct rule *rule = explain(&explanation);
    assert_string_equal(rule->name, "ignore-eof");
    assert_contains(explanation.findings[0].verdict.text, "The program, or the runtime under it");
    assert_true(rule->needs_dump);
    assert_contains(words_of_dump(&made.processes[0]).text, "goroutine");
    explanation_free(&explanation);
}

static void a_fin_that_came_with_the_data_is_not_called_read(void **state)
{
    (void)state;
    made_server(&made);
    swallowed_alone();
    expect_rule("eof-swallowed");
}

/* The FIN came long after the data: but a recv() that came later still takes both. */
static void a_fin_long_after_the_data_is_not_proven_read(void **state)
{
    (void)state;
    struct fact_socket socket = made_close_wait(0);
    assert_int_equal(reading_of(&socket), READING_ALL);
    assert_false(socket_proves_eof(&socket));
    socket.data_segs_out = 1;
    socket.last_data_sent_ms = socket.last_ack_recv_ms - 1; /* answered after the FIN */
    assert_false(socket_proves_eof(&socket));
    socket.last_data_sent_ms = socket.last_ack_recv_ms + 1; /* before */
    assert_true(socket_proves_eof(&socket));
    socket.fin = (struct fact_age){10, 90000};
    assert_false(socket_proves_eof(&socket));
}

static void sockets_of_an_unknown_life_are_not_called_read(void **state)
{
    (void)state;
    struct fact_socket socket = made_close_wait(0);
    socket.has_info = false;
    assert_int_equal(reading_of(&socket), READING_PERHAPS);
    socket.unread = 3;
    assert_int_equal(reading_of(&socket), READING_UNKNOWN);
}

/* Nobody waits: but nobody waits for the healthy either while the loop is stuck. */
static void nobody_counts_only_where_a_thread_rests(void **state)
{
    (void)state;
    made_server(&made);
    unread_nobody();
    expect_rule("no-longer-read");
    stick_loop();
    expect_rule("loop-stuck");
}

static void a_queue_behind_a_stuck_loop_is_not_never_accept(void **state)
{
    (void)state;
    made_server(&made);
    queue_behind_stuck_threads();
    expect_rule("loop-stuck");
}

/* A loop that is only on its way, seen at a bad moment, is not stuck. */
static void a_loop_that_runs_at_this_moment_is_not_stuck(void **state)
{
    (void)state;
    made_server(&made);
    add_many(queued, nobody);
    made.threads[0].call = CALL_NONE;
    made.threads[0].asleep_ms = 0;
    made.listeners[0].wait.at_rest = false;
    expect_rule("queued");
    made.threads[0].call = CALL_RECV;
    made.threads[0].asleep_ms = LOOP_STUCK_MS - 1;
    expect_rule("queued");
}

static void idle_threads_on_locks_do_not_make_a_running_loop_stuck(void **state)
{
    (void)state;
    made_server(&made);
    made.threads[0].call = CALL_NONE;
    made.threads[0].asleep_ms = 0;
    made_thread(&made, CALL_FUTEX, 60000);
    assert_int_equal(loop_state_of(&made.facts, 0), LOOP_UNKNOWN);
    made.threads[0].call = CALL_FUTEX;
    made.threads[0].asleep_ms = 5000;
    assert_int_equal(loop_state_of(&made.facts, 0), LOOP_STUCK);
}

static void a_busy_loop_that_is_seen_at_rest_holds_nothing_up(void **state)
{
    (void)state;
    made_server(&made);
    unread_nobody();
    made.threads[0].busy_percent = 90;
    expect_rule("no-longer-read");
    struct explanation explanation;
    assert_null(explain(&explanation)->causes[2]); /* the loop is no blocked handler */
    explanation_free(&explanation);
}

static void a_thread_in_poll_on_its_own_backend_does_not_rest(void **state)
{
    (void)state;
    made_server(&made);
    made.threads[0].call = CALL_POLL;
    made.threads[0].hears = HEARS_OUTGOING;
    made.threads[0].asleep_ms = 4000;
    assert_int_equal(loop_state_of(&made.facts, 0), LOOP_STUCK);
    made.threads[0].hears = HEARS_UNKNOWN;
    assert_int_equal(loop_state_of(&made.facts, 0), LOOP_RESTS);
}

static void siblings_are_no_heirs(void **state)
{
    (void)state;
    made_server(&made);
    made_process(&made, false);
    made_thread(&made, CALL_EPOLL_WAIT, 500)->process = 1;
    add_many(read_all, nobody);
    for (int i = 0; i < SOCKETS; i += 2)
        made.sockets[i].process = 1;
    struct explanation explanation;
    assert_string_equal(explain(&explanation)->name, "ignore-eof");
    assert_int_equal(explanation.finding_count, 1);
    assert_int_equal(explanation.groups.each[0].processes, 2);
    explanation_free(&explanation);
}

/* A lingering close, and who waits for the rest of an answer. */
static void who_waits_for_the_peers_fin_is_not_accused(void **state)
{
    (void)state;
    struct groups groups;
    made_server(&made);
    add_many(half_closed, made_epoll(EPOLLIN, true));
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].quiet_ms = HALF_CLOSED_MS - 1;
    expect_nothing();
    assert_int_equal(groups_of(&made.facts, EXPLAIN_GRACE_MS, &groups), 0);
    assert_int_equal(groups.half_closed, SOCKETS);
    groups_free(&groups);
}

/* A timer of its own may be about to close them; and of a loop that is not seen at rest nobody can be missed.
 */
static void the_half_closed_that_nobody_waits_for_have_some_seconds(void **state)
{
    (void)state;
    made_server(&made);
    half_closed_forgotten();
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].quiet_ms = HALF_CLOSED_UNHEARD_MS - 1;
    expect_nothing();
    made_server(&made);
    half_closed_forgotten();
    made.threads[0].call = CALL_NONE;
    expect_nothing();
}

/* What the program has closed is the kernel's, which ends it; and one's own FIN alone is no data. */
static void what_the_kernel_ends_is_not_accused(void **state)
{
    (void)state;
    made_server(&made);
    add_many(half_closed_for_long, nobody);
    for (int i = 0; i < SOCKETS; i++) {
        made.sockets[i].inode = i < SOCKETS / 2 ? 0 : made.sockets[i].inode;
        made.sockets[i].holder = i < SOCKETS / 2 ? HOLDER_KERNEL : HOLDER_PROCESS;
        made.sockets[i].state = i < SOCKETS / 2 ? STATE_FIN_WAIT2 : STATE_LAST_ACK;
        made.sockets[i].unsent = 1;
    }
    expect_nothing();
}

/* Nor do they make CLOSE_WAIT of others a stuck loop's, a proxy's, or keep a rate from being told. */
static void the_half_closed_say_nothing_of_others(void **state)
{
    (void)state;
    struct explanation explanation;
    made_server(&made);
    add_many(read_all, nobody);
    for (int i = 0; i < 5; i++)
        made_add(&made, made_half_closed(i + SOCKETS));
    assert_string_equal(explain(&explanation)->name, "ignore-eof");
    assert_int_equal(explanation.finding_count, 2);
    assert_false(explanation.outlook.forecast.from_descriptors);
    assert_int_equal(explanation.outlook.forecast.count, SOCKETS);
    explanation_free(&explanation);
}

/* An accepted socket is in its listener's group: where that is not its process's, or nobody has it, it is
 * told. */
static void where_they_were_made_is_told_where_that_is_elsewhere(void **state)
{
    (void)state;
    struct explanation explanation;
    struct cgroup_entry entry = {8, (char *)"/system.slice/inetd.service"};
    made_server(&made);
    eof_read();
    made.facts.groups = (struct cgroup_table){&entry, 1, 1};
    made.processes[0].group.id = 7;
    made.processes[0].group.name = cgroup_name_of_path("/system.slice/web.service");
    made.processes[0].group.is_named_by_id = true;
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].cgroup = 7;
    explain(&explanation);
    assert_string_equal(explanation.findings[0].maker.text, "");
    explanation_free(&explanation);
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].cgroup = 8;
    explain(&explanation);
    assert_string_equal(explanation.findings[0].maker.text, "inetd.service");
    assert_contains(explanation.findings[0].heading.text, ", made in inetd.service");
    explanation_free(&explanation);
    made.sockets[3].cgroup = 9; /* not one and the same */
    explain(&explanation);
    assert_string_equal(explanation.findings[0].maker.text, "");
    explanation_free(&explanation);
}

/* Workers with a listener each on one port (SO_REUSEPORT): one is stuck, and its queue fills up beside one
 * that rests. */
static void stick_one_of_two_workers(int64_t other_queue)
{
    made_server(&made);
    made_process(&made, false);
    add_many(queued, nobody);
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].listener = 1;
    made.facts.listener_count = 2;
    made.listeners[1] = made.listeners[0];
    made.listeners[1].wait = nobody;
    made.listeners[1].queue = SOCKETS;
    made.listeners[0].queue = other_queue;
    made.listeners[0].server = 0;
    made.listeners[1].server = 1;
    struct fact_thread *thread = made_thread(&made, CALL_RECV, 9000);
    thread->process = 1;
    thread->peer = endpoint("10.0.0.9", 5432);
}

static void the_queue_of_a_stuck_worker_is_its_own(void **state)
{
    (void)state;
    struct explanation explanation;
    stick_one_of_two_workers(0);
    assert_string_equal(explain(&explanation)->name, "loop-stuck");
    assert_int_equal(explanation.findings[0].certainty, CERTAIN_SHOWN);
    assert_contains(explanation.findings[0].verdict.text,
                    "thread 101 of process 200 has been in recv(10.0.0.9:5432)");
    explanation_free(&explanation);
    stick_one_of_two_workers(2); /* in whose queue each of them is cannot be told */
    assert_string_equal(explain(&explanation)->name, "loop-stuck");
    assert_int_equal(explanation.findings[0].certainty, CERTAIN_LIKELY);
    explanation_free(&explanation);
}

/* The other one may have forgotten to close its copy. */
static void of_several_holders_a_stuck_one_is_only_likely(void **state)
{
    (void)state;
    struct explanation explanation;
    made_server(&made);
    unread_behind_stuck_loop();
    assert_string_equal(explain(&explanation)->name, "loop-stuck");
    assert_int_equal(explanation.findings[0].certainty, CERTAIN_SHOWN);
    explanation_free(&explanation);
    made.sockets[0].holders = 2;
    explain(&explanation);
    assert_int_equal(explanation.findings[0].certainty, CERTAIN_LIKELY);
    explanation_free(&explanation);
}

static void the_young_are_not_accused(void **state)
{
    (void)state;
    struct groups groups;
    made_server(&made);
    add_many(read_all, nobody);
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].fin = fact_age_exact(EXPLAIN_GRACE_MS - 1);
    expect_nothing();
    assert_int_equal(groups_of(&made.facts, EXPLAIN_GRACE_MS, &groups), 0);
    assert_int_equal(groups.young, SOCKETS);
    groups_free(&groups);
}

static void what_was_in_one_table_only_is_not_accused(void **state)
{
    (void)state;
    made_server(&made);
    add_many(read_all, nobody);
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].in_both = false;
    expect_nothing();
}

static void open_connections_are_not_accused(void **state)
{
    (void)state;
    made_server(&made);
    for (int i = 0; i < SOCKETS; i++)
        made_add(&made, made_open(i));
    expect_nothing();
}

static void a_fin_that_keepalive_makes_uncertain_is_taken_at_its_least_age(void **state)
{
    (void)state;
    made_server(&made);
    add_many(read_all, nobody);
    for (int i = 0; i < SOCKETS; i++) {
        made.sockets[i].keepalive = true;
        made.sockets[i].fin = (struct fact_age){400, 90000};
    }
    expect_nothing();
}

/* A busy loop with an epoll set spins over what is in it, not over what it has taken out. */
static void a_loop_that_is_busy_with_others_does_not_spin_over_these(void **state)
{
    (void)state;
    made_server(&made);
    eof_read();
    made.threads[0].call = CALL_NONE;
    made.threads[0].asleep_ms = 0;
    made.threads[0].busy_percent = 95;
    expect_rule("ignore-eof");
}

/* Every leak ends at the limit: it makes no cause certain. */
static void used_up_descriptors_alone_name_no_cause(void **state)
{
    (void)state;
    made_server(&made);
    never_read_at_limit();
    expect_rule("never-read");
    made_server(&made);
    eof_read();
    use_up_descriptors();
    expect_rule("ignore-eof");
}

/* Go registers with EPOLLIN|EPOLLET for life: that it is in the set tells nothing. */
static void an_edge_triggered_entry_is_no_proof_of_a_pause(void **state)
{
    (void)state;
    struct explanation explanation;
    made_server(&made);
    edge();
    assert_int_equal(explain(&explanation)->certainty, CERTAIN_ONE_OF);
    explanation_free(&explanation);
}

static void a_proxys_few_that_were_read_otherwise_are_its_too(void **state)
{
    (void)state;
    struct explanation explanation;
    made_server(&made);
    proxy();
    made.sockets[3] = swallowed(3);
    explain(&explanation);
    assert_int_equal(explanation.finding_count, 2);
    assert_string_equal(explanation.findings[1].rule->name, "no-half-close");
    explanation_free(&explanation);
}

/* A pool of connections to a database, older than the clients, is no other half of theirs. */
static void a_pool_of_the_same_size_makes_no_proxy(void **state)
{
    (void)state;
    made_server(&made);
    proxy();
    for (int i = 0; i < made.facts.socket_count; i++)
        if (made.sockets[i].way == WAY_OUTGOING)
            made.sockets[i].age = fact_age_exact(3600000);
    expect_rule("ignore-eof");
}

/* A thread that has read EOF and went back to its pool looks like one that is blocked over it. */
static void idle_threads_of_a_pool_are_not_blocked_handlers(void **state)
{
    (void)state;
    made_server(&made);
    add_many(read_all, nobody);
    for (int i = 0; i < SOCKETS; i++)
        made_thread(&made, CALL_FUTEX, made.sockets[i].last_ack_recv_ms);
    expect_rule("eof-read-late"); /* one of two */
}

/* Goroutines are no threads: Go's are idle. */
static void idle_threads_of_go_are_no_handlers(void **state)
{
    (void)state;
    made_server(&made);
    handlers_on_lock();
    made.processes[0].runtime = RUNTIME_GO;
    expect_rule("no-longer-read");
}

static void a_level_triggered_loop_that_rests_beside_unread_data_is_not_explained(void **state)
{
    (void)state;
    made_server(&made);
    add_many(read_part, made_epoll(EPOLLIN, true));
    expect_rule("not-known");
}

static void a_thread_that_is_one_of_several_is_only_likely(void **state)
{
    (void)state;
    struct explanation explanation;
    made_server(&made);
    unread_behind_stuck_loop();
    made_thread(&made, CALL_SLEEP, 8000);
    explain(&explanation);
    assert_int_equal(explanation.findings[0].certainty, CERTAIN_LIKELY);
    explanation_free(&explanation);
}

/* ---- losses ---- */

static void resets_of_what_was_unread_are_told(void **state)
{
    (void)state;
    struct explanation explanation;
    made_server(&made);
    watch_for(4000, 100);
    made.facts.aborts_on_close = 90;
    for (int i = 0; i < 90; i++) {
        made.ended[i].unread = 6;
        made.ended[i].data_segs_out = 1;
        made.ended[i].fin = fact_age_unknown();
    }
    assert_string_equal(explain(&explanation)->name, "reply-before-read");
    assert_contains(explanation.findings[0].verdict.text, "rose by 90 while 100 ended");
    explanation_free(&explanation);
}

/* One thread that is in the way of a set holds up all of it: it is no handler of the one socket it has read.
 */
static void the_thread_of_a_stuck_loop_is_no_handler(void **state)
{
    (void)state;
    made_server(&made);
    made_add(&made, read_part(0))->wait = made_epoll(EPOLLIN, false);
    stick_loop();
    made.threads[0].asleep_ms = made.sockets[0].last_data_recv_ms - 1;
    made_thread(&made, CALL_EPOLL_WAIT, 10); /* another loop rests */
    expect_rule("loop-stuck");
}

/* The counter is of the whole namespace: clients on this machine abort too. */
static void aborts_of_clients_are_not_the_servers(void **state)
{
    (void)state;
    made_server(&made);
    watch_for(4000, 100);
    made.facts.aborts_on_close = 90;
    for (int i = 0; i < 90; i++)
        made.ended[i].unread = 1; /* the FIN */
    expect_nothing();
}

/* A bounded queue refuses whom it has no room for: no answer is lost. */
static void the_refused_lose_no_answer(void **state)
{
    (void)state;
    made_server(&made);
    watch_for(4000, 100);
    made.facts.aborts_on_close = 90;
    for (int i = 0; i < 90; i++)
        made.ended[i].unread = 6;
    expect_nothing();
}

/* A look that takes long after the window: what has ended in it is as old then as what lingers. */
static void a_share_compares_what_began_in_the_window(void **state)
{
    (void)state;
    made_server(&made);
    add_many(read_part, nobody);
    watch_for(3000, 300);
    made.facts.window_ago_ms = 6000;
    assert_int_equal(lingering_share_of(&made.facts, EXPLAIN_GRACE_MS, 0).all, 0);
    for (int i = 0; i < 300; i++)
        made.ended[i].age = fact_age_exact(8000);
    for (int i = 0; i < SOCKETS; i++)
        made.sockets[i].age = fact_age_exact(8000);
    struct lingering_share share = lingering_share_of(&made.facts, EXPLAIN_GRACE_MS, 0);
    assert_int_equal(share.lingering, SOCKETS);
    assert_int_equal(share.all, SOCKETS + 300);
}

static void a_share_needs_a_window_and_eight_connections(void **state)
{
    (void)state;
    made_server(&made);
    add_many(read_part, nobody);
    assert_int_equal(lingering_share_of(&made.facts, EXPLAIN_GRACE_MS, 0).all, 0);
    watch_for(10000, 20);
    struct lingering_share share = lingering_share_of(&made.facts, EXPLAIN_GRACE_MS, 0);
    assert_int_equal(share.lingering, 20);
    assert_int_equal(share.all, 40);
    assert_true(share.low > 0.3 && share.low < 0.4 && share.high > 0.6 && share.high < 0.7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_of_the_table_is_reached),
        cmocka_unit_test(every_cause_is_one_of_ours),
        cmocka_unit_test(no_rule_accuses_the_code_of_reading),
        cmocka_unit_test(a_runtime_that_reads_ahead_is_named_beside_the_program),
        cmocka_unit_test(a_fin_that_came_with_the_data_is_not_called_read),
        cmocka_unit_test(a_fin_long_after_the_data_is_not_proven_read),
        cmocka_unit_test(sockets_of_an_unknown_life_are_not_called_read),
        cmocka_unit_test(nobody_counts_only_where_a_thread_rests),
        cmocka_unit_test(a_queue_behind_a_stuck_loop_is_not_never_accept),
        cmocka_unit_test(a_loop_that_runs_at_this_moment_is_not_stuck),
        cmocka_unit_test(idle_threads_on_locks_do_not_make_a_running_loop_stuck),
        cmocka_unit_test(a_busy_loop_that_is_seen_at_rest_holds_nothing_up),
        cmocka_unit_test(a_thread_in_poll_on_its_own_backend_does_not_rest),
        cmocka_unit_test(siblings_are_no_heirs),
        cmocka_unit_test(who_waits_for_the_peers_fin_is_not_accused),
        cmocka_unit_test(the_half_closed_that_nobody_waits_for_have_some_seconds),
        cmocka_unit_test(what_the_kernel_ends_is_not_accused),
        cmocka_unit_test(the_half_closed_say_nothing_of_others),
        cmocka_unit_test(where_they_were_made_is_told_where_that_is_elsewhere),
        cmocka_unit_test(the_queue_of_a_stuck_worker_is_its_own),
        cmocka_unit_test(of_several_holders_a_stuck_one_is_only_likely),
        cmocka_unit_test(the_young_are_not_accused),
        cmocka_unit_test(what_was_in_one_table_only_is_not_accused),
        cmocka_unit_test(open_connections_are_not_accused),
        cmocka_unit_test(a_fin_that_keepalive_makes_uncertain_is_taken_at_its_least_age),
        cmocka_unit_test(a_loop_that_is_busy_with_others_does_not_spin_over_these),
        cmocka_unit_test(used_up_descriptors_alone_name_no_cause),
        cmocka_unit_test(an_edge_triggered_entry_is_no_proof_of_a_pause),
        cmocka_unit_test(a_pool_of_the_same_size_makes_no_proxy),
        cmocka_unit_test(a_proxys_few_that_were_read_otherwise_are_its_too),
        cmocka_unit_test(idle_threads_of_a_pool_are_not_blocked_handlers),
        cmocka_unit_test(the_thread_of_a_stuck_loop_is_no_handler),
        cmocka_unit_test(idle_threads_of_go_are_no_handlers),
        cmocka_unit_test(a_level_triggered_loop_that_rests_beside_unread_data_is_not_explained),
        cmocka_unit_test(a_thread_that_is_one_of_several_is_only_likely),
        cmocka_unit_test(a_ghost_of_no_listener_has_swallowed_no_reset),
        cmocka_unit_test(a_pool_of_answered_connections_is_not_forgotten),
        cmocka_unit_test(few_that_are_only_written_to_are_not_forgotten),
        cmocka_unit_test(what_was_asked_a_moment_ago_is_not_forgotten),
        cmocka_unit_test(what_may_still_be_served_is_not_forgotten),
        cmocka_unit_test(what_somebody_hears_or_nobody_could_see_is_not_forgotten),
        cmocka_unit_test(resets_of_what_was_unread_are_told),
        cmocka_unit_test(aborts_of_clients_are_not_the_servers),
        cmocka_unit_test(the_refused_lose_no_answer),
        cmocka_unit_test(a_share_compares_what_began_in_the_window),
        cmocka_unit_test(a_share_needs_a_window_and_eight_connections),
    };
    return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
