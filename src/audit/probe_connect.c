/* How a probe comes to its connection: connect(), and with TLS the handshake. */
#include "audit/probe_parts.h"
#include "audit/tls.h"
#include "base/clock.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum {
    RETRY_US = 10000, /* of a connect() that found the accept queue full */
};

static const struct audit_settings *settings_of(const struct probe *probe)
{
    return probe->crowd->settings;
}

static const struct audit_order_row *order_of(const struct probe *probe)
{
    return audit_order_row(settings_of(probe)->order);
}

static void note_refusal(const struct probe *probe, const char *why)
{
    char *refusal = probe->crowd->tls_refusal;
    if (refusal != NULL && refusal[0] == '\0')
        snprintf(refusal, TLS_WHY_SIZE, "%s", why);
}

/* ---- connect() ---- */

/* A client that never reads has little room, and small segments keep the server's send buffer from growing:
 * then a reply of some kilobytes does not fit (measured: its window closes after about 1 KB, and a server
 * that writes on waits after 16 to 28 KB, where loopback's ordinary buffers take 2 MB). */
void probe_take_little(int fd)
{
    const int least = 1, segment = SMALL_SEGMENT;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
    setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
}

static int call_connect(const struct probe *probe)
{
    const struct audit_settings *settings = settings_of(probe);
    struct sockaddr_storage to;
    if (audit_is_unix(settings))
        return connect(probe->fd, (const struct sockaddr *)&settings->unix_place.address,
                       settings->unix_place.length);
    socklen_t length = address_to_sockaddr(&settings->address, settings->port, &to);
    return connect(probe->fd, (struct sockaddr *)&to, length);
}

/* Where the accept queue of a Unix socket is full, connect() does not wait in the background: it is EAGAIN.
 */
void probe_connect(struct probe *probe)
{
    int error = call_connect(probe) == 0 ? 0 : errno;
    bool is_full = error == EAGAIN && audit_is_unix(settings_of(probe));
    int64_t retry_us = monotonic_us() + RETRY_US;
    if (error != 0 && error != EINPROGRESS && !is_full) {
        probe_end(probe, error == ECONNREFUSED || error == ENOENT ? END_REFUSED : END_FAILED, error);
        return;
    }
    if (probe_set_timer(probe, is_full && retry_us < probe->due_us ? retry_us : probe->due_us) &&
        (is_full || probe_hear(probe, EV_WRITE, probe_on_event)) && probe->phase == PROBE_NONE)
        probe_enter(probe, PROBE_CONNECTING);
}

void probe_end_connecting(struct probe *probe)
{
    if (probe->is_shaking)
        note_refusal(probe, "it does not answer");
    if (audit_is_unix(settings_of(probe)) && !probe->is_shaking && monotonic_us() < probe->due_us)
        probe_connect(probe);
    else
        probe_end(probe, END_TIMED_OUT, ETIMEDOUT);
}

/* ---- the handshake of TLS ---- */

static void end_in_handshake(struct probe *probe, int error)
{
    note_refusal(probe, error == 0 ? "it closes the connection" : strerror(error));
    if (error == 0)
        probe_end(probe, END_FIN, 0);
    else
        probe_end_by_error(probe, error);
}

static void wait_in_handshake(struct probe *probe, short what)
{
    event_del(&probe->io);
    if (order_of(probe)->stops_in_handshake && what == EV_READ) { /* the ClientHello is sent */
        probe_end_tls(probe);
        probe_begin_to_talk(probe);
    } else {
        probe_hear(probe, what, probe_on_event);
    }
}

void probe_shake(struct probe *probe)
{
    char why[TLS_WHY_SIZE];
    switch (tls_handshake(probe->tls, why)) {
    case TLS_DONE:
        probe_begin_to_talk(probe);
        break;
    case TLS_WANTS_TO_READ:
        wait_in_handshake(probe, EV_READ);
        break;
    case TLS_WANTS_TO_WRITE:
        wait_in_handshake(probe, EV_WRITE);
        break;
    case TLS_REFUSED:
        note_refusal(probe, why);
        probe_end(probe, END_REFUSED, EPROTO);
        break;
    case TLS_BROKEN:
        end_in_handshake(probe, errno);
        break;
    }
}

static void begin_handshake(struct probe *probe)
{
    probe->tls = tls_new(settings_of(probe)->tls, probe->fd, !order_of(probe)->stops_in_handshake);
    probe->is_shaking = true;
    if (probe->tls == NULL)
        probe_end(probe, END_FAILED, ENOMEM);
    else
        probe_shake(probe);
}

/* ---- connected ---- */

/* Returns 0 or an errno. */
static int note_own_end(struct probe *probe)
{
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    struct stat socket;
    if (audit_is_unix(settings_of(probe))) {
        int rc = fstat(probe->fd, &socket);
        probe->inode = rc == 0 ? socket.st_ino : 0;
        return rc == 0 ? 0 : errno;
    }
    if (getsockname(probe->fd, (struct sockaddr *)&own, &length) != 0)
        return errno;
    address_from_sockaddr(&own, &probe->address, &probe->port);
    return 0;
}

/* Where nobody listens and the port is one that the kernel hands out, connect() can meet itself. */
static bool is_to_itself(const struct probe *probe)
{
    return !audit_is_unix(settings_of(probe)) && probe->port == settings_of(probe)->port &&
           address_equal(&probe->address, &settings_of(probe)->address);
}

static void end_to_itself(struct probe *probe)
{
    static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once); /* no TIME_WAIT on that port */
    probe->to_itself = true;
    probe_end(probe, END_REFUSED, ECONNREFUSED);
}

static enum probe_end end_of_connect(int error)
{
    return error == ECONNREFUSED || error == ENOENT                              ? END_REFUSED
           : error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH ? END_TIMED_OUT
           : error == ECONNRESET                                                 ? END_RESET
                                                                                 : END_FAILED;
}

void probe_connected(struct probe *probe)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
        probe_end(probe, END_FAILED, errno);
        return;
    }
    if (error != 0) {
        probe_end(probe, end_of_connect(error), error);
        return;
    }
    error = note_own_end(probe);
    if (error != 0) {
        probe_end(probe, END_FAILED, error);
        return;
    }
    if (is_to_itself(probe)) {
        end_to_itself(probe);
        return;
    }
    probe->connected_us = monotonic_us();
    if (settings_of(probe)->tls != NULL)
        begin_handshake(probe);
    else
        probe_begin_to_talk(probe);
}
