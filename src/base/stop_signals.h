/* stop_signals: the signals that end what is under way: SIGINT, SIGTERM, SIGHUP. Under nohup(1) a hang-up is
 * ignored when the program starts, and stays so. (A shell script starts its background jobs with SIGINT
 * ignored too, and they are to be interrupted all the same.) */
#ifndef BASE_STOP_SIGNALS_H
#define BASE_STOP_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

enum { STOP_SIGNALS = 3 };

extern const int stop_signals[STOP_SIGNALS];

/* Whether that signal is to be left as it is. */
bool stop_signal_stays_ignored(int number);

/* Sets the handler for all others. `before`: takes how all of them were, for stop_signals_put_back(); NULL:
 * nobody wants to know. */
void stop_signals_catch(void (*handler)(int number), struct sigaction before[STOP_SIGNALS]);
void stop_signals_put_back(const struct sigaction before[STOP_SIGNALS]);

/* For a command that has several loops, one after another: from now on a stop signal waits until a loop hears
 * it (see stop_events), also one that comes between two of them. */
void stop_signals_hold(void);
bool stop_signals_are_held(void);

/* They do what they did before; one that nobody has heard is forgotten. */
void stop_signals_release(void);

/* Those that are not to be left as they are. */
sigset_t stop_signals_set(void);

#endif
