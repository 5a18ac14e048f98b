#include "engine/sampler.h"

#include "base/clock.h"

#include <errno.h>
#include <event2/event.h>

enum {
    LOOK_SHARE = 10, /* while things move, looks take at most this part of the time */
    FAILED_MAX = 10,
    WAIT_MS = 20,
};

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    sampler_now(context);
}

int sampler_init(struct sampler *sampler, struct event_base *base, int64_t interval_us)
{
    *sampler = (struct sampler){.interval_us = interval_us};
    sampler->timer = evtimer_new(base, on_timer, sampler);
    return sampler->timer != NULL ? 0 : -ENOMEM;
}

void sampler_now(struct sampler *sampler)
{
    event_del(sampler->timer);
    if (sampler->looking || sampler->stopped)
        return;
    if (sampler->must_wait != NULL && sampler->must_wait(sampler->owner)) {
        struct timeval soon = timeval_of_us(WAIT_MS * 1000);
        evtimer_add(sampler->timer, &soon);
        return;
    }
    sampler->looking = true;
    sampler->began_us = monotonic_us();
    sampler->on_begin(sampler->owner);
    sampler->look = (struct look){.began_us = sampler->began_us, .part_count = sampler->witness_count};
    sampler->awaited = sampler->witness_count;
    sampler->answered = 0;
    sampler->error = 0;
    sampler->serial++;
    for (int i = 0; i < sampler->witness_count; i++)
        link_send(sampler->witnesses[i], &(struct message){.id = MESSAGE_LOOK, .serial = sampler->serial});
}

void sampler_later(struct sampler *sampler, bool moving, int64_t last_took_us)
{
    if (sampler->looking || sampler->stopped)
        return;
    int64_t wait_us = sampler->interval_us - last_took_us;
    int64_t rest_us = (LOOK_SHARE - 1) * last_took_us;
    if (moving && wait_us < rest_us) {
        wait_us = rest_us;
        if (sampler->stretched_us < rest_us)
            sampler->stretched_us = rest_us;
    }
    struct timeval delay = timeval_of_us(wait_us);
    evtimer_add(sampler->timer, &delay);
}

void sampler_stop(struct sampler *sampler)
{
    sampler->stopped = true;
    event_del(sampler->timer);
}

/* All witnesses have answered; a look that one of them could not take is none. */
static void end_look(struct sampler *sampler)
{
    sampler->looking = false;
    if (sampler->error == 0) {
        sampler->failed = 0;
        sampler->on_look(sampler->owner, &sampler->look);
        return;
    }
    sampler->failed_in_all++;
    if (++sampler->failed >= FAILED_MAX)
        sampler->on_blind(sampler->owner, sampler->error);
    else
        sampler_later(sampler, false, sampler->look.took_us);
}

/* False: the answer is none to the look under way. */
static bool take_answer(struct sampler *sampler, int witness, int64_t serial, int64_t took_us)
{
    bool is_known = (sampler->answered & 1U << witness) != 0;
    if (sampler->stopped || !sampler->looking || is_known || serial != sampler->serial)
        return false;
    sampler->answered |= 1U << witness;
    sampler->awaited--;
    if (took_us > sampler->look.took_us)
        sampler->look.took_us = took_us;
    return true;
}

void sampler_hear_seen(struct sampler *sampler, int witness, const struct message *seen)
{
    if (!take_answer(sampler, witness, seen->seen.serial, seen->seen.took_us))
        return;
    for (int side = 0; side < SIDE_COUNT; side++) {
        sampler->look.parts[witness].sides[side] = seen->seen.sides[side];
        histogram_add(&sampler->look.sides[side], &seen->seen.sides[side]);
    }
    if (sampler->awaited == 0)
        end_look(sampler);
}

void sampler_hear_unseen(struct sampler *sampler, int witness, const struct message *unseen)
{
    if (!take_answer(sampler, witness, unseen->unseen.serial, unseen->unseen.took_us))
        return;
    sampler->error = unseen->unseen.error;
    if (sampler->awaited == 0)
        end_look(sampler);
}

void sampler_extend(struct sampler *sampler)
{
    sampler->looking = true;
}

void sampler_complete(struct sampler *sampler)
{
    sampler->looking = false;
}

bool sampler_is_due(const struct sampler *sampler)
{
    return sampler->looking || evtimer_pending(sampler->timer, NULL);
}

bool sampler_awaits(const struct sampler *sampler, int witness)
{
    if (sampler->stopped)
        return false; /* whatever it says now is not heard */
    return sampler->looking && sampler->awaited > 0 && (sampler->answered & 1U << witness) == 0;
}

void sampler_free(struct sampler *sampler)
{
    if (sampler->timer != NULL)
        event_free(sampler->timer);
    sampler->timer = NULL;
}
