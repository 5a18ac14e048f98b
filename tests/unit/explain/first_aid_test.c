#include "../unit.h"

#include "../loopback.h"
#include "explain/first_aid.h"
#include "kernel/borrowed_socket.h"
#include "made_facts.h"

#include <errno.h>

static struct made made;
static struct explanation explanation;
static struct first_aid aid;

/* ---- what is planned ---- */

static int start(void **state)
{
    (void)state;
    made_server(&made);
    made.processes[0].pid = getpid();
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

static void plan(void)
{
    assert_int_equal(explanation_of(&made.facts, EXPLAIN_GRACE_MS, &explanation), 0);
    assert_int_equal(first_aid_plan(&explanation, &aid), 0);
}

static void end_plan(void)
{
    first_aid_free(&aid);
    explanation_free(&explanation);
}

static void expect_left(enum aid_reason reason, int count)
{
    plan();
    assert_int_equal(aid.step_count, 0);
    assert_int_equal(aid.left_count, 1);
    assert_int_equal(aid.left[0].reason, reason);
    assert_int_equal(aid.left[0].count, count);
    end_plan();
}

/* So many connections of a proxy that has forgotten the half towards its backend. */
static void add_forgotten(int count)
{
    for (int i = 0; i < count; i++) {
        struct fact_socket *client = made_add(&made, made_close_wait(i));
        client->bytes_acked = 6;
        client->data_segs_out = 1;
        client->last_data_sent_ms = client->last_data_recv_ms;
        struct fact_socket *backend = made_add(&made, made_open(i));
        backend->way = WAY_OUTGOING;
        backend->listener = -1;
        backend->local = endpoint("127.0.0.1", (uint16_t)(50000 + i));
        backend->peer = endpoint("127.0.0.1", 5432);
        backend->fd = 500 + i;
        backend->inode = 9000 + (uint64_t)i;
        backend->last_data_recv_ms = backend->last_data_sent_ms = client->last_data_recv_ms;
    }
}

static struct fact_socket *add_blocked(int i)
{
    struct fact_socket *socket = made_add(&made, made_close_wait(i));
    socket->unsent = 100000;
    socket->data_segs_out = 5;
    socket->last_data_sent_ms = 20000;
    struct fact_thread *thread = made_thread(&made, CALL_SEND, 20000);
    thread->fd = socket->fd;
    thread->inode = socket->inode;
    return socket;
}

static void the_half_that_a_proxy_forgot_is_told_of_the_end(void **state)
{
    (void)state;
    add_forgotten(20);
    plan();
    assert_int_equal(aid.step_count, 20);
    assert_int_equal(aid.left_count, 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(aid.steps[i].cure, CURE_HALF_CLOSE);
        assert_int_equal(aid.steps[i].on->state, STATE_ESTABLISHED);
        assert_int_equal(aid.steps[i].on->way, WAY_OUTGOING);
        assert_int_equal(aid.steps[i].lingering->state, STATE_CLOSE_WAIT);
        assert_int_equal(aid.steps[i].descriptors, 2);
    }
    assert_int_equal(aid.before.descriptors, 50);
    assert_int_equal(aid.before.states[STATE_CLOSE_WAIT], 20);
    assert_int_equal(aid.before.states[STATE_ESTABLISHED], 20);
    end_plan();
}

static void a_program_that_a_write_would_end_is_left_alone(void **state)
{
    (void)state;
    add_forgotten(20);
    signal(SIGPIPE, SIG_DFL);
    expect_left(AID_SIGPIPE, 20);
}

static void connections_of_ports_that_were_left_out_may_have_these_halves(void **state)
{
    (void)state;
    add_forgotten(20);
    made.facts.of_other_ports = 1;
    expect_left(AID_OTHER_PORTS, 20);
}

static void a_run_has_an_end(void **state)
{
    (void)state;
    struct fact_socket *sockets = calloc(2 * FIRST_AID_MOST + 40, sizeof *sockets);
    assert_non_null(sockets);
    add_forgotten(1);
    for (int i = 0; i < FIRST_AID_MOST + 20; i++) {
        memcpy(&sockets[2 * i], made.sockets, 2 * sizeof *sockets);
        sockets[2 * i].inode = 10000 + (uint64_t)(2 * i);
        sockets[2 * i + 1].inode = 10001 + (uint64_t)(2 * i);
        made.facts.socket_count = 2 * i + 2;
    }
    made.facts.sockets = sockets;
    plan();
    assert_int_equal(aid.step_count, FIRST_AID_MOST);
    assert_int_equal(aid.left_count, 1);
    assert_int_equal(aid.left[0].reason, AID_TOO_MANY);
    assert_int_equal(aid.left[0].count, 20);
    end_plan();
    free(sockets);
}

static void a_handler_in_send_to_a_peer_that_takes_nothing_is_let_go(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        add_blocked(i);
    plan();
    assert_int_equal(aid.step_count, 3);
    assert_int_equal(aid.steps[0].cure, CURE_END_SEND);
    assert_ptr_equal(aid.steps[0].on, aid.steps[0].lingering);
    assert_true(aid.steps[0].tid > 0);
    assert_int_equal(aid.steps[0].descriptors, 1);
    end_plan();
}

static void a_peer_that_may_be_slow_and_a_loop_that_waits_for_nobody_are_left_alone(void **state)
{
    (void)state;
    struct fact_socket *socket = add_blocked(0);
    struct fact_thread *thread = &made.threads[made.facts.thread_count - 1];
    socket->last_data_sent_ms = FIRST_AID_STALLED_MS - 1;
    expect_left(AID_SLOW, 1);
    socket->last_data_sent_ms = FIRST_AID_STALLED_MS;
    thread->asleep_ms = FIRST_AID_STALLED_MS - 1;
    expect_left(AID_SLOW, 1);
    thread->asleep_ms = FIRST_AID_STALLED_MS;
    thread->call = CALL_FUTEX;
    expect_left(AID_NOT_BLOCKED, 1);
    thread->call = CALL_SEND;
    thread->inode++;
    expect_left(AID_NOT_BLOCKED, 1);
    thread->inode--;
    socket->holders = 2;
    expect_left(AID_SHARED, 1);
}

/* What stays of a proxy's clients, whose backend has closed: they may send another request. */
static void clients_are_never_cut_off(void **state)
{
    (void)state;
    add_forgotten(20);
    for (int i = 0; i < 40; i += 2) {
        made.sockets[i].state = STATE_ESTABLISHED;
        made.sockets[i].fin = fact_age_unknown();
        made.sockets[i + 1].state = STATE_CLOSE_WAIT;
        made.sockets[i + 1].fin = fact_age_exact(2000);
    }
    expect_left(AID_CLIENTS, 20);
}

static void what_is_open_and_forgotten_hears_no_shutdown(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct fact_socket *socket = made_add(&made, made_open(i));
        socket->way = WAY_OUTGOING;
        socket->listener = -1;
        socket->data_segs_in = 0;
        socket->last_data_sent_ms = socket->last_data_recv_ms = 6000;
        socket->wait = (struct fact_wait){.kind = WAITER_NOBODY, .set_fd = -1, .thread = -1};
    }
    expect_left(AID_UNHEARD, 20);
}

