#include "../unit.h"

#include "../loopback.h"
#include "kernel/socket_owner.h"
#include "watch/watch.h"

#include <errno.h>

static const struct watch_row *row_in(const struct watch_look *look, enum watch_set set, enum side side)
{
    for (int i = 0; i < look->sets[set].count; i++)
        if (look->sets[set].each[i].key.side == side)
            return &look->sets[set].each[i];
    return NULL;
}

static const struct watch_row *server_row(const struct watch_look *look)
{
    return row_in(look, WATCH_OWNERS, SIDE_SERVER);
}

static struct watch *watch_port(uint16_t port, pid_t pid)
{
    int error;
    struct watch *watch =
        watch_new(&(struct watch_settings){.port = port, .pid = pid, .cheap_us = 60000000}, &error);
    assert_non_null(watch);
    return watch;
}

static void look_at(struct watch *watch, struct watch_look *look)
{
    assert_int_equal(watch_take(watch, false, look), 0);
}

static void a_server_in_close_wait_is_seen_and_ages(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    loopback.client = loopback_connect(&loopback);
    loopback.server = loopback_accept(&loopback);
    struct watch *watch = watch_port(loopback.target.ports.first, 0);
    struct watch_look look;
    assert_int_equal(watch_take(watch, true, &look), 0);
    assert_int_equal(look.sockets, 2);
    const struct watch_row *row = server_row(&look);
    assert_non_null(row);
    assert_int_equal(row->pid, getpid());
    assert_int_equal(row->of[STATE_ESTABLISHED], 1);
    assert_int_equal(row->oldest_ms, -1);

    close(loopback.client);
    await_readable(loopback.server);
    assert_int_equal(watch_take(watch, false, &look), 0);
    row = server_row(&look);
    assert_int_equal(row->of[STATE_CLOSE_WAIT], 1);
    assert_int_equal(row->unread, 1);
    assert_int_equal(row->unowned, 0);
    assert_in_range(row->oldest_most_ms, 0, 60000); /* not before the last look */
    usleep(60000);
    assert_int_equal(watch_take(watch, false, &look), 0);
    assert_true(server_row(&look)->oldest_ms >= 50);
    watch_free(watch);

    /* A watch that begins later has it from the kernel, and keeps it. */
    watch = watch_port(loopback.target.ports.first, getpid());
    assert_int_equal(watch_take(watch, true, &look), 0);
    assert_true(server_row(&look)->oldest_ms >= 50);
    assert_int_equal(watch_take(watch, false, &look), 0);
    assert_true(server_row(&look)->oldest_ms >= 50);
    struct watch_growth growing;
    assert_false(watch_growing(&look, GROUP_SET(GROUP_OWED), 0, &growing));
    close(loopback.server);
    assert_int_equal(watch_take(watch, false, &look), 0);
    assert_null(server_row(&look));
    watch_free(watch);
    close(loopback.listener);
}

static void a_connection_that_nobody_accepted_has_no_owner(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    loopback.client = loopback_connect(&loopback);
    await_readable(loopback.listener);
    close(loopback.client);
    struct watch *watch = watch_port(loopback.target.ports.first, 0);
    struct watch_look look;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(watch_take(watch, true, &look), 0);
        if (server_row(&look)->of[STATE_CLOSE_WAIT] == 1)
            break;
        usleep(10000);
    }
    assert_int_equal(server_row(&look)->unowned, 1);
    assert_int_equal(server_row(&look)->pid, 0);
    assert_int_equal(look.hidden, 0);
    watch_free(watch);
    close(loopback.listener);
}

/* ---- ghosts ---- */

