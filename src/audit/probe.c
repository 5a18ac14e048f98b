#include "audit/probe_parts.h"

#include "audit/tls.h"
#include "base/clock.h"
#include "base/min_max.h"
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
    LOOK_WAIT_US = 5000000, /* at most, for a look at the tables */
    LOOK_PAUSE_US = 20000,
    REPLY_US = 2000000, /* for the first byte of it; and for all of it: a stream has no end to wait for */
    READ_SIZE = 16384,
    READS_AT_ONCE = 16,   /* then the others have their turn */
    BYTES_MAX = 1 << 20,  /* of a server that sends for ever, so much is read after the act and no more */
    FAREWELL_US = 100000, /* what comes so shortly before its FIN a server says because it closes */
    LATE_STEPS = 10,      /* asks_late: so many moments before the end of the idle timeout, and behind it */
};

static const struct audit_settings *settings_of(const struct probe *probe)
{
    return probe->crowd->settings;
}

static const struct audit_order_row *order_of(const struct probe *probe)
{
    return audit_order_row(settings_of(probe)->order);
}

void probe_enter(struct probe *probe, enum probe_phase phase)
{
    struct probe_crowd *crowd = probe->crowd;
    enum probe_phase from = probe->phase;
    crowd->in_phase[from] -= from != PROBE_NONE;
    crowd->in_phase[phase]++;
    probe->phase = phase;
    crowd->on_change(crowd->context, from);
}

void probe_end_tls(struct probe *probe)
{
    tls_free(probe->tls);
    probe->tls = NULL;
}

