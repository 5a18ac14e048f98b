#include "../unit.h"

#include "../fake_witness.h"
#include "../loopback.h"
#include "kernel/lingering.h"
#include "kernel/socket_owner.h"

#include <errno.h>

static const struct look_target *fake_lanes(void)
{
    static struct look_target target;
    target = (struct look_target){.address = address_of("127.0.0.1"), .ports = {15000, 15000}};
    return &target;
}

static struct socket_entry end_of(enum side side, enum tcp_state socket_state)
{
    struct socket_entry entry = side == SIDE_SERVER
                                    ? fake_socket(socket_state, "127.0.0.1", 15000, "127.0.0.1", 40001)
                                    : fake_socket(socket_state, "127.0.0.1", 40001, "127.0.0.1", 15000);
    entry.heard_ms = -1;
    return entry;
}

static struct socket_entry with_inode(struct socket_entry entry, uint64_t inode)
{
    entry.inode = inode;
    return entry;
}

static struct lingering look(const pid_t *pids, int pid_count)
{
    struct lingering lingering;
    assert_int_equal(lingering_look(&fake_witness, fake_lanes(), pids, pid_count, &lingering), 0);
    return lingering;
}

/* ---- which sockets, and which classes ---- */

static void neither_listen_nor_time_wait_lingers(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {
        fake_socket(STATE_LISTEN, "127.0.0.1", 15000, "0.0.0.0", 0),
        end_of(SIDE_SERVER, STATE_TIME_WAIT),
        end_of(SIDE_CLIENT, STATE_TIME_WAIT),
    };
    fake_these(sockets);
    struct lingering lingering = look(NULL, 0);
    assert_int_equal(lingering.count, 0);
    assert_int_equal(lingering.total, 0);
}

static void every_other_state_lingers(void **state)
{
    (void)state;
    struct socket_entry sockets[STATE_COUNT];
    size_t count = 0;
    for (int i = STATE_ESTABLISHED; i < STATE_COUNT; i++)
        if (i != STATE_LISTEN && i != STATE_TIME_WAIT)
            sockets[count++] = end_of(SIDE_CLIENT, (enum tcp_state)i);
    fake_sockets = (struct fake_sockets){.entries = sockets, .count = count};
    struct lingering lingering = look(NULL, 0);
    assert_int_equal(lingering.count, 9);
    assert_int_equal(lingering.total, 9);
}

static void what_is_not_on_a_lane_does_not_linger(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {
        fake_socket(STATE_CLOSE_WAIT, "127.0.0.1", 15001, "127.0.0.1", 40001),
        fake_socket(STATE_CLOSE_WAIT, "127.0.0.2", 15000, "127.0.0.1", 40001),
    };
    fake_these(sockets);
    assert_int_equal(look(NULL, 0).total, 0);
}

static void what_agrees_is_one_class(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {
        end_of(SIDE_SERVER, STATE_FIN_WAIT2),
        end_of(SIDE_SERVER, STATE_FIN_WAIT2),
        end_of(SIDE_SERVER, STATE_FIN_WAIT2),
    };
    fake_these(sockets);
    struct lingering lingering = look(NULL, 0);
    assert_int_equal(lingering.count, 1);
    assert_int_equal(lingering.total, 3);
    assert_int_equal(lingering.each[0].side, SIDE_SERVER);
    assert_int_equal(lingering.each[0].state, STATE_FIN_WAIT2);
    assert_int_equal(lingering.each[0].count, 3);
    assert_false(lingering.each[0].owned);
    assert_false(lingering.each[0].listed);
    assert_int_equal(lingering.each[0].pid, 0);
    assert_int_equal(lingering.each[0].processes, 0);
    assert_string_equal(lingering.each[0].command, "");
}

static void what_was_read_is_a_class_apart(void **state)
{
    (void)state;
    struct socket_entry sockets[] = {end_of(SIDE_SERVER, STATE_CLOSE_WAIT),
                                     end_of(SIDE_SERVER, STATE_CLOSE_WAIT),
                                     end_of(SIDE_SERVER, STATE_CLOSE_WAIT)};
    sockets[0].unread = 1;
    sockets[1].unread = 90;
    fake_these(sockets);
    struct lingering lingering = look(NULL, 0);
    assert_int_equal(lingering.count, 2);
    assert_true(lingering.each[0].unread);
    assert_int_equal(lingering.each[0].count, 2);
    assert_false(lingering.each[1].unread);
    assert_int_equal(lingering.each[1].count, 1);
}