/* Of one that was seen before it left the tables it is known whose it was, whoever looks. */
static void a_socket_that_was_reset_stays_in_its_row_as_a_ghost(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    struct watch *watch = watch_port(loopback.target.ports.first, 0);
    struct watch_look look;
    look_at(watch, &look);
    assert_int_equal(look.ghosts, 0);
    reset_connection(&loopback.client);
    assert_soon(watch_take(watch, false, &look) == 0 && look.ghosts == 1);
    const struct watch_row *row = server_row(&look);
    assert_non_null(row);
    assert_int_equal(row->key.port, loopback.target.ports.first);
    assert_int_equal(row->pid, getpid());
    assert_int_equal(row->of[STATE_GONE], 1);
    assert_int_equal(row->count[GROUP_OWED], 1);
    assert_int_equal(look.sockets, 0);
    look_at(watch, &look); /* nothing has changed: it is carried over */
    assert_int_equal(server_row(&look)->of[STATE_GONE], 1);
    close(loopback.server);
    look_at(watch, &look);
    assert_int_equal(look.ghosts, 0);
    assert_null(server_row(&look));
    watch_free(watch);
    close(loopback.listener);
}

/* It opened and ended between two looks, or before the first: its own port tells. */
static void a_ghost_that_was_never_seen_is_known_by_its_port(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    reset_connection(&loopback.client);
    struct watch *watch = watch_port(loopback.target.ports.first, 0);
    struct watch_look look;
    assert_soon(watch_take(watch, false, &look) == 0 && look.ghosts == 1);
    assert_non_null(server_row(&look));
    assert_int_equal(server_row(&look)->of[STATE_GONE], 1);
    watch_free(watch);
    /* And it is none of another port's. */
    struct loopback other = loopback_pair();
    watch = watch_port(other.target.ports.first, 0);
    look_at(watch, &look);
    assert_int_equal(server_row(&look)->of[STATE_GONE], 0);
    watch_free(watch);
    loopback_close(&other);
    close(loopback.server);
    close(loopback.listener);
}

/* ---- owners ---- */

/* The parent accepts, hands over to a child, and closes: no socket comes or goes. */
static void a_connection_that_was_handed_over_has_its_new_owner(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    struct watch *watch = watch_port(loopback.target.ports.first, 0);
    struct watch_look look;
    look_at(watch, &look);
    assert_int_equal(server_row(&look)->pid, getpid());
    pid_t child = fork_holder("heir");
    look_at(watch, &look);
    close(loopback.server);
    look_at(watch, &look);
    assert_int_equal(look.sets[WATCH_OWNERS].count, 2); /* the client's end too */
    assert_int_equal(server_row(&look)->pid, child);
    assert_string_equal(server_row(&look)->command, "heir");
    end_holder(child);
    watch_free(watch);
    reset_connection(&loopback.client);
    close(loopback.listener);
}

static void a_process_that_has_ended_owns_nothing(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    pid_t first = fork_holder("first"), second = fork_holder("second");
    close(loopback.server);
    close(loopback.client);
    close(loopback.listener);
    struct watch *watch = watch_port(loopback.target.ports.first, 0);
    struct watch_look look;
    look_at(watch, &look);
    pid_t owner = server_row(&look)->pid, heir = owner == first ? second : first;
    assert_true(owner == first || owner == second);
    kill(owner, SIGKILL); /* nobody waits for it yet: it is a zombie */
    assert_soon(process_facts_of(owner, &(struct process_facts){0}) == -ESRCH);
    look_at(watch, &look);
    assert_int_equal(server_row(&look)->pid, heir);
    for (int i = 0; i < look.sets[WATCH_OWNERS].count; i++)
        assert_int_not_equal(look.sets[WATCH_OWNERS].each[i].pid, owner);
    end_holder(first);
    end_holder(second);
    watch_free(watch);
}

static void a_command_is_that_of_now(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    char before[16];
    prctl(PR_GET_NAME, before);
    struct watch *watch = watch_port(loopback.target.ports.first, 0);
    struct watch_look look;
    look_at(watch, &look);
    prctl(PR_SET_NAME, "a\x1b[31m \"b\"\n");
    look_at(watch, &look);
    assert_string_equal(server_row(&look)->command, "a_[31m_\"b\"_");
    prctl(PR_SET_NAME, before);
    watch_free(watch);
    loopback_close(&loopback);
}

static void a_process_that_ends_under_watch_is_esrch(void **state)
{
    (void)state;
    pid_t child = fork_holder("holder");
    struct watch *watch = watch_port(0, child);
    struct watch_look look;
    look_at(watch, &look);
    kill(child, SIGKILL);
    assert_soon(watch_take(watch, false, &look) == -ESRCH);
    int error = 0;
    assert_null(watch_new(&(struct watch_settings){.pid = child}, &error)); /* a zombie */
    assert_int_equal(error, -ESRCH);
    end_holder(child);
    assert_null(watch_new(&(struct watch_settings){.pid = child}, &error));
    assert_int_equal(error, -ESRCH);
    watch_free(watch);
}

