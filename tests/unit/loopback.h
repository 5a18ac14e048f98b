/* Real sockets on 127.0.0.1, on a port that the kernel chooses. */
#ifndef TESTS_LOOPBACK_H
#define TESTS_LOOPBACK_H

#include "kernel/listen_socket.h"
#include "kernel/witness.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum { DEADLINE_MS = 5000 };

struct loopback {
    int listener, client, server; /* -1: not open */
    struct look_target target;
};

/* A listener alone. */
static inline struct loopback loopback_listen(void)
{
    struct loopback loopback = {.client = -1, .server = -1};
    assert_true(address_parse("127.0.0.1", &loopback.target.address));
    loopback.listener = listen_socket_open(&loopback.target.address, 0, 8);
    assert_true(loopback.listener >= 0);
    uint16_t port = listen_socket_port(loopback.listener);
    loopback.target.ports = (struct port_range){port, port};
    return loopback;
}

static inline void connect_to(int fd, const struct loopback *loopback)
{
    struct sockaddr_storage where;
    socklen_t length = address_to_sockaddr(&loopback->target.address, loopback->target.ports.first, &where);
    assert_int_equal(connect(fd, (struct sockaddr *)&where, length), 0);
}

static inline int loopback_connect(const struct loopback *loopback)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connect_to(fd, loopback);
    return fd;
}

/* From this port, which another one of these may have; 0: from a port that nobody has. */
static inline int loopback_connect_from(const struct loopback *loopback, uint16_t port)
{
    struct sockaddr_storage from;
    socklen_t length = address_to_sockaddr(&loopback->target.address, port, &from);
    const int yes = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, length), 0);
    connect_to(fd, loopback);
    return fd;
}

static inline void await_readable(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, DEADLINE_MS), 1);
}

static inline int loopback_accept(const struct loopback *loopback)
{
    await_readable(loopback->listener);
    int fd = accept4(loopback->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* A connection, both ends open. */
static inline struct loopback loopback_pair(void)
{
    struct loopback loopback = loopback_listen();
    loopback.client = loopback_connect(&loopback);
    loopback.server = loopback_accept(&loopback);
    return loopback;
}

/* By RST: neither side stays. */
static inline void reset_connection(int *fd)
{
    const struct linger at_once = {.l_onoff = 1};
    setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(*fd);
    *fd = -1;
}

static inline void loopback_close(struct loopback *loopback)
{
    if (loopback->client >= 0)
        reset_connection(&loopback->client);
    if (loopback->server >= 0)
        reset_connection(&loopback->server);
    close(loopback->listener);
}

static inline uint64_t inode_of(int fd)
{
    struct stat about;
    assert_int_equal(fstat(fd, &about), 0);
    return about.st_ino;
}

/* A child that keeps every descriptor of ours until it is ended. */
static inline pid_t fork_holder(const char *name)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, name);
    for (;;)
        pause();
}

static inline void end_holder(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static inline int64_t loopback_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Tries again until the condition holds or the deadline is over. */
#define assert_soon(condition)                                                                               \
    do {                                                                                                     \
        int64_t deadline_ = loopback_now_ms() + DEADLINE_MS;                                                 \
        while (!(condition) && loopback_now_ms() < deadline_)                                                \
            usleep(1000);                                                                                    \
        assert_true(condition);                                                                              \
    } while (0)

static inline enum tcp_state state_of(int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof info;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    return (enum tcp_state)info.tcpi_state;
}

/* The server's descriptor of a connection that the client has reset: no table has its socket any more. */
static inline int loopback_ghost(void)
{
    struct loopback loopback = loopback_pair();
    reset_connection(&loopback.client);
    assert_soon(state_of(loopback.server) == STATE_CLOSE);
    close(loopback.listener);
    return loopback.server;
}

/* Those that work here. */
static inline void for_each_backend(void (*check)(const struct witness_backend *witness))
{
    for (int choice = 1; witness_choices[choice] != NULL; choice++) {
        int error;
        const struct witness_backend *witness = witness_choose(choice, &error);
        if (witness != NULL)
            check(witness);
    }
}

/* A connection after the client's FIN, acknowledged: FIN_WAIT2 there, CLOSE_WAIT at the server. */
static inline struct loopback loopback_close_wait(void)
{
    struct loopback loopback = loopback_pair();
    assert_int_equal(shutdown(loopback.client, SHUT_WR), 0);
    assert_soon(state_of(loopback.client) == STATE_FIN_WAIT2);
    return loopback;
}

#endif
