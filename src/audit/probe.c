#include "audit/probe.h"

#include "base/clock.h"
#include "kernel/act.h"
#include "kernel/ghost.h"
#include "kernel/unix_diag.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SETTLE_US = 200000, /* without a request, or with half of one: for so long the connection is just there */
    QUIET_US = 100000,  /* after a reply */
    REPLY_US = 2000000, /* for the first byte of it; and for all of it: a stream has no end to wait for */
    READ_SIZE = 16384,
    READS_AT_ONCE = 16,  /* then the others have their turn */
    RETRY_US = 10000,    /* of a connect() that found the accept queue full */
    BYTES_MAX = 1 << 20, /* of a server that sends for ever, so much is read after the act and no more */
    SMALL_SEGMENT = 536, /* never_reads: the least that everybody takes (RFC 9293, 3.7.1) */
    LATE_STEPS = 10,     /* asks_late: so many moments before the end of the idle timeout, and behind it */
};

static const struct audit_settings *settings_of(const struct probe *probe)
{
    return probe->crowd->settings;
}

static const struct audit_order_row *order_of(const struct probe *probe)
{
    return audit_order_row(settings_of(probe)->order);
}

static void enter(struct probe *probe, enum probe_phase phase)
{
    struct probe_crowd *crowd = probe->crowd;
    enum probe_phase from = probe->phase;
    crowd->in_phase[from] -= from != PROBE_NONE;
    crowd->in_phase[phase]++;
    probe->phase = phase;
    crowd->on_change(crowd->context, from);
}

static void close_own_end(struct probe *probe)
{
    if (probe->fd < 0)
        return;
    event_del(&probe->io);
    act_apply(probe->is_deaf ? ACT_ABORT : ACT_CLOSE, probe->fd); /* a deaf end would never hear of its FIN */
    probe->fd = -1;
}

void probe_stop(struct probe *probe)
{
    close_own_end(probe);
    if (event_initialized(&probe->timer))
        event_del(&probe->timer);
}

static void end(struct probe *probe, enum probe_end how, int error)
{
    probe->before_act = probe->phase < PROBE_ACTED;
    probe->end = how;
    probe->error = error;
    probe->ended_us = monotonic_us();
    probe_stop(probe);
    enter(probe, PROBE_ENDED);
}

/* An error of a system call is the server's doing only where it says so and the connection is over; any other
 * came about here, and says nothing of the server. */
static void end_by_error(struct probe *probe, int error)
{
    bool is_over = audit_is_unix(settings_of(probe)) || is_ghost(probe->fd);
    bool says_reset = error == ECONNRESET || error == EPIPE || error == ENOTCONN;
    end(probe,
        is_over && says_reset           ? END_RESET
        : is_over && error == ETIMEDOUT ? END_TIMED_OUT
                                        : END_FAILED,
        error);
}

/* Returns whether it went well; else the probe has ended. */
static bool set_timer(struct probe *probe, int64_t at_us)
{
    const struct timeval wait = timeval_of_us(at_us - monotonic_us());
    if (event_add(&probe->timer, &wait) == 0)
        return true;
    end(probe, END_FAILED, ENOMEM);
    return false;
}

static bool hear(struct probe *probe, short what, event_callback_fn callback)
{
    event_assign(&probe->io, probe->crowd->base, probe->fd, what, callback, probe);
    errno = 0;
    if (event_add(&probe->io, NULL) == 0)
        return true;
    end(probe, END_FAILED, errno != 0 ? errno : ENOMEM);
    return false;
}

void probe_note_closed(struct probe *probe, enum probe_end how, int64_t at_us)
{
    if (probe->phase != PROBE_ACTED && probe->phase != PROBE_WAITED)
        return;
    end(probe, how, 0);
    probe->ended_us = at_us > probe->acted_us ? at_us : probe->acted_us;
}

