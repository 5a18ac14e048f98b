#include "audit/proxy_pair.h"

#include "base/clock.h"
#include "kernel/act.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_SIZE = 16384,
    READS_AT_ONCE = 16, /* then the others have their turn */
    BLOCK_BYTE =
        0xfe, /* in no token, head or chunk size: what is counted is of a block, whatever is around it */
};

static const struct proxy_settings *settings_of(const struct proxy_pair *pair)
{
    return pair->crowd->settings;
}

static bool is_http(const struct proxy_pair *pair)
{
    return settings_of(pair)->http_path != NULL;
}

static enum proxy_side side_of(const struct proxy_own_end *end)
{
    return end == &end->pair->end[PROXY_FRONT] ? PROXY_FRONT : PROXY_BACK;
}

static struct proxy_own_end *other_of(const struct proxy_own_end *end)
{
    return &end->pair->end[proxy_side_other(side_of(end))];
}

static struct proxy_leg *leg_of(const struct proxy_own_end *end)
{
    return &end->pair->result->leg[side_of(end)];
}

static enum proxy_manner manner_of(const struct proxy_own_end *end)
{
    return end->pair->result->manner[side_of(end)];
}

static void enter(struct proxy_pair *pair, enum proxy_pair_stage stage)
{
    struct proxy_crowd *crowd = pair->crowd;
    crowd->in_stage[pair->stage]--;
    crowd->in_stage[stage]++;
    pair->stage = stage;
    crowd->on_change(crowd->context);
}

static void close_own_end(struct proxy_own_end *end)
{
    if (end->fd < 0)
        return;
    event_del(&end->io);
    close(end->fd);
    end->fd = -1;
}

static void fail(struct proxy_pair *pair, enum proxy_pair_class class, int error)
{
    pair->result->class = class;
    pair->result->error = error;
    proxy_pair_stop(pair);
    enter(pair, STAGE_FAILED);
}

static bool set_timer(struct proxy_pair *pair, int64_t wait_ms)
{
    const struct timeval wait = timeval_of_us(wait_ms * 1000);
    if (event_add(&pair->timer, &wait) == 0)
        return true;
    fail(pair, PAIR_FAILED, ENOMEM);
    return false;
}

/* ---- what our ends hear ---- */

static bool has_more_to_send(const struct proxy_own_end *end)
{
    return end->text_sent < end->text_length || end->block > 0;
}

static void on_event(evutil_socket_t fd, short what, void *context);

/* What has heard an end would be readable for ever. */
static void listen_on(struct proxy_own_end *end)
{
    short what = (short)((!end->is_over ? EV_READ : 0) | (has_more_to_send(end) ? EV_WRITE : 0));
    event_del(&end->io);
    if (what == 0)
        return;
    event_assign(&end->io, end->pair->crowd->base, end->fd, (short)(what | EV_PERSIST), on_event, end);
    if (event_add(&end->io, NULL) != 0)
        fail(end->pair, PAIR_FAILED, ENOMEM);
}

/* What the second end hears after its own turn may be the answer to that. */
static void note_heard(struct proxy_own_end *end, enum proxy_heard heard)
{
    const struct proxy_pair *pair = end->pair;
    struct proxy_leg *leg = leg_of(end);
    bool had_its_turn = pair->stage > STAGE_FIRST && side_of(end) != pair->first;
    end->is_over = true;
    if (leg->heard != HEARD_NOTHING || had_its_turn)
        return;
    leg->heard = heard;
    leg->heard_early = !other_of(end)->has_ended;
}

/* Returns whether the pair goes on. */
static bool note_error(struct proxy_own_end *end, int error)
{
    if (error != ECONNRESET && error != EPIPE && error != ENOTCONN) {
        fail(end->pair, PAIR_FAILED, error);
        return false;
    }
    note_heard(end, HEARD_RST);
    end->block = 0;
    end->text_length = end->text_sent;
    return true;
}

static void take_bytes(struct proxy_own_end *end, const char *bytes, size_t length)
{
    struct proxy_pair *pair = end->pair;
    if (pair->stage == STAGE_CALLING && side_of(end) == PROXY_FRONT) {
        if (is_http(pair))
            pair->crowd->on_answer(pair->crowd->context, bytes, length);
        end->called += length;
    }
    for (size_t i = 0; i < length; i++)
        leg_of(end)->received += (unsigned char)bytes[i] == BLOCK_BYTE;
}

/* A proxy that keeps connections to its backend sends the next request on one that is through with its reply.
 */
