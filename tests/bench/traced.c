/* traced: what it costs to be traced: a small epoll server, alone, under tcpstorm's tracer, or under strace.
 *
 *   traced alone|tcpstorm|strace connections|requests N
 *
 * plays N connections of one request each, or N requests over one connection, and prints
 *
 *   SECONDS CPU_MS      the whole time, and processor time of the server and of who traces it
 *
 * It also asks whether the calls were seen: where they were not it ends with exit status 1.
 *
 *   traced serve        the server: it prints its port and its pid, and answers until it is killed */
#include "control/program.h"
#include "trace/tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST = 64, CALLS = 7 }; /* accept4, epoll_ctl, read, write, read = 0, epoll_ctl, close */

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "traced: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- the server ---- */

static int listen_somewhere(void)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof where;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&where, length) != 0 ||
        listen(listener, 1024) != 0 || getsockname(listener, (struct sockaddr *)&where, &length) != 0)
        fail("listen");
    printf("%d %d\n", ntohs(where.sin_port), (int)getpid());
    fflush(stdout);
    return listener;
}

static __attribute__((noinline)) void close_connection(int epoll, int fd)
{
    epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
    close(fd);
}

static __attribute__((noinline)) void on_readable(int epoll, int fd)
{
    char bytes[REQUEST];
    ssize_t length = read(fd, bytes, sizeof bytes);
    if (length <= 0 || write(fd, bytes, (size_t)length) != length)
        close_connection(epoll, fd);
}

static __attribute__((noinline)) void on_connection(int epoll, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    struct epoll_event readable = {.events = EPOLLIN, .data.fd = fd};
    if (fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &readable) != 0)
        close(fd);
}

static _Noreturn void serve(void)
{
    int listener = listen_somewhere(), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event readable = {.events = EPOLLIN, .data.fd = listener}, ready[64];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &readable) != 0)
        fail("epoll_ctl");
    for (;;) {
        int count = epoll_wait(epoll, ready, 64, -1);
        for (int i = 0; i < count; i++)
            if (ready[i].data.fd == listener)
                on_connection(epoll, listener);
            else
                on_readable(epoll, ready[i].data.fd);
    }
}

/* ---- who traces it ---- */

struct measured {
    pid_t server, tracer; /* 0: none */
    int port, output;
    struct tracer ours;
    struct program program;
    char log[256]; /* strace's */
};

static void take_birth(struct measured *measured)
{
    char line[64] = "";
    for (size_t length = 0; length < sizeof line - 1 && strchr(line, '\n') == NULL; length++)
        if (read(measured->output, line + length, 1) != 1)
            fail("the server does not say where it listens");
    int pid;
    if (sscanf(line, "%d %d", &measured->port, &pid) != 2)
        fail("the server's line");
    measured->server = pid;
}

/* Executed without a keeper: alone, or under strace. */
static pid_t execute(char *const words[], int output)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(output, STDOUT_FILENO);
    execvp(words[0], words);
    _exit(127);
}

static void start(struct measured *measured, const char *manner)
{
    static const char calls[] =
        "trace=accept,accept4,connect,read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,"
        "sendfile,splice,shutdown,close,dup,dup2,dup3,epoll_ctl";
    char self[256] = "", serve_word[] = "serve", strace[] = "strace", filter[sizeof calls];
    char follow[] = "-f", stacks[] = "-k", quiet[] = "-qq", bpf[] = "--seccomp-bpf", into[] = "-o",
         only[] = "-e";
    int output[2];
    memcpy(filter, calls, sizeof calls);
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0 || pipe2(output, O_CLOEXEC) != 0)
        fail("pipe2");
    const char *folder = getenv("TMPDIR");
    snprintf(measured->log, sizeof measured->log, "%s/traced.%d", folder != NULL ? folder : "/tmp",
             (int)getpid());
    char *alone[] = {self, serve_word, NULL};
    char *under_strace[] = {strace,        follow, stacks, quiet, bpf,        into,
                            measured->log, only,   filter, self,  serve_word, NULL};
    if (strcmp(manner, "tcpstorm") == 0) {
        errno = -tracer_start(&measured->ours);
        const struct program_place place = {
            .output = output[1], .before_execution = tracer_take_this_process, .context = &measured->ours};
        if (errno != 0 || (errno = -program_start(&measured->program, alone, &place)) != 0)
            fail("tracing");
        measured->tracer = measured->ours.pid;
    } else {
        bool is_strace = strcmp(manner, "strace") == 0;
        pid_t pid = execute(is_strace ? under_strace : alone, output[1]);
        measured->tracer = is_strace ? pid : 0;
    }
    close(output[1]);
    measured->output = output[0];
    take_birth(measured);
}

