/* Servers to be traced: the test's own program, executed again with the name of one. Each says its port in a
 * line, answers "x" with "y", and closes at the end of file, in its own way. */
#ifndef TESTS_TRACED_SERVERS_H
#define TESTS_TRACED_SERVERS_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* The search for leaks at the end is a tracer too, and there cannot be two: in a server it is left out. */
static bool is_traced_server;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return is_traced_server;
}

static inline int server_listen(void)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof where;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&where, length) != 0 ||
        listen(listener, 1024) != 0 || getsockname(listener, (struct sockaddr *)&where, &length) != 0)
        exit(9);
    return listener;
}

static inline void server_say_port(int listener)
{
    struct sockaddr_in where;
    socklen_t length = sizeof where;
    getsockname(listener, (struct sockaddr *)&where, &length);
    printf("%d\n", ntohs(where.sin_port));
    fflush(stdout);
}

/* Until the end of file. */
static inline void server_talk(int fd)
{
    char byte;
    ssize_t length;
    while ((length = read(fd, &byte, 1)) > 0 || (length < 0 && errno == EINTR))
        if (length > 0 && write(fd, "y", 1) != 1)
            return;
}

static inline int server_accept(int listener)
{
    int fd;
    do
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static void serve_plain(int listener)
{
    for (;;) {
        int fd = server_accept(listener);
        server_talk(fd);
        close(fd);
    }
}

static void *serve_in_thread(void *listener)
{
    serve_plain(*(int *)listener);
    return NULL;
}

static void serve_threads(int listener)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, serve_in_thread, &listener);
    pthread_exit(NULL); /* the first thread ends: the others go on */
}

/* A child each, which leaves without close(). */
static void serve_fork(int listener)
{
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = server_accept(listener);
        if (fork() == 0) {
            server_talk(fd);
            exit(0);
        }
        close(fd);
    }
}

/* The parent keeps a descriptor of each. */
static void serve_fork_leak(int listener)
{
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = server_accept(listener);
        if (fork() == 0) {
            server_talk(fd);
            close(fd);
            exit(0);
        }
    }
}

/* A child has what was open when it came, and does nothing with it. */
static void serve_helper(int listener)
{
    int fd = server_accept(listener);
    if (fork() == 0) {
        close(listener);
        for (;;)
            pause();
    }
    server_talk(fd);
    close(fd);
    serve_plain(listener);
}

static void serve_prefork(int listener)
{
    for (int i = 0; i < 2; i++)
        if (fork() == 0)
            serve_plain(listener);
    for (;;)
        wait(NULL);
}

static void serve_daemon(int listener)
{
    if (fork() == 0) {
        setsid();
        if (fork() == 0)
            serve_plain(listener);
        _exit(0);
    }
    _exit(0);
}

/* A program for each connection, which does not get it (FD_CLOEXEC). */
static void serve_vfork(int listener)
{
    for (;;) {
        int fd = server_accept(listener);
        pid_t pid = vfork();
        if (pid == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(1);
        }
        waitpid(pid, NULL, 0);
        server_talk(fd);
        close(fd);
    }
}

/* One copy is closed by another socket's being put in its place, one with a range. */
static void serve_dup(int listener)
{
    for (;;) {
        int fd = server_accept(listener), copy = dup(fd), third = fcntl(fd, F_DUPFD_CLOEXEC, 100);
        server_talk(fd);
        dup2(listener, copy);
        close(copy);
        syscall(SYS_close_range, third, third, 0);
        close(fd);
    }
}

static void serve_stdio(int listener)
{
    for (;;) {
        FILE *file = fdopen(server_accept(listener), "r+");
        if (file != NULL && fgetc(file) == 'x') {
            fseek(file, 0, SEEK_CUR);
            fputc('y', file);
            fflush(file);
        }
        if (file != NULL && fgetc(file) == EOF)
            fclose(file);
    }
}

static void on_alarm(int number)
{
    (void)number;
}