/* ---- servers without a listener ---- */

enum { FEW = 3 };

struct server {
    struct loopback loopback;
    int clients[FEW], servers[FEW];
};

static struct server serve_few(void)
{
    struct server server = {.loopback = loopback_listen()};
    for (int i = 0; i < FEW; i++) {
        server.clients[i] = loopback_connect(&server.loopback);
        server.servers[i] = loopback_accept(&server.loopback);
    }
    return server;
}

static void end_few(struct server *server)
{
    for (int i = 0; i < FEW; i++) {
        reset_connection(&server->clients[i]);
        reset_connection(&server->servers[i]);
    }
}

static void expect_one_server_row(const struct watch_look *look, uint16_t port)
{
    const struct watch_row *row = server_row(look);
    assert_non_null(row);
    assert_int_equal(look->sets[WATCH_PORTS].count, 2);
    assert_int_equal(row->key.port, port);
    assert_int_equal(row->of[STATE_ESTABLISHED], FEW);
    assert_false(row->listens);
    row = row_in(look, WATCH_PORTS, SIDE_CLIENT);
    assert_int_equal(row->key.port, port);
    assert_int_equal(row->of[STATE_ESTABLISHED], FEW);
}

static void a_server_stays_one_when_its_listener_is_closed(void **state)
{
    (void)state;
    struct server server = serve_few();
    uint16_t port = server.loopback.target.ports.first;
    struct watch *watch = watch_port(port, 0);
    struct watch_look look;
    look_at(watch, &look);
    assert_true(server_row(&look)->listens);
    close(server.loopback.listener);
    look_at(watch, &look);
    expect_one_server_row(&look, port);
    /* Down to one connection, which could be either's. */
    for (int i = 1; i < FEW; i++) {
        reset_connection(&server.clients[i]);
        reset_connection(&server.servers[i]);
    }
    look_at(watch, &look);
    assert_int_equal(server_row(&look)->of[STATE_ESTABLISHED], 1);
    end_few(&server);
    watch_free(watch);
}

static void a_server_is_known_by_its_connections_when_nobody_listened_since(void **state)
{
    (void)state;
    struct server server = serve_few();
    uint16_t port = server.loopback.target.ports.first;
    close(server.loopback.listener);
    struct watch *watch = watch_port(port, 0);
    struct watch_look look;
    look_at(watch, &look);
    expect_one_server_row(&look, port);
    end_few(&server);
    watch_free(watch);
}

/* ---- growth ---- */

/* Rows as looks would have left them. */
static void every_set_can_grow(void **state)
{
    (void)state;
    static struct trend_line level, steps, steep;
    struct watch_row owner, port, program;
    owner = port = program = (struct watch_row){.is_here = true};
    for (int i = 0; i < 30; i++) {
        trend_line_add(&level, i, 1);
        trend_line_add(&steps, i, 1 + i / 10); /* not yet sure */
        trend_line_add(&steep, i, 2 * i);
    }
    owner.trends[GROUP_OWED] = &level;
    port.trends[GROUP_OWED] = &steps;
    program.trends[GROUP_OWED] = &steep;
    struct watch_look look = {.sets = {{&owner, 1, 0}, {&port, 1, 0}, {&program, 1, 0}}};
    struct watch_growth growing;
    assert_true(watch_growing(&look, GROUP_SET(GROUP_OWED), 10, &growing));
    assert_int_equal(growing.set, WATCH_PROGRAMS);
    assert_false(watch_growing(&look, GROUP_SET(GROUP_OWED), 30, &growing)); /* 29 s are too few */
    /* Where a port explains it, the port is named; where a process does, the process. */
    port = program;
    assert_true(watch_growing(&look, GROUP_SET(GROUP_OWED), 10, &growing));
    assert_int_equal(growing.set, WATCH_PORTS);
    owner = program;
    assert_true(watch_growing(&look, GROUP_SET(GROUP_OWED), 10, &growing));
    assert_int_equal(growing.set, WATCH_OWNERS);
}