static bool is_next_request(const struct proxy_own_end *end)
{
    char byte;
    return is_http(end->pair) && side_of(end) == PROXY_BACK && end->text_length > 0 &&
           !has_more_to_send(end) && recv(end->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void hand_over(struct proxy_own_end *end)
{
    int fd = end->fd;
    event_del(&end->io);
    end->fd = -1;
    leg_of(end)->is_reused = true;
    end->pair->crowd->on_next_request(end->pair->crowd->context, fd);
}

/* Returns whether the pair goes on. */
static bool drain(struct proxy_own_end *end)
{
    char buffer[READ_SIZE];
    for (int reads = 0; reads < READS_AT_ONCE; reads++) {
        ssize_t length = recv(end->fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (length > 0) {
            take_bytes(end, buffer, (size_t)length);
            continue;
        }
        if (length < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (length < 0)
            return note_error(end, errno);
        note_heard(end, HEARD_FIN);
        return true;
    }
    return true;
}

/* ---- what our ends do ---- */

static void end_own_end(struct proxy_own_end *end)
{
    static const enum act acts[] = {
        [MANNER_CLOSE] = ACT_CLOSE, [MANNER_HALF_CLOSE] = ACT_SHUTDOWN, [MANNER_ABORT] = ACT_ABORT};
    enum act act = acts[manner_of(end)];
    if (act_releases(act))
        event_del(&end->io);
    int rc = act_apply(act, end->fd);
    if (act_releases(act))
        end->fd = -1;
    end->ends = false;
    end->has_ended = true;
    if (rc != 0 && is_failure_here(-rc))
        fail(end->pair, PAIR_FAILED, -rc);
}

static ssize_t send_some(struct proxy_own_end *end)
{
    char block[READ_SIZE];
    if (end->text_sent < end->text_length)
        return send(end->fd, end->text + end->text_sent, end->text_length - end->text_sent,
                    MSG_DONTWAIT | MSG_NOSIGNAL);
    size_t length = end->block < (int64_t)sizeof block ? (size_t)end->block : sizeof block;
    memset(block, BLOCK_BYTE, length);
    return send(end->fd, block, length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void note_sent(struct proxy_own_end *end, ssize_t length)
{
    if (end->text_sent < end->text_length) {
        end->text_sent += (size_t)length;
    } else {
        end->block -= length;
        leg_of(end)->sent += length;
    }
}

/* Returns whether the pair goes on. */
static bool speak(struct proxy_own_end *end)
{
    while (has_more_to_send(end)) {
        ssize_t length = send_some(end);
        if (length > 0)
            note_sent(end, length);
        else if (errno == EAGAIN)
            return true;
        else if (errno != EINTR && !note_error(end, errno))
            return false;
    }
    if (end->ends)
        end_own_end(end);
    return end->pair->stage != STAGE_FAILED;
}

/* ---- one after the other ---- */

static void finish(struct proxy_pair *pair)
{
    event_del(&pair->timer);
    enter(pair, STAGE_DONE);
}

/* `end` has heard all that the other one has to say. */
static bool has_heard_all(const struct proxy_own_end *end)
{
    const struct proxy_own_end *other = other_of(end);
    if (end->fd < 0 || end->is_over)
        return true;
    return manner_of(other) == MANNER_STAYS && leg_of(end)->received >= leg_of(other)->sent;
}

static void make_reply(struct proxy_own_end *end)
{
    enum proxy_manner manner = manner_of(end);
    int length = snprintf(end->text, sizeof end->text,
                          "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n");
    size_t room = sizeof end->text - (size_t)length;
    if (manner == MANNER_CLOSE || manner == MANNER_HALF_CLOSE) /* its FIN ends the reply */
        length += snprintf(end->text + length, room, "Connection: close\r\n\r\n");
    else /* half of it comes before an RST */
        length += snprintf(end->text + length, room, "Content-Length: %d\r\n\r\n",
                           manner == MANNER_ABORT ? 2 * PROXY_BLOCK : PROXY_BLOCK);
    end->text_length = (size_t)length;
    end->text_sent = 0;
    end->block = PROXY_BLOCK;
}

/* Nothing is sent to an end that has gone, of which this one has heard: the RST that answers it would tell a
 * proxy that has taken no notice. */
static bool has_something_to_say(const struct proxy_own_end *end)
{
    const struct proxy_pair *pair = end->pair;
    bool is_first = side_of(end) == pair->first;
    if (is_http(pair))
        return side_of(end) == PROXY_BACK &&
               (is_first || other_of(end)->fd >= 0 || leg_of(end)->heard == HEARD_NOTHING);
    return is_first || other_of(end)->fd >= 0;
}

/* Returns whether the pair goes on. */
static bool have_its_turn(struct proxy_own_end *end)
{
    if (end->fd < 0)
        return true;
    if (leg_of(end)->heard != HEARD_RST && has_something_to_say(end)) {
        if (is_http(end->pair))
            make_reply(end);
        else
            end->block = PROXY_BLOCK;
    }
    end->ends = manner_of(end) != MANNER_STAYS;
    if (!speak(end))
        return false;
    if (end->fd >= 0)
        listen_on(end);
    return end->pair->stage != STAGE_FAILED;
}

static bool has_said_all(const struct proxy_own_end *end)
{
    return end->fd < 0 || (!has_more_to_send(end) && !end->ends);
}

static void go_on(struct proxy_pair *pair)
{
    struct proxy_own_end *first = &pair->end[pair->first], *second = other_of(first);
    if (pair->stage == STAGE_FIRST && has_said_all(first) && has_heard_all(second)) {
        enter(pair, STAGE_SECOND);
        if (!set_timer(pair, settings_of(pair)->grace_ms) || !have_its_turn(second))
            return;
    }
    if (pair->stage == STAGE_SECOND && has_said_all(second) && has_heard_all(first))
        finish(pair);
}

void proxy_pair_end(struct proxy_pair *pair)
{
    const enum proxy_manner *manner = pair->result->manner;
    pair->first = manner[PROXY_FRONT] != MANNER_STAYS ? PROXY_FRONT : PROXY_BACK;
    if (manner[pair->first] == MANNER_STAYS && !is_http(pair)) {
        finish(pair);
        return;
    }
    enter(pair, STAGE_FIRST);
    if (set_timer(pair, settings_of(pair)->grace_ms) && have_its_turn(&pair->end[pair->first]))
        go_on(pair);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct proxy_pair *pair = context;
    struct proxy_own_end *second = other_of(&pair->end[pair->first]);
    if (pair->stage == STAGE_CONNECTING) {
        fail(pair, PAIR_UNANSWERED, ETIMEDOUT);
    } else if (pair->stage == STAGE_CALLING) {
        fail(pair, PAIR_NO_BACKEND, 0);
    } else if (pair->stage == STAGE_SECOND) {
        finish(pair);
    } else if (pair->stage == STAGE_FIRST) {
        enter(pair, STAGE_SECOND);
        if (set_timer(pair, settings_of(pair)->grace_ms) && have_its_turn(second))
            go_on(pair);
    }
}

/* ---- how it begins ---- */

static void call(struct proxy_pair *pair)
{
    struct proxy_own_end *end = &pair->end[PROXY_FRONT];
    const struct proxy_settings *settings = settings_of(pair);
    int length = is_http(pair)
                     ? snprintf(end->text, sizeof end->text,
                                "GET %s HTTP/1.1\r\nHost: %.200s\r\nUser-Agent: tcpstorm\r\nX-Tcpstorm-Id: "
                                "%08" PRIx32 "-%" PRId64 "\r\n\r\n",
                                settings->http_path, settings->front_text, pair->crowd->run, pair->number)
                     : snprintf(end->text, sizeof end->text, "tcpstorm %08" PRIx32 " %013" PRId64 "\n",
                                pair->crowd->run, pair->number);
    end->text_length = (size_t)length < sizeof end->text ? (size_t)length : sizeof end->text - 1;
}

static enum proxy_pair_class class_of_connect(int error)
{
    return error == ECONNREFUSED                                                 ? PAIR_REFUSED
           : error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH ? PAIR_UNANSWERED
           : error == ECONNRESET                                                 ? PAIR_ENDED_EARLY
                                                                                 : PAIR_FAILED;
}

/* Where nobody listens and the port is one that the kernel hands out, connect() can meet itself. */
static bool is_to_itself(const struct proxy_own_end *end)
{
    return end->link.own_port == end->link.remote_port && address_equal(&end->link.own, &end->link.remote);
}

static void connected(struct proxy_own_end *end)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(end->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    else if (error == 0)
        error = tcp_link_of(end->fd, &end->link);
    if (error != 0) {
        fail(end->pair, class_of_connect(error), error);
    } else if (is_to_itself(end)) {
        act_apply(ACT_ABORT, end->fd); /* no TIME_WAIT on that port */
        event_del(&end->io);
        end->fd = -1;
        fail(end->pair, PAIR_REFUSED, ECONNREFUSED);
    } else {
        call(end->pair);
        enter(end->pair, STAGE_CALLING);
        if (set_timer(end->pair, settings_of(end->pair)->connect_timeout_ms) && speak(end))
            listen_on(end);
    }
}

/* The backend has the request; in plain TCP the client has heard it say so. */
static void note_reached(struct proxy_pair *pair)
{
    const struct proxy_own_end *front = &pair->end[PROXY_FRONT];
    if (pair->end[PROXY_BACK].fd >= 0 && (is_http(pair) || front->called >= PROXY_TOKEN)) {
        event_del(&pair->timer);
        pair->result->class = PAIR_PASSED;
        enter(pair, STAGE_READY);
    } else if (pair->result->leg[PROXY_FRONT].heard != HEARD_NOTHING ||
               (is_http(pair) && front->called > 0)) { /* it has answered by itself */
        fail(pair, PAIR_ENDED_EARLY, 0);
    }
}

void proxy_pair_adopt(struct proxy_pair *pair, int fd)
{
    struct proxy_own_end *back = &pair->end[PROXY_BACK];
    back->fd = fd;
    int error = tcp_link_of(fd, &back->link);
    if (error != 0) {
        fail(pair, error == ENOTCONN ? PAIR_ENDED_EARLY : PAIR_FAILED, error);
        return;
    }
    if (!is_http(pair)) {
        memcpy(back->text, pair->end[PROXY_FRONT].text, PROXY_TOKEN);
        back->text_length = PROXY_TOKEN;
    }
    if (!speak(back))
        return;
    back->text_length = back->text_sent = 0; /* a token fits into an empty buffer */
    listen_on(back);
    if (pair->stage == STAGE_CALLING)
        note_reached(pair);
}

static void on_event(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    struct proxy_own_end *end = context;
    struct proxy_pair *pair = end->pair;
    if (pair->stage == STAGE_CONNECTING) {
        connected(end);
        return;
    }
    if ((what & EV_WRITE) != 0 && !speak(end))
        return;
    if ((what & EV_READ) != 0 && end->fd >= 0) {
        if (is_next_request(end))
            hand_over(end);
        else if (!drain(end))
            return;
    }
    if (end->fd >= 0)
        listen_on(end);
    if (pair->stage == STAGE_CALLING)
        note_reached(pair);
    else if (pair->stage == STAGE_FIRST || pair->stage == STAGE_SECOND)
        go_on(pair);
}

void proxy_pair_init(struct proxy_pair *pair, struct proxy_crowd *crowd, struct proxy_pair_result *result,
                     int64_t number)
{
    pair->crowd = crowd;
    pair->result = result;
    pair->number = number;
    pair->stage = STAGE_IDLE;
    crowd->in_stage[STAGE_IDLE]++;
    result->class = PAIR_UNKNOWN;
    evtimer_assign(&pair->timer, crowd->base, on_timer, pair);
    for (int side = 0; side < PROXY_SIDES; side++) {
        struct proxy_own_end *end = &pair->end[side];
        end->pair = pair;
        end->fd = -1;
        event_assign(&end->io, crowd->base, -1, 0, on_event, end);
    }
}

void proxy_pair_start(struct proxy_pair *pair)
{
    const struct proxy_settings *settings = settings_of(pair);
    struct proxy_own_end *end = &pair->end[PROXY_FRONT];
    struct sockaddr_storage to;
    socklen_t length = address_to_sockaddr(&settings->front, settings->front_port, &to);
    end->fd = socket(settings->front.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (end->fd < 0) {
        fail(pair, PAIR_FAILED, errno);
        return;
    }
    event_assign(&end->io, pair->crowd->base, end->fd, EV_WRITE, on_event, end);
    if (connect(end->fd, (struct sockaddr *)&to, length) != 0 && errno != EINPROGRESS) {
        fail(pair, class_of_connect(errno), errno);
        return;
    }
    enter(pair, STAGE_CONNECTING);
    if (!set_timer(pair, settings->connect_timeout_ms))
        return;
    if (event_add(&end->io, NULL) != 0)
        fail(pair, PAIR_FAILED, ENOMEM);
}

void proxy_pair_close(struct proxy_pair *pair, enum proxy_side side)
{
    close_own_end(&pair->end[side]);
}

void proxy_pair_stop(struct proxy_pair *pair)
{
    event_del(&pair->timer);
    proxy_pair_close(pair, PROXY_FRONT);
    proxy_pair_close(pair, PROXY_BACK);
}
