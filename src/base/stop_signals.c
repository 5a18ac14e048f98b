#include "base/stop_signals.h"

#include <stddef.h>

const int stop_signals[STOP_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

bool stop_signal_stays_ignored(int number)
{
    struct sigaction now;
    return number == SIGHUP && sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

sigset_t stop_signals_set(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < STOP_SIGNALS; i++)
        if (!stop_signal_stays_ignored(stop_signals[i]))
            sigaddset(&set, stop_signals[i]);
    return set;
}

void stop_signals_hold(void)
{
    const sigset_t set = stop_signals_set();
    sigprocmask(SIG_BLOCK, &set, NULL);
}

bool stop_signals_are_held(void)
{
    sigset_t blocked;
    return sigprocmask(SIG_BLOCK, NULL, &blocked) == 0 && sigismember(&blocked, SIGINT) == 1;
}

void stop_signals_release(void)
{
    static const struct timespec at_once = {0};
    const sigset_t set = stop_signals_set();
    if (!stop_signals_are_held())
        return;
    while (sigtimedwait(&set, NULL, &at_once) > 0)
        continue;
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void stop_signals_catch(void (*handler)(int number), struct sigaction before[STOP_SIGNALS])
{
    const struct sigaction stop = {.sa_handler = handler};
    for (int i = 0; i < STOP_SIGNALS; i++) {
        if (before != NULL)
            sigaction(stop_signals[i], NULL, &before[i]);
        if (!stop_signal_stays_ignored(stop_signals[i]))
            sigaction(stop_signals[i], &stop, NULL);
    }
}

void stop_signals_put_back(const struct sigaction before[STOP_SIGNALS])
{
    for (int i = 0; i < STOP_SIGNALS; i++)
        sigaction(stop_signals[i], &before[i], NULL);
}