static void what_nothing_outside_helps_is_told_why(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        made_add(&made, made_close_wait(i));
    expect_left(AID_KNOWS_EOF, 20);
    for (int i = 0; i < 20; i++) {
        made.sockets[i].unread = 1;
        made.sockets[i].wait = made_epoll(0, true);
    }
    expect_left(AID_PAUSED, 20);
    for (int i = 0; i < 20; i++)
        made.sockets[i].wait = made_epoll(EPOLLIN, false);
    made.threads[0].call = CALL_RECV;
    made.threads[0].asleep_ms = 3000;
    made.listeners[0].wait.at_rest = false;
    expect_left(AID_HELD_UP, 20);
    for (int i = 0; i < 20; i++)
        made.sockets[i].holder = HOLDER_HIDDEN;
    expect_left(AID_OF_OTHERS, 20);
    for (int i = 0; i < 20; i++) {
        made.sockets[i].holder = HOLDER_QUEUE;
        made.sockets[i].process = made.sockets[i].fd = -1;
    }
    expect_left(AID_QUEUED, 20);
    made_process(&made, true);
    for (int i = 0; i < 20; i++) {
        made.sockets[i].holder = HOLDER_HEIR;
        made.sockets[i].process = 1;
        made.sockets[i].wait = (struct fact_wait){.kind = WAITER_NOBODY, .set_fd = -1, .thread = -1};
    }
    expect_left(AID_HEIRS, 20);
    for (int i = 0; i < 20; i++) {
        made.sockets[i].holder = HOLDER_PROCESS;
        made.sockets[i].process = 0;
        made.sockets[i].state = STATE_CLOSE;
    }
    expect_left(AID_GHOST, 20);
    made.facts.socket_count = 0;
    made.processes[0].ghosts = 7;
    expect_left(AID_GHOST, 7);
}

