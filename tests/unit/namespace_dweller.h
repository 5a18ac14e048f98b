/* A child that stays in a network namespace of its own, with a listener on a port, until it is ended.
 * Include namespace_child.h first. */
#ifndef TESTS_NAMESPACE_DWELLER_H
#define TESTS_NAMESPACE_DWELLER_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

struct dweller {
    pid_t pid;
};

static inline void dwell(int port, int ready)
{
    child_enter(0);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a user namespace of its own takes that back */
    struct sockaddr_in where = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(listener, (struct sockaddr *)&where, sizeof where) == 0 && listen(listener, 5) == 0);
    CHECK(write(ready, "r", 1) == 1);
    for (;;)
        pause();
}

/* Ends the child that calls it where the machine refuses a namespace. */
static inline struct dweller dweller_begin(int port)
{
    int ready[2], status;
    char answer;
    CHECK(pipe2(ready, O_CLOEXEC) == 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        dwell(port, ready[1]);
    close(ready[1]);
    if (read(ready[0], &answer, 1) != 1) {
        CHECK(waitpid(pid, &status, 0) == pid);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    close(ready[0]);
    return (struct dweller){pid};
}

static inline void dweller_end(const struct dweller *dweller)
{
    CHECK(kill(dweller->pid, SIGKILL) == 0 && waitpid(dweller->pid, NULL, 0) == dweller->pid);
}

/* Runs it as an ordinary user, who may not end the dwellers of root, nor look into them. */
static inline void as_nobody(void (*body)(const struct dweller *), const struct dweller *dweller)
{
    int status;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        child_become_nobody();
        body(dweller);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    dweller_end(dweller);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

#endif
