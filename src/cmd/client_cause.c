#include "cmd/client_cause.h"

#include "base/clock.h"
#include "base/diag.h"
#include "base/number_text.h"
#include "base/text.h"
#include "base/wrap.h"
#include "cmd/command.h"
#include "cmd/played_cause.h"
#include "kernel/host_limits.h"
#include "kernel/witness.h"
#include "worker/connector.h"

#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    CONNECT_TIMEOUT_US = 5000000,
    LIFE_US = 10000000, /* behaviours take half of it for the time of an idle connection in a pool */
    RATE_UNIT = 1000,   /* the connector's rates are in 1,000 s */
    MS_PER_S = 1000,
    TEXT_WIDTH = 78,
};

struct visitor {
    struct played_cause played; /* the first member */
    const struct client_cause *wish;
    struct connector connector;
    struct event *over; /* the duration */
    int64_t began_us;
    int64_t time_wait_before; /* or a negative errno */
    bool has_failed;
};

static int64_t held_in(const struct visitor *visitor, enum tcp_state state)
{
    int64_t of[STATE_COUNT];
    open_descriptors_count(&visitor->played.endpoint.descriptors, of);
    return of[state];
}

/* For a connect(). */
static int64_t timeout_us(const struct visitor *visitor)
{
    int64_t needed_us = visitor->played.cause->connect_timeout_ms * 1000;
    return needed_us > 0 ? needed_us : CONNECT_TIMEOUT_US;
}

static int64_t failures(const struct visitor *visitor)
{
    return visitor->played.endpoint.errors;
}

/* ---- while it lasts ---- */

static void tell(struct played_cause *played)
{
    struct visitor *visitor = (struct visitor *)played;
    const struct endpoint *endpoint = &played->endpoint;
    connector_give_up_old(&visitor->connector);
    diag_progress("%s: connections opened %s, used again %s, held %s, lost requests %s, failed connect() %s",
                  played->cause->bug.name, grouped(endpoint->begun).text, grouped(endpoint->reused).text,
                  grouped(endpoint->descriptors.count).text, grouped(endpoint->lost).text,
                  grouped(failures(visitor)).text);
    if (endpoint->failed_call == NULL)
        return;
    diag_progress_clear();
    diag_error("%s: %s", endpoint->failed_call, strerror(endpoint->failed_errno));
    visitor->has_failed = true;
    event_base_loopbreak(endpoint->base);
}

static void on_over(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct visitor *visitor = context;
    event_base_loopbreak(visitor->played.endpoint.base);
}

static void on_failure(void *owner, const char *call, int error, uint16_t port)
{
    struct visitor *visitor = owner;
    struct address_text address = address_text(&visitor->wish->address);
    diag_progress_clear();
    if (error == ECONNREFUSED)
        diag_error("connection refused: nobody listens on %s:%u", address.text, port);
    else if (error == EMFILE)
        diag_error(
            "out of descriptors with %s held: raise the limit (ulimit -Hn), or lower --rate or --duration",
            counted(visitor->played.endpoint.descriptors.count, "connection").text);
    else
        diag_error("%s() for %s:%u: %s", call, address.text, port, strerror(error));
    visitor->has_failed = true;
    event_base_loopbreak(visitor->played.endpoint.base);
}

/* ---- what it came to ---- */

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
    char text[600] = "";
    va_list arguments;
    va_start(arguments, format);
    text_vadd(text, sizeof text, format, arguments);
    va_end(arguments);
    wrap_print(stdout, text, 0, TEXT_WIDTH);
}

static void say_held(const struct visitor *visitor)
{
    char states[300] = "";
    int64_t of[STATE_COUNT], count = visitor->played.endpoint.descriptors.count;
    open_descriptors_count(&visitor->played.endpoint.descriptors, of);
    of[STATE_GONE] += of[STATE_CLOSE];
    of[STATE_CLOSE] = 0;
    for (size_t i = 0; i <= LIFE_ORDER_COUNT; i++) {
        enum tcp_state state = i < LIFE_ORDER_COUNT ? tcp_state_in_life_order(i) : STATE_GONE;
        if (of[state] > 0)
            TEXT_ADD(states, "%s%s %s", states[0] != '\0' ? ", " : "", grouped(of[state]).text,
                     tcp_state_name(state));
    }
    if (count > 0)
        say("Descriptors held: %s: %s.", grouped(count).text, states);
}

/* TIME_WAIT is the kernel's, and no descriptor tells of it. Returns a number, or a negative errno. */
static int64_t count_time_wait(const struct client_cause *wish)
{
    const struct look_target target = {.address = wish->address, .ports = {wish->port, wish->port}};
    struct histogram sides[SIDE_COUNT] = {0};
    int error = 0;
    const struct witness_backend *witness = witness_choose(0, &error);
    if (witness != NULL)
        error = witness_look(witness, &target, sides);
    return error != 0 ? error : sides[SIDE_CLIENT].of[STATE_TIME_WAIT];
}

static void say_time_wait(const struct visitor *visitor)
{
    struct host_limits limits;
    int64_t now = count_time_wait(visitor->wish), before = visitor->time_wait_before;
    if (now < 0 || before < 0) {
        say("The number in TIME_WAIT is not known: the kernel's sockets cannot be read: %s.",
            strerror((int)-(now < 0 ? now : before)));
        return;
    }
    host_limits_read(&limits);
    say("In TIME_WAIT towards that server, for 60 s each: %s client sockets of this machine, %s before; it "
        "has %s ports for them (net.ipv4.ip_local_port_range).",
        grouped(now).text, grouped(before).text, grouped(limits.port_last - limits.port_first + 1).text);
}