bool probe_is_forgotten(const struct probe *probe, const struct audit_settings *settings, int64_t now_us)
{
    enum { MARGIN_MS = 1000 }; /* the kernel's timers are coarse */
    return audit_order_row(settings->order)->act == ACT_CLOSE &&
           now_us - probe->acted_us >= (settings->fin_timeout_ms - MARGIN_MS) * 1000;
}

/* ---- the client's act ---- */

/* Of a Unix socket: once the client's end is closed nothing leads to the server's any more. Returns likewise.
 */
static bool note_server_end(struct probe *probe)
{
    if (!audit_is_unix(settings_of(probe)) || !order_of(probe)->tables_tell)
        return true;
    int rc = unix_diag_peer(probe->inode, &probe->server_inode);
    if (rc != 0)
        end(probe, END_FAILED, -rc);
    return rc == 0;
}

/* Returns whether it went well; else the probe has ended. */
static bool do_to(struct probe *probe)
{
    enum act what = order_of(probe)->act;
    int fd = probe->fd;
    if (what == ACT_NONE)
        return true;
    if (act_releases(what) || what == ACT_DROP)
        event_del(&probe->io);
    if (act_releases(what))
        probe->fd = -1;
    int rc = act_apply(what, fd);
    probe->is_deaf = what == ACT_DROP && rc == 0;
    if (rc != 0 && probe->fd < 0)
        end(probe, END_FAILED, -rc);
    else if (rc != 0)
        end_by_error(probe, -rc);
    return rc == 0;
}

static void act(struct probe *probe)
{
    int64_t now_us = monotonic_us();
    if (!note_server_end(probe) || !do_to(probe))
        return;
    probe->acted_us = probe->crowd->acted_us = now_us;
    probe->due_us = now_us + settings_of(probe)->grace_ms * 1000;
    if (set_timer(probe, probe->due_us))
        enter(probe, PROBE_ACTED);
}

void probe_note_full(struct probe *probe)
{
    probe->was_full = true;
    if (probe->phase == PROBE_TALKING)
        act(probe);
}

/* ---- what the kernel tells ---- */

/* A timer that is due, and is set again because of what is heard in the same turn, comes a turn later: for
 * the last time of all a stream would put it off for ever. */
static void hear_to_the_end_of_reply(struct probe *probe)
{
    int64_t quiet_us = probe->heard_us + (settings_of(probe)->request == NULL ? SETTLE_US : QUIET_US);
    int64_t last_us = probe->asked_us + REPLY_US;
    int64_t due_us = quiet_us < last_us ? quiet_us : last_us;
    if (due_us == probe->due_us)
        return;
    probe->due_us = due_us;
    set_timer(probe, due_us);
}

static void take_bytes(struct probe *probe, int64_t length)
{
    probe->bytes += length;
    probe->bytes_since_ask += length;
    probe->heard_us = monotonic_us();
    probe->bytes_since_act += probe->phase >= PROBE_ACTED ? length : 0;
    if (probe->bytes_since_act > BYTES_MAX) {
        probe->sends_on = true;
        event_del(&probe->io);
    }
}

/* From now on the server's end is in FIN_WAIT2: of an orphan the kernel lets go, of one with a descriptor
 * only its process can. The descriptor stays readable: without this it would spin. */
static void keep_open(struct probe *probe)
{
    event_del(&probe->io);
    probe->heard_fin = true;
    act(probe);
}

