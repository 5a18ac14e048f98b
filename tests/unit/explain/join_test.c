/* Looks at live children: each holds sockets and waits in its way. The test itself is no holder: a look
 * leaves out the process that takes it. */
#include "../unit.h"

#include "../loopback.h"
#include "../namespace_child.h"
#include "explain/facts.h"
#include "kernel/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>

/* ---- children ---- */

static struct loopback here; /* what a child inherits */
static pid_t child;          /* 0: none */
static int ready[2];         /* it says when it waits */

static void say_ready(void)
{
    (void)!write(ready[1], "x", 1);
}

/* A child runs it with `here`, of which we keep the client's end alone. */
static pid_t start(void (*body)(void))
{
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(here.client);
        body();
        for (;;)
            pause();
    }
    child = pid;
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    close(here.listener);
    close(here.server);
    here.listener = here.server = -1;
    usleep(20000); /* from ready to asleep */
    return pid;
}

static void finish(pid_t pid)
{
    end_holder(pid);
    child = 0;
    if (here.client >= 0)
        reset_connection(&here.client);
}

/* Of a test that failed nothing is left to the next one. */
static int clean_up(void **state)
{
    (void)state;
    if (child != 0)
        finish(child);
    return 0;
}

/* A connection with five bytes unread and a FIN, as in every leak. */
static void make_close_wait(void)
{
    here = loopback_pair();
    int flags = fcntl(here.listener, F_GETFL);
    assert_int_equal(fcntl(here.listener, F_SETFL, flags & ~O_NONBLOCK), 0);
    assert_int_equal(send(here.client, "hello", 5, 0), 5);
    await_readable(here.server);
    usleep(30000);
    assert_int_equal(shutdown(here.client, SHUT_WR), 0);
    assert_soon(state_of(here.server) == STATE_CLOSE_WAIT);
}

static struct facts look_at(pid_t pid)
{
    struct facts facts;
    const struct facts_request request = {.pid = pid, .max_epoll = 20000};
    assert_int_equal(facts_take(&request, &facts), 0);
    return facts;
}

static struct facts look_without_attaching(pid_t pid)
{
    struct facts facts;
    const struct facts_request request = {.pid = pid, .max_epoll = 20000, .no_attach = true};
    assert_int_equal(facts_take(&request, &facts), 0);
    return facts;
}

/* The one connection of `here`. */
static const struct fact_socket *connection_in(const struct facts *facts)
{
    const struct fact_socket *found = NULL;
    for (int i = 0; i < facts->socket_count; i++)
        if (facts->sockets[i].local.port == here.target.ports.first) {
            assert_null(found);
            found = &facts->sockets[i];
        }
    assert_non_null(found);
    return found;
}

static const struct fact_thread *thread_in(const struct facts *facts, enum fact_call call)
{
    for (int i = 0; i < facts->thread_count; i++)
        if (facts->threads[i].call == call)
            return &facts->threads[i];
    fail_msg("no thread is in that call");
    return NULL;
}

static const struct fact_listener *listener_in(const struct facts *facts)
{
    assert_int_equal(facts->listener_count, 1);
    assert_int_equal(facts->listeners[0].at.port, here.target.ports.first);
    return &facts->listeners[0];
}

/* ---- who waits ---- */

static void watch(int set, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) != 0)
        abort();
}

/* An edge that is used up: it sleeps with the FIN unread. */
static void rest_in_epoll(void)
{
    struct epoll_event event;
    int set = epoll_create1(0), outer = epoll_create1(0);
    watch(set, here.listener, EPOLLIN);
    watch(set, here.server, EPOLLIN | EPOLLET);
    watch(outer, set, EPOLLIN);
    epoll_wait(set, &event, 1, -1);
    say_ready();
    epoll_wait(outer, &event, 1, -1);
    epoll_wait(outer, &event, 1, -1);
}

