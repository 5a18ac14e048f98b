/* sampler: when the witness looks. One look at a time; every interval; and, while ends are acted on, seldom
 * enough not to bend the storm that it watches, because a look at millions of sockets takes seconds. */
#ifndef ENGINE_SAMPLER_H
#define ENGINE_SAMPLER_H

#include "control/link.h"
#include "kernel/histogram.h"

#include <stdbool.h>
#include <stdint.h>

struct event;
struct event_base;

enum { LOOK_PARTS_MAX = 16 };

/* What one witness saw. */
struct look_part {
    struct histogram sides[SIDE_COUNT];
};

/* One complete look. Times are CLOCK_MONOTONIC, microseconds. */
struct look {
    int64_t began_us, took_us; /* took: the slowest witness */
    struct histogram sides[SIDE_COUNT];
    int part_count;
    struct look_part parts[LOOK_PARTS_MAX];
};

struct sampler {
    struct link *witnesses[LOOK_PARTS_MAX]; /* borrowed */
    int witness_count;
    struct event *timer;
    int64_t interval_us;
    int64_t serial;
    int64_t began_us; /* of the look under way, or of the last */
    bool looking;
    int awaited;       /* witnesses that have not answered */
    uint32_t answered; /* bit i: the i-th has */
    int error;         /* of one whose dump failed */
    struct look look;  /* as far as it has come */
    bool stopped;
    int64_t failed_in_all;
    int failed;           /* looks in a row */
    int64_t stretched_us; /* the longest pause that was made for the storm's sake; 0: none was longer than the
                             interval */
    bool (*must_wait)(void *owner); /* nobody could take down what a look shows. NULL: never */
    void (*on_begin)(void *owner);  /* a look begins now */
    void (*on_look)(void *owner, const struct look *look);
    void (*on_blind)(void *owner, int error); /* too many looks in a row have failed */
    void *owner;
};

/* Returns 0 or -ENOMEM. The callbacks and the witnesses are set by the owner before the first look. */
int sampler_init(struct sampler *sampler, struct event_base *base, int64_t interval_us);

/* Looks at once, unless a look is under way; while its owner must wait, as soon as it need not. */
void sampler_now(struct sampler *sampler);

/* Looks when the interval is over; `moving`: and not for more than a tenth of the time. */
void sampler_later(struct sampler *sampler, bool moving, int64_t last_took_us);

/* From on_look(): the look is not over yet, because others still have to say something of it. No other begins
 * until sampler_complete(). */
void sampler_extend(struct sampler *sampler);
void sampler_complete(struct sampler *sampler);

/* True when a look is under way or will be by itself. */
bool sampler_is_due(const struct sampler *sampler);

/* True while the i-th witness owes its answer to the look under way. */
bool sampler_awaits(const struct sampler *sampler, int witness);

/* No more looks; what is under way is not reported. */
void sampler_stop(struct sampler *sampler);

/* Take the MESSAGE_SEEN or MESSAGE_UNSEEN of the i-th witness, and call on_look or on_blind when it was the
 * last. A look that failed is not reported; the next is due after the interval. */
void sampler_hear_seen(struct sampler *sampler, int witness, const struct message *seen);
void sampler_hear_unseen(struct sampler *sampler, int witness, const struct message *unseen);

void sampler_free(struct sampler *sampler);

#endif
