/* floor: what the raw system calls cost: blocking socket() and connect() against accept4(), then close(), in
 * as many processes and on the same lanes as tcpstorm would take, with nothing else: no event loop, no
 * credits, no witness.
 *
 *   floor CONNS FIRST_PORT server-first|client-first [ADDRESS SERVER_PID CLIENT_PID]
 *
 * prints four numbers: the seconds that opening, the first close and the second close took, and how many
 * connections that were, by the count of both sides. It fails where the two counts are not CONNS, or a
 * close() failed. With an address, each side is in the network namespace of a process.
 *
 *   floor accept PORT
 *
 * accepts for ever: the other side of a load generator that brings no server of its own.
 *
 *   floor scrape PORT
 *
 * asks for /metrics every 100 ms, from when somebody listens until nobody does, and prints how often that
 * was: a monitor that takes next to nothing itself. */
#include "base/clock.h"
#include "control/hosts.h"
#include "engine/lane.h"
#include "engine/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct part {
    bool is_server;
    const struct plan *plan;
    const struct lane *lanes;
    int pair;
    uint16_t first_port;
    const char *in_namespace_of; /* a process; NULL: here */
    int go, done;                /* pipes: per phase a byte to go, and back how many calls succeeded */
    int *fd;
    int64_t count;
};

static void die(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(3);
}

static void await_go(const struct part *part)
{
    char byte;
    if (read(part->go, &byte, 1) != 1)
        exit(3);
}

static void tell_done(const struct part *part, int64_t calls)
{
    if (write(part->done, &calls, sizeof calls) != sizeof calls)
        exit(3);
}

static int listen_on(uint16_t port, const struct plan *plan)
{
    struct sockaddr_storage where;
    socklen_t length = address_to_sockaddr(&plan->settings->address, port, &where);
    const int on = 1;
    int fd = socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&where, length) != 0 || listen(fd, plan->backlog) != 0)
        die("listen");
    return fd;
}

static void accept_lane(struct part *part, int listener, int64_t quota)
{
    for (int64_t i = 0; i < quota; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            die("accept4");
        part->fd[part->count++] = fd;
    }
}

static void connect_lane(struct part *part, uint16_t port, int64_t quota)
{
    struct sockaddr_storage where;
    socklen_t length = address_to_sockaddr(&part->plan->settings->address, port, &where);
    for (int64_t i = 0; i < quota; i++) {
        int fd = socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&where, length) != 0)
            die("connect");
        part->fd[part->count++] = fd;
    }
}

static void enter(const char *pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/ns/net", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
        die("setns");
    close(fd);
}

static void play(struct part *part)
{
    if (part->in_namespace_of != NULL)
        enter(part->in_namespace_of);
    const struct plan *plan = part->plan;
    int *listeners = calloc((size_t)plan->lane_count, sizeof *listeners);
    part->fd = calloc((size_t)plan->worker_capacity, sizeof *part->fd);
    if (listeners == NULL || part->fd == NULL || host_raise_nofile() != 0)
        die("start");
    for (int i = 0; part->is_server && i < plan->lane_count; i++)
        if (part->lanes[i].pair == part->pair)
            listeners[i] = listen_on((uint16_t)(part->first_port + i), plan);
    tell_done(part, 0);
    await_go(part);
    for (int i = 0; i < plan->lane_count; i++) {
        if (part->lanes[i].pair != part->pair)
            continue;
        if (part->is_server)
            accept_lane(part, listeners[i], part->lanes[i].quota);
        else
            connect_lane(part, (uint16_t)(part->first_port + i), part->lanes[i].quota);
    }
    tell_done(part, part->count);
    await_go(part);
    for (int64_t i = 0; i < part->count; i++)
        if (close(part->fd[i]) != 0)
            die("close");
    tell_done(part, part->count);
    await_go(part); /* nobody leaves before all have been timed */
}

static void accept_for_ever(uint16_t port)
{
    struct run_settings settings = {.conns = 1};
    const struct plan plan = {.settings = &settings, .backlog = 4096};
    address_parse("127.0.0.1", &settings.address);
    host_raise_nofile();
    for (int listener = listen_on(port, &plan);;)
        if (accept4(listener, NULL, NULL, SOCK_CLOEXEC) < 0)
            die("accept4");
}

/* Returns whether somebody has answered. */
static bool scrape_once(uint16_t port)
{
    static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
    static char page[65536];
    struct address address;
    struct sockaddr_storage where;
    address_parse("127.0.0.1", &address);
    socklen_t length = address_to_sockaddr(&address, port, &where);
    int fd = socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_answered = fd >= 0 && connect(fd, (struct sockaddr *)&where, length) == 0 &&
                       send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0 &&
                       read(fd, page, sizeof page) > 0;
    while (is_answered && read(fd, page, sizeof page) > 0)
        ;
    close(fd);
    return is_answered;
}

static void scrape(uint16_t port)
{
    int pages = 1;
    for (int tries = 0; !scrape_once(port); tries++) {
        if (tries == 20000)
            die("nobody listens");
        usleep(500);
    }
    for (; usleep(100000) == 0 && scrape_once(port); pages++)
        ;
    printf("%d\n", pages);
}