/* ---- what is done ---- */

/* As a look would have it. */
static struct fact_socket fact_of(int fd, enum fact_way way)
{
    struct borrowed_socket now;
    int process = borrowed_socket_process(getpid());
    int rc = process >= 0 ? borrowed_socket_read(process, fd, inode_of(fd), &now) : process;
    if (process >= 0)
        close(process);
    if (rc == -EACCES || rc == -ENOSYS)
        skip();
    assert_int_equal(rc, 0);
    return (struct fact_socket){.inode = inode_of(fd),
                                .cookie = now.cookie,
                                .fd = fd,
                                .state = now.state,
                                .way = way,
                                .bytes_received = tcp_life_data_received(&now.life, now.state),
                                .bytes_acked =
                                    tcp_life_data_acked(&now.life, now.state, way == WAY_OUTGOING)};
}

/* Two connections that a proxy has open, of which it should end the second one, and so twice. */
struct proxy {
    struct loopback clients[2], backends[2];
    struct fact_socket lingering[2], on[2];
    struct aid_step steps[2];
    struct first_aid aid;
};

static void proxy_start(struct proxy *proxy)
{
    for (int i = 0; i < 2; i++) {
        proxy->clients[i] = loopback_close_wait();
        proxy->backends[i] = loopback_pair();
        proxy->lingering[i] = fact_of(proxy->clients[i].server, WAY_ACCEPTED);
        proxy->on[i] = fact_of(proxy->backends[i].client, WAY_OUTGOING);
        proxy->steps[i] = (struct aid_step){.cure = CURE_HALF_CLOSE,
                                            .pid = getpid(),
                                            .lingering = &proxy->lingering[i],
                                            .on = &proxy->on[i],
                                            .descriptors = 2};
    }
    proxy->aid = (struct first_aid){.steps = proxy->steps, .step_count = 2, .wait_ms = 50};
}

static void proxy_end(struct proxy *proxy)
{
    for (int i = 0; i < 2; i++) {
        loopback_close(&proxy->clients[i]);
        loopback_close(&proxy->backends[i]);
    }
}

static enum tcp_state backend_state(const struct proxy *proxy, int i)
{
    return state_of(proxy->backends[i].client);
}

static void a_dry_run_changes_nothing(void **state)
{
    (void)state;
    struct proxy proxy;
    proxy_start(&proxy);
    proxy.on[1].bytes_acked++;
    first_aid_give(&proxy.aid, true, NULL);
    assert_true(proxy.aid.is_dry);
    assert_int_equal(proxy.steps[0].outcome, AID_PLANNED);
    assert_int_equal(proxy.steps[1].outcome, AID_CHANGED);
    assert_int_equal(backend_state(&proxy, 0), STATE_ESTABLISHED);
    assert_int_equal(backend_state(&proxy, 1), STATE_ESTABLISHED);
    proxy_end(&proxy);
}

static void when_the_first_one_frees_nothing_the_others_are_left_alone(void **state)
{
    (void)state;
    struct proxy proxy;
    proxy_start(&proxy);
    first_aid_give(&proxy.aid, false, NULL);
    assert_int_equal(proxy.steps[0].outcome, AID_DONE);
    assert_int_equal(proxy.steps[0].freed, 0);
    assert_int_equal(proxy.steps[1].outcome, AID_STOPPED);
    assert_soon(backend_state(&proxy, 0) == STATE_FIN_WAIT2);
    assert_int_equal(backend_state(&proxy, 1), STATE_ESTABLISHED);
    proxy_end(&proxy);
}

