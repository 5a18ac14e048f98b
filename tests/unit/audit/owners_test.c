#include "../unit.h"

#include "../loopback.h"
#include "audit/owners.h"
#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum { COUNT = 2 };

/* Two connections to this process, as an audit knows them. */
struct bench {
    struct loopback loopback;
    int server[COUNT], client[COUNT];
    struct audit_connection connections[COUNT];
    struct audit_result result;
};

static void let_a_tick_pass(void)
{
    const struct timespec pause = {.tv_nsec = 40000000};
    nanosleep(&pause, NULL);
}

static void open_all(struct bench *bench)
{
    *bench = (struct bench){.loopback = loopback_listen()};
    bench->result = (struct audit_result){.count = COUNT, .connections = bench->connections};
    for (int i = 0; i < COUNT; i++) {
        struct stat of_server;
        bench->connections[i].begun_us = monotonic_us();
        bench->client[i] = loopback_connect(&bench->loopback);
        bench->connections[i].connected_us = monotonic_us();
        bench->server[i] = loopback_accept(&bench->loopback);
        assert_int_equal(fstat(bench->server[i], &of_server), 0);
        bench->connections[i].inode = of_server.st_ino;
    }
    let_a_tick_pass();
}

static void close_server(struct bench *bench)
{
    for (int i = 0; i < COUNT; i++) {
        close(bench->server[i]);
        bench->server[i] = -1;
    }
}

static void close_all(struct bench *bench)
{
    close_server(bench);
    for (int i = 0; i < COUNT; i++)
        close(bench->client[i]);
    close(bench->loopback.listener);
}

/* Its owners, with these processes as the server. */
static void find(struct bench *bench, pid_t *pids, int listening, int count)
{
    int error = 0;
    const struct server_processes server = {.each = pids, .listening = listening, .count = count};
    assert_int_equal(owners_find(&server, witness_choose(0, &error), &bench->result), 0);
}

static void expect(const struct bench *bench, pid_t owner, enum audit_owner_role role)
{
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(bench->connections[i].owner, owner);
        assert_int_equal(bench->connections[i].role, role);
    }
}

/* It keeps what it inherits but for the first `closed` connections. */
static pid_t start_child(const struct bench *bench, int closed)
{
    int ready[2];
    char byte = 'r';
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
        for (int i = 0; i < closed; i++)
            close(bench->server[i]);
        if (write(ready[1], &byte, 1) == 1)
            pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void end_child(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void who_listens_and_was_there_has_accepted_them(void **state)
{
    (void)state;
    struct bench bench;
    pid_t self = getpid();
    open_all(&bench);
    find(&bench, &self, 1, 1);
    expect(&bench, self, OWNER_ACCEPTED);
    assert_string_not_equal(bench.connections[0].command, "");
    pid_t both[] = {self, start_child(&bench, 0)}; /* an heir does not matter while the server has them */
    find(&bench, both, 1, 2);
    expect(&bench, self, OWNER_ACCEPTED);
    end_child(both[1]);
    close_all(&bench);
}

static void who_was_there_and_does_not_listen_was_given_them(void **state)
{
    (void)state;
    struct bench bench;
    pid_t listener = fork();
    if (listener == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
        _exit(0);
    }
    open_all(&bench);
    find(&bench, &listener, 1, 1);
    expect(&bench, getpid(), OWNER_GIVEN);
    end_child(listener);
    close_all(&bench);
}

static void who_was_started_later_inherited_them(void **state)
{
    (void)state;
    struct bench bench;
    open_all(&bench);
    pid_t both[] = {getpid(), start_child(&bench, 0)};
    close_server(&bench);
    find(&bench, both, 1, 2);
    expect(&bench, both[1], OWNER_HEIR);
    end_child(both[1]);
    close_all(&bench);
}

static void who_was_started_for_one_is_its_child(void **state)
{
    (void)state;
    struct bench bench;
    open_all(&bench);
    pid_t both[] = {getpid(), start_child(&bench, 1)};
    close(bench.server[1]);
    find(&bench, both, 1, 2);
    assert_int_equal(bench.connections[0].role, OWNER_ACCEPTED);
    assert_int_equal(bench.connections[1].role, OWNER_CHILD);
    assert_int_equal(bench.connections[1].owner, both[1]);
    end_child(both[1]);
    close(bench.server[0]);
    close(bench.client[0]);
    close(bench.client[1]);
    close(bench.loopback.listener);
}

/* On their way in a message: who has them knows nobody, and if all could be looked into nobody has. */
static void what_nobody_has_is_nobodys(void **state)
{
    (void)state;
    struct bench bench;
    pid_t self = getpid();
    int pair[2];
    union {
        char bytes[CMSG_SPACE(sizeof bench.server)];
        struct cmsghdr header;
    } control = {.bytes = {0}};
    struct iovec byte = {.iov_base = (char[]){'x'}, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    open_all(&bench);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    control.header = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof bench.server)};
    memcpy(CMSG_DATA(&control.header), bench.server, sizeof bench.server);
    assert_int_equal(sendmsg(pair[0], &message, 0), 1);
    close_server(&bench);
    find(&bench, &self, 1, 1);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(bench.connections[i].owner, 0);
        assert_true(bench.connections[i].role == OWNER_NOBODY || bench.connections[i].role == OWNER_UNKNOWN);
    }
    close(pair[0]);
    close(pair[1]);
    find(&bench, &self, 1, 1); /* gone meanwhile */
    expect(&bench, 0, OWNER_UNKNOWN);
    close_all(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_listens_and_was_there_has_accepted_them),
        cmocka_unit_test(who_was_there_and_does_not_listen_was_given_them),
        cmocka_unit_test(who_was_started_later_inherited_them),
        cmocka_unit_test(who_was_started_for_one_is_its_child),
        cmocka_unit_test(what_nobody_has_is_nobodys),
    };
    return cmocka_run_group_tests_name("owners", tests, NULL, NULL);
}
