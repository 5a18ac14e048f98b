#include "../unit.h"

#include "../loopback.h"
#include "audit/server_process.h"
#include "kernel/process.h"

#include <errno.h>
#include <sys/stat.h>

/* A server with a listening socket, whose child has a child that has done without it. Each ends with what it
 * reads from: the test's end of the pipe. */
struct server {
    struct loopback loopback;
    uint64_t listener;
    pid_t parent, grandchild;
    int stop[2];
};

static void wait_for_the_end(int fd, int status)
{
    char byte;
    while (read(fd, &byte, 1) < 0 && errno == EINTR)
        ;
    _exit(status);
}

static void be_server(struct server *server, int report)
{
    close(server->stop[1]);
    if (fork() == 0) {
        close(server->loopback.listener);
        pid_t grandchild = fork();
        if (grandchild > 0 && write(report, &grandchild, sizeof grandchild) < 0)
            _exit(1);
        wait_for_the_end(server->stop[0], 0);
    }
    wait_for_the_end(server->stop[0], 3);
}

static struct server server_start(void)
{
    struct server server = {.loopback = loopback_listen()};
    struct stat of_listener;
    int report[2];
    assert_int_equal(pipe(server.stop), 0);
    assert_int_equal(pipe(report), 0);
    assert_int_equal(fstat(server.loopback.listener, &of_listener), 0);
    server.listener = of_listener.st_ino;
    server.parent = fork();
    if (server.parent == 0)
        be_server(&server, report[1]);
    close(server.loopback.listener); /* it is the server's alone */
    assert_int_equal(read(report[0], &server.grandchild, sizeof server.grandchild), sizeof server.grandchild);
    close(report[0]);
    close(report[1]);
    close(server.stop[0]);
    return server;
}

static void who_listens_and_its_descendants_are_the_server(void **state)
{
    (void)state;
    struct server server = server_start();
    struct server_processes found;
    assert_int_equal(server_processes_find(&server.listener, 1, &found), 0);
    assert_int_equal(found.listening, 1);
    assert_int_equal(found.each[0], server.parent);
    assert_int_equal(found.count, 3);
    assert_true(pid_is_among(server.grandchild, found.each, found.count));
    assert_false(pid_is_among(getpid(), found.each, found.count));
    server_processes_free(&found);
    close(server.stop[1]);
    waitpid(server.parent, NULL, 0);
}

static void nobody_listens_with_an_inode_that_nobody_has(void **state)
{
    (void)state;
    struct server_processes found;
    const uint64_t none = 1;
    int rc = server_processes_find(&none, 1, &found);
    assert_true(rc == -ESRCH || rc == -EACCES); /* as others may be looked into */
    assert_int_equal(found.count, 0);
    assert_int_equal(server_processes_find(NULL, 0, &found), -ESRCH);
}

static void that_it_has_ended_is_known_and_how(void **state)
{
    (void)state;
    struct server server = server_start();
    struct server_processes found;
    struct audit_ending ending;
    assert_int_equal(server_processes_find(&server.listener, 1, &found), 0);
    struct server_life *life = server_life_new(&found);
    assert_non_null(life);
    assert_true(server_life_is_known(life));
    assert_false(server_life_is_over(life, &ending));
    close(server.stop[1]);
    assert_soon(server_life_is_over(life, &ending)); /* a zombie has ended */
    assert_int_equal(ending.pid, server.parent);
    waitpid(server.parent, NULL, 0);
    assert_true(server_life_is_over(life, &ending));
    assert_true(!ending.is_status_known || WEXITSTATUS(ending.status) == 3);
    server_life_free(life);
    server_processes_free(&found);
}

static void nothing_is_known_of_the_life_of_nobody(void **state)
{
    (void)state;
    const struct server_processes nobody = {.count = 0};
    struct audit_ending ending;
    struct server_life *life = server_life_new(&nobody);
    assert_non_null(life);
    assert_false(server_life_is_known(life));
    assert_false(server_life_is_over(life, &ending));
    server_life_free(life);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_listens_and_its_descendants_are_the_server),
        cmocka_unit_test(nobody_listens_with_an_inode_that_nobody_has),
        cmocka_unit_test(that_it_has_ended_is_known_and_how),
        cmocka_unit_test(nothing_is_known_of_the_life_of_nobody),
    };
    return cmocka_run_group_tests_name("server_process", tests, NULL, NULL);
}
