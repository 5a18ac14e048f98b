/* Looks of a busy host: brief ones, and owners that are followed instead of being read anew. In all of these
 * tests nothing counts as cheap, and all looks are brief but the first and those that are asked for. */
#include "../unit.h"

#include "../loopback.h"
#include "watch/watch.h"

static struct watch *watch_busy(uint16_t port)
{
    int error;
    struct watch *watch = watch_new(&(struct watch_settings){.port = port, .cheap_us = -1}, &error);
    assert_non_null(watch);
    return watch;
}

static void look_at(struct watch *watch, struct watch_look *look)
{
    assert_int_equal(watch_take(watch, false, look), 0);
}

static void look_briefly_at(struct watch *watch, struct watch_look *look)
{
    look_at(watch, look);
    assert_true(look->rest_s > 0);
}

static const struct watch_row *row_of(const struct watch_look *look, enum side side)
{
    const struct watch_rows *rows = &look->sets[WATCH_OWNERS];
    for (int i = 0; i < rows->count; i++)
        if (rows->each[i].key.side == side)
            return &rows->each[i];
    return NULL;
}

static int64_t count_of(const struct watch_look *look, enum side side, enum tcp_state state)
{
    const struct watch_row *row = row_of(look, side);
    return row != NULL ? row->of[state] : 0;
}

/* -1: there is none. */
static pid_t owner_of_close_wait(const struct watch_look *look)
{
    const struct watch_rows *rows = &look->sets[WATCH_OWNERS];
    for (int i = 0; i < rows->count; i++)
        if (rows->each[i].of[STATE_CLOSE_WAIT] > 0)
            return rows->each[i].pid;
    return -1;
}

/* The client has closed, and the server has heard of it. */
static void leave(struct loopback *loopback)
{
    close(loopback->client);
    await_readable(loopback->server);
}

/* ---- brief looks ---- */

static void a_brief_look_tells_how_old_its_established_are(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair(), second = loopback;
    struct watch *watch = watch_busy(loopback.target.ports.first);
    struct watch_look look;
    look_at(watch, &look);
    assert_true(look.rest_s <= 0);
    second.client = loopback_connect(&loopback);
    second.server = loopback_accept(&loopback);
    look_briefly_at(watch, &look);
    assert_int_equal(count_of(&look, SIDE_SERVER, STATE_ESTABLISHED), 1);
    assert_int_equal(count_of(&look, SIDE_CLIENT, STATE_ESTABLISHED), 1);
    assert_int_equal(look.sockets, 2);
    assert_int_equal(row_of(&look, SIDE_SERVER)->pid, getpid());
    assert_int_equal(watch_take(watch, true, &look), 0); /* a detailed one is full */
    assert_true(look.rest_s <= 0);
    assert_int_equal(count_of(&look, SIDE_SERVER, STATE_ESTABLISHED), 2);
    look_briefly_at(watch, &look);
    assert_int_equal(count_of(&look, SIDE_SERVER, STATE_ESTABLISHED), 2);
    assert_int_equal(look.sockets, 4);
    watch_free(watch);
    reset_connection(&second.client);
    close(second.server);
    loopback_close(&loopback);
}

/* No trend is made of a count that was not taken. */
static void what_a_brief_look_leaves_out_has_no_trend(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    struct watch *watch = watch_busy(loopback.target.ports.first);
    struct watch_look look;
    look_at(watch, &look);
    for (int i = 0; i < 5; i++)
        look_briefly_at(watch, &look);
    assert_int_equal(watch_row_trend(row_of(&look, SIDE_SERVER), GROUP_ESTABLISHED).looks, 1);
    leave(&loopback);
    look_briefly_at(watch, &look);
    look_briefly_at(watch, &look);
    assert_int_equal(watch_row_trend(row_of(&look, SIDE_SERVER), GROUP_OWED).looks, 3); /* a 0 before */
    watch_free(watch);
    close(loopback.server);
    close(loopback.listener);
}