static void a_set_and_the_thread_that_waits_on_one_around_it(void **state)
{
    (void)state;
    make_close_wait();
    pid_t pid = start(rest_in_epoll);
    usleep(50000);
    struct facts facts = look_at(pid);
    const struct fact_socket *socket = connection_in(&facts);
    assert_int_equal(socket->state, STATE_CLOSE_WAIT);
    assert_int_equal(socket->way, WAY_ACCEPTED);
    assert_int_equal(socket->listener, 0);
    assert_true(socket->in_both);
    assert_int_equal(socket->unread, 6);
    assert_int_equal(socket->bytes_received, 5);
    assert_int_equal(socket->holder, HOLDER_PROCESS);
    assert_int_equal(socket->holders, 1);
    assert_int_equal(socket->process, 0);
    assert_true(fact_age_is_exact(socket->age) && fact_age_is_exact(socket->fin));
    assert_true(socket->fin.least_ms < socket->age.least_ms && socket->fin.least_ms >= 200);
    assert_int_equal(socket->wait.kind, WAITER_EPOLL);
    assert_true(socket->wait.is_mask_known && socket->wait.at_rest);
    assert_true((socket->wait.events & (EPOLLIN | EPOLLET)) == (EPOLLIN | EPOLLET));
    const struct fact_thread *thread = thread_in(&facts, CALL_EPOLL_WAIT);
    assert_int_equal(socket->wait.thread, thread - facts.threads);
    assert_int_equal(thread->hears, HEARS_LISTENER | HEARS_ACCEPTED);
    assert_string_equal(thread->name, "join_test");
    assert_int_equal(listener_in(&facts)->wait.kind, WAITER_EPOLL);
    assert_true(listener_in(&facts)->wait.at_rest);
    assert_int_equal(facts.process_count, 1);
    assert_int_equal(facts.processes[0].pid, pid);
    assert_false(facts.processes[0].is_heir);
    assert_true(facts.processes[0].descriptors >= 7 && facts.processes[0].descriptor_limit > 0);
    facts_free(&facts);
    finish(pid);
}

static void rest_in_poll(void)
{
    struct pollfd array[] = {{.fd = here.listener, .events = POLLIN}, {.fd = here.server}};
    say_ready();
    poll(array, 2, -1);
}

static void a_pollfd_without_events_is_no_good_waiter(void **state)
{
    (void)state;
    make_close_wait();
    pid_t pid = start(rest_in_poll);
    struct facts facts = look_at(pid);
    const struct fact_socket *socket = connection_in(&facts);
    assert_int_equal(socket->wait.kind, WAITER_POLL);
    assert_int_equal(socket->wait.events, 0);
    assert_true(socket->wait.at_rest);
    assert_int_equal(thread_in(&facts, CALL_POLL)->hears, HEARS_LISTENER | HEARS_ACCEPTED);
    assert_int_equal(listener_in(&facts)->wait.kind, WAITER_POLL);
    facts_free(&facts);
    finish(pid);
}

/* It may be in the array, which may not be read. */
static void without_attaching_it_is_not_known_who_waits(void **state)
{
    (void)state;
    make_close_wait();
    pid_t pid = start(rest_in_poll);
    struct facts facts = look_without_attaching(pid);
    assert_int_equal(connection_in(&facts)->wait.kind, WAITER_UNKNOWN);
    assert_int_equal(thread_in(&facts, CALL_POLL)->hears, HEARS_UNKNOWN);
    assert_true(facts.processes[0].unseen[UNSEEN_CALLS] != 0);
    assert_true(facts.processes[0].unseen[UNSEEN_MEMORY] != 0);
    assert_int_equal(facts.processes[0].unseen[UNSEEN_EPOLL], 0);
    facts_free(&facts);
    finish(pid);
}

static void rest_in_select(void)
{
    fd_set in;
    FD_ZERO(&in);
    FD_SET(here.listener, &in);
    say_ready();
    select(here.listener + 1, &in, NULL, NULL, NULL);
}

static void a_socket_in_no_set_has_nobody(void **state)
{
    (void)state;
    make_close_wait();
    pid_t pid = start(rest_in_select);
    struct facts facts = look_at(pid);
    assert_int_equal(connection_in(&facts)->wait.kind, WAITER_NOBODY);
    assert_int_equal(listener_in(&facts)->wait.kind, WAITER_SELECT);
    assert_int_equal(thread_in(&facts, CALL_SELECT)->hears, HEARS_LISTENER);
    facts_free(&facts);
    finish(pid);
}

static void rest_in_accept(void)
{
    say_ready();
    accept(here.listener, NULL, NULL);
}

static void accept_is_seen_with_and_without_attaching(void **state)
{
    (void)state;
    make_close_wait();
    pid_t pid = start(rest_in_accept);
    struct facts facts = look_at(pid);
    assert_int_equal(thread_in(&facts, CALL_ACCEPT)->inode, listener_in(&facts)->inode);
    assert_int_equal(listener_in(&facts)->wait.kind, WAITER_THREAD);
    assert_int_equal(connection_in(&facts)->wait.kind, WAITER_NOBODY);
    facts_free(&facts);
    facts = look_without_attaching(pid);
    assert_int_equal(thread_in(&facts, CALL_ACCEPT)->fd, -1);
    assert_int_equal(listener_in(&facts)->wait.kind, WAITER_THREAD);
    assert_true(listener_in(&facts)->wait.at_rest);
    assert_int_equal(connection_in(&facts)->wait.kind, WAITER_NOBODY);
    facts_free(&facts);
    finish(pid);
}

