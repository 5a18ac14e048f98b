#include "../unit.h"

#include "../loopback.h"
#include "worker/witness_process.h"
#include "worker/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { PATIENCE_MS = 20000 };

/* A process of the storm, and the test as its controller. */
struct served {
    pid_t pid;
    int fd;
};

static void start(struct served *served, int (*run)(int control))
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    served->pid = fork();
    assert_true(served->pid >= 0);
    if (served->pid == 0) {
        close(pair[0]);
        _exit(run(pair[1]) == 0 ? 0 : 1);
    }
    close(pair[1]);
    served->fd = pair[0];
}

static int run_server(int control)
{
    return worker_run(&batch_server, NULL, false, control);
}

static int run_client(int control)
{
    return worker_run(&batch_client, NULL, false, control);
}

static int run_witness(int control)
{
    return witness_process_run(control, dup(control));
}

static void tell(const struct served *served, const char *line)
{
    dprintf(served->fd, "%s\n", line);
}

static bool take_line(const struct served *served, char *line, size_t size)
{
    size_t length = 0;
    struct pollfd readable = {.fd = served->fd, .events = POLLIN};
    while (length + 1 < size && poll(&readable, 1, PATIENCE_MS) == 1 &&
           read(served->fd, line + length, 1) == 1 && line[length] != '\n')
        length++;
    line[length] = '\0';
    return length > 0;
}

/* The next line that begins with that word. */
static void expect_line(const struct served *served, const char *wanted)
{
    char line[1024];
    char word[32];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(wanted, " "), wanted);
    do {
        if (!take_line(served, line, sizeof line))
            fail_msg("no line \"%s\"", wanted);
    } while (strncmp(line, word, strlen(word)) != 0);
    assert_string_equal(line, wanted);
}

static void expect_orderly_end(struct served *served)
{
    int status = -1;
    tell(served, "quit");
    assert_int_equal(waitpid(served->pid, &status, 0), served->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(served->fd);
}

static void a_worker_answers_pings_in_turn(void **state)
{
    (void)state;
    struct served worker;
    start(&worker, run_server);
    tell(&worker, "ping 1");
    tell(&worker, "ghosts 4");
    tell(&worker, "ping 2");
    expect_line(&worker, "pong 1");
    expect_line(&worker, "ghosts 4 0");
    expect_line(&worker, "pong 2");
    expect_orderly_end(&worker);
}

static void a_worker_that_is_told_to_stop_says_that_it_has(void **state)
{
    (void)state;
    struct served worker;
    start(&worker, run_server);
    tell(&worker, "stop 3");
    expect_line(&worker, "stopped 3");
    expect_orderly_end(&worker);
}

static void what_is_not_done_to_ends_is_a_fault_of_the_protocol(void **state)
{
    static const char *const lines[] = {"act 1 crash forwards 0", "act 1 open forwards 0",
                                        "act 1 wait forwards 0",  "act 1 none forwards 0",
                                        "act 1 dance forwards 0", "act 1 close forwards -1"};
    char expected[64];
    (void)state;
    struct served worker;
    start(&worker, run_server);
    snprintf(expected, sizeof expected, "fault protocol %d 0", EPROTO);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        tell(&worker, lines[i]);
        expect_line(&worker, expected);
    }
    expect_orderly_end(&worker);
}

static void what_only_the_other_side_does_is_a_fault_of_the_protocol(void **state)
{
    char expected[64];
    (void)state;
    struct served server, client;
    start(&server, run_server);
    start(&client, run_client);
    snprintf(expected, sizeof expected, "fault act %d 0", EPROTO);
    tell(&server, "act 1 connect forwards 0");
    expect_line(&server, expected);
    tell(&client, "act 1 unlisten forwards 0");
    expect_line(&client, expected);
    expect_orderly_end(&server);
    expect_orderly_end(&client);
}

/* Ours for a moment, so that it is free. */
static struct loopback on_a_free_port(void)
{
    struct loopback loopback = loopback_listen();
    close(loopback.listener);
    loopback.listener = -1;
    return loopback;
}

/* `verb` 0 127.0.0.1 PORT and what follows. */
static void tell_lane(const struct served *served, const char *verb, const struct loopback *loopback,
                      const char *rest)
{
    dprintf(served->fd, "%s 0 127.0.0.1 %u %s\n", verb, loopback->target.ports.first, rest);
}

static void a_listener_that_is_closed_resets_its_queue(void **state)
{
    char byte;
    (void)state;
    struct loopback loopback = on_a_free_port();
    struct served server;
    start(&server, run_server);
    tell_lane(&server, "listen", &loopback, "8 1 unaccepted");
    expect_line(&server, "listening 0");
    loopback.client = loopback_connect(&loopback);
    tell(&server, "act 1 unlisten forwards 0");
    expect_line(&server, "done 1 1 0 0 0");
    await_readable(loopback.client);
    assert_int_equal(recv(loopback.client, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    expect_orderly_end(&server);
    loopback_close(&loopback);
}

static uint16_t port_of_peer(int fd)
{
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &length), 0);
    return ntohs(peer.sin_port);
}

/* Where nobody holds the old connection any more; with one that is held: see the orders. */
static void a_client_comes_again_from_the_same_port(void **state)
{
    (void)state;
    struct loopback loopback = loopback_listen();
    struct served client;
    start(&client, run_client);
    tell_lane(&client, "connect", &loopback, "1 full 1");
    tell(&client, "credit 0 1");
    loopback.server = loopback_accept(&loopback);
    uint16_t port = port_of_peer(loopback.server);
    expect_line(&client, "opened 0 1 1 1 0");
    tell(&client, "act 1 abort forwards 0");
    expect_line(&client, "done 1 1 0 0 0");
    close(loopback.server);
    tell(&client, "act 2 connect forwards 0");
    loopback.server = loopback_accept(&loopback);
    assert_int_equal(port_of_peer(loopback.server), port);
    expect_line(&client, "done 2 1 0 0 1");
    expect_orderly_end(&client);
    loopback_close(&loopback);
}

static void a_witness_without_a_backend_says_so(void **state)
{
    char expected[64];
    (void)state;
    struct served witness;
    start(&witness, run_witness);
    tell(&witness, "owners 7");
    snprintf(expected, sizeof expected, "owned 7 0 %d", EPROTONOSUPPORT);
    expect_line(&witness, expected);
    tell(&witness, "ping 5");
    expect_line(&witness, "pong 5");
    expect_orderly_end(&witness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_answers_pings_in_turn),
        cmocka_unit_test(a_worker_that_is_told_to_stop_says_that_it_has),
        cmocka_unit_test(what_is_not_done_to_ends_is_a_fault_of_the_protocol),
        cmocka_unit_test(what_only_the_other_side_does_is_a_fault_of_the_protocol),
        cmocka_unit_test(a_listener_that_is_closed_resets_its_queue),
        cmocka_unit_test(a_client_comes_again_from_the_same_port),
        cmocka_unit_test(a_witness_without_a_backend_says_so),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
