#include "kernel/act.h"

#include "kernel/packet_drop.h"
#include "kernel/vanish.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char payload[] = "tcpstorm: the other half of this connection is still open\n";

static int apply_close(int fd)
{
    return close(fd) == 0 ? 0 : -errno;
}

static int apply_shutdown(int fd)
{
    return shutdown(fd, SHUT_WR) == 0 ? 0 : -errno;
}

static int apply_abort(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    int rc = setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0 ? 0 : -errno;
    close(fd);
    return rc;
}

static int apply_write(int fd)
{
    ssize_t sent = send(fd, payload, sizeof payload, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return errno == EAGAIN ? -ENOBUFS
                               : -errno; /* the send buffer is empty: it is the kernel that has no room */
    return sent == (ssize_t)sizeof payload ? 0 : -EMSGSIZE;
}

static int apply_read(int fd)
{
    char received[sizeof payload + 1];
    ssize_t length = recv(fd, received, sizeof received, MSG_DONTWAIT);
    if (length < 0)
        return -errno;
    return length == (ssize_t)sizeof payload && memcmp(received, payload, sizeof payload) == 0 ? 0 : -EBADMSG;
}

struct act_row {
    const char *name;
    const char *call;
    int (*apply)(int fd);
    bool releases;
};

static const struct act_row acts[] = {
    [ACT_NONE] = {"none", "", NULL, false},
    [ACT_OPEN] = {"open", "connect() and accept()", NULL, false},
    [ACT_CLOSE] = {"close", "close()", apply_close, true},
    [ACT_SHUTDOWN] = {"shutdown", "shutdown(SHUT_WR)", apply_shutdown, false},
    [ACT_ABORT] = {"abort", "close() with SO_LINGER 0", apply_abort, true},
    [ACT_WRITE] = {"write", "send()", apply_write, false},
    [ACT_READ] = {"read", "recv()", apply_read, false},
    [ACT_DROP] = {"drop", "setsockopt(SO_ATTACH_FILTER)", packet_drop_begin, false},
    [ACT_UNDROP] = {"undrop", "setsockopt(SO_DETACH_FILTER)", packet_drop_end, false},
    [ACT_VANISH] = {"vanish", "close() under TCP_REPAIR", vanish, true},
    [ACT_CRASH] = {"crash", "kill(SIGKILL)", NULL, true},
    [ACT_UNLISTEN] = {"unlisten", "close() of the listener", NULL, false},
    [ACT_RECONNECT] = {"connect", "connect()", NULL, false},
    [ACT_WAIT] = {"wait", "", NULL, false},
};
_Static_assert(sizeof acts / sizeof acts[0] == ACT_COUNT, "one row per act");

const char *act_name(enum act act)
{
    return acts[act].name;
}

const char *act_call(enum act act)
{
    return acts[act].call;
}

enum act act_parse(const char *name)
{
    for (int i = ACT_OPEN; i < ACT_COUNT; i++)
        if (strcmp(acts[i].name, name) == 0)
            return (enum act)i;
    return ACT_NONE;
}

bool act_is_on_ends(enum act act)
{
    return acts[act].apply != NULL;
}

bool act_is_for_workers(enum act act)
{
    return act_is_on_ends(act) || act == ACT_UNLISTEN || act == ACT_RECONNECT;
}

bool act_releases(enum act act)
{
    return acts[act].releases;
}

int act_apply(enum act act, int fd)
{
    int rc;
    do
        rc = acts[act].apply(fd);
    while (rc == -EINTR && !acts[act].releases);
    return rc == -EINTR ? 0 : rc; /* what is closed is closed, whatever interrupts it (man 2 close) */
}

bool is_failure_here(int error)
{
    static const int here[] = {ENOMEM, ENOBUFS, EMFILE, ENFILE, EPERM, EACCES, EINVAL, ENOPROTOOPT, EINTR};
    for (size_t i = 0; i < sizeof here / sizeof here[0]; i++)
        if (here[i] == error)
            return true;
    return false;
}