/* Recv-Q 0 does not tell of them that EOF was read; where something is unread, the FIN is. */
static void those_whose_fin_came_with_the_data_are_a_class_apart(void **state)
{
    (void)state;
    struct socket_entry sockets[] = {end_of(SIDE_SERVER, STATE_CLOSE_WAIT),
                                     end_of(SIDE_SERVER, STATE_CLOSE_WAIT),
                                     end_of(SIDE_SERVER, STATE_CLOSE_WAIT)};
    sockets[0].fin_with_data = sockets[1].fin_with_data = true;
    sockets[1].unread = 7;
    fake_these(sockets);
    struct lingering lingering = look(NULL, 0);
    assert_int_equal(lingering.count, 3);
    int with_data = 0;
    for (int i = 0; i < lingering.count; i++) {
        with_data += lingering.each[i].fin_with_data;
        assert_false(lingering.each[i].fin_with_data && lingering.each[i].unread);
    }
    assert_int_equal(with_data, 1);
}

static void the_oldest_of_a_class_is_told(void **state)
{
    (void)state;
    struct socket_entry sockets[] = {
        end_of(SIDE_SERVER, STATE_CLOSE_WAIT), end_of(SIDE_SERVER, STATE_CLOSE_WAIT),
        end_of(SIDE_SERVER, STATE_CLOSE_WAIT), end_of(SIDE_CLIENT, STATE_CLOSE_WAIT)};
    sockets[0].heard_ms = 40;
    sockets[1].heard_ms = 90;
    fake_these(sockets);
    struct lingering lingering = look(NULL, 0);
    assert_int_equal(lingering.each[0].oldest_ms, 90);
    assert_int_equal(lingering.each[1].oldest_ms, -1);
}

static void classes_come_by_side_and_then_the_largest_first(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {
        end_of(SIDE_CLIENT, STATE_FIN_WAIT2), end_of(SIDE_CLIENT, STATE_FIN_WAIT2),
        end_of(SIDE_CLIENT, STATE_FIN_WAIT2), end_of(SIDE_SERVER, STATE_LAST_ACK),
        end_of(SIDE_CLIENT, STATE_FIN_WAIT1), end_of(SIDE_SERVER, STATE_CLOSE_WAIT),
        end_of(SIDE_SERVER, STATE_CLOSE_WAIT)};
    fake_these(sockets);
    struct lingering lingering = look(NULL, 0);
    const enum tcp_state expected[] = {STATE_CLOSE_WAIT, STATE_LAST_ACK, STATE_FIN_WAIT2, STATE_FIN_WAIT1};
    assert_int_equal(lingering.count, COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        assert_int_equal(lingering.each[i].state, expected[i]);
}

static void a_failed_dump_fails_the_look_and_leaves_it_empty(void **state)
{
    (void)state;
    const struct socket_entry sockets[] = {end_of(SIDE_SERVER, STATE_CLOSE_WAIT)};
    fake_these(sockets);
    fake_sockets.error[0] = -EINTR;
    struct lingering lingering = {.count = 3, .total = 3};
    assert_int_equal(lingering_look(&fake_witness, fake_lanes(), NULL, 0, &lingering), -EINTR);
    assert_int_equal(lingering.count, 0);
    assert_int_equal(lingering.total, 0);
}

/* ---- owners ---- */

static void a_listed_process_is_the_owner(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    const struct socket_entry sockets[] = {
        with_inode(end_of(SIDE_SERVER, STATE_ESTABLISHED), inode_of(loopback.server))};
    fake_these(sockets);
    const pid_t us = getpid();
    struct lingering lingering = look(&us, 1);
    assert_int_equal(lingering.count, 1);
    assert_true(lingering.each[0].owned);
    assert_true(lingering.each[0].listed);
    assert_int_equal(lingering.each[0].pid, us);
    assert_int_equal(lingering.each[0].processes, 1);
    assert_contains("lingering_test", lingering.each[0].command);
    assert_string_not_equal(lingering.each[0].command, "");
    loopback_close(&loopback);
}

/* No socket has the inode of a pipe. */
static void an_owner_that_is_not_found_is_still_an_owner(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const struct socket_entry sockets[] = {
        with_inode(end_of(SIDE_SERVER, STATE_CLOSE_WAIT), inode_of(ends[0])),
        end_of(SIDE_SERVER, STATE_CLOSE_WAIT),
        end_of(SIDE_SERVER, STATE_CLOSE_WAIT),
    };
    fake_these(sockets);
    struct lingering lingering = look(NULL, 0);
    assert_int_equal(lingering.count, 2);
    assert_false(lingering.each[0].owned);
    assert_true(lingering.each[1].owned);
    assert_false(lingering.each[1].listed);
    assert_int_equal(lingering.each[1].pid, 0);
    assert_int_equal(lingering.each[1].processes, 0);
    assert_string_equal(lingering.each[1].command, "");
    close(ends[0]);
    close(ends[1]);
}

static void a_listed_process_comes_before_one_that_is_not(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    const struct socket_entry sockets[] = {
        with_inode(end_of(SIDE_SERVER, STATE_CLOSE_WAIT), inode_of(loopback.server))};
    fake_these(sockets);
    pid_t child = fork_holder("holder");
    struct lingering lingering = look(&child, 1);
    assert_int_equal(lingering.count, 1);
    assert_int_equal(lingering.each[0].pid, child);
    assert_true(lingering.each[0].listed);
    assert_int_equal(lingering.each[0].processes, 1);
    end_holder(child);
    loopback_close(&loopback);
}

/* A process that alone holds a socket, and goes by that name. */
struct holder {
    pid_t pid;
    uint64_t inode;
};

static struct holder start_holder(const char *name)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    struct holder holder = {.inode = inode_of(fd), .pid = fork_holder(name)};
    close(fd);
    assert_soon(strcmp(process_command(holder.pid).text, name) == 0);
    return holder;
}