/* A loop that is stuck in a call on a connection of its own to another server. */
static void be_stuck(void)
{
    struct epoll_event event;
    struct loopback other = loopback_pair();
    int set = epoll_create1(0);
    char byte;
    watch(set, here.listener, EPOLLIN);
    watch(set, here.server, EPOLLIN);
    epoll_wait(set, &event, 1, -1);
    say_ready();
    recv(other.client, &byte, 1, 0);
}

static void a_thread_that_is_stuck_is_told_with_its_peer_and_since_when(void **state)
{
    (void)state;
    make_close_wait();
    pid_t pid = start(be_stuck);
    usleep(200000);
    struct facts facts = look_at(pid);
    const struct fact_socket *socket = connection_in(&facts);
    assert_int_equal(socket->wait.kind, WAITER_EPOLL);
    assert_true((socket->wait.events & (EPOLLIN | EPOLLET)) == EPOLLIN);
    assert_false(socket->wait.at_rest);
    const struct fact_thread *thread = thread_in(&facts, CALL_RECV);
    assert_string_equal(thread->call_name, "recvfrom");
    assert_true(thread->fd >= 0 && thread->inode != 0);
    assert_true(thread->peer.port != 0 && address_is_loopback(&thread->peer.address));
    assert_true(thread->asleep_ms < 0 || (thread->asleep_ms >= 350 && thread->asleep_ms < 3000));
    assert_true(thread->busy_percent <= 5);
    int outgoing = 0;
    for (int i = 0; i < facts.socket_count; i++)
        outgoing += facts.sockets[i].way == WAY_OUTGOING;
    assert_int_equal(outgoing, 1);
    facts_free(&facts);
    finish(pid);
}

static void spin(void)
{
    struct epoll_event event;
    int set = epoll_create1(0);
    watch(set, here.server, EPOLLIN);
    say_ready();
    for (;;)
        epoll_wait(set, &event, 1, -1);
}

/* How long it has waited for a CPU is known when it gets one: on a machine that is busy one look may be
 * early. */
static bool is_seen_busy(pid_t pid)
{
    struct facts facts = look_at(pid);
    assert_int_equal(facts.thread_count, 1);
    int percent = facts.threads[0].busy_percent;
    facts_free(&facts);
    return percent == -1 || percent > 40;
}

static void a_thread_that_spins_is_busy(void **state)
{
    (void)state;
    make_close_wait();
    pid_t pid = start(spin);
    assert_soon(is_seen_busy(pid));
    finish(pid);
}

/* ---- who holds it ---- */

static void sleep_on(void)
{
    say_ready();
}

static void what_nobody_accepted_waits_in_the_queue(void **state)
{
    (void)state;
    here = loopback_listen();
    here.client = loopback_connect(&here);
    assert_int_equal(shutdown(here.client, SHUT_WR), 0);
    pid_t pid = start(sleep_on);
    struct facts facts = look_at(pid);
    const struct fact_socket *socket = connection_in(&facts);
    assert_int_equal(socket->state, STATE_CLOSE_WAIT);
    assert_int_equal(socket->holder, HOLDER_QUEUE);
    assert_int_equal(socket->process, -1);
    assert_int_equal(socket->inode, 0);
    assert_int_equal(listener_in(&facts)->queue, 1);
    assert_int_equal(listener_in(&facts)->wait.kind, WAITER_NOBODY);
    assert_int_equal(thread_in(&facts, CALL_SIGNAL)->tid, pid);
    facts_free(&facts);
    finish(pid);
}

/* A child that has done all that it does before it waits for good. */
static void wait_for_child(pid_t forked)
{
    struct process_stat stat;
    while (process_stat_of(forked, &stat) == 0 && (stat.state == 'R' || stat.state == 'D'))
        usleep(1000);
}

/* The server has closed it; its child, without the listener, has not. */
static void leave_it_to_a_child(void)
{
    pid_t forked = fork();
    if (forked == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(here.listener);
        for (;;)
            pause();
    }
    wait_for_child(forked);
    struct epoll_event event;
    int set = epoll_create1(0);
    watch(set, here.listener, EPOLLIN);
    watch(set, here.server, EPOLLIN | EPOLLET);
    close(here.server);
    say_ready();
    for (;;)
        epoll_wait(set, &event, 1, -1);
}

