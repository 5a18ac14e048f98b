/* An event base that is run until something has happened. */
#ifndef TESTS_EVENT_LOOP_H
#define TESTS_EVENT_LOOP_H

#include "loopback.h"

#include <event2/event.h>

static inline void run_for_ms(struct event_base *base, int64_t ms)
{
    int64_t until_ms = loopback_now_ms() + ms;
    do {
        event_base_loop(base, EVLOOP_NONBLOCK);
        usleep(200);
    } while (loopback_now_ms() < until_ms);
}

/* Until the condition holds or the deadline is over. */
#define assert_comes_true(base, condition)                                                                   \
    do {                                                                                                     \
        int64_t until_ms_ = loopback_now_ms() + DEADLINE_MS;                                                 \
        while (!(condition) && loopback_now_ms() < until_ms_)                                                \
            run_for_ms((base), 1);                                                                           \
        assert_true(condition);                                                                              \
    } while (0)

#endif