static void processes_of_one_name_are_one_class(void **state)
{
    (void)state;
    const struct holder one = start_holder("holder"), other = start_holder("holder");
    const struct socket_entry sockets[] = {
        with_inode(end_of(SIDE_SERVER, STATE_CLOSE_WAIT), other.inode),
        with_inode(end_of(SIDE_SERVER, STATE_CLOSE_WAIT), one.inode),
        with_inode(end_of(SIDE_SERVER, STATE_CLOSE_WAIT), other.inode),
    };
    fake_these(sockets);
    struct lingering lingering = look(NULL, 0);
    assert_int_equal(lingering.count, 1);
    assert_int_equal(lingering.each[0].count, 3);
    assert_int_equal(lingering.each[0].processes, 2);
    assert_int_equal(lingering.each[0].pid, one.pid < other.pid ? one.pid : other.pid);
    assert_string_equal(lingering.each[0].command, "holder");
    end_holder(one.pid);
    end_holder(other.pid);
}

static void processes_of_two_names_are_two_classes(void **state)
{
    (void)state;
    const struct holder one = start_holder("one"), other = start_holder("other");
    const struct socket_entry sockets[] = {
        with_inode(end_of(SIDE_SERVER, STATE_CLOSE_WAIT), one.inode),
        with_inode(end_of(SIDE_SERVER, STATE_CLOSE_WAIT), other.inode),
        with_inode(end_of(SIDE_SERVER, STATE_CLOSE_WAIT), other.inode),
    };
    fake_these(sockets);
    struct lingering lingering = look(NULL, 0);
    assert_int_equal(lingering.count, 2);
    assert_string_equal(lingering.each[0].command, "other");
    assert_int_equal(lingering.each[0].pid, other.pid);
    assert_string_equal(lingering.each[1].command, "one");
    assert_int_equal(lingering.each[1].pid, one.pid);
    end_holder(one.pid);
    end_holder(other.pid);
}

