/* fail_call: makes a chosen library call fail in chosen processes, for the tests of faults. It is preloaded
 * (LD_PRELOAD) and told what to do by the environment:
 *
 *   FAIL_CALL   the call: accept4, bind, close, connect, epoll_ctl, epoll_wait, fork, getsockname,
 * getxattr, listen, opendir, readlinkat, recv, recvfrom, recvmsg, send, setsockopt, shutdown, socket,
 * socketpair FAIL_ERRNO  what it says then, by name: EMFILE FAIL_IN     where: the arguments of the process
 * begin with these words: "worker server"; "controller" is every process that is neither a worker nor a
 * witness FAIL_AFTER  calls that succeed before (0) FAIL_TIMES  calls that fail; all later ones succeed again
 * (no end)
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <unistd.h>

static struct {
    const char *call;
    int error;
    long calls_left, failures_left;
} setting;

static long number_from(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtol(text, NULL, 10) : otherwise;
}

static int errno_from(const char *name)
{
    for (int i = 1; name != NULL && i < 200; i++) {
        const char *known = strerrorname_np(i);
        if (known != NULL && strcmp(known, name) == 0)
            return i;
    }
    fprintf(stderr, "fail_call: FAIL_ERRNO is no error name\n");
    abort();
}

/* The arguments of this process without its name, separated by spaces. */
static void read_arguments(char *text, size_t size)
{
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, size - 1);
    if (fd >= 0)
        close(fd);
    text[length > 0 ? length : 0] = '\0';
    size_t name = strlen(text) + 1;
    for (ssize_t i = 0; i + 1 < length; i++)
        text[i] = text[i] == '\0' ? ' ' : text[i];
    if ((ssize_t)name < length)
        memmove(text, text + name, (size_t)length - name + 1);
    else
        text[0] = '\0';
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool is_chosen(const char *where)
{
    char arguments[4096];
    read_arguments(arguments, sizeof arguments);
    if (strcmp(where, "controller") == 0)
        return starts_with(arguments, "--");
    return starts_with(arguments, where);
}

__attribute__((constructor)) static void read_setting(void)
{
    const char *call = getenv("FAIL_CALL"), *where = getenv("FAIL_IN");
    if (call == NULL || where == NULL || !is_chosen(where))
        return;
    setting.error = errno_from(getenv("FAIL_ERRNO"));
    setting.calls_left = number_from("FAIL_AFTER", 0);
    setting.failures_left = number_from("FAIL_TIMES", -1);
    setting.call = call;
}

static bool fails(const char *call)
{
    if (setting.call == NULL || strcmp(setting.call, call) != 0)
        return false;
    if (setting.calls_left > 0) {
        setting.calls_left--;
        return false;
    }
    if (setting.failures_left == 0)
        return false;
    setting.failures_left -= setting.failures_left > 0;
    errno = setting.error;
    return true;
}

/* A call by another name; dlsym gives an object pointer, which ISO C does not turn into a function. */
#define NEXT(pointer, name)                                                                                  \
    do {                                                                                                     \
        void *next_ = dlsym(RTLD_NEXT, (name));                                                              \
        memcpy(&(pointer), &next_, sizeof(pointer));                                                         \
    } while (0)

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    int (*next)(int, struct sockaddr *, socklen_t *, int);
    NEXT(next, "accept4");
    return fails("accept4") ? -1 : next(fd, address, length, flags);
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    int (*next)(int, const struct sockaddr *, socklen_t);
    NEXT(next, "bind");
    return fails("bind") ? -1 : next(fd, address, length);
}

/* A descriptor that is not closed although close() was called: a leak that nobody asked for. */
int close(int fd)
{
    int (*next)(int);
    NEXT(next, "close");
    return fails("close") ? -1 : next(fd);
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    int (*next)(int, const struct sockaddr *, socklen_t);
    NEXT(next, "connect");
    return fails("connect") ? -1 : next(fd, address, length);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    int (*next)(int, int, int, struct epoll_event *);
    NEXT(next, "epoll_ctl");
    return fails("epoll_ctl") ? -1 : next(epoll, operation, fd, event);
}

int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
    int (*next)(int, struct epoll_event *, int, int);
    NEXT(next, "epoll_wait");
    return fails("epoll_wait") ? -1 : next(epoll, events, count, timeout);
}

pid_t fork(void)
{
    pid_t (*next)(void);
    NEXT(next, "fork");
    return fails("fork") ? -1 : next();
}

int listen(int fd, int backlog)
{
    int (*next)(int, int);
    NEXT(next, "listen");
    return fails("listen") ? -1 : next(fd, backlog);
}

int getsockname(int fd, struct sockaddr *address, socklen_t *length)
{
    int (*next)(int, struct sockaddr *, socklen_t *);
    NEXT(next, "getsockname");
    return fails("getsockname") ? -1 : next(fd, address, length);
}

ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
    ssize_t (*next)(int, void *, size_t, int);
    NEXT(next, "recv");
    return fails("recv") ? -1 : next(fd, buffer, size, flags);
}

ssize_t recvfrom(int fd, void *buffer, size_t size, int flags, __SOCKADDR_ARG from, socklen_t *length)
{
    ssize_t (*next)(int, void *, size_t, int, __SOCKADDR_ARG, socklen_t *);
    NEXT(next, "recvfrom");
    return fails("recvfrom") ? -1 : next(fd, buffer, size, flags, from, length);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    ssize_t (*next)(int, struct msghdr *, int);
    NEXT(next, "recvmsg");
    return fails("recvmsg") ? -1 : next(fd, message, flags);
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    ssize_t (*next)(int, const void *, size_t, int);
    NEXT(next, "send");
    return fails("send") ? -1 : next(fd, data, size, flags);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    int (*next)(int, int, int, const void *, socklen_t);
    NEXT(next, "setsockopt");
    return fails("setsockopt") ? -1 : next(fd, level, name, value, length);
}

int shutdown(int fd, int how)
{
    int (*next)(int, int);
    NEXT(next, "shutdown");
    return fails("shutdown") ? -1 : next(fd, how);
}

int socket(int family, int type, int protocol)
{
    int (*next)(int, int, int);
    NEXT(next, "socket");
    return fails("socket") ? -1 : next(family, type, protocol);
}

int socketpair(int family, int type, int protocol, int pair[2])
{
    int (*next)(int, int, int, int *);
    NEXT(next, "socketpair");
    return fails("socketpair") ? -1 : next(family, type, protocol, pair);
}

DIR *opendir(const char *path)
{
    DIR *(*next)(const char *);
    NEXT(next, "opendir");
    return fails("opendir") ? NULL : next(path);
}

ssize_t readlinkat(int directory, const char *path, char *target, size_t size)
{
    ssize_t (*next)(int, const char *, char *, size_t);
    NEXT(next, "readlinkat");
    return fails("readlinkat") ? -1 : next(directory, path, target, size);
}

ssize_t getxattr(const char *path, const char *name, void *value, size_t size)
{
    ssize_t (*next)(const char *, const char *, void *, size_t);
    NEXT(next, "getxattr");
    return fails("getxattr") ? -1 : next(path, name, value, size);
}
