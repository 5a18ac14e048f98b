#include "cause/cause.h"

#include "base/nearest.h"
#include "worker/scripted.h"

#include <string.h>

#define STEP(deed, moment)                                                                                   \
    {                                                                                                        \
        .when = TRIGGER_##moment, .act = ACT_##deed                                                          \
    }
#define SCRIPT(...)                                                                                          \
    {                                                                                                        \
        .count = sizeof((struct script_step[]){__VA_ARGS__}) / sizeof(struct script_step),                   \
        .steps = {__VA_ARGS__},                                                                              \
    }

/* What most clients do: ask, and leave when they have waited long enough. */
#define ASK_AND_LEAVE SCRIPT(STEP(WRITE, NOW), STEP(CLOSE, LIFE))

/* What a client does that is killed with unread data, or gives up the hard way. */
#define ASK_AND_RESET SCRIPT(STEP(WRITE, NOW), STEP(ABORT, LIFE))

/* What a client does that hangs: its kernel goes on answering for it. */
#define ASK_AND_IGNORE SCRIPT(STEP(WRITE, NOW))

/* What a client does that pools connections and does not look at them. */
#define ASK_AND_KEEP SCRIPT(STEP(WRITE, NOW), STEP(READ, DATA))

static const struct fault_case causes[] = {
    {
        .bug = {.name = "ignore-eof",
                .summary = "the server reads EOF and does not close",
                .meaning =
                    "recv() returned 0: the client has closed, and the server gets no other notice. Every "
                    "such connection stays in CLOSE_WAIT with everything read, held by the server."},
        .fixed = {.name = "ignore-eof-fixed",
                  .summary = "the server closes when it reads EOF",
                  .meaning = "close() at EOF: the server's end passes through CLOSE_WAIT and LAST_ACK and "
                             "is gone."},
        .reported = "libevent #1112, sniproxy PR #6",
        .behaviour[SIDE_SERVER] = &ignore_eof,
        .script[SIDE_CLIENT] = ASK_AND_LEAVE,
        .signature =
            {.at_fault = SIDE_SERVER, .state = STATE_CLOSE_WAIT, .eof = EOF_READ, .owner = OWNER_AT_FAULT},
    },
    {
        .bug = {.name = "paused-read",
                .summary = "the server stops reading while something behind it is slow, and so never sees "
                           "EOF",
                .meaning = "Back-pressure: EV_READ is disabled until there is room again. EOF is read like "
                           "data, so the server does not notice a client that leaves meanwhile. CLOSE_WAIT "
                           "with the FIN unread, held by the server."},
        .fixed =
            {.name = "paused-read-fixed",
             .summary = "the server listens for EV_CLOSED (EPOLLRDHUP) while it does not read",
             .meaning =
                 "EPOLLRDHUP reports the FIN even while data in front of it is unread; the server closes."},
        .reported = "nodejs/node #40691, libevent #78, #666, #1764",
        .behaviour[SIDE_SERVER] = &paused_read,
        .script[SIDE_CLIENT] = ASK_AND_LEAVE,
        .signature =
            {.at_fault = SIDE_SERVER, .state = STATE_CLOSE_WAIT, .eof = EOF_UNREAD, .owner = OWNER_AT_FAULT},
    },
    {
        .bug = {.name = "bounded-pool",
                .summary = "all handlers wait for something that does not answer, and other connections "
                           "queue without limit",
                .meaning = "Connections are accepted, so a TCP probe passes, but nobody reads them: "
                           "requests and FINs pile up in CLOSE_WAIT, held by the server."},
        .fixed =
            {.name = "bounded-pool-fixed",
             .summary =
                 "handlers have a time-out, the queue is bounded, and clients that find it full are refused",
             .meaning = "The answer may never come, but the time-out does: each connection is closed a "
                        "moment after its client has left."},
        .reported = "xtdb #5850, jetty #8908",
        .behaviour[SIDE_SERVER] = &bounded_pool,
        .script[SIDE_CLIENT] = ASK_AND_LEAVE,
        .signature =
            {.at_fault = SIDE_SERVER, .state = STATE_CLOSE_WAIT, .eof = EOF_UNREAD, .owner = OWNER_AT_FAULT},
    },
    {
        .bug = {.name = "never-accept",
                .summary = "the server stops calling accept()",
                .meaning = "The kernel completes handshakes by itself until the accept queue is full. The "
                           "clients' requests and FINs wait in CLOSE_WAIT, and no process has a descriptor "
                           "for them."},
        .fixed = {.name = "never-accept-fixed",
                  .summary = "the server keeps accepting",
                  .meaning = "Each connection is accepted, read to its EOF and closed. A server that cannot "
                             "go on should close its listener: that resets the clients that wait."},
        .reported = "uwsgi #2472, jormungandr #1459, cyrus-imapd #2824",
        .behaviour[SIDE_SERVER] = &never_accept,
        .script[SIDE_CLIENT] = ASK_AND_LEAVE,
        .least_conns = 11, /* the first ten are accepted */
        .signature =
            {.at_fault = SIDE_SERVER, .state = STATE_CLOSE_WAIT, .eof = EOF_UNREAD, .owner = OWNER_NONE},
    },
    {
        .bug =
            {.name = "emfile",
             .summary = "descriptors run out, accept() fails, and the path that refuses a client leaks its "
                        "descriptor",
             .meaning =
                 "The server frees a reserve descriptor to accept a client and refuse it, but the close() is "
                 "missing. Each failure uses up a descriptor, so the next comes sooner, until none is left."},
        .fixed = {.name = "emfile-fixed",
                  .summary =
                      "refused clients are closed, the reserve is opened again, and the listener pauses",
                  .meaning = "Under too much load some clients are refused, and nothing lingers."},
        .reported = "python-proxy #204, libmill #182, libevent #1089",
        .behaviour[SIDE_SERVER] = &emfile,
        .script[SIDE_CLIENT] = ASK_AND_LEAVE,
        /* Standard descriptors 3, libevent 3, reserve 1, listener 1: 16 connections at a time, where a
         * hundred a second that live for 200 ms want 20. */
        .server_nofile = 24,
        .least_conns = 16,
        .signature = {.at_fault = SIDE_SERVER,
                      .state = STATE_CLOSE_WAIT,
                      .eof = EOF_UNREAD,
                      .owner = OWNER_AT_FAULT,
                      .fails_accept = true},
    },
    {
        .bug = {.name = "fork-inherit",
                .summary = "helper programs that the server starts inherit its connections",
                .meaning = "The server closes at EOF as it should, but the FIN is sent only when the last "
                           "descriptor is closed, and a child holds another. CLOSE_WAIT with everything "
                           "read, held by another process: the server's own descriptors do not show it."},
        .fixed = {.name = "fork-inherit-fixed",
                  .summary = "connections are accepted with SOCK_CLOEXEC",
                  .meaning = "exec() closes the child's copies, and the server's close() is the last one."},
        .reported = "odpi #152, guacamole-server PR #698",
        .behaviour[SIDE_SERVER] = &fork_inherit,
        .script[SIDE_CLIENT] = ASK_AND_LEAVE,
        .least_conns = 16, /* a helper starts with the 16th */
        .signature =
            {.at_fault = SIDE_SERVER, .state = STATE_CLOSE_WAIT, .eof = EOF_READ, .owner = OWNER_OTHER},
    },
    {
        .bug = {.name = "lost-reference",
                .summary =
                    "on one path the server frees its record of a connection without closing the descriptor",
                .meaning =
                    "Every fifth request is cancelled, and the only record of its descriptor is freed. "
                    "CLOSE_WAIT with the FIN unread, held by a server that no longer knows of it."},
        .fixed = {.name = "lost-reference-fixed",
                  .summary = "that path closes before it frees",
                  .meaning = "A descriptor has one owner, and whoever frees the owner closes it."},
        .reported = "teleproxy #48",
        .behaviour[SIDE_SERVER] = &lost_reference,
        .script[SIDE_CLIENT] = ASK_AND_LEAVE,
        .least_conns = 5, /* the fifth request is cancelled */
        .signature = {.at_fault = SIDE_SERVER,
                      .state = STATE_CLOSE_WAIT,
                      .eof = EOF_UNREAD,
                      .owner = OWNER_AT_FAULT,
                      .on_one_path = true},
    },
    {
        .bug = {.name = "dead-pool-entry",
                .summary = "the client keeps connections for reuse and does not watch them meanwhile",
                .meaning = "The server closes a connection that has been idle for too long. The FIN waits "
                           "unread in the client's pool: CLOSE_WAIT on the client's side, and an error for "
                           "the next request that takes it from there."},
        .fixed = {.name = "dead-pool-entry-fixed",
                  .summary = "the client watches idle connections for EOF and closes them",
                  .meaning = "An idle connection leaves the pool as soon as the server has closed it."},
        .reported = "zowe/api-layer #2738, rdf4j #406",
        .behaviour[SIDE_CLIENT] = &dead_pool_entry,
        .script[SIDE_SERVER] = SCRIPT(STEP(READ, DATA), STEP(WRITE, NOW), STEP(CLOSE, LIFE)),
        .signature =
            {.at_fault = SIDE_CLIENT, .state = STATE_CLOSE_WAIT, .eof = EOF_UNREAD, .owner = OWNER_AT_FAULT},
    },
    {
        .bug = {.name = "no-half-close",
                .summary = "a proxy does not tell the backend that the client has sent everything",
                .meaning = "The backend answers at the end of the request, which it never sees; the proxy "
                           "waits for the backend. CLOSE_WAIT with everything read, held by the proxy, each "
                           "with a connection to the backend."},
        .fixed = {.name = "no-half-close-fixed",
                  .summary = "the proxy calls shutdown(SHUT_WR) towards the backend at the client's EOF",
                  .meaning =
                      "The backend sees the end of the request, answers and closes; so does the proxy."},
        .reported = "kubernetes #18354, haproxy #1362, tinyproxy PR #600",
        .behaviour[SIDE_SERVER] = &no_half_close,
        .descriptors_each = 2,
        .script[SIDE_CLIENT] =
            SCRIPT(STEP(WRITE, NOW), STEP(SHUTDOWN, NOW), STEP(READ, DATA), STEP(CLOSE, LIFE)),
        .signature =
            {.at_fault = SIDE_SERVER, .state = STATE_CLOSE_WAIT, .eof = EOF_READ, .owner = OWNER_AT_FAULT},
    },
    {
        .bug = {.name = "reply-before-read",
                .summary = "the server answers and closes before it has read the request",
                .meaning = "close() with unread data sends an RST instead of a FIN. No socket lingers, but a "
                           "client that is still sending its request fails, and its reply is lost."},
        .fixed = {.name = "reply-before-read-fixed",
                  .summary = "the server reads to the end first, then answers and closes",
                  .meaning = "Nothing is unread at the close(): it sends a FIN, after the reply."},
        .reported = "nginx trac #2145",
        .behaviour[SIDE_SERVER] = &reply_before_read,
        .script[SIDE_CLIENT] = SCRIPT(STEP(WRITE, NOW), STEP(WRITE, LIFE), STEP(SHUTDOWN, NOW),
                                      STEP(READ, DATA), STEP(CLOSE, EOF)),
        .signature = {.at_fault = SIDE_SERVER,
                      .state = STATE_GONE,
                      .counter = COUNTER_ABORT_ON_CLOSE,
                      .has_counter = true,
                      .loses = true},
    },
    {
        .bug = {.name = "half-closed-for-ever",
                .summary = "the server ends its half with shutdown() and waits for the client's FIN forever",
                .meaning = "A client that keeps its end open never sends one. FIN_WAIT2 with a descriptor: "
                           "tcp_fin_timeout runs only after close(), so no kernel timer ends it."},
        .fixed = {.name = "half-closed-for-ever-fixed",
                  .summary = "the server calls close() when the client's FIN has not come for a while",
                  .meaning = "After close() a FIN_WAIT2 has no descriptor and tcp_fin_timeout ends it, "
                             "whatever the client does."},
        .reported = "nodejs/node-v0.x-archive #3613, envoy #41086",
        .behaviour[SIDE_SERVER] = &half_closed_for_ever,
        .script[SIDE_CLIENT] = ASK_AND_KEEP,
        .signature = {.at_fault = SIDE_SERVER, .state = STATE_FIN_WAIT2, .owner = OWNER_AT_FAULT},
    },
    {
        .bug = {.name = "reset-swallowed",
                .summary = "the server swallows ECONNRESET and EPIPE and keeps the descriptor",
                .meaning = "A reset removes the connection from every table at once. No count of states "
                           "shows the leak, CLOSE_WAIT stays 0, and the descriptors run out all the same."},
        .fixed = {.name = "reset-swallowed-fixed",
                  .summary = "an error on a connection closes it, as EOF does",
                  .meaning = "The descriptor goes with the connection, whichever way that ends."},
        .reported = "haproxy #1774, vault #3244, redis #10644",
        .behaviour[SIDE_SERVER] = &reset_swallowed,
        .script[SIDE_CLIENT] = ASK_AND_RESET,
        .signature = {.at_fault = SIDE_SERVER, .state = STATE_GONE, .leaves_ghosts = true},
    },
    {
        .bug = {.name = "stalled-reader",
                .summary = "the server writes without a time-out to a client that does not read",
                .meaning =
                    "The client's kernel answers each probe of its closed window, so the connection is alive "
                    "for TCP. ESTABLISHED with a full Send-Q, for as long as the client likes."},
        .fixed = {.name = "stalled-reader-fixed",
                  .summary = "the server resets a connection on which it can write nothing for a while",
                  .meaning = "The RST frees the socket and its unsent data. After a close() the kernel would "
                             "keep probing the window, in FIN_WAIT1 and without a descriptor."},
        .reported = "sshnet/SSH.NET #1793, blog.cloudflare.com/when-tcp-sockets-refuse-to-die",
        .behaviour[SIDE_SERVER] = &stalled_reader,
        .script[SIDE_CLIENT] = ASK_AND_IGNORE,
        .signature = {.at_fault = SIDE_SERVER,
                      .state = STATE_ESTABLISHED,
                      .is_stalled = true,
                      .owner = OWNER_AT_FAULT},
    },
    {
        .bug = {.name = "no-timeout",
                .summary = "the server waits without a time-out for a client that has vanished",
                .meaning = "Neither a FIN nor an RST has come, and the server sends nothing that could fail. "
                           "ESTABLISHED on the server only, for days: without keep-alive TCP does not probe "
                           "an idle peer."},
        .fixed = {.name = "no-timeout-fixed",
                  .summary = "the server sets SO_KEEPALIVE and closes on any error",
                  .meaning = "The kernel probes a silent client. An RST, or no answer (ETIMEDOUT), wakes the "
                             "server, which closes. An idle time-out in the server works too."},
        .reported = "redis #618, nsq #698, ws #2127",
        .behaviour[SIDE_SERVER] = &no_timeout,
        .script[SIDE_CLIENT] = SCRIPT(STEP(WRITE, NOW), STEP(VANISH, LIFE)),
        .signature =
            {.at_fault = SIDE_SERVER, .state = STATE_ESTABLISHED, .is_alone = true, .owner = OWNER_AT_FAULT},
    },
    {
        .bug = {.name = "eof-is-abort",
                .summary = "the server treats a client that has sent all of its request as gone",
                .meaning = "EOF means that the client sends no more, not that it does not read. The server "
                           "drops its answer and closes: no socket is left over, no RST is sent, and the "
                           "reply is lost. nc and many health checks half-close."},
        .fixed = {.name = "eof-is-abort-fixed",
                  .summary = "the server answers first, and then closes",
                  .meaning =
                      "Sending the answer shows whether the client is gone: if so, an RST comes back."},
        .reported = "golang/go #18527, envoy #2066, #17160",
        .behaviour[SIDE_SERVER] = &eof_is_abort,
        .script[SIDE_CLIENT] =
            SCRIPT(STEP(WRITE, NOW), STEP(SHUTDOWN, NOW), STEP(READ, DATA), STEP(CLOSE, EOF)),
        .signature = {.at_fault = SIDE_SERVER, .state = STATE_GONE, .loses = true},
    },
    {
        .bug = {.name = "second-socket-forgotten",
                .summary = "a proxy closes the client's socket on an error, and forgets the backend's",
                .meaning =
                    "The proxy's port is clean. Behind it one connection to the backend stays for each "
                    "client that failed: ESTABLISHED while the backend waits, CLOSE_WAIT after it has "
                    "given up."},
        .fixed = {.name = "second-socket-forgotten-fixed",
                  .summary = "the proxy closes both sockets on every path",
                  .meaning = "The code that ends one of the two connections ends the other too."},
        .reported = "varnish-cache #3556, #2126, haproxy #1453, envoy #28611",
        .behaviour[SIDE_SERVER] = &second_socket_forgotten,
        .script[SIDE_CLIENT] = ASK_AND_RESET,
        .signature = {.at_fault = SIDE_SERVER, .state = STATE_GONE, .leaves_elsewhere = true},
    },
    {
        .bug = {.name = "no-reuse",
                .summary = "the client opens a connection for each request, and closes it first",
                .meaning = "TIME_WAIT stays on the side that closes first: each request takes one of the "
                           "client's ports for 60 s. When none is left, connect() fails with EADDRNOTAVAIL, "
                           "although no descriptor is held and nothing is wrong with the server."},
        .fixed = {.name = "no-reuse-fixed",
                  .summary = "the client keeps its connections and sends its next requests on them",
                  .meaning = "One port carries any number of requests, and its TIME_WAIT comes once, after "
                             "the last of them."},
        .reported = "dotnet/runtime #45544, varnish #2622, openstreetmap/operations #335",
        .behaviour = {[SIDE_SERVER] = &answers, [SIDE_CLIENT] = &no_reuse},
        .client_ports = 100,
        .least_conns = 101, /* one more than there are ports */
        .signature = {.at_fault = SIDE_CLIENT, .state = STATE_TIME_WAIT, .fails_connect = true},
    },
    {
        .bug = {.name = "keep-alive-race",
                .summary = "the client sends a request on an idle connection just as the server closes it",
                .meaning = "Both sides keep idle connections equally long. The server's FIN and the request "
                           "cross: an RST answers the request, which nobody has read. Nothing piles up: the "
                           "only sign is a rate of errors on the client."},
        .fixed = {.name = "keep-alive-race-fixed",
                  .summary = "the client's idle time is shorter than the server's",
                  .meaning = "The client closes an idle connection before the server does, and its next "
                             "request opens another. Retrying requests that are safe to repeat helps too."},
        .reported = "nodejs/node #52649, #27363, gunicorn PR #2288",
        .behaviour = {[SIDE_SERVER] = &answers, [SIDE_CLIENT] = &keep_alive_race},
        .least_conns = 30, /* at a hundred a second the client has idle connections by then */
        .signature = {.at_fault = SIDE_CLIENT,
                      .state = STATE_GONE,
                      .counter = COUNTER_OUT_RSTS,
                      .has_counter = true,
                      .loses = true},
    },
    {
        .bug = {.name = "connect-given-up",
                .summary = "the client gives up connect() after its time-out and forgets the descriptor",
                .meaning = "The kernel keeps sending the SYN: SYN_SENT, held by the client. When it gives up "
                           "too (net.ipv4.tcp_syn_retries), the socket leaves all tables and the descriptor "
                           "stays. A late answer opens a connection that nobody reads: ESTABLISHED, then "
                           "CLOSE_WAIT with the server's data unread."},
        .fixed = {.name = "connect-given-up-fixed",
                  .summary = "the time-out path closes the descriptor",
                  .meaning = "close() in SYN_SENT ends the socket at once: the SYN is not sent again, and a "
                             "late answer gets an RST."},
        .reported = "stud PR #143, libmill #181, redis PR #15529, proxysql #3022",
        .behaviour = {[SIDE_SERVER] = &deaf_server, [SIDE_CLIENT] = &connect_given_up},
        .connect_timeout_ms = 500,
        .signature =
            {.at_fault = SIDE_CLIENT, .state = STATE_SYN_SENT, .owner = OWNER_AT_FAULT, .fades = true},
    },
    {
        .bug = {.name = "blocking-linger",
                .summary = "one thread serves all clients, and close() with SO_LINGER waits for the slowest",
                .meaning =
                    "On Linux that close() blocks even on a non-blocking socket, until the client's kernel "
                    "has taken all data or the linger time, here 2 s, is over. Meanwhile the socket is in "
                    "FIN_WAIT1 with data to send, no descriptor shows it, and every other client waits."},
        .fixed = {.name = "blocking-linger-fixed",
                  .summary = "the server leaves SO_LINGER off",
                  .meaning = "close() returns at once, and the kernel delivers what is unsent by itself. A "
                             "server that must know that its data arrived can call shutdown() and wait for "
                             "the client's EOF, as for any other event."},
        .reported = "cilium/proxy PR #1127, EternalTerminal PR #792",
        .behaviour = {[SIDE_SERVER] = &blocking_linger, [SIDE_CLIENT] = &one_slow_reader},
        .least_conns = 5,
        .signature = {.at_fault = SIDE_SERVER, .state = STATE_GONE, .delays_ms = 1500},
    },
    {
        .bug = {.name = "inherited-listener",
                .summary = "helper programs that the server starts inherit its listener",
                .meaning =
                    "After a restart the port still belongs to a helper. bind() fails with EADDRINUSE; "
                    "clients still connect, to a queue that nobody accepts from. CLOSE_WAIT with the FIN "
                    "unread, as in never-accept, but another process listens."},
        .fixed = {.name = "inherited-listener-fixed",
                  .summary = "the listener is close-on-exec (SOCK_CLOEXEC)",
                  .meaning =
                      "exec() closes the helper's copy: the port is free when the server ends, and the next "
                      "one can take it at once. A client that is refused in between can try again."},
        .reported = "mongoose #1302, rinetd #10, cpp-httplib #164",
        .behaviour = {[SIDE_SERVER] = &inherited_listener, [SIDE_CLIENT] = &insistent_behaviour},
        .script[SIDE_CLIENT] = ASK_AND_LEAVE,
        .least_conns = 11, /* the server restarts after ten */
        .signature = {.at_fault = SIDE_SERVER,
                      .state = STATE_CLOSE_WAIT,
                      .eof = EOF_UNREAD,
                      .owner = OWNER_NONE,
                      .listener_is_others = true},
    },
};

enum { CAUSE_COUNT = sizeof causes / sizeof causes[0] };

const struct fault_case *cause_at(size_t i)
{
    return i < CAUSE_COUNT ? &causes[i] : NULL;
}

const struct fault_case *cause_find(const char *name)
{
    for (size_t i = 0; i < CAUSE_COUNT; i++)
        if (strcmp(causes[i].bug.name, name) == 0)
            return &causes[i];
    return NULL;
}

static const char *cause_name_at(const void *unused, size_t i)
{
    (void)unused;
    return i < CAUSE_COUNT ? causes[i].bug.name : NULL;
}

const char *cause_nearest(const char *name)
{
    return nearest_word(name, cause_name_at, NULL);
}

const struct behaviour *behaviour_find(const char *name, enum side side)
{
    const struct fault_case *cause = cause_find(name);
    if (cause != NULL)
        return cause->behaviour[side];
    return strcmp(name, scripted_behaviour.name) == 0 ? &scripted_behaviour : NULL;
}