static void serve_interrupted(int listener)
{
    const struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART */
    const struct itimerval often = {{0, 2000}, {0, 2000}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    serve_plain(listener);
}

static void serve_nonblocking(int listener)
{
    for (;;) {
        int fd = server_accept(listener);
        char byte;
        ssize_t length;
        fcntl(fd, F_SETFL, O_NONBLOCK);
        while ((length = read(fd, &byte, 1)) != 0) {
            if (length > 0 && write(fd, "y", 1) != 1)
                break;
            if (length < 0 && errno != EAGAIN)
                break;
            usleep(length < 0 ? 500 : 0);
        }
        close(fd);
    }
}

/* For each connection one to itself, that it keeps. */
static void serve_backend(int listener)
{
    struct sockaddr_in where;
    socklen_t length = sizeof where;
    int backend = server_listen();
    getsockname(backend, (struct sockaddr *)&where, &length);
    for (;;) {
        int fd = server_accept(listener), out = socket(AF_INET, SOCK_STREAM, 0);
        connect(out, (struct sockaddr *)&where, length);
        server_talk(fd);
        close(fd);
    }
}

/* Another process is given it with a message, and keeps it. */
static void serve_pass(int listener)
{
    int pair[2];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = ""};
    char byte = 'x';
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
    if (fork() == 0)
        for (;;) {
            message.msg_controllen = sizeof control;
            if (recvmsg(pair[0], &message, 0) > 0 && write(pair[0], "k", 1) != 1)
                exit(1);
        }
    for (;;) {
        int fd = server_accept(listener);
        message.msg_controllen = sizeof control;
        control.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
        if (sendmsg(pair[1], &message, 0) != 1 || read(pair[1], &byte, 1) != 1)
            exit(1);
        server_talk(fd);
        close(fd);
    }
}

/* The second thread executes the server again. */
static void *execute_plain(void *unused)
{
    (void)unused;
    execl("/proc/self/exe", "server", "plain", (char *)NULL);
    return NULL;
}

static void serve_exec_thread(int listener)
{
    pthread_t thread;
    close(listener);
    pthread_create(&thread, NULL, execute_plain, NULL);
    for (;;)
        pause();
}

static void serve_self_traced(int listener)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
        exit(8);
    serve_plain(listener);
}

static void serve_ring(int listener)
{
    char parameters[256] = "";
    syscall(SYS_io_uring_setup, 8, parameters);
    serve_plain(listener);
}

/* A program for each connection, with it: $HELPER. */
static void serve_with_helper(int listener)
{
    for (;;) {
        int fd = server_accept(listener);
        pid_t pid = fork();
        if (pid == 0) {
            execl(getenv("HELPER"), "helper", (char *)NULL);
            _exit(1);
        }
        waitpid(pid, NULL, 0);
        server_talk(fd);
        close(fd);
    }
}

/* Root gives its rights up, which hides it from others. */
static void serve_as_nobody(int listener)
{
    if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
        exit(7);
    serve_plain(listener);
}

static void serve_hidden(int listener)
{
    prctl(PR_SET_DUMPABLE, 0);
    serve_plain(listener);
}

/* Stops itself, as by Ctrl-Z, until it is told to go on. */
static void serve_stopped(int listener)
{
    raise(SIGSTOP);
    serve_plain(listener);
}

/* It leaves at SIGUSR1, with a status of its own. */
static void leave_42(int number)
{
    (void)number;
    _exit(42);
}

static void serve_until_signal(int listener)
{
    signal(SIGUSR1, leave_42);
    serve_plain(listener);
}

struct traced_server {
    const char *name;
    void (*serve)(int listener);
    bool says_port_later;
};

static const struct traced_server traced_servers[] = {
    {.name = "plain", .serve = serve_plain},
    {.name = "threads", .serve = serve_threads},
    {.name = "fork", .serve = serve_fork},
    {.name = "fork-leak", .serve = serve_fork_leak},
    {.name = "helper", .serve = serve_helper},
    {.name = "prefork", .serve = serve_prefork},
    {.name = "daemon", .serve = serve_daemon},
    {.name = "vfork", .serve = serve_vfork},
    {.name = "dup", .serve = serve_dup},
    {.name = "stdio", .serve = serve_stdio},
    {.name = "interrupted", .serve = serve_interrupted},
    {.name = "nonblocking", .serve = serve_nonblocking},
    {.name = "backend", .serve = serve_backend},
    {.name = "pass", .serve = serve_pass},
    {.name = "exec-thread", .serve = serve_exec_thread, .says_port_later = true},
    {.name = "self-traced", .serve = serve_self_traced},
    {.name = "ring", .serve = serve_ring},
    {.name = "with-helper", .serve = serve_with_helper},
    {.name = "as-nobody", .serve = serve_as_nobody},
    {.name = "hidden", .serve = serve_hidden},
    {.name = "stopped", .serve = serve_stopped},
    {.name = "until-signal", .serve = serve_until_signal},
};

/* In main(), of the program that was executed for it. */
static inline int traced_server_main(const char *name)
{
    is_traced_server = true;
    for (size_t i = 0; i < sizeof traced_servers / sizeof traced_servers[0]; i++)
        if (strcmp(traced_servers[i].name, name) == 0) {
            int listener = server_listen();
            if (!traced_servers[i].says_port_later)
                server_say_port(listener);
            traced_servers[i].serve(listener);
        }
    return 9;
}

#endif