static void close_own_end(struct probe *probe)
{
    probe_end_tls(probe);
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

void probe_end(struct probe *probe, enum probe_end how, int error)
{
    probe->before_act = probe->phase < PROBE_ACTED;
    probe->end = how;
    probe->error = error;
    probe->ended_us = monotonic_us();
    probe_stop(probe);
    probe_enter(probe, PROBE_ENDED);
}

/* An error of a system call is the server's doing only where it says so and the connection is over; any other
 * came about here, and says nothing of the server. */
void probe_end_by_error(struct probe *probe, int error)
{
    bool is_over = audit_is_unix(settings_of(probe)) || is_ghost(probe->fd);
    bool says_reset = error == ECONNRESET || error == EPIPE || error == ENOTCONN;
    probe_end(probe,
              is_over && says_reset           ? END_RESET
              : is_over && error == ETIMEDOUT ? END_TIMED_OUT
                                              : END_FAILED,
              error);
}

/* Returns whether it went well; else the probe has ended. */
bool probe_set_timer(struct probe *probe, int64_t at_us)
{
    const struct timeval wait = timeval_of_us(at_us - monotonic_us());
    if (event_add(&probe->timer, &wait) == 0)
        return true;
    probe_end(probe, END_FAILED, ENOMEM);
    return false;
}

bool probe_hear(struct probe *probe, short what, event_callback_fn callback)
{
    event_assign(&probe->io, probe->crowd->base, probe->fd, what, callback, probe);
    errno = 0;
    if (event_add(&probe->io, NULL) == 0)
        return true;
    probe_end(probe, END_FAILED, errno != 0 ? errno : ENOMEM);
    return false;
}

void probe_note_closed(struct probe *probe, enum probe_end how, int64_t at_us)
{
    if (probe->phase != PROBE_ACTED && probe->phase != PROBE_WAITED)
        return;
    probe_end(probe, how, 0);
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
    if (!audit_is_unix(settings_of(probe)) || !order_of(probe)->tables_tell || probe->server_inode != 0)
        return true;
    int rc = unix_diag_peer(probe->inode, &probe->server_inode);
    if (rc != 0)
        probe_end(probe, END_FAILED, -rc);
    return rc == 0;
}

/* The close_notify of TLS, before a FIN or alone. Returns 0 or a negative errno. */
static int notify(struct probe *probe)
{
    return probe->tls != NULL && audit_order_notifies(order_of(probe)) ? tls_notify(probe->tls) : 0;
}

/* Returns whether it went well; else the probe has ended. */
static bool do_to(struct probe *probe)
{
    enum act what = order_of(probe)->act;
    int fd = probe->fd, rc = notify(probe);
    if (act_releases(what))
        probe_end_tls(probe);
    if (rc == 0 && what == ACT_NONE)
        return true;
    if (act_releases(what) || what == ACT_DROP)
        event_del(&probe->io);
    if (act_releases(what))
        probe->fd = -1;
    if (rc == 0 || act_releases(what))
        rc = act_apply(what, fd);
    probe->is_deaf = what == ACT_DROP && rc == 0;
    if (rc != 0 && probe->fd < 0)
        probe_end(probe, END_FAILED, -rc);
    else if (rc != 0)
        probe_end_by_error(probe, -rc);
    return rc == 0;
}

static void act(struct probe *probe)
{
    int64_t now_us = monotonic_us();
    if (!note_server_end(probe) || !do_to(probe))
        return;
    probe->acted_us = probe->crowd->acted_us = now_us;
    probe->due_us = now_us + settings_of(probe)->grace_ms * 1000;
    if (probe_set_timer(probe, probe->due_us))
        probe_enter(probe, PROBE_ACTED);
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
    probe_set_timer(probe, due_us);
}

/* Sent or received. */
static int64_t last_byte_us(const struct probe *probe)
{
    return max_of(probe->heard_us, probe->asked_us);
}

static void take_bytes(struct probe *probe, const char *buffer, int64_t length)
{
    int64_t now_us = monotonic_us(), before_us = last_byte_us(probe);
    if (probe->phase >= PROBE_ACTED && now_us - before_us > FAREWELL_US) {
        probe->farewell_us = now_us;
        probe->before_farewell_us = before_us;
    }
    reply_end_take(&probe->last, buffer, (size_t)length);
    probe->bytes += length;
    probe->bytes_since_ask += length;
    probe->heard_us = now_us;
    probe->bytes_since_act += probe->phase >= PROBE_ACTED ? length : 0;
    if (probe->bytes_since_act > BYTES_MAX + probe->crowd->reply_bytes) {
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

static ssize_t receive(const struct probe *probe, char *buffer, size_t size)
{
    return probe->tls != NULL ? tls_receive(probe->tls, buffer, size)
                              : recv(probe->fd, buffer, size, MSG_DONTWAIT);
}

/* A short read has emptied the socket; of TLS it is a record. */
static bool may_have_more(const struct probe *probe, ssize_t length)
{
    return probe->tls != NULL ? length > 0 : length == READ_SIZE;
}

static void drain(struct probe *probe)
{
    char buffer[READ_SIZE];
    ssize_t length = READ_SIZE;
    for (int reads = 0; reads < READS_AT_ONCE && may_have_more(probe, length) && !probe->sends_on; reads++) {
        length = receive(probe, buffer, sizeof buffer);
        if (length == 0) {
            if (order_of(probe)->keeps_open)
                keep_open(probe);
            else
                probe_end(probe, END_FIN, 0);
            return;
        }
        if (length < 0 && errno != EAGAIN && errno != EINTR) {
            probe_end_by_error(probe, errno);
            return;
        }
        if (length > 0)
            take_bytes(probe, buffer, length);
    }
    if (probe->tls != NULL && tls_has_more(probe->tls) && !probe->sends_on)
        event_active(&probe->io, EV_READ, 1); /* the socket is not readable for that */
    if (probe->phase == PROBE_TALKING && probe->bytes_since_ask > 0)
        hear_to_the_end_of_reply(probe);
}

static size_t request_length(const struct probe *probe)
{
    size_t length = settings_of(probe)->request_length;
    return order_of(probe)->sends_half ? length / 2 : length;
}

/* As send(2). What MSG_MORE, or of TLS the cork, has held back leaves with the FIN. */
static ssize_t transmit(const struct probe *probe, const char *data, size_t length)
{
    const int on = 1;
    bool ends_with_fin = order_of(probe)->fin_with_request;
    if (probe->tls == NULL)
        return send(probe->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL | (ends_with_fin ? MSG_MORE : 0));
    if (ends_with_fin)
        setsockopt(probe->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
    return tls_send(probe->tls, data, length);
}

static void talk(struct probe *probe)
{
    const struct audit_settings *settings = settings_of(probe);
    while (probe->sent < request_length(probe)) {
        ssize_t length =
            transmit(probe, settings->request + probe->sent, request_length(probe) - probe->sent);
        probe->is_cut = length < 0 && errno == EPROTO;
        if (length < 0 && (errno == EAGAIN || probe->is_cut))
            return;
        if (length < 0 && errno != EINTR) {
            probe_end_by_error(probe, errno);
            return;
        }
        probe->sent += length > 0 ? (size_t)length : 0;
    }
    if (order_of(probe)->fin_with_request)
        act(probe);
}

static void hear_from_now_on(struct probe *probe)
{
    bool has_more = probe->sent < request_length(probe) && !probe->is_cut,
         reads = !order_of(probe)->never_reads;
    event_del(&probe->io);
    if (has_more || reads)
        probe_hear(probe, (short)((reads ? EV_READ : 0) | EV_PERSIST | (has_more ? EV_WRITE : 0)),
                   probe_on_event);
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
    if (!probe_set_timer(probe, probe->due_us))
        return;
    talk(probe);
    if (probe->phase <= PROBE_ACTED)
        hear_from_now_on(probe);
}

int64_t probe_idle_us(const struct probe *probe)
{
    if (probe->farewell_us > 0 && probe->ended_us - probe->farewell_us < FAREWELL_US)
        return probe->farewell_us - probe->before_farewell_us;
    return probe->ended_us - last_byte_us(probe);
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
    probe_set_timer(probe, probe->due_us);
}

/* Puts the act off until a look has met it, but not for ever. */
static bool waits_for_look(struct probe *probe)
{
    if (!probe->crowd->waits_for_look || probe->was_looked_at)
        return false;
    int64_t now_us = monotonic_us();
    probe->missed_looks = now_us - probe->asked_us > LOOK_WAIT_US;
    if (probe->missed_looks)
        return false;
    probe->due_us = now_us + LOOK_PAUSE_US;
    probe_set_timer(probe, probe->due_us);
    return true;
}

/* The reply is over, or none came. */
static void go_on(struct probe *probe)
{
    if (waits_for_look(probe))
        return;
    bool asks_again = probe->asked < probe_requests(settings_of(probe)) && probe->bytes_since_ask > 0;
    if (!asks_again)
        act(probe);
    else if (order_of(probe)->asks_late && !probe->is_late)
        wait_until_late(probe);
    else
        ask(probe);
}

void probe_begin_to_talk(struct probe *probe)
{
    probe_enter(probe, PROBE_TALKING);
    ask(probe);
}

void probe_on_event(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    struct probe *probe = context;
    if (probe->phase == PROBE_CONNECTING) {
        if (probe->is_shaking)
            probe_shake(probe);
        else
            probe_connected(probe);
        return;
    }
    if ((what & EV_WRITE) != 0 && probe->phase == PROBE_TALKING) {
        talk(probe);
        if (probe->phase <= PROBE_ACTED && (probe->is_cut || probe->sent == request_length(probe)))
            hear_from_now_on(probe);
    }
    if ((what & EV_READ) != 0 && probe->fd >= 0)
        drain(probe);
}

/* ---- time ---- */

/* Who sends in the latter half of the grace period is at work, and has it once more; but a byte now and then
 * does not put off the judgement for ever. */
static void end_grace(struct probe *probe)
{
    int64_t grace_us = settings_of(probe)->grace_ms * 1000;
    bool is_late = probe->heard_us > probe->due_us - grace_us / 2;
    if (!order_of(probe)->hears_on || !is_late || probe->is_extended || probe->sends_on) {
        probe_enter(probe, PROBE_WAITED);
        return;
    }
    probe->is_extended = true;
    probe->due_us = probe->heard_us + grace_us;
    probe_set_timer(probe, probe->due_us);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct probe *probe = context;
    if (probe->phase == PROBE_CONNECTING)
        probe_end_connecting(probe);
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

static void begin_from(struct probe *probe, struct probe_crowd *crowd, const struct address *client,
                       uint16_t port, int64_t bytes)
{
    begin(probe, crowd);
    probe->address = *client;
    probe->port = port;
    probe->bytes = bytes;
    probe->connected_us = monotonic_us();
}

void probe_adopt(struct probe *probe, struct probe_crowd *crowd, int fd, const struct address *client,
                 uint16_t port, int64_t bytes)
{
    begin_from(probe, crowd, client, port, bytes);
    probe->fd = fd;
    event_assign(&probe->io, crowd->base, fd, EV_READ | EV_PERSIST, probe_on_event, probe);
    act(probe);
    if (probe->phase == PROBE_ACTED && probe->fd >= 0)
        probe_hear(probe, EV_READ | EV_PERSIST, probe_on_event);
}

void probe_adopt_ended(struct probe *probe, struct probe_crowd *crowd, enum probe_end how, int error,
                       const struct address *client, uint16_t port, int64_t bytes)
{
    begin_from(probe, crowd, client, port, bytes);
    probe_end(probe, how, error);
}

void probe_give_up(struct probe *probe, struct probe_crowd *crowd)
{
    begin(probe, crowd);
    probe->not_opened = true;
    probe_end(probe, END_TIMED_OUT, ETIMEDOUT);
}

void probe_start(struct probe *probe, struct probe_crowd *crowd)
{
    const struct audit_settings *settings = crowd->settings;
    int family = audit_is_unix(settings) ? AF_UNIX : settings->address.family;
    begin(probe, crowd);
    probe->due_us = monotonic_us() + settings->connect_timeout_ms * 1000;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        probe_end(probe, END_FAILED, errno);
        return;
    }
    probe->fd = fd;
    event_assign(&probe->io, crowd->base, fd, EV_WRITE, probe_on_event, probe);
    if (audit_order_row(settings->order)->never_reads)
        probe_take_little(fd);
    probe->begun_us = monotonic_us();
    probe_connect(probe);
}