static void a_listed_process_and_one_that_is_not_are_two_classes(void **state)
{
    (void)state;
    const struct holder listed = start_holder("holder"), other = start_holder("holder");
    const struct socket_entry sockets[] = {
        with_inode(end_of(SIDE_SERVER, STATE_CLOSE_WAIT), listed.inode),
        with_inode(end_of(SIDE_SERVER, STATE_CLOSE_WAIT), listed.inode),
        with_inode(end_of(SIDE_SERVER, STATE_CLOSE_WAIT), other.inode),
    };
    fake_these(sockets);
    struct lingering lingering = look(&listed.pid, 1);
    assert_int_equal(lingering.count, 2);
    assert_true(lingering.each[0].listed);
    assert_int_equal(lingering.each[0].pid, listed.pid);
    assert_false(lingering.each[1].listed);
    assert_int_equal(lingering.each[1].pid, other.pid);
    end_holder(listed.pid);
    end_holder(other.pid);
}

static void a_listed_process_that_is_gone_is_no_error(void **state)
{
    (void)state;
    const struct holder holder = start_holder("holder");
    const struct socket_entry sockets[] = {with_inode(end_of(SIDE_SERVER, STATE_CLOSE_WAIT), holder.inode)};
    fake_these(sockets);
    end_holder(holder.pid);
    struct lingering lingering = look(&holder.pid, 1);
    assert_int_equal(lingering.total, 1);
    assert_int_equal(lingering.each[0].pid, 0);
}

/* ---- more than there is room for ---- */

/* Two sides, nine states, read and not read. */
enum { CLASSES_WITHOUT_OWNER = 36 };

static size_t one_of_each_class(struct socket_entry *sockets)
{
    size_t count = 0;
    for (int i = STATE_ESTABLISHED; i < STATE_COUNT; i++)
        for (int kind = 0; kind < 4 && i != STATE_LISTEN && i != STATE_TIME_WAIT; kind++) {
            sockets[count] = end_of((enum side)(kind / 2), (enum tcp_state)i);
            sockets[count++].unread = kind % 2;
        }
    return count;
}

static void the_smallest_classes_give_way_and_the_total_tells(void **state)
{
    (void)state;
    struct socket_entry sockets[CLASSES_WITHOUT_OWNER + 1];
    assert_int_equal(one_of_each_class(sockets), CLASSES_WITHOUT_OWNER);
    sockets[CLASSES_WITHOUT_OWNER] = sockets[CLASSES_WITHOUT_OWNER - 1];
    fake_these(sockets);
    struct lingering lingering = look(NULL, 0);
    int64_t listed = 0;
    bool largest_is_there = false;
    for (int i = 0; i < lingering.count; i++) {
        listed += lingering.each[i].count;
        largest_is_there |= lingering.each[i].count == 2;
    }
    assert_int_equal(lingering.count, LINGERING_MAX);
    assert_int_equal(lingering.total, CLASSES_WITHOUT_OWNER + 1);
    assert_int_equal(listed, LINGERING_MAX + 1);
    assert_true(largest_is_there);
}

/* ---- real sockets, through every backend that works here ---- */

static const struct lingering_class *class_in(const struct lingering *lingering, enum side side,
                                              enum tcp_state socket_state)
{
    for (int i = 0; i < lingering->count; i++)
        if (lingering->each[i].side == side && lingering->each[i].state == socket_state)
            return &lingering->each[i];
    fail_msg("no %s end in %s lingers", side_name(side), tcp_state_name(socket_state));
    return NULL;
}

static void check_leak(const struct witness_backend *witness)
{
    struct loopback loopback = loopback_close_wait();
    const pid_t us = getpid();
    struct lingering lingering;
    char byte;
    assert_int_equal(lingering_look(witness, &loopback.target, &us, 1, &lingering), 0);
    assert_int_equal(lingering.total, 2);
    const struct lingering_class *server = class_in(&lingering, SIDE_SERVER, STATE_CLOSE_WAIT);
    assert_true(server->unread);
    assert_true(server->listed);
    assert_int_equal(server->pid, us);
    assert_true(witness == &witness_netlink ? server->oldest_ms >= 0 : server->oldest_ms == -1);
    assert_int_equal(recv(loopback.server, &byte, 1, 0), 0);
    assert_int_equal(lingering_look(witness, &loopback.target, &us, 1, &lingering), 0);
    assert_false(class_in(&lingering, SIDE_SERVER, STATE_CLOSE_WAIT)->unread);
    loopback_close(&loopback);
}

static void a_leak_is_held_by_us_and_unread_until_recv_returned_0(void **state)
{
    (void)state;
    for_each_backend(check_leak);
}

