/* crowd: many processes that hold connections, as a busy host has them: each listens on a port of its own and
 * is its own client.
 *
 *   crowd PROCESSES PAIRS RATE LEAKS
 *
 * Each process holds PAIRS connections, both ends. RATE connections a second come and go, a process after the
 * other: each stays until the next one of its process. In the first process LEAKS a second are closed by
 * their client and never by their server. It prints "ready" when all is held, and goes on until its standard
 * input ends. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PORT_FIRST = 10000, BACKLOG = 64 };

struct pair {
    int client, server;
};

static void die(const char *what)
{
    fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int listen_on(uint16_t port)
{
    const struct sockaddr_in where = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(fd, (const struct sockaddr *)&where, sizeof where) != 0 || listen(fd, BACKLOG) != 0)
        die("listen");
    return fd;
}

static struct pair open_pair(int listener, uint16_t port)
{
    const struct sockaddr_in where = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct pair pair = {.client = socket(AF_INET, SOCK_STREAM, 0)};
    if (pair.client < 0 || connect(pair.client, (const struct sockaddr *)&where, sizeof where) != 0)
        die("connect");
    pair.server = accept(listener, NULL, NULL);
    if (pair.server < 0)
        die("accept");
    return pair;
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void wait_until(int64_t when_us)
{
    int64_t left_us = when_us - now_us();
    if (left_us > 0)
        usleep((useconds_t)left_us);
}

/* One connection after the other, each in the place of the one before. */
static void live(int listener, uint16_t port, int64_t first_us, int64_t pause_us, bool leaks)
{
    struct pair last = {-1, -1};
    for (int64_t next_us = first_us;; next_us += pause_us) {
        wait_until(next_us);
        if (last.client >= 0)
            close(last.client);
        if (last.server >= 0 && !leaks)
            close(last.server);
        last = open_pair(listener, port);
    }
}

static void be_one(int number, int processes, int pairs, double rate, double leaks, int ready,
                   int64_t begin_us)
{
    const uint16_t port = (uint16_t)(PORT_FIRST + number);
    int listener = listen_on(port);
    for (int i = 0; i < pairs; i++)
        open_pair(listener, port);
    if (write(ready, "", 1) != 1)
        die("ready");
    if (number == 0 && leaks > 0)
        live(listener, port, begin_us, (int64_t)(1e6 / leaks), true);
    if (rate > 0)
        live(listener, port, begin_us + (int64_t)(1e6 * number / rate), (int64_t)(1e6 * processes / rate),
             false);
    for (;;)
        pause();
}

int main(int argc, char *argv[])
{
    int ready[2];
    char byte;
    if (argc != 5 || pipe(ready) != 0) {
        fprintf(stderr, "usage: crowd PROCESSES PAIRS RATE LEAKS\n");
        return 2;
    }
    const int processes = atoi(argv[1]), pairs = atoi(argv[2]);
    const double rate = atof(argv[3]), leaks = atof(argv[4]);
    for (int i = 0; i < processes; i++) {
        pid_t child = fork();
        if (child < 0)
            die("fork");
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            signal(SIGINT, SIG_IGN);
            close(ready[0]);
            be_one(i, processes, pairs, rate, leaks, ready[1], now_us() + 2000000);
        }
    }
    close(ready[1]);
    for (int i = 0; i < processes; i++)
        if (read(ready[0], &byte, 1) != 1)
            die("a process ended");
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return 0;
}