static void drain(struct probe *probe)
{
    char buffer[READ_SIZE];
    ssize_t length = READ_SIZE;
    for (int reads = 0; reads < READS_AT_ONCE && length == READ_SIZE && !probe->sends_on; reads++) {
        length = recv(probe->fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (length == 0) {
            if (order_of(probe)->keeps_open)
                keep_open(probe);
            else
                end(probe, END_FIN, 0);
            return;
        }
        if (length < 0 && errno != EAGAIN && errno != EINTR) {
            end_by_error(probe, errno);
            return;
        }
        if (length > 0)
            take_bytes(probe, length);
    }
    if (probe->phase == PROBE_TALKING && probe->bytes_since_ask > 0)
        hear_to_the_end_of_reply(probe);
}

static size_t request_length(const struct probe *probe)
{
    size_t length = settings_of(probe)->request_length;
    return order_of(probe)->sends_half ? length / 2 : length;
}

/* What MSG_MORE has held back leaves with the FIN. */
static void talk(struct probe *probe)
{
    const struct audit_settings *settings = settings_of(probe);
    bool ends_with_fin = order_of(probe)->fin_with_request;
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (ends_with_fin ? MSG_MORE : 0);
    while (probe->sent < request_length(probe)) {
        ssize_t length =
            send(probe->fd, settings->request + probe->sent, request_length(probe) - probe->sent, flags);
        if (length < 0 && errno == EAGAIN)
            return;
        if (length < 0 && errno != EINTR) {
            end_by_error(probe, errno);
            return;
        }
        probe->sent += length > 0 ? (size_t)length : 0;
    }
    if (ends_with_fin)
        act(probe);
}

static void on_event(evutil_socket_t fd, short what, void *context);

static void hear_from_now_on(struct probe *probe)
{
    bool has_more = probe->sent < request_length(probe), reads = !order_of(probe)->never_reads;
    event_del(&probe->io);
    if (has_more || reads)
        hear(probe, (short)((reads ? EV_READ : 0) | EV_PERSIST | (has_more ? EV_WRITE : 0)), on_event);
}

/* ---- requests ---- */

static void ask(struct probe *probe)
{
    bool has_whole_request = settings_of(probe)->request != NULL && !order_of(probe)->sends_half;
    probe->asked++;
    probe->sent = 0;
    probe->bytes_since_ask = 0;
    probe->asked_us = monotonic_us();
    probe->due_us = probe->asked_us + (has_whole_request ? REPLY_US : SETTLE_US);
    if (!set_timer(probe, probe->due_us))
        return;
    talk(probe);
    if (probe->phase <= PROBE_ACTED)
        hear_from_now_on(probe);
}

int64_t probe_idle_us(const struct probe *probe)
{
    return probe->ended_us - (probe->heard_us > probe->asked_us ? probe->heard_us : probe->asked_us);
}

int64_t probe_requests(const struct audit_settings *settings)
{
    const struct audit_order_row *order = audit_order_row(settings->order);
    return order->asks_late ? 2 : order->asks_again ? settings->requests : 1;
}

/* It looks away until the server's idle timeout ends: as from afar, where the FIN is on its way while the
 * request leaves. Each probe takes another moment around that one. */
static void wait_until_late(struct probe *probe)
{
    struct probe_crowd *crowd = probe->crowd;
    int64_t step = crowd->late_count++ % (2 * LATE_STEPS + 1) - LATE_STEPS;
    event_del(&probe->io);
    probe->is_late = true;
    probe->due_us = probe->heard_us + crowd->late_us + step * crowd->late_span_us / LATE_STEPS;
    set_timer(probe, probe->due_us);
}

/* The reply is over, or none came. */
static void go_on(struct probe *probe)
{
    bool asks_again = probe->asked < probe_requests(settings_of(probe)) && probe->bytes_since_ask > 0;
    if (!asks_again)
        act(probe);
    else if (order_of(probe)->asks_late && !probe->is_late)
        wait_until_late(probe);
    else
        ask(probe);
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
    end(probe, END_REFUSED, ECONNREFUSED);
}

static enum probe_end end_of_connect(int error)
{
    return error == ECONNREFUSED || error == ENOENT                              ? END_REFUSED
           : error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH ? END_TIMED_OUT
           : error == ECONNRESET                                                 ? END_RESET
                                                                                 : END_FAILED;
}

static void connected(struct probe *probe)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
        end(probe, END_FAILED, errno);
        return;
    }
    if (error != 0) {
        end(probe, end_of_connect(error), error);
        return;
    }
    error = note_own_end(probe);
    if (error != 0) {
        end(probe, END_FAILED, error);
        return;
    }
    if (is_to_itself(probe)) {
        end_to_itself(probe);
        return;
    }
    probe->connected_us = monotonic_us();
    enter(probe, PROBE_TALKING);
    ask(probe);
}

