#include "worker/scripted.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TOGETHER_US = 500 }; /* ends that are due within this share a wake-up */

struct life {
    struct scripted *scripted;
    TAILQ_ENTRY(life) link;
    struct event heard;
    int64_t deadline_us; /* when it has lived for its time */
    int fd;
    int step;      /* the next one */
    bool is_young; /* its time has not come */
    bool is_listening;
    bool leaks;
};

TAILQ_HEAD(life_list, life);

struct scripted {
    struct endpoint *endpoint;
    struct life_list young; /* all live equally long: the first to come is the first to be due */
    struct life_list old;
    struct event *clock; /* when the first of the young is due */
};

static const struct script_step *next_step(const struct life *life)
{
    const struct script *script = &life->scripted->endpoint->script;
    return life->step < script->count ? &script->steps[life->step] : NULL;
}

static void listen_for(struct life *life, bool wanted)
{
    if (wanted == life->is_listening)
        return;
    life->is_listening = wanted;
    if (wanted)
        event_add(&life->heard, NULL);
    else
        event_del(&life->heard); /* level-triggered: it would spin on what is not for this step */
}

static void set_clock(struct scripted *scripted)
{
    const struct life *first = TAILQ_FIRST(&scripted->young);
    if (first == NULL)
        return;
    struct timeval wait = timeval_of_us(first->deadline_us - monotonic_us() + TOGETHER_US);
    evtimer_add(scripted->clock, &wait);
}

/* Nothing more is to be done; what is not closed stays in endpoint->descriptors. */
static void end_life(struct life *life)
{
    listen_for(life, false);
    TAILQ_REMOVE(life->is_young ? &life->scripted->young : &life->scripted->old, life, link);
    life->scripted->endpoint->ended++;
    free(life);
}

/* False: the life is over. */
static bool do_step(struct life *life, enum act act)
{
    struct endpoint *endpoint = life->scripted->endpoint;
    if (act == ACT_CLOSE && life->leaks) {
        endpoint->leaked++;
        return false;
    }
    if (act_releases(act)) {
        listen_for(life, false);
        open_descriptors_remove(&endpoint->descriptors, life->fd);
    }
    int rc = act_apply(act, life->fd);
    if (is_failure_here(-rc))
        endpoint_fail(endpoint, act_name(act), -rc);
    if (rc != 0 && !act_releases(act)) { /* it was reset before this could be done */
        listen_for(life, false);
        endpoint->lost++;
        endpoint_close(endpoint, life->fd);
        return false;
    }
    life->step++;
    return true;
}

/* Does what can be done now that `happened` has. */
static void play(struct life *life, enum trigger happened)
{
    const struct script_step *step;
    while ((step = next_step(life)) != NULL) {
        bool is_due = step->when == TRIGGER_NOW || step->when == happened ||
                      (step->when == TRIGGER_LIFE && !life->is_young);
        if (!is_due) {
            listen_for(life, step->when == TRIGGER_DATA || step->when == TRIGGER_EOF);
            return;
        }
        happened = TRIGGER_NOW;
        if (!do_step(life, step->act))
            break;
    }
    end_life(life);
}

static bool has_heard(const struct life *life, enum trigger what)
{
    char dropped[4096];
    ssize_t got = what == TRIGGER_DATA ? recv(life->fd, dropped, 1, MSG_PEEK) : 1;
    while (what == TRIGGER_EOF && got > 0)
        got = recv(life->fd, dropped, sizeof dropped, 0);
    return got >= 0 || (errno != EAGAIN && !is_failure_here(errno)); /* what is there can be heard again */
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct life *life = context;
    enum trigger awaited = next_step(life)->when;
    if (has_heard(life, awaited))
        play(life, awaited);
}

/* Whoever waits in vain for an answer when its time has come goes on with what it does then. */
static void come_of_age(struct life *life)
{
    const struct script *script = &life->scripted->endpoint->script;
    struct scripted *scripted = life->scripted;
    TAILQ_REMOVE(&scripted->young, life, link);
    TAILQ_INSERT_TAIL(&scripted->old, life, link);
    life->is_young = false;
    for (int step = life->step; step < script->count; step++) {
        if (script->steps[step].when != TRIGGER_LIFE)
            continue;
        life->step = step;
        play(life, TRIGGER_LIFE);
        return;
    }
}

static void on_clock(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct scripted *scripted = context;
    struct life *first;
    int64_t now_us = monotonic_us();
    while ((first = TAILQ_FIRST(&scripted->young)) != NULL && first->deadline_us <= now_us)
        come_of_age(first);
    set_clock(scripted);
}

static int scripted_start(struct endpoint *endpoint)
{
    struct scripted *scripted = memory_new(sizeof *scripted);
    scripted->endpoint = endpoint;
    TAILQ_INIT(&scripted->young);
    TAILQ_INIT(&scripted->old);
    scripted->clock = evtimer_new(endpoint->base, on_clock, scripted);
    endpoint->state = scripted;
    return 0;
}

static bool is_to_leak(const struct leak_share *share, int64_t nth)
{
    return share->count > 0 && nth < share->of &&
           (nth + 1) * share->count / share->of > nth * share->count / share->of;
}

static void scripted_on_connection(struct endpoint *endpoint, int fd)
{
    struct scripted *scripted = endpoint->state;
    struct life *life = memory_new(sizeof *life);
    *life = (struct life){
        .scripted = scripted,
        .deadline_us = monotonic_us() + endpoint->life_us,
        .fd = fd,
        .is_young = true,
        .leaks = is_to_leak(&endpoint->leak, endpoint->begun - 1),
    };
    event_assign(&life->heard, endpoint->base, fd, EV_READ | EV_PERSIST, on_readable, life);
    bool is_first = TAILQ_EMPTY(&scripted->young);
    TAILQ_INSERT_TAIL(&scripted->young, life, link);
    if (is_first)
        set_clock(scripted);
    play(life, TRIGGER_NOW);
}

static void free_list(struct life_list *list)
{
    struct life *life;
    while ((life = TAILQ_FIRST(list)) != NULL) {
        listen_for(life, false);
        TAILQ_REMOVE(list, life, link);
        free(life);
    }
}

static void scripted_stop(struct endpoint *endpoint)
{
    struct scripted *scripted = endpoint->state;
    if (scripted == NULL)
        return;
    free_list(&scripted->young);
    free_list(&scripted->old);
    event_free(scripted->clock);
    free(scripted);
    endpoint->state = NULL;
}

const struct behaviour scripted_behaviour = {
    .name = "script",
    .start = scripted_start,
    .on_connection = scripted_on_connection,
    .stop = scripted_stop,
};

const struct behaviour insistent_behaviour = {
    .name = "insistent",
    .start = scripted_start,
    .on_connection = scripted_on_connection,
    .comes_again = true,
    .stop = scripted_stop,
};