static void heirs_hold_what_their_parent_has_closed(void **state)
{
    (void)state;
    make_close_wait();
    pid_t pid = start(leave_it_to_a_child);
    struct facts facts = look_at(pid);
    const struct fact_socket *socket = connection_in(&facts);
    assert_int_equal(socket->holder, HOLDER_HEIR);
    assert_int_equal(socket->holders, 1);
    assert_int_equal(facts.process_count, 2);
    assert_int_equal(socket->process, 1);
    assert_true(facts.processes[1].is_heir);
    assert_int_equal(socket->wait.kind, WAITER_NOBODY); /* the parent's set is stale */
    assert_int_equal(facts.processes[0].stale_epoll, 1);
    facts_free(&facts);
    finish(pid);
}

static void fork_a_worker(void)
{
    pid_t forked = fork();
    if (forked == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    wait_for_child(forked);
    say_ready();
}

static void a_process_with_the_listener_is_a_sibling(void **state)
{
    (void)state;
    make_close_wait();
    pid_t pid = start(fork_a_worker);
    struct facts facts = look_at(pid);
    const struct fact_socket *socket = connection_in(&facts);
    assert_int_equal(socket->holder, HOLDER_PROCESS);
    assert_int_equal(socket->holders, 2);
    assert_int_equal(facts.process_count, 2);
    assert_int_equal(facts.processes[0].pid, pid);
    assert_false(facts.processes[1].is_heir);
    assert_int_equal(listener_in(&facts)->processes, 2);
    facts_free(&facts);
    finish(pid);
}

static int take_error(const struct facts_request *request)
{
    struct facts facts;
    int rc = facts_take(request, &facts);
    facts_free(&facts);
    return rc;
}

static void a_port_means_all_who_hold_its_listener(void **state)
{
    (void)state;
    make_close_wait();
    pid_t pid = start(fork_a_worker);
    struct facts facts;
    const struct facts_request request = {.port = here.target.ports.first, .max_epoll = 20000};
    assert_int_equal(facts_take(&request, &facts), 0);
    assert_int_equal(facts.process_count, 2);
    assert_false(facts.processes[0].is_heir || facts.processes[1].is_heir);
    assert_int_equal(connection_in(&facts)->holders, 2);
    facts_free(&facts);
    finish(pid);
    assert_soon(take_error(&request) == -ESRCH); /* the worker ends with its parent */
}

/* A worker that accepts; its parent keeps the listener, and waits for other things. */
static void supervise(void)
{
    int ends[2];
    if (pipe(ends) != 0)
        abort();
    pid_t forked = fork();
    if (forked == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sleep(60);
        _exit(0);
    }
    wait_for_child(forked);
    close(here.server);
    fd_set in;
    FD_ZERO(&in);
    FD_SET(ends[0], &in);
    say_ready();
    select(ends[0] + 1, &in, NULL, NULL, NULL);
}

static void whoever_only_keeps_a_listener_is_told_from_those_who_serve_it(void **state)
{
    (void)state;
    make_close_wait();
    pid_t pid = start(supervise);
    struct facts facts = look_at(pid);
    assert_int_equal(facts.process_count, 2);
    assert_int_equal(facts.processes[0].pid, pid);
    assert_true(facts.processes[0].is_keeper);
    assert_false(facts.processes[1].is_keeper || facts.processes[1].is_heir);
    facts_free(&facts);
    finish(pid);
}

static void a_listener_that_nobody_serves_has_no_keeper(void **state)
{
    (void)state;
    here = loopback_listen();
    here.client = loopback_connect(&here);
    pid_t pid = start(sleep_on);
    struct facts facts = look_at(pid);
    assert_int_equal(facts.process_count, 1);
    assert_false(facts.processes[0].is_keeper);
    facts_free(&facts);
    finish(pid);
}

/* The child waits on the set; its parent, which made it, does something else. */
static void let_a_child_wait(void)
{
    struct epoll_event event;
    int set = epoll_create1(0);
    watch(set, here.listener, EPOLLIN);
    watch(set, here.server, EPOLLIN | EPOLLET);
    epoll_wait(set, &event, 1, -1);
    pid_t forked = fork();
    if (forked == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            epoll_wait(set, &event, 1, -1);
    }
    wait_for_child(forked);
    say_ready();
}

static void a_set_that_was_inherited_is_one(void **state)
{
    (void)state;
    make_close_wait();
    pid_t pid = start(let_a_child_wait);
    usleep(50000);
    struct facts facts = look_at(pid);
    assert_int_equal(facts.process_count, 2);
    const struct fact_socket *socket = connection_in(&facts);
    assert_int_equal(socket->holders, 2);
    assert_int_equal(socket->wait.kind, WAITER_EPOLL);
    assert_true(socket->wait.at_rest);
    const struct fact_thread *thread = thread_in(&facts, CALL_EPOLL_WAIT);
    assert_int_not_equal(thread->tid, pid);
    assert_int_equal(thread->hears, HEARS_LISTENER | HEARS_ACCEPTED);
    facts_free(&facts);
    finish(pid);
}

/* It listens twice; the connection of the other port is none of this one's. */
static int other_port;

static void listen_twice(void)
{
    struct loopback other = loopback_close_wait();
    char port[8];
    snprintf(port, sizeof port, "%d", other.target.ports.first);
    prctl(PR_SET_NAME, port);
    say_ready();
    sleep(60);
}

static void who_asks_about_a_port_does_not_ask_about_others(void **state)
{
    (void)state;
    make_close_wait();
    pid_t pid = start(listen_twice);
    struct facts facts = look_at(pid);
    int all = facts.socket_count;
    other_port = (int)strtol(facts.processes[0].command, NULL, 10);
    assert_int_equal(facts.listener_count, 2);
    facts_free(&facts);
    const struct facts_request request = {.port = here.target.ports.first, .max_epoll = 20000};
    assert_int_equal(facts_take(&request, &facts), 0);
    assert_int_equal(facts.listener_count, 1);
    assert_true(facts.socket_count < all);
    connection_in(&facts);
    for (int i = 0; i < facts.socket_count; i++)
        assert_int_not_equal(facts.sockets[i].local.port, other_port);
    facts_free(&facts);
    finish(pid);
}

/* SO_REUSEPORT: each process has a listener of its own. */
static void share_the_port(void)
{
    int second = listen_socket_open_shared(&here.target.address, here.target.ports.first, 8);
    if (second < 0)
        abort();
    pid_t forked = fork();
    if (forked == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(here.listener);
        for (;;)
            pause();
    }
    wait_for_child(forked);
    close(second);
    close(here.server);
    say_ready();
}

static void listeners_that_share_a_port_are_of_one_server(void **state)
{
    (void)state;
    here = (struct loopback){.client = -1, .server = -1};
    assert_true(address_parse("127.0.0.1", &here.target.address));
    here.listener = listen_socket_open_shared(&here.target.address, 0, 8);
    assert_true(here.listener >= 0);
    uint16_t port = listen_socket_port(here.listener);
    here.target.ports = (struct port_range){port, port};
    here.client = loopback_connect(&here);
    here.server = loopback_accept(&here);
    pid_t pid = start(share_the_port);
    struct facts facts = look_at(pid);
    assert_int_equal(facts.listener_count, 2);
    assert_int_equal(facts.process_count, 2);
    assert_false(facts.processes[1].is_heir);
    const struct fact_socket *socket = connection_in(&facts);
    assert_int_equal(socket->holder, HOLDER_PROCESS);
    assert_int_equal(socket->process, 1); /* and its listener is that process's */
    assert_int_equal(facts.listeners[socket->listener].processes, 1);
    facts_free(&facts);
    finish(pid);
}

static void hand_it_to_a_ring(void)
{
    struct io_uring_params params = {0};
    int ring = (int)syscall(SYS_io_uring_setup, 4, &params);
    int files[] = {here.server};
    if (ring >= 0 && syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, files, 1) == 0)
        close(here.server);
    say_ready();
}