/* ---- the client ---- */

static int visit(const struct measured *measured)
{
    struct sockaddr_in where = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                .sin_port = htons((uint16_t)measured->port)};
    const int yes = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&where, sizeof where) != 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

static void ask(int fd)
{
    char bytes[REQUEST] = "";
    if (write(fd, bytes, sizeof bytes) != sizeof bytes ||
        recv(fd, bytes, sizeof bytes, MSG_WAITALL) != sizeof bytes)
        fail("a request");
}

static void leave(int fd)
{
    char byte;
    if (shutdown(fd, SHUT_WR) != 0 || read(fd, &byte, 1) != 0)
        fail("the server has not closed");
    close(fd);
}

/* ---- the measure ---- */

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        fail("clock_gettime");
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_of(pid_t pid)
{
    clockid_t clock;
    return pid > 0 && clock_getcpuclockid(pid, &clock) == 0 ? seconds_of(clock) : 0;
}

static void play(const struct measured *measured, bool is_connections, int count)
{
    int fd = is_connections ? -1 : visit(measured);
    for (int i = 0; i < count; i++) {
        fd = is_connections ? visit(measured) : fd;
        ask(fd);
        if (is_connections)
            leave(fd);
    }
    if (!is_connections)
        leave(fd);
}

static long lines_with(const char *path, const char *word)
{
    char line[4096];
    FILE *file = fopen(path, "re");
    long count = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        count += strstr(line, word) != NULL;
    if (file != NULL)
        fclose(file);
    return count;
}

static void check_work(struct measured *measured, bool is_connections, int count)
{
    int connections = is_connections ? count : 1;
    if (measured->ours.pid > 0) {
        struct trace_report report;
        errno = -tracer_report(&measured->ours, 10000, &report);
        if (errno != 0)
            fail("the report");
        const struct traced_connection *first = report.connections;
        if (report.count != connections || (is_connections ? first->count != CALLS : !first->is_cut))
            fail("not all was seen");
        trace_report_free(&report);
        program_stop(&measured->program, 1000);
        tracer_stop(&measured->ours);
        return;
    }
    kill(measured->server, SIGKILL);
    while (wait(NULL) > 0)
        continue;
    if (measured->tracer > 0) {
        long seen = lines_with(measured->log, "accept4("),
             frames = lines_with(measured->log, "on_connection");
        unlink(measured->log);
        if (seen < connections || frames < connections)
            fail("strace has not seen all");
    }
}

int main(int argc, char **argv)
{
    struct measured measured = {.server = 0};
    if (argc == 2 && strcmp(argv[1], "serve") == 0)
        serve();
    int count = argc == 4 ? atoi(argv[3]) : 0;
    if (count <= 0) {
        fprintf(stderr, "usage: traced alone|tcpstorm|strace connections|requests N\n");
        return 2;
    }
    bool is_connections = strcmp(argv[2], "connections") == 0;
    start(&measured, argv[1]);
    double began = seconds_of(CLOCK_MONOTONIC), cpu = cpu_of(measured.server) + cpu_of(measured.tracer);
    play(&measured, is_connections, count);
    double took = seconds_of(CLOCK_MONOTONIC) - began;
    cpu = cpu_of(measured.server) + cpu_of(measured.tracer) - cpu;
    check_work(&measured, is_connections, count);
    printf("%.6f %.3f\n", took, 1000 * cpu);
    return 0;
}