static void say_errors(const struct visitor *visitor)
{
    const struct endpoint *endpoint = &visitor->played.endpoint;
    int64_t timeouts = visitor->connector.timeouts, failed = failures(visitor) - timeouts;
    if (timeouts > 0)
        say("connect() given up after %s: %s.", duration_text(timeout_us(visitor) / 1000).text,
            counted(timeouts, "time").text);
    if (visitor->connector.abandoned > 0)
        say("Descriptors of these that are still open: %s.", grouped(visitor->connector.abandoned).text);
    if (failed > 0)
        say("connect() failed %s: %s%s.", counted(failed, "time").text, strerror(endpoint->last_errno),
            endpoint->last_errno == EADDRNOTAVAIL ? " (EADDRNOTAVAIL): this machine has no port left" : "");
    if (endpoint->unanswered > 0)
        say("Connections that ended before their first request was answered: %s. Use --http or --send to "
            "send another request.",
            grouped(endpoint->unanswered).text);
    if (endpoint->lost > 0)
        say("Requests lost: %s: their connection, which had served earlier ones, ended before a reply.",
            grouped(endpoint->lost).text);
    if (endpoint->idle_us > 0)
        say("The server closes idle connections after about %.1f s.", (double)endpoint->idle_us / 1e6);
}

/* As far as the client itself can tell: the kernel's counters are of others too. */
static bool shows_bug(const struct visitor *visitor)
{
    const struct signature *signature = &visitor->played.cause->signature;
    const struct endpoint *endpoint = &visitor->played.endpoint;
    if (signature->state == STATE_TIME_WAIT && endpoint->last_errno != EADDRNOTAVAIL)
        return false;
    bool lingers = signature->state != STATE_GONE && signature->state != STATE_TIME_WAIT;
    if (lingers && held_in(visitor, signature->state) == 0 &&
        !(signature->fades && visitor->connector.abandoned > 0))
        return false;
    if (signature->leaves_ghosts && held_in(visitor, STATE_CLOSE) == 0)
        return false;
    return (!signature->loses || endpoint->lost > 0) && (!signature->fails_connect || failures(visitor) > 0);
}

static void say_summary(const struct visitor *visitor)
{
    const struct endpoint *endpoint = &visitor->played.endpoint;
    say("Connections opened in %.1f s: %s.", (double)(monotonic_us() - visitor->began_us) / 1e6,
        grouped(endpoint->begun).text);
    if (endpoint->reused > 0)
        say("Requests on an open connection: %s.", grouped(endpoint->reused).text);
    say_held(visitor);
    if (visitor->played.cause->signature.state == STATE_TIME_WAIT)
        say_time_wait(visitor);
    say_errors(visitor);
    say("The bug %s: %s.", shows_bug(visitor) ? "shows" : "does not show. Its signature would be",
        signature_text(&visitor->played.cause->signature).text);
    if (endpoint->descriptors.count > 0)
        say("The connections held are now reset.");
}

/* ---- life ---- */

static void begin(struct visitor *visitor)
{
    const struct client_cause *wish = visitor->wish;
    struct endpoint *endpoint = &visitor->played.endpoint;
    const struct timeval lasts = timeval_of_us(wish->duration_ms * 1000);
    visitor->began_us = monotonic_us();
    visitor->time_wait_before = count_time_wait(wish);
    visitor->over = evtimer_new(endpoint->base, on_over, visitor);
    evtimer_add(visitor->over, &lasts);
    connector_start(&visitor->connector, endpoint, on_failure, visitor);
    connector_add_destination(&visitor->connector, &wish->address, wish->port);
    connector_begin(&visitor->connector, wish->rate * wish->duration_ms / MS_PER_S, wish->rate * RATE_UNIT,
                    timeout_us(visitor));
}

static int visit_all(struct visitor *visitor)
{
    struct endpoint *endpoint = &visitor->played.endpoint;
    printf("Asking %s:%u ", address_text(&visitor->wish->address).text, visitor->wish->port);
    played_cause_say(&visitor->played, stdout);
    begin(visitor);
    int code = played_cause_run(&visitor->played, tell);
    diag_progress_clear();
    connector_halt(&visitor->connector);
    connector_give_up_old(&visitor->connector);
    if (!visitor->has_failed || endpoint->begun > 0)
        say_summary(visitor);
    connector_stop(&visitor->connector);
    event_free(visitor->over);
    if (visitor->has_failed)
        return EXIT_MACHINE;
    bool is_about_silence = visitor->played.cause->connect_timeout_ms > 0 && visitor->connector.timeouts > 0;
    if (code == EXIT_AS_EXPECTED && endpoint->begun == 0 && !is_about_silence) {
        diag_error("no connection to %s:%u was established", address_text(&visitor->wish->address).text,
                   visitor->wish->port);
        return EXIT_MACHINE;
    }
    return code;
}

int client_cause(const struct client_cause *wish)
{
    struct visitor visitor = {.wish = wish};
    struct endpoint *endpoint = &visitor.played.endpoint;
    int code = played_cause_open(&visitor.played, wish->cause, wish->fixed);
    if (code != EXIT_AS_EXPECTED)
        return code;
    host_raise_nofile();
    endpoint->request = wish->request;
    endpoint->request_length = wish->request_length;
    endpoint->life_us = LIFE_US;
    int rc = endpoint_start(endpoint);
    if (rc == 0) {
        code = visit_all(&visitor);
        endpoint_stop(endpoint);
    } else {
        diag_error("cannot start: %s", strerror(-rc));
        code = EXIT_MACHINE;
    }
    played_cause_close(&visitor.played);
    return code;
}
