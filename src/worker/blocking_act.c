#include "worker/blocking_act.h"

#include "base/memory.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { STACK_BYTES = 64 * 1024 };

struct result {
    int64_t index;
    int rc;
};

struct blocking_act {
    pthread_mutex_t lock; /* of the five that threads change */
    int64_t next;         /* the first end that nobody has begun */
    int64_t done;         /* results that are there */
    bool is_stopped;
    struct result *results; /* room for one of each end */
    int doorbell;           /* an eventfd: results are there */

    enum act act;
    const int *fd;
    int64_t count;
    int64_t taken;
    struct event *rings;
    on_blocking_acted *on_acted;
    void *context;
    int thread_count;
    pthread_t threads[BLOCKING_THREADS_MAX];
};

static bool begin_next(struct blocking_act *running, int64_t *index)
{
    pthread_mutex_lock(&running->lock);
    bool is_one = !running->is_stopped && running->next < running->count;
    *index = is_one ? running->next++ : -1;
    pthread_mutex_unlock(&running->lock);
    return is_one;
}

static void put_result(struct blocking_act *running, int64_t index, int rc)
{
    const uint64_t ring = 1;
    pthread_mutex_lock(&running->lock);
    running->results[running->done++] = (struct result){index, rc};
    pthread_mutex_unlock(&running->lock);
    if (write(running->doorbell, &ring, sizeof ring) < 0)
        return; /* it is full of rings that were not heard yet */
}

static void *act_on_ends(void *context)
{
    struct blocking_act *running = context;
    int64_t index;
    while (begin_next(running, &index)) {
        int fd = running->fd[index];
        put_result(running, index, fd < 0 ? -EBADF : act_apply(running->act, fd));
    }
    return NULL;
}

static void on_ring(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct blocking_act *running = context;
    uint64_t rings;
    if (read(fd, &rings, sizeof rings) == sizeof rings)
        running->on_acted(running->context);
}

/* As many threads as there are ends, or as can be made. Returns 0, or a negative errno where there is none.
 */
static int start_threads(struct blocking_act *running)
{
    pthread_attr_t small;
    int rc = -pthread_attr_init(&small);
    if (rc != 0)
        return rc;
    pthread_attr_setstacksize(&small, STACK_BYTES);
    int64_t wanted = running->count < BLOCKING_THREADS_MAX ? running->count : BLOCKING_THREADS_MAX;
    while (running->thread_count < wanted && rc == 0) {
        rc = -pthread_create(&running->threads[running->thread_count], &small, act_on_ends, running);
        running->thread_count += rc == 0;
    }
    pthread_attr_destroy(&small);
    return running->thread_count > 0 || wanted == 0 ? 0 : rc;
}

struct blocking_act *blocking_act_start(struct event_base *base, enum act act, const int *fd, int64_t count,
                                        on_blocking_acted *on_acted, void *context, int *error)
{
    struct blocking_act *running = memory_new(sizeof *running);
    *running =
        (struct blocking_act){.act = act, .fd = fd, .count = count, .on_acted = on_acted, .context = context};
    pthread_mutex_init(&running->lock, NULL);
    running->results = memory_new((size_t)(count + 1) * sizeof *running->results);
    running->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *error = running->doorbell < 0 ? -errno : 0;
    if (*error == 0) {
        running->rings = event_new(base, running->doorbell, EV_READ | EV_PERSIST, on_ring, running);
        event_add(running->rings, NULL);
        *error = start_threads(running);
    }
    if (*error == 0)
        return running;
    blocking_act_free(running);
    return NULL;
}

bool blocking_act_take(struct blocking_act *running, int64_t *index, int *rc)
{
    pthread_mutex_lock(&running->lock);
    bool is_there = running->taken < running->done;
    if (is_there) {
        const struct result *result = &running->results[running->taken++];
        *index = result->index;
        *rc = result->rc;
    }
    pthread_mutex_unlock(&running->lock);
    return is_there;
}

void blocking_act_stop(struct blocking_act *running)
{
    pthread_mutex_lock(&running->lock);
    running->is_stopped = true;
    pthread_mutex_unlock(&running->lock);
    while (running->thread_count > 0)
        pthread_join(running->threads[--running->thread_count], NULL);
}

void blocking_act_free(struct blocking_act *running)
{
    if (running == NULL)
        return;
    blocking_act_stop(running);
    if (running->rings != NULL)
        event_free(running->rings);
    if (running->doorbell >= 0)
        close(running->doorbell);
    pthread_mutex_destroy(&running->lock);
    free(running->results);
    free(running);
}