static void a_ring_holds_sockets_without_a_descriptor(void **state)
{
    (void)state;
    make_close_wait();
    pid_t pid = start(hand_it_to_a_ring);
    struct facts facts = look_at(pid);
    const struct fact_socket *socket = connection_in(&facts);
    if (facts.processes[0].unseen[UNSEEN_RINGS] != 0 || socket->fd >= 0) {
        print_message("no ring here whose files could be read\n");
        facts_free(&facts);
        finish(pid);
        skip();
    }
    assert_int_equal(socket->holder, HOLDER_PROCESS);
    assert_int_equal(socket->process, 0);
    assert_int_equal(socket->fd, -1);
    assert_int_equal(socket->wait.kind, WAITER_NOBODY); /* a request to read would have ended with the FIN */
    facts_free(&facts);
    finish(pid);
}

static void send_it_away(void)
{
    int ends[2];
    char byte = 'x', control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &here.server, sizeof(int));
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 || sendmsg(ends[0], &message, 0) != 1)
        abort();
    close(here.server);
    say_ready();
}

static void what_was_sent_and_not_received_is_in_flight(void **state)
{
    (void)state;
    make_close_wait();
    pid_t pid = start(send_it_away);
    struct facts facts = look_at(pid);
    const struct fact_socket *socket = connection_in(&facts);
    assert_true(socket->inode != 0);
    assert_int_equal(socket->holders, 0);
    if (socket->holder == HOLDER_HIDDEN) {
        print_message("this kernel does not count descriptors in flight\n");
        skip();
    }
    assert_int_equal(socket->holder, HOLDER_IN_FLIGHT);
    assert_int_equal(facts.processes[0].in_flight, 1);
    facts_free(&facts);
    finish(pid);
}

