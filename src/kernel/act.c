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

static int send_payload(int fd, int flags)
{
    ssize_t sent = send(fd, payload, sizeof payload, flags | MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return errno == EAGAIN ? -ENOBUFS
                               : -errno; /* the send buffer is empty: it is the kernel that has no room */
    return sent == (ssize_t)sizeof payload ? 0 : -EMSGSIZE;
}

static int apply_write(int fd)
{
    return send_payload(fd, 0);
}

/* The kernel keeps the data back for more of it, and the FIN is what comes (tcp_send_fin in
 * net/ipv4/tcp_output.c). */
static int apply_finish(int fd)
{
    int rc = send_payload(fd, MSG_MORE);
    int closed = apply_close(fd);
    return rc != 0 ? rc : closed;
}

/* However small a buffer is asked for, the kernel takes a piece of this size whole: more than the window of
 * OPENING_NARROW, so that some of it is never sent. */
static int apply_fill(int fd)
{
    static const char piece[4096];
    const int least = 1; /* the kernel has a least of its own */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least) != 0)
        return -errno;
    while (send(fd, piece, sizeof piece, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
        ;
    return errno == EAGAIN ? 0 : -errno;
}

static int apply_linger(int fd)
{
    const struct linger wait = {.l_onoff = 1, .l_linger = ACT_LINGER_S};
    int rc = setsockopt(fd, SOL_SOCKET, SO_LINGER, &wait, sizeof wait) == 0 ? 0 : -errno;
    int closed = apply_close(fd);
    return rc != 0 ? rc : closed;
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
    bool closes;
    bool blocks;
};

static const struct act_row acts[] = {
    [ACT_NONE] = {.name = "none", .call = ""},
    [ACT_OPEN] = {.name = "open", .call = "connect() and accept()"},
    [ACT_CLOSE] =
        {.name = "close", .call = "close()", .apply = apply_close, .releases = true, .closes = true},
    [ACT_SHUTDOWN] = {.name = "shutdown", .call = "shutdown(SHUT_WR)", .apply = apply_shutdown},
    [ACT_ABORT] = {.name = "abort",
                   .call = "close() with SO_LINGER 0",
                   .apply = apply_abort,
                   .releases = true},
    [ACT_WRITE] = {.name = "write", .call = "send()", .apply = apply_write},
    [ACT_READ] = {.name = "read", .call = "recv()", .apply = apply_read},
    [ACT_FINISH] = {.name = "finish",
                    .call = "send(MSG_MORE), close()",
                    .apply = apply_finish,
                    .releases = true,
                    .closes = true},
    [ACT_DROP] = {.name = "drop", .call = "setsockopt(SO_ATTACH_FILTER)", .apply = packet_drop_begin},
    [ACT_UNDROP] = {.name = "undrop", .call = "setsockopt(SO_DETACH_FILTER)", .apply = packet_drop_end},
    [ACT_VANISH] = {.name = "vanish", .call = "close() under TCP_REPAIR", .apply = vanish, .releases = true},
    [ACT_CRASH] = {.name = "crash", .call = "kill(SIGKILL)", .releases = true, .closes = true},
    [ACT_UNLISTEN] = {.name = "unlisten", .call = "close() of the listener"},
    [ACT_RECONNECT] = {.name = "connect", .call = "connect()"},
    [ACT_WAIT] = {.name = "wait", .call = ""},
    [ACT_FILL] = {.name = "fill", .call = "send() until EAGAIN", .apply = apply_fill},
    [ACT_LINGER] = {.name = "linger",
                    .call = "close() with SO_LINGER 1",
                    .apply = apply_linger,
                    .releases = true,
                    .closes = true,
                    .blocks = true},
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

bool act_closes(enum act act)
{
    return acts[act].closes;
}

bool act_blocks(enum act act)
{
    return acts[act].blocks;
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
