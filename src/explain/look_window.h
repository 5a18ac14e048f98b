/* look_window: some seconds of a process's traffic before the look: connections that begin and end, by the
 * kernel's news of ended sockets, and short looks at CLOSE_WAIT in between, which tell when each FIN came. */
#ifndef EXPLAIN_LOOK_WINDOW_H
#define EXPLAIN_LOOK_WINDOW_H

#include "explain/look.h"
#include "kernel/socket_deaths.h"

/* A connection that was seen before it ended; by cookie. */
struct window_sight {
    uint64_t cookie;
    enum tcp_state state;
    int64_t fin_us; /* when its FIN came; -1: not known */
};

struct window_end {
    struct socket_life socket; /* as the kernel told it at its end */
    int64_t ended_us;
};

struct window_process {
    pid_t pid;
    int64_t descriptors, read_us;
};

struct window {
    struct look *before; /* processes and listeners as they were at first */
    struct socket_deaths deaths;
    bool has_news;
    struct number_set old; /* cookies of connections that were there at first */
    struct number_set sighted;
    struct window_sight *sights;
    size_t sight_count, sight_room;
    struct window_end *ends;
    size_t end_count, end_room;
    struct window_process *processes;
    size_t process_count;
    int64_t began_us, ended_us;
    int64_t aborts_before, aborts;
    bool is_interrupted;
};

/* Watches for request->window_ms, or until *stop; `before` has taken its first table and its holders. Returns
 * 0 or a negative errno. */
int window_watch(struct window *window, struct look *before);

/* Puts what it has seen into the facts of the look that came after it. */
int window_join(const struct window *window, const struct look *look);

void window_free(struct window *window);

#endif