static void ghosts_tell_their_port_and_their_age(void **state)
{
    (void)state;
    make_close_wait();
    pid_t pid = start(sleep_on);
    reset_connection(&here.client);
    usleep(50000);
    struct facts facts = look_at(pid);
    const struct fact_socket *socket = connection_in(&facts);
    assert_int_equal(socket->state, STATE_CLOSE);
    assert_int_equal(facts.processes[0].ghosts, 1);
    assert_int_equal(socket->holder, HOLDER_PROCESS);
    assert_int_equal(socket->way, WAY_ACCEPTED);
    assert_int_equal(socket->listener, 0);
    assert_true(socket->in_both && socket->has_info);
    assert_true(fact_age_is_exact(socket->age) && fact_age_is_known(socket->fin));
    assert_true(socket->fin.least_ms >= 250);
    facts_free(&facts);

    facts = look_without_attaching(pid);
    assert_int_equal(facts.processes[0].ghosts, 1);
    assert_int_equal(facts.socket_count, 1);
    assert_int_equal(facts.sockets[0].state, STATE_CLOSE);
    assert_false(facts.sockets[0].has_info);
    assert_int_equal(facts.sockets[0].local.port, 0);
    facts_free(&facts);
    here.client = -1;
    finish(pid);
}

/* ---- what cannot be seen ---- */

static pid_t looked_at;

static void look_as_nobody(void)
{
    struct facts facts;
    const struct facts_request request = {.pid = looked_at, .max_epoll = 20000};
    child_become_nobody();
    CHECK(facts_take(&request, &facts) == 0);
    CHECK(facts.process_count == 1 && facts.processes[0].pid == looked_at);
    CHECK(facts.processes[0].unseen[UNSEEN_DESCRIPTORS] == EACCES);
    CHECK(facts.processes[0].descriptor_limit > 0);
    CHECK(facts.socket_count == 0 && facts.listener_count == 0);
    CHECK(facts.thread_count == 1 && facts.threads[0].call == CALL_UNKNOWN);
    CHECK(facts.threads[0].asleep_ms != 0);
    facts_free(&facts);
    const struct facts_request by_port = {.port = here.target.ports.first, .max_epoll = 20000};
    CHECK(facts_take(&by_port, &facts) == 0);
    CHECK(facts.process_count == 0 && facts.listener_count == 1 && facts.refused > 0);
    CHECK(facts.socket_count == 1 && facts.sockets[0].holder == HOLDER_HIDDEN);
    CHECK(facts.sockets[0].state == STATE_CLOSE_WAIT && fact_age_is_exact(facts.sockets[0].fin));
    facts_free(&facts);
}

static void of_a_process_of_others_little_is_seen_and_that_is_said(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    make_close_wait();
    looked_at = start(sleep_on);
    in_child(look_as_nobody);
    finish(looked_at);
}

static void look_at_ourselves_as_nobody(void)
{
    child_become_nobody();
    make_close_wait();
    pid_t pid = start(rest_in_poll);
    struct facts facts = look_at(pid);
    CHECK(facts.socket_count == 1 && facts.sockets[0].wait.kind == WAITER_POLL);
    CHECK(facts.sockets[0].holder == HOLDER_PROCESS);
    CHECK(facts.processes[0].unseen[UNSEEN_CALLS] == 0 && facts.processes[0].unseen[UNSEEN_MEMORY] == 0);
    facts_free(&facts);
    finish(pid);
}

static void an_ordinary_user_sees_all_of_his_own_processes(void **state)
{
    (void)state;
    in_child(look_at_ourselves_as_nobody);
}

/* A server in a network of its own, with a connection that its client has closed. */
static void serve_in_another_network(void)
{
    bool has_own_user;
    int rc = netns_enter(0, &has_own_user);
    if (rc == 0) {
        here = loopback_close_wait();
        prctl(PR_SET_DUMPABLE, 1);
    }
    (void)!write(ready[1], rc == 0 ? "x" : "-", 1);
    for (;;)
        pause();
}