/* The steepest row is too young to be sure of: an older one that grows is not hidden by it. */
static void a_young_row_does_not_hide_an_old_one(void **state)
{
    (void)state;
    static struct trend_line old, young;
    struct watch_row rows[2] = {{.is_here = true}, {.is_here = true}};
    for (int i = 0; i < 30; i++) {
        trend_line_add(&old, i, i);
        if (i >= 21)
            trend_line_add(&young, i, 50 * (int64_t)i);
    }
    rows[0].trends[GROUP_OWED] = &old;
    rows[1].trends[GROUP_OWED] = &young;
    struct watch_look look = {.sets = {{rows, 2, 0}}};
    struct watch_growth growing;
    assert_true(watch_growing(&look, GROUP_SET(GROUP_OWED), 10, &growing));
    assert_ptr_equal(growing.row, &rows[0]);
}

/* Where those that come leave again it is load that grows. */
static void who_leaves_is_no_leak(void **state)
{
    (void)state;
    static struct trend_line line;
    for (int i = 0; i < 30; i++)
        trend_line_add(&line, i, 10 * (int64_t)i);
    struct watch_row row = {.is_here = true};
    row.trends[GROUP_IDLE] = row.trends[GROUP_OWED] = &line;
    row.count[GROUP_IDLE] = row.count[GROUP_OWED] = 290;
    row.came[GROUP_IDLE] = row.came[GROUP_OWED] = 400; /* 110 have left */
    struct watch_look look = {.sets = {{&row, 1, 0}}};
    struct watch_growth growing;
    assert_false(watch_growing(&look, GROUP_SET(GROUP_IDLE), 10, &growing));
    assert_true(watch_growing(&look, GROUP_SET(GROUP_OWED), 10, &growing));
    row.came[GROUP_IDLE] = 380; /* 90 */
    assert_true(watch_growing(&look, GROUP_SET(GROUP_IDLE), 10, &growing));
    assert_int_equal(growing.group, GROUP_IDLE);
}

static void a_full_queue_that_nobody_empties_is_stuck(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    listen(loopback.listener, 0); /* one fits in */
    int clients[2] = {loopback_connect(&loopback), -1};
    struct watch *watch = watch_port(loopback.target.ports.first, 0);
    struct watch_look look;
    assert_soon(watch_take(watch, false, &look) == 0 &&
                row_in(&look, WATCH_PORTS, SIDE_SERVER)->queue_length == 1);
    const struct watch_row *row = row_in(&look, WATCH_PORTS, SIDE_SERVER);
    assert_int_equal(row->queue_limit, 0);
    assert_int_equal(row->count[GROUP_ACCEPT_QUEUE], 1);
    assert_int_equal(row->listener, getpid());
    usleep(60000);
    look_at(watch, &look);
    usleep(60000);
    look_at(watch, &look);
    assert_ptr_equal(watch_stuck_queue(&look, 0.05), row_in(&look, WATCH_PORTS, SIDE_SERVER));
    assert_null(watch_stuck_queue(&look, 60));
    double since_s = row_in(&look, WATCH_PORTS, SIDE_SERVER)->queue_since_s;
    /* One is accepted, and another comes. */
    int server = loopback_accept(&loopback);
    clients[1] = loopback_connect(&loopback);
    assert_soon(watch_take(watch, false, &look) == 0 &&
                row_in(&look, WATCH_PORTS, SIDE_SERVER)->queue_length == 1);
    assert_true(row_in(&look, WATCH_PORTS, SIDE_SERVER)->queue_since_s > since_s);
    close(server);
    close(clients[0]);
    close(clients[1]);
    close(loopback.listener);
    watch_free(watch);
}