static void check_never_accepted(const struct witness_backend *witness)
{
    struct loopback loopback = loopback_listen();
    const pid_t us = getpid();
    struct lingering lingering;
    loopback.client = loopback_connect(&loopback);
    assert_int_equal(shutdown(loopback.client, SHUT_WR), 0);
    assert_soon(state_of(loopback.client) == STATE_FIN_WAIT2);
    assert_int_equal(lingering_look(witness, &loopback.target, &us, 1, &lingering), 0);
    assert_int_equal(lingering.each[0].side, SIDE_SERVER);
    assert_int_equal(lingering.each[0].state, STATE_CLOSE_WAIT);
    assert_false(lingering.each[0].owned);
    assert_true(lingering.each[0].unread);
    assert_true(class_in(&lingering, SIDE_CLIENT, STATE_FIN_WAIT2)->owned);
    loopback_close(&loopback);
}

static void what_was_never_accepted_has_no_owner(void **state)
{
    (void)state;
    for_each_backend(check_never_accepted);
}

/* The leak after fork(): the parent closes its copy, the child does not know that it has one. */
static void check_inherited(const struct witness_backend *witness)
{
    struct loopback loopback = loopback_close_wait();
    const pid_t us = getpid(), child = fork_holder("heir");
    struct lingering lingering;
    assert_soon(strcmp(process_command(child).text, "heir") == 0);
    close(loopback.server);
    loopback.server = -1;
    assert_int_equal(lingering_look(witness, &loopback.target, &us, 1, &lingering), 0);
    const struct lingering_class *server = class_in(&lingering, SIDE_SERVER, STATE_CLOSE_WAIT);
    assert_true(server->owned);
    assert_false(server->listed);
    assert_int_equal(server->pid, child);
    assert_string_equal(server->command, "heir");
    assert_int_equal(class_in(&lingering, SIDE_CLIENT, STATE_FIN_WAIT2)->pid, us);
    end_holder(child);
    loopback_close(&loopback);
}

static void what_only_a_child_inherited_is_held_by_one_that_is_not_listed(void **state)
{
    (void)state;
    for_each_backend(check_inherited);
}

/* A listener is news where the server has not got it. */
static void check_listener(const struct witness_backend *witness)
{
    struct loopback loopback = loopback_listen();
    const pid_t us = getpid(), child = fork_holder("heir");
    struct lingering lingering;
    assert_soon(strcmp(process_command(child).text, "heir") == 0);
    assert_int_equal(lingering_look(witness, &loopback.target, &us, 1, &lingering), 0);
    assert_int_equal(lingering.total, 0);
    close(loopback.listener);
    loopback.listener = -1;
    assert_int_equal(lingering_look(witness, &loopback.target, &us, 1, &lingering), 0);
    assert_int_equal(lingering.total, 1);
    assert_int_equal(lingering.each[0].state, STATE_LISTEN);
    assert_int_equal(lingering.each[0].side, SIDE_SERVER);
    assert_true(lingering_is_strange(&lingering.each[0]));
    assert_int_equal(lingering.each[0].pid, child);
    assert_false(lingering.each[0].unread);
    assert_int_equal(lingering_since_ms(&lingering.each[0]), -1);
    end_holder(child);
    loopback_close(&loopback);
}

static void a_listener_lingers_when_only_a_child_has_it(void **state)
{
    (void)state;
    for_each_backend(check_listener);
}

/* ---- what several kernels tell ---- */

static struct lingering_class told(enum side side, const char *command, const char *host, int64_t count)
{
    struct lingering_class class = {.side = side,
                                    .state = STATE_CLOSE_WAIT,
                                    .owned = true,
                                    .processes = 1,
                                    .count = count,
                                    .oldest_ms = -1};
    snprintf(class.command, sizeof class.command, "%s", command);
    snprintf(class.host, sizeof class.host, "%s", host);
    return class;
}

static struct lingering add_these(const struct lingering_class classes[], size_t count)
{
    struct lingering lingering = {.count = 0};
    for (size_t i = 0; i < count; i++)
        lingering_add(&lingering, &classes[i]);
    return lingering;
}

