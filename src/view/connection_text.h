/* ends_text: the two ends of one connection in words. */
#ifndef VIEW_CONNECTION_TEXT_H
#define VIEW_CONNECTION_TEXT_H

#include "kernel/connection.h"

#include <stdio.h>

/* What it means that an end is in that state: "closed here; the other side has not called close()". */
const char *state_words(enum tcp_state state);

/* Two lines for each end, `first` first, in lines of at most `width` bytes where words let them be broken:
 *   127.0.0.1:15000 127.0.0.1:57663 FIN_WAIT2
 *     server  FIN_WAIT2: closed here; the other side has not called close() */
void connection_print(FILE *out, const struct connection *connection, const struct end_sight ends[SIDE_COUNT],
                      enum side first, int width);

/* The second of these lines. */
void connection_print_meaning(FILE *out, enum side side, enum tcp_state state, int width);

/* Why an end left or a state did not come, where the change between two looks shows it; NULL where it does
 * not. */
const char *change_words(const struct end_sight before[SIDE_COUNT], const struct end_sight after[SIDE_COUNT]);

struct countdown {
    char text[128];
};

/* "TIME_WAIT on the server: 57 s left", both ends joined by a comma; empty when no timer of the kernel runs.
 */
struct countdown countdown_text(const struct end_sight ends[SIDE_COUNT]);

#endif
