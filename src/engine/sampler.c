#include "engine/sampler.h"

#include "base/clock.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>

enum {
    LOOK_SHARE = 10, /* while things move, looks take at most this part of the time */
    FAILED_MAX = 10,
    TALLIES = 4, /* of a side, beside its counts by state */
    WAIT_MS = 20,
};

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    lookout_now(context);
}

int lookout_init(struct lookout *lookout, struct event_base *base, int64_t interval_us)
{
    *lookout = (struct lookout){.interval_us = interval_us};
    lookout->timer = evtimer_new(base, on_timer, lookout);
    return lookout->timer != NULL ? 0 : -ENOMEM;
}

void lookout_now(struct lookout *lookout)
{
    event_del(lookout->timer);
    if (lookout->looking || lookout->stopped)
        return;
    if (lookout->must_wait != NULL && lookout->must_wait(lookout->owner)) {
        struct timeval soon = timeval_of_us(WAIT_MS * 1000);
        evtimer_add(lookout->timer, &soon);
        return;
    }
    lookout->looking = true;
    lookout->began_us = monotonic_us();
    lookout->on_begin(lookout->owner);
    lookout->look = (struct look){.began_us = lookout->began_us, .part_count = lookout->witness_count};
    lookout->awaited = lookout->witness_count;
    lookout->answered = 0;
    lookout->error = 0;
    lookout->serial++;
    for (int i = 0; i < lookout->witness_count; i++)
        wire_send(lookout->witnesses[i], "look %lld", (long long)lookout->serial);
}

void lookout_later(struct lookout *lookout, bool moving, int64_t last_took_us)
{
    if (lookout->looking || lookout->stopped)
        return;
    int64_t wait_us = lookout->interval_us - last_took_us;
    int64_t rest_us = (LOOK_SHARE - 1) * last_took_us;
    if (moving && wait_us < rest_us) {
        wait_us = rest_us;
        if (lookout->stretched_us < rest_us)
            lookout->stretched_us = rest_us;
    }
    struct timeval delay = timeval_of_us(wait_us);
    evtimer_add(lookout->timer, &delay);
}

void lookout_stop(struct lookout *lookout)
{
    lookout->stopped = true;
    event_del(lookout->timer);
}

static void hear_seen(struct lookout *lookout, int witness, const struct wire_line *line)
{
    struct look_part *part = &lookout->look.parts[witness];
    int next = 3;
    for (int side = 0; side < SIDE_COUNT; side++)
        for (int state = 0; state < STATE_COUNT; state++)
            part->sides[side].of[state] = wire_number(line, next++);
    for (int side = 0; side < SIDE_COUNT; side++) {
        part->sides[side].owned = wire_number(line, next++);
        part->sides[side].unread = wire_number(line, next++);
        part->sides[side].unowned = wire_number(line, next++);
        part->sides[side].queued = wire_number(line, next++);
        histogram_add(&lookout->look.sides[side], &part->sides[side]);
    }
}

/* All witnesses have answered; a look that one of them could not take is none. */
static void end_look(struct lookout *lookout)
{
    lookout->looking = false;
    if (lookout->error == 0) {
        lookout->failed = 0;
        lookout->on_look(lookout->owner, &lookout->look);
        return;
    }
    lookout->failed_in_all++;
    if (++lookout->failed >= FAILED_MAX)
        lookout->on_blind(lookout->owner, lookout->error);
    else
        lookout_later(lookout, false, lookout->look.took_us);
}

bool lookout_hear(struct lookout *lookout, int witness, const struct wire_line *line)
{
    bool seen = strcmp(line->word[0], "seen") == 0 && line->count == 3 + SIDE_COUNT * (STATE_COUNT + TALLIES);
    bool unseen = strcmp(line->word[0], "unseen") == 0 && line->count == 4;
    if (!seen && !unseen)
        return false;
    bool is_known = (lookout->answered & 1U << witness) != 0;
    if (lookout->stopped || !lookout->looking || is_known || wire_number(line, 1) != lookout->serial)
        return true;
    lookout->answered |= 1U << witness;
    if (wire_number(line, 2) > lookout->look.took_us)
        lookout->look.took_us = wire_number(line, 2);
    if (seen)
        hear_seen(lookout, witness, line);
    else
        lookout->error = (int)wire_number(line, 3);
    if (--lookout->awaited == 0)
        end_look(lookout);
    return true;
}

void lookout_extend(struct lookout *lookout)
{
    lookout->looking = true;
}

void lookout_complete(struct lookout *lookout)
{
    lookout->looking = false;
}

bool lookout_is_due(const struct lookout *lookout)
{
    return lookout->looking || evtimer_pending(lookout->timer, NULL);
}

bool lookout_awaits(const struct lookout *lookout, int witness)
{
    if (lookout->stopped)
        return false; /* whatever it says now is not heard */
    return lookout->looking && lookout->awaited > 0 && (lookout->answered & 1U << witness) == 0;
}

void lookout_free(struct lookout *lookout)
{
    if (lookout->timer != NULL)
        event_free(lookout->timer);
    lookout->timer = NULL;
}