static void what_agrees_on_two_hosts_is_one_class_of_no_host(void **state)
{
    (void)state;
    struct lingering_class classes[] = {told(SIDE_SERVER, "db", "ssh a", 5),
                                        told(SIDE_SERVER, "db", "ssh b", 7)};
    classes[0].oldest_ms = 30;
    classes[1].oldest_ms = 90;
    const struct lingering lingering = add_these(classes, COUNT_OF(classes));
    assert_int_equal(lingering.count, 1);
    assert_int_equal(lingering.each[0].count, 12);
    assert_int_equal(lingering.each[0].processes, 2);
    assert_int_equal(lingering.each[0].oldest_ms, 90);
    assert_string_equal(lingering.each[0].host, "");
}

static void what_agrees_on_one_host_keeps_its_name(void **state)
{
    (void)state;
    const struct lingering_class classes[] = {told(SIDE_SERVER, "db", "ssh a", 5),
                                              told(SIDE_SERVER, "db", "ssh a", 7)};
    const struct lingering lingering = add_these(classes, COUNT_OF(classes));
    assert_int_equal(lingering.count, 1);
    assert_string_equal(lingering.each[0].host, "ssh a");
}

static void what_differs_stays_apart_and_in_order(void **state)
{
    (void)state;
    struct lingering_class classes[] = {
        told(SIDE_CLIENT, "web", "ssh b", 50), told(SIDE_SERVER, "db", "ssh a", 5),
        told(SIDE_SERVER, "other", "ssh a", 9), told(SIDE_SERVER, "db", "ssh a", 4),
        told(SIDE_SERVER, "db", "ssh a", 1)};
    classes[3].unread = true;
    classes[4].state = STATE_LAST_ACK;
    const struct lingering lingering = add_these(classes, COUNT_OF(classes));
    const int64_t expected[] = {9, 5, 4, 1, 50};
    assert_int_equal(lingering.count, COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        assert_int_equal(lingering.each[i].count, expected[i]);
}

static void more_classes_than_there_is_room_for_are_left_out(void **state)
{
    (void)state;
    struct lingering lingering = {.count = 0};
    for (int i = 0; i < LINGERING_MAX + 3; i++) {
        char command[16];
        snprintf(command, sizeof command, "c%d", i);
        const struct lingering_class class = told(SIDE_SERVER, command, "", 1);
        lingering_add(&lingering, &class);
    }
    assert_int_equal(lingering.count, LINGERING_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neither_listen_nor_time_wait_lingers),
        cmocka_unit_test(every_other_state_lingers),
        cmocka_unit_test(what_is_not_on_a_lane_does_not_linger),
        cmocka_unit_test(what_agrees_is_one_class),
        cmocka_unit_test(what_was_read_is_a_class_apart),
        cmocka_unit_test(those_whose_fin_came_with_the_data_are_a_class_apart),
        cmocka_unit_test(the_oldest_of_a_class_is_told),
        cmocka_unit_test(classes_come_by_side_and_then_the_largest_first),
        cmocka_unit_test(a_failed_dump_fails_the_look_and_leaves_it_empty),
        cmocka_unit_test(a_listed_process_is_the_owner),
        cmocka_unit_test(an_owner_that_is_not_found_is_still_an_owner),
        cmocka_unit_test(a_listed_process_comes_before_one_that_is_not),
        cmocka_unit_test(processes_of_one_name_are_one_class),
        cmocka_unit_test(processes_of_two_names_are_two_classes),
        cmocka_unit_test(a_listed_process_and_one_that_is_not_are_two_classes),
        cmocka_unit_test(a_listed_process_that_is_gone_is_no_error),
        cmocka_unit_test(the_smallest_classes_give_way_and_the_total_tells),
        cmocka_unit_test(a_leak_is_held_by_us_and_unread_until_recv_returned_0),
        cmocka_unit_test(what_was_never_accepted_has_no_owner),
        cmocka_unit_test(what_only_a_child_inherited_is_held_by_one_that_is_not_listed),
        cmocka_unit_test(a_listener_lingers_when_only_a_child_has_it),
        cmocka_unit_test(what_agrees_on_two_hosts_is_one_class_of_no_host),
        cmocka_unit_test(what_agrees_on_one_host_keeps_its_name),
        cmocka_unit_test(what_differs_stays_apart_and_in_order),
        cmocka_unit_test(more_classes_than_there_is_room_for_are_left_out),
    };
    return cmocka_run_group_tests_name("lingering", tests, NULL, NULL);
}
