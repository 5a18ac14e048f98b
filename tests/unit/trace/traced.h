/* A server that is traced, its clients, and what it was seen to do. */
#ifndef TESTS_TRACED_H
#define TESTS_TRACED_H

#include "base/clock.h"
#include "control/program.h"
#include "trace/tracer.h"
#include "traced_servers.h"

#include <poll.h>

enum { LONG_MS = 10000 };

/* A server, traced, and what it was seen to do. */
struct traced {
    struct tracer tracer;
    struct program program;
    struct trace_report report;
    int output; /* what it writes */
    uint16_t port;
};

/* ---- a server ---- */

static inline uint16_t read_port(int output)
{
    char line[16] = "";
    size_t length = 0;
    while (length < sizeof line - 1 && strchr(line, '\n') == NULL) {
        struct pollfd readable = {.fd = output, .events = POLLIN};
        assert_int_equal(poll(&readable, 1, LONG_MS), 1);
        ssize_t more = read(output, line + length, sizeof line - 1 - length);
        assert_true(more > 0);
        length += (size_t)more;
    }
    return (uint16_t)strtoul(line, NULL, 10);
}

static inline bool may_trace(int rc)
{
    if (rc == -EPERM)
        skip();
    assert_int_equal(rc, 0);
    return true;
}

static inline struct traced start_in(const char *name, bool has_own_pids)
{
    struct traced traced = {.port = 0};
    char self[] = "/proc/self/exe", server[32];
    char *words[] = {self, server, NULL};
    int output[2];
    snprintf(server, sizeof server, "%s", name);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    may_trace(tracer_start(&traced.tracer));
    const struct program_place place = {.output = output[1],
                                        .has_own_pids = has_own_pids,
                                        .before_execution = tracer_take_this_process,
                                        .context = &traced.tracer};
    assert_int_equal(program_start(&traced.program, words, &place), 0);
    close(output[1]);
    traced.output = output[0];
    traced.port = read_port(output[0]);
    return traced;
}

static inline struct traced start(const char *name)
{
    return start_in(name, false);
}

static inline void stop(struct traced *traced)
{
    trace_report_free(&traced->report);
    assert_int_equal(program_stop(&traced->program, 1000), 0);
    tracer_stop(&traced->tracer);
    close(traced->output);
}

/* ---- its clients ---- */

static inline uint16_t own_port(int fd)
{
    struct sockaddr_in where;
    socklen_t length = sizeof where;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&where, &length), 0);
    return ntohs(where.sin_port);
}

static inline int visit(const struct traced *traced, uint16_t *port)
{
    struct sockaddr_in where = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(traced->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof where), 0);
    *port = own_port(fd);
    return fd;
}

/* "x", "y", and then nothing more. Returns whether the server has closed. */
static inline bool talk(int fd, int wait_ms)
{
    char byte;
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(poll(&readable, 1, LONG_MS), 1);
    assert_int_equal(read(fd, &byte, 1), 1);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    return poll(&readable, 1, wait_ms) == 1 && read(fd, &byte, 1) == 0;
}

static inline uint16_t whole_visit(const struct traced *traced)
{
    uint16_t port;
    int fd = visit(traced, &port);
    assert_true(talk(fd, LONG_MS));
    close(fd);
    return port;
}

/* ---- what was seen ---- */

static inline void look(struct traced *traced)
{
    trace_report_free(&traced->report);
    assert_int_equal(tracer_report(&traced->tracer, LONG_MS, &traced->report), 0);
}

/* NULL: not yet. */
static inline const struct traced_connection *find_seen(const struct traced *traced, uint16_t client_port)
{
    const struct traced_connection *found = NULL;
    for (int i = 0; i < traced->report.count; i++)
        if (traced->report.connections[i].peer_port == client_port &&
            traced->report.connections[i].local_port == traced->port)
            found = &traced->report.connections[i];
    return found;
}

static inline const struct traced_connection *seen(const struct traced *traced, uint16_t client_port)
{
    const struct traced_connection *found = find_seen(traced, client_port);
    assert_non_null(found);
    return found;
}

/* "accept4 read+ write+ read0 close": + something, 0 nothing, ! an error, ? it has not returned. */
static inline const char *way(const struct traced_connection *connection, char *text, size_t size)
{
    size_t length = 0;
    text[0] = '\0';
    for (int i = 0; i < connection->count; i++) {
        const struct traced_note *note = &connection->notes[i];
        const char *result = !note->call->needs_result        ? ""
                             : note->result == RESULT_UNKNOWN ? "?"
                             : note->result == RESULT_ZERO    ? "0"
                             : note->result == RESULT_ERROR   ? "!"
                                                              : "+";
        int more =
            snprintf(text + length, size - length, "%s%s%s", i > 0 ? " " : "", note->call->name, result);
        length += (size_t)more;
        assert_true(length < size);
    }
    return text;
}

#define assert_way(connection, wanted)                                                                       \
    do {                                                                                                     \
        char way_[1024];                                                                                     \
        assert_string_equal(way((connection), way_, sizeof way_), (wanted));                                 \
    } while (0)

/* Where something is done after the client has seen its end: that is waited for. */
static inline void look_until(struct traced *traced, uint16_t port, const char *wanted)
{
    char text[1024];
    int64_t until_us = monotonic_us() + LONG_MS * 1000;
    do {
        look(traced);
        const struct traced_connection *connection = find_seen(traced, port);
        text[0] = '\0';
        if (connection != NULL)
            way(connection, text, sizeof text);
    } while (strcmp(text, wanted) != 0 && monotonic_us() < until_us && usleep(5000) == 0);
    assert_string_equal(text, wanted);
}

#endif
