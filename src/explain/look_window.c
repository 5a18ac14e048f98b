#include "explain/look_window.h"

#include "base/array.h"
#include "base/clock.h"
#include "kernel/kernel_counters.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
    NEWS_BUFFER = 8 << 20, /* 6,500 ends in a burst, where the machine allows it */
    LOOK_EVERY_MS = 100,   /* at CLOSE_WAIT alone, or less often where that takes long: */
    LOOK_SHARE = 10,       /* a tenth of the time at most */
};

/* ---- CLOSE_WAIT in between ---- */

static bool is_ours(const struct look *look, const struct socket_life *socket)
{
    return look_listener_of(look, &socket->entry) >= 0 || number_set_has(&look->own, socket->entry.inode);
}

/* The first sight of it knows its FIN best: keep-alive moves the clock later on. */
static int on_close_wait(void *context, const struct socket_life *socket)
{
    struct window *window = context;
    if (!is_ours(window->before, socket))
        return 0;
    int rc = number_set_add(&window->sighted, socket->cookie);
    if (rc <= 0)
        return rc;
    rc = ARRAY_RESERVE(window->sights, window->sight_room, window->sight_count + 1);
    if (rc != 0)
        return rc;
    bool keeps_alive = socket->timer == SOCKET_TIMER_KEEPALIVE;
    struct tcp_age fin = tcp_life_fin_age(&socket->life, STATE_CLOSE_WAIT, keeps_alive);
    window->sights[window->sight_count++] = (struct window_sight){
        .cookie = socket->cookie,
        .state = STATE_CLOSE_WAIT,
        .fin_us = fin.least_ms >= 0 ? monotonic_us() - fin.least_ms * 1000 : -1,
    };
    return 0;
}

/* An interrupted dump is no harm: the next one comes soon. */
static int look_at_close_wait(struct window *window)
{
    int rc = sock_diag_each_life(AF_INET, STATE_SET(STATE_CLOSE_WAIT), NULL, on_close_wait, window);
    if (rc == 0)
        rc = sock_diag_each_life(AF_INET6, STATE_SET(STATE_CLOSE_WAIT), NULL, on_close_wait, window);
    return rc == -EINTR || rc == -EBADMSG ? 0 : rc;
}

/* ---- the news ---- */

static int on_end(void *context, const struct socket_life *socket)
{
    struct window *window = context;
    bool is_wanted = look_listener_of(window->before, &socket->entry) >= 0 ||
                     number_set_has(&window->sighted, socket->cookie) ||
                     number_set_has(&window->old, socket->cookie);
    if (!is_wanted || socket->entry.state == STATE_LISTEN)
        return 0;
    int rc = ARRAY_RESERVE(window->ends, window->end_room, window->end_count + 1);
    if (rc == 0)
        window->ends[window->end_count++] = (struct window_end){*socket, monotonic_us()};
    return rc;
}

static int64_t ms_until(int64_t us)
{
    int64_t left = us - monotonic_us();
    return left > 0 ? (left + 999) / 1000 : 0;
}

/* Waits for news, or until then. */
static int await_news(struct window *window, int64_t until_us)
{
    struct pollfd news = {.fd = window->has_news ? window->deaths.fd : -1, .events = POLLIN};
    int rc = poll(&news, 1, (int)ms_until(until_us));
    if (rc < 0)
        return errno == EINTR ? 0 : -errno;
    return rc > 0 ? socket_deaths_read(&window->deaths, on_end, window) : 0;
}

static int watch(struct window *window)
{
    int64_t until_us = window->began_us + window->before->request->window_ms * 1000;
    int64_t next_look_us = window->began_us;
    int rc = 0;
    while (rc == 0 && monotonic_us() < until_us && !look_is_stopped(window->before)) {
        int64_t now_us = monotonic_us();
        if (now_us >= next_look_us) {
            rc = look_at_close_wait(window);
            int64_t took_us = monotonic_us() - now_us, pause_us = LOOK_EVERY_MS * INT64_C(1000);
            next_look_us = now_us + (took_us * LOOK_SHARE > pause_us ? took_us * LOOK_SHARE : pause_us);
        }
        if (rc == 0)
            rc = await_news(window, next_look_us < until_us ? next_look_us : until_us);
    }
    window->ended_us = monotonic_us();
    window->is_interrupted = look_is_stopped(window->before) && window->ended_us < until_us;
    return rc;
}

/* ---- before and after ---- */

static int64_t aborts_on_close(void)
{
    struct kernel_counters counters = {{0}};
    kernel_counters_read(&counters);
    return counters.value[COUNTER_ABORT_ON_CLOSE];
}

static int remember(struct window *window)
{
    const struct look *before = window->before;
    int rc = 0;
    for (size_t i = 0; i < before->earlier_count && rc >= 0; i++)
        if (look_is_of_listener(before, &before->earlier[i]) ||
            number_set_has(&before->own, before->earlier[i].inode))
            rc = number_set_add(&window->old, before->earlier[i].cookie);
    window->processes = calloc(before->process_count + 1, sizeof *window->processes);
    if (rc < 0 || window->processes == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < before->process_count; i++)
        if (before->processes[i].is_seen)
            window->processes[window->process_count++] =
                (struct window_process){.pid = before->processes[i].pid,
                                        .descriptors = (int64_t)before->processes[i].descriptor_count,
                                        .read_us = before->processes[i].read_us};
    return 0;
}

static int by_cookie(const void *a, const void *b)
{
    const struct window_sight *one = a, *other = b;
    return (one->cookie > other->cookie) - (one->cookie < other->cookie);
}

