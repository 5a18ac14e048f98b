/* synthetic_report: connections of a traced program that was never there, in a few words each. */
#ifndef TESTS_SYNTHETIC_REPORT_H
#define TESTS_SYNTHETIC_REPORT_H

#include "../unit.h"

#include "trace/parting.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* Calls, whether or not this machine has them under these numbers. */
static const struct traced_call accept4_call = {
    .name = "accept4", .act = TRACED_ACCEPT, .needs_result = true};
static const struct traced_call recv_call = {.name = "recvfrom", .act = TRACED_READ, .needs_result = true};
static const struct traced_call send_call = {.name = "sendto", .act = TRACED_WRITE};
static const struct traced_call close_call = {.name = "close", .act = TRACED_CLOSE};
static const struct traced_call epoll_call = {.name = "epoll_ctl", .act = TRACED_WATCH, .fd_at = 2};
static const struct traced_call exec_call = {.name = "execve", .act = TRACED_EXEC};

#define OWN(function_, file_, line_)                                                                         \
    {                                                                                                        \
        .function = (function_), .file = (file_), .path = "/s/" file_, .line = (line_), .module = "server",  \
        .is_own = true                                                                                       \
    }

/* A stack of up to three own places below libc's function; it lives as long as the test program. */
static const struct site *site_with(struct place a, struct place b, struct place c)
{
    static struct site *all[256]; /* reached from here to the end */
    static size_t count;
    const struct place own[] = {a, b, c};
    struct site *site = calloc(1, sizeof *site + 4 * sizeof own[0]);
    assert_non_null(site);
    assert_true(count < sizeof all / sizeof all[0]);
    all[count++] = site;
    site->places[site->count++] = (struct place){.function = "recv", .module = "libc.so.6", .offset = 7};
    for (int i = 0; i < 3; i++)
        if (own[i].function != NULL || own[i].module != NULL)
            site->places[site->count++] = own[i];
    site->own = -1;
    for (int i = site->count - 1; i >= 0; i--)
        site->own = site->places[i].is_own ? i : site->own;
    return site;
}

#define NOWHERE ((struct place){.line = 0})

enum { NOTES_MOST = 16, CONNECTIONS_MOST = 1200 };

/* The connections of a test; zero-initialised: none. */
struct scene {
    struct traced_connection connections[CONNECTIONS_MOST];
    struct traced_note notes[CONNECTIONS_MOST][NOTES_MOST];
    struct parting_sample samples[CONNECTIONS_MOST];
    int count;
};

/* One more; calls are noted on the latest. */
static inline struct traced_connection *scene_add(struct scene *scene, enum parting_end end)
{
    struct traced_connection *connection = &scene->connections[scene->count];
    assert_true(scene->count < CONNECTIONS_MOST);
    *connection = (struct traced_connection){.inode = (uint64_t)scene->count + 1,
                                             .notes = scene->notes[scene->count],
                                             .is_open = end == PARTING_HELD};
    scene->samples[scene->count++] = (struct parting_sample){.connection = connection, .end = end};
    return connection;
}

static inline struct traced_note *scene_note(struct scene *scene, const struct traced_call *call,
                                             enum call_result result, const struct site *site)
{
    struct traced_connection *connection = &scene->connections[scene->count - 1];
    assert_true(connection->count < NOTES_MOST);
    struct traced_note *note = &connection->notes[connection->count++];
    *note = (struct traced_note){.call = call, .result = result, .site = site, .pid = 100, .times = 1};
    return note;
}

#endif