static void what_has_changed_is_left_alone(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        struct proxy proxy;
        proxy_start(&proxy);
        proxy.aid.step_count = 1;
        struct fact_socket *on = &proxy.on[0], *lingering = &proxy.lingering[0];
        on->bytes_received += i == 0;
        on->cookie += i == 1;
        on->inode += i == 2;
        on->fd = i == 3 ? 9999 : on->fd;
        lingering->bytes_acked += i == 4;
        lingering->state = i == 5 ? STATE_ESTABLISHED : lingering->state;
        first_aid_give(&proxy.aid, false, NULL);
        assert_int_equal(proxy.steps[0].outcome, AID_CHANGED);
        assert_int_equal(backend_state(&proxy, 0), STATE_ESTABLISHED);
        proxy_end(&proxy);
    }
}

static void a_thread_that_has_left_its_call_is_not_let_go_again(void **state)
{
    (void)state;
    struct proxy proxy;
    proxy_start(&proxy);
    proxy.aid.step_count = 1;
    proxy.steps[0].cure = CURE_END_SEND;
    proxy.steps[0].on = proxy.steps[0].lingering;
    proxy.steps[0].tid = getpid();
    first_aid_give(&proxy.aid, false, NULL);
    assert_true(proxy.steps[0].outcome == AID_CHANGED || proxy.steps[0].error == EACCES);
    assert_int_equal(state_of(proxy.clients[0].server), STATE_CLOSE_WAIT);
    proxy_end(&proxy);
}

static void interrupted_it_touches_no_more(void **state)
{
    (void)state;
    struct proxy proxy;
    const volatile sig_atomic_t stop = 1;
    proxy_start(&proxy);
    first_aid_give(&proxy.aid, false, &stop);
    assert_true(proxy.aid.is_interrupted);
    assert_int_equal(first_aid_count(&proxy.aid, AID_PLANNED), 2);
    assert_int_equal(backend_state(&proxy, 0), STATE_ESTABLISHED);
    proxy_end(&proxy);
}

static void a_socket_that_is_gone_with_its_descriptor_open_is_a_ghost(void **state)
{
    (void)state;
    struct proxy proxy;
    proxy_start(&proxy);
    proxy.aid.step_count = 1;
    proxy.aid.wait_ms = 1000;
    /* The backend ends by a reset as soon as it hears of it: the proxy does not close all the same. */
    pid_t backend = fork();
    assert_true(backend >= 0);
    if (backend == 0) {
        char byte;
        close(proxy.backends[0].client);
        (void)recv(proxy.backends[0].server, &byte, 1, 0);
        reset_connection(&proxy.backends[0].server);
        _exit(0);
    }
    close(proxy.backends[0].server);
    proxy.backends[0].server = -1;
    proxy.steps[0].descriptors = 2;
    first_aid_give(&proxy.aid, false, NULL);
    waitpid(backend, NULL, 0);
    assert_int_equal(proxy.steps[0].outcome, AID_DONE);
    assert_int_equal(proxy.steps[0].freed, 0);
    assert_int_equal(proxy.steps[0].ghosts, 1);
    proxy_end(&proxy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_half_that_a_proxy_forgot_is_told_of_the_end, start),
        cmocka_unit_test_setup(a_program_that_a_write_would_end_is_left_alone, start),
        cmocka_unit_test_setup(connections_of_ports_that_were_left_out_may_have_these_halves, start),
        cmocka_unit_test_setup(a_run_has_an_end, start),
        cmocka_unit_test_setup(a_handler_in_send_to_a_peer_that_takes_nothing_is_let_go, start),
        cmocka_unit_test_setup(a_peer_that_may_be_slow_and_a_loop_that_waits_for_nobody_are_left_alone,
                               start),
        cmocka_unit_test_setup(clients_are_never_cut_off, start),
        cmocka_unit_test_setup(what_is_open_and_forgotten_hears_no_shutdown, start),
        cmocka_unit_test_setup(what_nothing_outside_helps_is_told_why, start),
        cmocka_unit_test(a_dry_run_changes_nothing),
        cmocka_unit_test(when_the_first_one_frees_nothing_the_others_are_left_alone),
        cmocka_unit_test(what_has_changed_is_left_alone),
        cmocka_unit_test(a_thread_that_has_left_its_call_is_not_let_go_again),
        cmocka_unit_test(interrupted_it_touches_no_more),
        cmocka_unit_test(a_socket_that_is_gone_with_its_descriptor_open_is_a_ghost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