static pid_t fork_elsewhere(void)
{
    char byte = '-';
    CHECK(pipe2(ready, O_CLOEXEC) == 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve_in_another_network();
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    if (byte != 'x')
        child_is_refused("a network namespace", EPERM);
    return pid;
}

/* By that the looking process has moved: a child's child looks. */
static void look_elsewhere(void)
{
    pid_t pid = fork_elsewhere();
    struct facts facts;
    const struct facts_request request = {.pid = pid, .max_epoll = 20000};
    int rc = facts_take(&request, &facts);
    CHECK(rc == 0);
    CHECK(facts.is_elsewhere);
    CHECK(facts.listener_count == 1);
    int close_waits = 0;
    for (int i = 0; i < facts.socket_count; i++)
        close_waits +=
            facts.sockets[i].state == STATE_CLOSE_WAIT && facts.sockets[i].holder == HOLDER_PROCESS;
    CHECK(close_waits == 1);
    facts_free(&facts);
    end_holder(pid);
}

static void a_process_in_another_network_is_looked_at_from_there(void **state)
{
    (void)state;
    in_child(look_elsewhere);
}

static void look_elsewhere_as_nobody(void)
{
    child_become_nobody();
    look_elsewhere();
}

static void an_ordinary_user_may_enter_his_own_network(void **state)
{
    (void)state;
    in_child(look_elsewhere_as_nobody);
}

static void look_at_the_network_of_others(void)
{
    struct facts facts;
    const struct facts_request request = {.pid = looked_at, .max_epoll = 20000};
    child_become_nobody();
    int rc = facts_take(&request, &facts);
    CHECK(rc == -EXDEV || (rc == 0 && facts.processes[0].unseen[UNSEEN_DESCRIPTORS] == EACCES));
    facts_free(&facts);
}

static void leave_the_network_of_others_alone(void)
{
    looked_at = fork_elsewhere();
    in_child(look_at_the_network_of_others);
    end_holder(looked_at);
}

static void the_network_of_others_is_not_ours_to_enter(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    in_child(leave_the_network_of_others_alone);
}

static void nobody_is_said(void **state)
{
    (void)state;
    struct facts facts;
    const struct facts_request request = {.pid = 99999999, .max_epoll = 20000};
    assert_int_equal(facts_take(&request, &facts), -ESRCH);
    assert_int_equal(facts.socket_count, 0);
}

/* A set that is too large is asked for some of its sockets. */
static void a_large_set_is_sampled(void **state)
{
    (void)state;
    make_close_wait();
    pid_t pid = start(rest_in_epoll);
    struct facts facts;
    const struct facts_request request = {.pid = pid, .max_epoll = 1};
    assert_int_equal(facts_take(&request, &facts), 0);
    const struct fact_socket *socket = connection_in(&facts);
    assert_int_equal(facts.processes[0].unseen[UNSEEN_LARGE_EPOLL], E2BIG);
    if (facts.processes[0].unseen[UNSEEN_EPOLL] == 0) {
        assert_int_equal(socket->wait.kind, WAITER_EPOLL);
        assert_false(socket->wait.is_mask_known);
    } else
        assert_int_equal(socket->wait.kind, WAITER_UNKNOWN);
    facts_free(&facts);
    finish(pid);
}

/* ---- windows ---- */

/* Closes each connection 300 ms after its FIN, but not the first. */
static void serve_late(void)
{
    bool is_first = true;
    say_ready();
    for (;;) {
        char bytes[16];
        int fd = accept(here.listener, NULL, NULL);
        while (recv(fd, bytes, sizeof bytes, 0) > 0)
            ;
        usleep(300000);
        if (!is_first)
            close(fd);
        is_first = false;
    }
}

struct client {
    struct loopback *to;
    int count;
    unsigned begins_us; /* after that: then the window should have begun */
};

static void *connect_and_close(void *context)
{
    const struct client *client = context;
    usleep(client->begins_us);
    for (int i = 0; i < client->count; i++) {
        int fd = loopback_connect(client->to);
        (void)!send(fd, "hello", 5, 0);
        usleep(50000);
        close(fd);
        usleep(200000);
    }
    return NULL;
}

enum { WINDOW_MS = 3500 };

/* False: the machine was too busy, and not all of them came in the window. */
static bool window_is_told(unsigned begins_us)
{
    here = loopback_listen();
    int flags = fcntl(here.listener, F_GETFL);
    assert_int_equal(fcntl(here.listener, F_SETFL, flags & ~O_NONBLOCK), 0);
    pid_t pid = start(serve_late);
    struct loopback to = here;
    struct client client = {&to, 4, begins_us};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, connect_and_close, &client), 0);
    struct facts facts;
    const struct facts_request request = {.pid = pid, .max_epoll = 20000, .window_ms = WINDOW_MS};
    assert_int_equal(facts_take(&request, &facts), 0);
    pthread_join(thread, NULL);
    if (facts.opened != client.count || facts.ended_count != client.count - 1) {
        facts_free(&facts);
        here.client = -1;
        finish(pid);
        return false;
    }
    assert_int_equal(facts.events_lost, 0);
    assert_true(facts.window_ms >= WINDOW_MS && !facts.is_interrupted);
    assert_true(facts.aborts_on_close >= 0);
    for (int i = 0; i < facts.ended_count; i++) {
        const struct fact_socket *socket = &facts.ended[i];
        assert_int_equal(socket->listener, 0);
        assert_int_equal(socket->way, WAY_ACCEPTED);
        assert_int_equal(socket->state, STATE_CLOSE_WAIT);
        assert_int_equal(socket->bytes_received, 5);
        assert_true(socket->closing_ms >= 250 && socket->closing_ms < 3000);
        assert_true(socket->age.least_ms >= socket->closing_ms);
    }
    assert_int_equal(connection_in(&facts)->state, STATE_CLOSE_WAIT);
    assert_int_equal(facts.processes[0].descriptors - facts.processes[0].descriptors_before, 1);
    assert_true(facts.processes[0].before_ms >= WINDOW_MS);
    facts_free(&facts);
    here.client = -1;
    finish(pid);
    return true;
}