static void a_brief_look_shows_close_wait_at_once(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    struct watch *watch = watch_busy(loopback.target.ports.first);
    struct watch_look look;
    look_at(watch, &look);
    leave(&loopback);
    look_briefly_at(watch, &look);
    assert_int_equal(count_of(&look, SIDE_SERVER, STATE_CLOSE_WAIT), 1);
    assert_int_equal(row_of(&look, SIDE_SERVER)->pid, getpid());
    assert_int_equal(row_of(&look, SIDE_SERVER)->came[GROUP_CLOSE_WAIT], 1);
    assert_in_range(look.sockets, 2,
                    3); /* it is counted once; its peer, which has no descriptor now, perhaps twice */
    close(loopback.server);
    look_briefly_at(watch, &look);
    assert_int_equal(count_of(&look, SIDE_SERVER, STATE_CLOSE_WAIT), 0);
    watch_free(watch);
    close(loopback.listener);
}

/* It came and went to CLOSE_WAIT between two looks: its descriptor is behind those that are known. */
static void a_brief_look_finds_the_owner_of_what_is_new(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair(), second = loopback;
    struct watch *watch = watch_busy(loopback.target.ports.first);
    struct watch_look look;
    look_at(watch, &look);
    second.client = loopback_connect(&loopback);
    second.server = loopback_accept(&loopback);
    leave(&second);
    look_briefly_at(watch, &look);
    assert_int_equal(count_of(&look, SIDE_SERVER, STATE_CLOSE_WAIT), 1);
    assert_int_equal(row_of(&look, SIDE_SERVER)->pid, getpid());
    assert_int_equal(look.hidden, 0);
    watch_free(watch);
    close(second.server);
    loopback_close(&loopback);
}

static void a_brief_look_sees_close_wait_become_a_ghost(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    struct watch *watch = watch_busy(loopback.target.ports.first);
    struct watch_look look;
    const struct linger reset = {.l_onoff = 1};
    look_at(watch, &look);
    shutdown(loopback.client, SHUT_WR);
    await_readable(loopback.server);
    look_briefly_at(watch, &look);
    assert_int_equal(count_of(&look, SIDE_SERVER, STATE_CLOSE_WAIT), 1);
    setsockopt(loopback.client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(loopback.client);
    assert_soon(watch_take(watch, false, &look) == 0 && look.ghosts == 1);
    assert_int_equal(count_of(&look, SIDE_SERVER, STATE_GONE), 1);
    assert_int_equal(row_of(&look, SIDE_SERVER)->pid, getpid());
    look_at(watch, &look);
    assert_int_equal(look.ghosts, 1);
    close(loopback.server);
    look_at(watch, &look);
    assert_int_equal(look.ghosts, 0);
    watch_free(watch);
    close(loopback.listener);
}

/* ---- owners that change ---- */

/* A process that takes descriptors over a socket, and keeps them. */
struct taker {
    pid_t pid;
    int to;
};

static struct taker fork_taker(const struct loopback *without)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    struct taker taker = {.pid = fork(), .to = ends[1]};
    if (taker.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "taker");
        close(without->listener);
        for (;;) {
            char byte, control[CMSG_SPACE(sizeof(int))];
            struct iovec data = {&byte, 1};
            struct msghdr message = {
                .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
            if (recvmsg(ends[0], &message, 0) <= 0 || write(ends[0], "", 1) != 1)
                _exit(1);
        }
    }
    close(ends[0]);
    return taker;
}

