/* clock: the one clock of a storm, CLOCK_MONOTONIC in microseconds. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <sys/time.h>
#include <time.h>

static inline int64_t monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* For libevent's timers; a time that has passed becomes "at once". */
static inline struct timeval timeval_of_us(int64_t us)
{
    us = us > 0 ? us : 0;
    return (struct timeval){.tv_sec = us / 1000000, .tv_usec = us % 1000000};
}

#endif