int window_watch(struct window *window, struct look *before)
{
    *window = (struct window){.before = before, .deaths = {.fd = -1}};
    window->has_news = socket_deaths_open(&window->deaths, NEWS_BUFFER) == 0;
    window->began_us = monotonic_us();
    window->aborts_before = aborts_on_close();
    int rc = remember(window);
    if (rc == 0)
        rc = watch(window);
    window->aborts = aborts_on_close() - window->aborts_before;
    if (window->sight_count > 0)
        qsort(window->sights, window->sight_count, sizeof *window->sights, by_cookie);
    return rc;
}

/* ---- facts ---- */

static const struct window_sight *sight_of(const struct window *window, uint64_t cookie)
{
    const struct window_sight wanted = {.cookie = cookie};
    if (window->sight_count == 0)
        return NULL;
    return bsearch(&wanted, window->sights, window->sight_count, sizeof *window->sights, by_cookie);
}

static struct fact_age later(struct fact_age age, int64_t ms)
{
    if (age.least_ms < 0)
        return age;
    return (struct fact_age){age.least_ms + ms,
                             age.most_ms == FACT_NO_LIMIT ? FACT_NO_LIMIT : age.most_ms + ms};
}

static struct fact_socket fact_of_end(const struct window *window, const struct window_end *end,
                                      const struct look *look)
{
    int64_t now_us = look->second_table_us, since_ms = (now_us - end->ended_us) / 1000;
    struct fact_socket fact = look_fact_socket(look, &end->socket);
    const struct window_sight *sight = sight_of(window, end->socket.cookie);
    fact.in_both = false;
    fact.holder = HOLDER_KERNEL;
    fact.age = later(fact.age, since_ms);
    fact.fin = later(fact.fin, since_ms);
    if (sight != NULL) {
        fact.state = sight->state;
        fact.bytes_received = tcp_life_data_received(&end->socket.life, sight->state);
        if (sight->fin_us >= 0) {
            fact.fin = fact_age_exact((now_us - sight->fin_us) / 1000);
            fact.closing_ms = (end->ended_us - sight->fin_us) / 1000;
        }
    }
    return fact;
}

/* Connections of the listeners that were not there at first: among those that ended, and those that are. */
static int count_opened(const struct window *window, const struct look *look)
{
    struct number_set seen = {0};
    int rc = 0;
    for (size_t i = 0; i < window->end_count && rc >= 0; i++)
        if (look_listener_of(look, &window->ends[i].socket.entry) >= 0 &&
            !number_set_has(&window->old, window->ends[i].socket.cookie))
            rc = number_set_add(&seen, window->ends[i].socket.cookie);
    for (size_t i = 0; i < look->socket_count && rc >= 0; i++)
        if (look_listener_of(look, &look->sockets[i].entry) >= 0 && look->sockets[i].cookie != 0 &&
            !number_set_has(&window->old, look->sockets[i].cookie))
            rc = number_set_add(&seen, look->sockets[i].cookie);
    look->facts->opened = (int64_t)seen.count;
    number_set_free(&seen);
    return rc < 0 ? rc : 0;
}

static void join_descriptors(const struct window *window, const struct look *look)
{
    for (size_t i = 0; i < window->process_count; i++)
        for (size_t k = 0; k < look->process_count; k++) {
            const struct window_process *before = &window->processes[i];
            const struct look_process *now = &look->processes[k];
            if (now->pid != before->pid || now->fact_index < 0)
                continue;
            struct fact_process *fact = &look->facts->processes[now->fact_index];
            fact->descriptors_before = before->descriptors;
            fact->before_ms = (now->read_us - before->read_us) / 1000;
        }
}

/* What was in CLOSE_WAIT when it was first seen is so much older now: keep-alive, which resets its clock,
 * tells less.
 */
static void age_sockets(const struct window *window, const struct look *look)
{
    for (int i = 0; i < look->facts->socket_count; i++) {
        struct fact_socket *fact = &look->facts->sockets[i];
        const struct window_sight *sight =
            fact->state == STATE_CLOSE_WAIT ? sight_of(window, fact->cookie) : NULL;
        if (sight == NULL || sight->fin_us < 0)
            continue;
        int64_t least_ms = (look->second_table_us - sight->fin_us) / 1000;
        if (fact_age_is_exact(fact->fin) || fact->fin.least_ms >= least_ms)
            continue;
        fact->fin.least_ms = least_ms;
        if (fact->fin.most_ms < least_ms)
            fact->fin.most_ms = least_ms;
    }
}

int window_join(const struct window *window, const struct look *look)
{
    struct facts *facts = look->facts;
    facts->ended = calloc(window->end_count + 1, sizeof *facts->ended);
    if (facts->ended == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < window->end_count; i++)
        facts->ended[facts->ended_count++] = fact_of_end(window, &window->ends[i], look);
    age_sockets(window, look);
    facts->window_ms = (window->ended_us - window->began_us) / 1000;
    facts->window_ago_ms = (look->second_table_us - window->ended_us) / 1000;
    facts->aborts_on_close = window->aborts;
    facts->events_lost = window->has_news ? window->deaths.dropped : -1;
    facts->is_interrupted = window->is_interrupted;
    join_descriptors(window, look);
    return count_opened(window, look);
}

void window_free(struct window *window)
{
    socket_deaths_close(&window->deaths);
    number_set_free(&window->old);
    number_set_free(&window->sighted);
    free(window->sights);
    free(window->ends);
    free(window->processes);
}