/* A client that leaks has a connection to each of many servers. */
static void a_program_is_counted_over_all_its_ports(void **state)
{
    (void)state;
    struct loopback to[FEW];
    for (int i = 0; i < FEW; i++)
        to[i] = loopback_pair();
    struct watch *watch = watch_port(0, getpid());
    struct watch_look look;
    look_at(watch, &look);
    assert_int_equal(look.sockets, 2 * FEW);
    assert_int_equal(look.sets[WATCH_PORTS].count, 2 * FEW);
    assert_int_equal(look.sets[WATCH_PROGRAMS].count, 2);
    const struct watch_row *program = row_in(&look, WATCH_PROGRAMS, SIDE_CLIENT);
    assert_int_equal(program->of[STATE_ESTABLISHED], FEW);
    assert_int_equal(program->pid, getpid());
    watch_free(watch);
    for (int i = 0; i < FEW; i++)
        loopback_close(&to[i]);
}

/* The kernel gives one port to connections to several servers. */
static void a_port_that_connects_twice_is_a_clients(void **state)
{
    (void)state;
    struct loopback to[2] = {loopback_listen(), loopback_listen()};
    uint16_t port = 0;
    for (int i = 0; i < 2; i++) {
        to[i].client = loopback_connect_from(&to[i], port);
        to[i].server = loopback_accept(&to[i]);
        port = listen_socket_port(to[i].client);
    }
    struct watch *watch = watch_port(0, getpid());
    struct watch_look look;
    look_at(watch, &look);
    assert_int_equal(row_in(&look, WATCH_PROGRAMS, SIDE_CLIENT)->of[STATE_ESTABLISHED], 2);
    assert_int_equal(row_in(&look, WATCH_PROGRAMS, SIDE_SERVER)->of[STATE_ESTABLISHED], 2);
    watch_free(watch);
    for (int i = 0; i < 2; i++)
        loopback_close(&to[i]);
}

static void children_of_a_port_are_counted_together(void **state)
{
    (void)state;
    struct server server = serve_few();
    pid_t children[FEW];
    for (int i = 0; i < FEW; i++) {
        children[i] = fork();
        if (children[i] == 0) { /* the child of a client keeps its connection alone */
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (int other = 0; other < FEW; other++)
                if (other != i)
                    close(server.servers[other]);
            for (;;)
                pause();
        }
    }
    for (int i = 0; i < FEW; i++)
        close(server.servers[i]);
    struct watch *watch = watch_port(server.loopback.target.ports.first, 0);
    struct watch_look look;
    assert_soon(watch_take(watch, true, &look) == 0 &&
                row_in(&look, WATCH_PORTS, SIDE_SERVER)->processes == FEW);
    const struct watch_row *port = row_in(&look, WATCH_PORTS, SIDE_SERVER);
    assert_int_equal(port->pid, 0);
    assert_int_equal(port->of[STATE_ESTABLISHED], FEW);
    assert_string_equal(port->command, server_row(&look)->command);
    assert_int_equal(server_row(&look)->of[STATE_ESTABLISHED], 1);
    for (int i = 0; i < FEW; i++) {
        end_holder(children[i]);
        reset_connection(&server.clients[i]);
    }
    close(server.loopback.listener);
    watch_free(watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_in_close_wait_is_seen_and_ages),
        cmocka_unit_test(a_connection_that_nobody_accepted_has_no_owner),
        cmocka_unit_test(a_socket_that_was_reset_stays_in_its_row_as_a_ghost),
        cmocka_unit_test(a_ghost_that_was_never_seen_is_known_by_its_port),
        cmocka_unit_test(a_connection_that_was_handed_over_has_its_new_owner),
        cmocka_unit_test(a_process_that_has_ended_owns_nothing),
        cmocka_unit_test(a_command_is_that_of_now),
        cmocka_unit_test(a_process_that_ends_under_watch_is_esrch),
        cmocka_unit_test(a_server_stays_one_when_its_listener_is_closed),
        cmocka_unit_test(a_server_is_known_by_its_connections_when_nobody_listened_since),
        cmocka_unit_test(every_set_can_grow),
        cmocka_unit_test(a_young_row_does_not_hide_an_old_one),
        cmocka_unit_test(who_leaves_is_no_leak),
        cmocka_unit_test(a_full_queue_that_nobody_empties_is_stuck),
        cmocka_unit_test(a_program_is_counted_over_all_its_ports),
        cmocka_unit_test(a_port_that_connects_twice_is_a_clients),
        cmocka_unit_test(children_of_a_port_are_counted_together),
    };
    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