/* Returns when it has it. */
static void pass_on(const struct taker *taker, int fd)
{
    char byte = 0, control[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    assert_int_equal(sendmsg(taker->to, &message, 0), 1);
    assert_int_equal(read(taker->to, &byte, 1), 1);
}

/* As a server does that accepts, and has workers. The number of its descriptors stays the same: another one
 * is opened in the place. */
static void who_has_passed_it_on_is_not_named_any_more(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen(), second = loopback;
    struct taker worker = fork_taker(&loopback);
    loopback.client = loopback_connect(&loopback);
    loopback.server = loopback_accept(&loopback);
    pass_on(&worker, loopback.server);
    close(loopback.server);
    second.client = loopback_connect(&loopback);
    second.server = loopback_accept(&loopback);
    leave(&second);
    struct watch *watch = watch_busy(loopback.target.ports.first);
    struct watch_look look;
    look_at(watch, &look);
    look_briefly_at(watch, &look);
    assert_int_equal(owner_of_close_wait(&look), getpid()); /* nothing has changed */
    pass_on(&worker, second.server);
    assert_int_equal(dup2(STDERR_FILENO, second.server), second.server);
    look_briefly_at(watch, &look);
    assert_int_equal(owner_of_close_wait(&look), worker.pid);
    assert_int_equal(look.hidden, 0);
    end_holder(worker.pid);
    watch_free(watch);
    close(worker.to);
    close(second.server);
    reset_connection(&loopback.client);
    close(loopback.listener);
}

/* Nobody knows of the taker yet. */
static void who_has_passed_it_on_to_a_stranger_is_not_named_either(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    struct taker stranger = fork_taker(&loopback);
    loopback.client = loopback_connect(&loopback);
    loopback.server = loopback_accept(&loopback);
    leave(&loopback);
    struct watch *watch = watch_busy(loopback.target.ports.first);
    struct watch_look look;
    look_at(watch, &look);
    pass_on(&stranger, loopback.server);
    close(loopback.server);
    look_briefly_at(watch, &look);
    assert_int_equal(owner_of_close_wait(&look), 0);
    assert_int_equal(look.hidden, 0);
    assert_int_equal(look.unsure, 1);
    watch_look_thoroughly(watch);
    look_at(watch, &look);
    assert_int_equal(owner_of_close_wait(&look), stranger.pid);
    end_holder(stranger.pid);
    watch_free(watch);
    close(stranger.to);
    close(loopback.listener);
}

static void a_thorough_look_names_who_has_it_now(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    struct taker taker = fork_taker(&loopback);
    loopback.client = loopback_connect(&loopback);
    loopback.server = loopback_accept(&loopback);
    struct watch *watch = watch_busy(loopback.target.ports.first);
    struct watch_look look;
    look_at(watch, &look);
    look_briefly_at(watch, &look);
    pass_on(&taker, loopback.server);
    close(loopback.server);
    watch_look_thoroughly(watch);
    look_at(watch, &look);
    assert_true(look.is_thorough);
    assert_true(look.rest_s <= 0);
    assert_int_equal(row_of(&look, SIDE_SERVER)->pid, taker.pid);
    look_at(watch, &look);
    assert_false(look.is_thorough);
    end_holder(taker.pid);
    watch_free(watch);
    close(taker.to);
    reset_connection(&loopback.client);
    close(loopback.listener);
}

static void a_process_that_has_ended_is_not_named_by_a_brief_look(void **state)
{
    (void)state;
    struct loopback loopback = loopback_pair();
    leave(&loopback);
    pid_t first = fork_holder("first"), second = fork_holder("second");
    close(loopback.server);
    close(loopback.listener);
    struct watch *watch = watch_busy(loopback.target.ports.first);
    struct watch_look look;
    look_at(watch, &look);
    pid_t owner = row_of(&look, SIDE_SERVER)->pid, heir = owner == first ? second : first;
    assert_true(owner == first || owner == second);
    end_holder(owner);
    look_briefly_at(watch, &look);
    assert_int_equal(owner_of_close_wait(&look), 0);
    watch_look_thoroughly(watch);
    look_at(watch, &look);
    assert_int_equal(owner_of_close_wait(&look), heir);
    end_holder(heir);
    watch_free(watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_brief_look_tells_how_old_its_established_are),
        cmocka_unit_test(what_a_brief_look_leaves_out_has_no_trend),
        cmocka_unit_test(a_brief_look_shows_close_wait_at_once),
        cmocka_unit_test(a_brief_look_finds_the_owner_of_what_is_new),
        cmocka_unit_test(a_brief_look_sees_close_wait_become_a_ghost),
        cmocka_unit_test(who_has_passed_it_on_is_not_named_any_more),
        cmocka_unit_test(who_has_passed_it_on_to_a_stranger_is_not_named_either),
        cmocka_unit_test(a_thorough_look_names_who_has_it_now),
        cmocka_unit_test(a_process_that_has_ended_is_not_named_by_a_brief_look),
    };
    return cmocka_run_group_tests_name("watch brief", tests, NULL, NULL);
}