static void a_window_tells_who_came_who_ended_and_how_late(void **state)
{
    (void)state;
    assert_true(window_is_told(300000) || window_is_told(700000) || window_is_told(1500000));
}

static volatile sig_atomic_t stopped;

static void *stop_soon(void *context)
{
    usleep(*(const unsigned *)context);
    stopped = 1;
    return NULL;
}

/* Stopped while it only begins to look, it has seen nothing: on a machine that is busy that takes longer. */
static int take_until_stopped(const struct facts_request *request, struct facts *facts)
{
    int rc = -EINTR;
    for (unsigned after_us = 600000; rc == -EINTR && after_us <= 5000000; after_us *= 2) {
        pthread_t thread;
        stopped = 0;
        assert_int_equal(pthread_create(&thread, NULL, stop_soon, &after_us), 0);
        rc = facts_take(request, facts);
        pthread_join(thread, NULL);
    }
    return rc;
}

static void a_window_that_is_cut_short_still_ends_in_a_look(void **state)
{
    (void)state;
    make_close_wait();
    pid_t pid = start(sleep_on);
    struct facts facts;
    struct facts_request request = {.pid = pid, .max_epoll = 20000, .window_ms = 60000, .stop = &stopped};
    assert_int_equal(take_until_stopped(&request, &facts), 0);
    assert_true(facts.is_interrupted);
    assert_true(facts.window_ms < 10000);
    assert_int_equal(connection_in(&facts)->state, STATE_CLOSE_WAIT);
    facts_free(&facts);
    request.window_ms = 0;
    assert_int_equal(facts_take(&request, &facts), -EINTR);
    finish(pid);
}

#define look_test(name) cmocka_unit_test_teardown(name, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        look_test(a_set_and_the_thread_that_waits_on_one_around_it),
        look_test(a_pollfd_without_events_is_no_good_waiter),
        look_test(without_attaching_it_is_not_known_who_waits),
        look_test(a_socket_in_no_set_has_nobody),
        look_test(accept_is_seen_with_and_without_attaching),
        look_test(a_thread_that_is_stuck_is_told_with_its_peer_and_since_when),
        look_test(a_thread_that_spins_is_busy),
        look_test(what_nobody_accepted_waits_in_the_queue),
        look_test(heirs_hold_what_their_parent_has_closed),
        look_test(a_process_with_the_listener_is_a_sibling),
        look_test(a_port_means_all_who_hold_its_listener),
        look_test(whoever_only_keeps_a_listener_is_told_from_those_who_serve_it),
        look_test(a_listener_that_nobody_serves_has_no_keeper),
        look_test(a_set_that_was_inherited_is_one),
        look_test(who_asks_about_a_port_does_not_ask_about_others),
        look_test(listeners_that_share_a_port_are_of_one_server),
        look_test(a_ring_holds_sockets_without_a_descriptor),
        look_test(what_was_sent_and_not_received_is_in_flight),
        look_test(ghosts_tell_their_port_and_their_age),
        look_test(of_a_process_of_others_little_is_seen_and_that_is_said),
        look_test(an_ordinary_user_sees_all_of_his_own_processes),
        look_test(a_process_in_another_network_is_looked_at_from_there),
        look_test(an_ordinary_user_may_enter_his_own_network),
        look_test(the_network_of_others_is_not_ours_to_enter),
        look_test(nobody_is_said),
        look_test(a_large_set_is_sampled),
        look_test(a_window_tells_who_came_who_ended_and_how_late),
        look_test(a_window_that_is_cut_short_still_ends_in_a_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