struct team {
    int *go;
    int *done;
    pid_t *pid;
    int count;
};

static void start(struct team *team, struct part part)
{
    int go[2], done[2];
    if (pipe(go) != 0 || pipe(done) != 0)
        die("pipe");
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        part.go = go[0];
        part.done = done[1];
        close(go[1]);
        close(done[0]);
        play(&part);
        _exit(0);
    }
    close(go[0]);
    close(done[1]);
    team->go[team->count] = go[1];
    team->done[team->count] = done[0];
    team->pid[team->count++] = pid;
}

/* How many calls they have made. */
static int64_t await_all(const struct team *team)
{
    int64_t sum = 0, calls;
    for (int i = 0; i < team->count; i++, sum += calls)
        if (read(team->done[i], &calls, sizeof calls) != sizeof calls) {
            fprintf(stderr, "floor: a process ended early\n");
            exit(3);
        }
    return sum;
}

static void check_count(const char *side, int64_t calls, int64_t wanted)
{
    if (calls == wanted)
        return;
    fprintf(stderr, "floor: %lld calls by the %s where %lld were wanted\n", (long long)calls, side,
            (long long)wanted);
    exit(1);
}

static void release(const struct team *team)
{
    for (int i = 0; i < team->count; i++)
        if (write(team->go[i], "g", 1) != 1)
            die("release");
}

/* Seconds until each side has made its `wanted` calls; b may be NULL. */
static double phase(const struct team *a, const struct team *b, int64_t wanted)
{
    int64_t began_us = monotonic_us();
    release(a);
    if (b != NULL)
        release(b);
    int64_t calls = await_all(a), others = b != NULL ? await_all(b) : wanted;
    int64_t took_us = monotonic_us() - began_us;
    check_count("side that goes first", calls, wanted);
    check_count("other side", others, wanted);
    return (double)took_us / 1e6;
}

static struct team team_of(int count)
{
    struct team team = {.go = calloc((size_t)count, sizeof(int)),
                        .done = calloc((size_t)count, sizeof(int)),
                        .pid = calloc((size_t)count, sizeof(pid_t))};
    if (team.go == NULL || team.done == NULL || team.pid == NULL)
        die("memory");
    return team;
}

static void send_home(struct team *team)
{
    release(team);
    for (int i = 0; i < team->count; i++)
        waitpid(team->pid[i], NULL, 0);
}

int main(int argc, char *argv[])
{
    if (argc == 3 && strcmp(argv[1], "accept") == 0)
        accept_for_ever((uint16_t)atoi(argv[2]));
    if (argc == 3 && strcmp(argv[1], "scrape") == 0) {
        scrape((uint16_t)atoi(argv[2]));
        return 0;
    }
    if (argc != 4 && argc != 7) {
        fprintf(stderr,
                "usage: floor CONNS FIRST_PORT server-first|client-first [ADDRESS SERVER_PID CLIENT_PID], "
                "or floor accept|scrape PORT\n");
        return 2;
    }
    const struct close_order *order = close_order_find(argv[3]);
    struct run_settings settings = {.conns = atoll(argv[1]), .port = atoll(argv[2]), .experiment_count = 1};
    if (order != NULL)
        settings.experiments[0] = experiment_of_order(order);
    address_parse(argc == 7 ? argv[4] : "127.0.0.1", &settings.address);
    if (argc == 7)
        enter(argv[5]); /* the plan looks for room beside that address */
    static struct hosts here;
    static struct plan plan;
    hosts_here(&here, &settings.address);
    settings.hosts = &here;
    if (order == NULL || plan_make(&plan, &settings) != 0) {
        fprintf(stderr, "floor: %s\n",
                order == NULL ? "there is no such order" : plan.obstacles.each[0].text);
        return 3;
    }
    struct lane *lanes = calloc((size_t)plan.lane_count, sizeof *lanes);
    lanes_fill(lanes, settings.conns, plan.pairs, plan.lane_capacity);
    host_raise_nofile();
    struct team servers = team_of(plan.pairs), clients = team_of(plan.pairs);
    for (int pair = 0; pair < plan.pairs; pair++) {
        struct part part = {
            .plan = &plan, .lanes = lanes, .pair = pair, .first_port = (uint16_t)settings.port};
        part.is_server = true;
        part.in_namespace_of = argc == 7 ? argv[5] : NULL;
        start(&servers, part);
        part.is_server = false;
        part.in_namespace_of = argc == 7 ? argv[6] : NULL;
        start(&clients, part);
    }
    await_all(&servers);
    await_all(&clients);
    bool server_first = strcmp(argv[3], "server-first") == 0;
    double open_s = phase(&servers, &clients, settings.conns);
    double first_s = phase(server_first ? &servers : &clients, NULL, settings.conns);
    double second_s = phase(server_first ? &clients : &servers, NULL, settings.conns);
    printf("%.6f %.6f %.6f %lld\n", open_s, first_s, second_s, (long long)settings.conns);
    send_home(&servers);
    send_home(&clients);
    return 0;
}