static void on_event(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    struct probe *probe = context;
    if (probe->phase == PROBE_CONNECTING) {
        connected(probe);
        return;
    }
    if ((what & EV_WRITE) != 0 && probe->phase == PROBE_TALKING) {
        talk(probe);
        if (probe->phase <= PROBE_ACTED && probe->sent == request_length(probe))
            hear_from_now_on(probe);
    }
    if ((what & EV_READ) != 0 && probe->fd >= 0)
        drain(probe);
}

/* ---- connect ---- */

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
static void try_to_connect(struct probe *probe)
{
    int error = call_connect(probe) == 0 ? 0 : errno;
    bool is_full = error == EAGAIN && audit_is_unix(settings_of(probe));
    int64_t retry_us = monotonic_us() + RETRY_US;
    if (error != 0 && error != EINPROGRESS && !is_full) {
        end(probe, error == ECONNREFUSED || error == ENOENT ? END_REFUSED : END_FAILED, error);
        return;
    }
    if (set_timer(probe, is_full && retry_us < probe->due_us ? retry_us : probe->due_us) &&
        (is_full || hear(probe, EV_WRITE, on_event)) && probe->phase == PROBE_NONE)
        enter(probe, PROBE_CONNECTING);
}

static void end_connecting(struct probe *probe)
{
    if (audit_is_unix(settings_of(probe)) && monotonic_us() < probe->due_us)
        try_to_connect(probe);
    else
        end(probe, END_TIMED_OUT, ETIMEDOUT);
}

/* ---- time ---- */

/* Who sends in the latter half of the grace period is at work, and has it once more; but a byte now and then
 * does not put off the judgement for ever. */
static void end_grace(struct probe *probe)
{
    int64_t grace_us = settings_of(probe)->grace_ms * 1000;
    bool is_late = probe->heard_us > probe->due_us - grace_us / 2;
    if (!order_of(probe)->hears_on || !is_late || probe->is_extended || probe->sends_on) {
        enter(probe, PROBE_WAITED);
        return;
    }
    probe->is_extended = true;
    probe->due_us = probe->heard_us + grace_us;
    set_timer(probe, probe->due_us);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct probe *probe = context;
    if (probe->phase == PROBE_CONNECTING)
        end_connecting(probe);
    else if (probe->phase == PROBE_TALKING)
        go_on(probe);
    else if (probe->phase == PROBE_ACTED)
        end_grace(probe);
}

/* ---- the beginning ---- */

static void begin(struct probe *probe, struct probe_crowd *crowd)
{
    *probe = (struct probe){.crowd = crowd, .round = crowd->round, .fd = -1};
    evtimer_assign(&probe->timer, crowd->base, on_timer, probe);
}

void probe_give_up(struct probe *probe, struct probe_crowd *crowd)
{
    begin(probe, crowd);
    probe->not_opened = true;
    end(probe, END_TIMED_OUT, ETIMEDOUT);
}

/* A client that never reads has little room, and small segments keep the server's send buffer from growing:
 * then a reply of some kilobytes does not fit (measured: its window closes after about 1 KB, and a server
 * that writes on waits after 16 to 28 KB, where loopback's ordinary buffers take 2 MB). */
static void take_little(int fd)
{
    const int least = 1, segment = SMALL_SEGMENT;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
    setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
}

void probe_start(struct probe *probe, struct probe_crowd *crowd)
{
    const struct audit_settings *settings = crowd->settings;
    int family = audit_is_unix(settings) ? AF_UNIX : settings->address.family;
    begin(probe, crowd);
    probe->due_us = monotonic_us() + settings->connect_timeout_ms * 1000;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        end(probe, END_FAILED, errno);
        return;
    }
    probe->fd = fd;
    event_assign(&probe->io, crowd->base, fd, EV_WRITE, on_event, probe);
    if (audit_order_row(settings->order)->never_reads)
        take_little(fd);
    probe->begun_us = monotonic_us();
    try_to_connect(probe);
}
