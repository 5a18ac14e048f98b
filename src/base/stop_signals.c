#include "base/stop_signals.h"

#include <stddef.h>

const int stop_signals[STOP_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

bool stop_signal_stays_ignored(int number)
{
    struct sigaction now;
    return number == SIGHUP && sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
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
