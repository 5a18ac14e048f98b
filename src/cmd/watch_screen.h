/* watch_screen: a watch on a terminal, as a page that stays: its rows can be sorted and filtered, and one of
 * them opened. */
#ifndef CMD_WATCH_SCREEN_H
#define CMD_WATCH_SCREEN_H

#include "cmd/watch_options.h"
#include "watch/watch_sink.h"

#include <signal.h>

struct watch_screen;

/* NULL without memory. */
struct watch_screen *watch_screen_new(const struct watch_options *options,
                                      const volatile sig_atomic_t *stopped_by);
void watch_screen_free(struct watch_screen *screen);

/* After the last look nothing of it is left: what stays is another's to print. */
struct watch_sink watch_screen_sink(struct watch_screen *screen);

#endif
