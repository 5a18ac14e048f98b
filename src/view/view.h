/* view: what people and scripts see of a storm. Each view is an observer made from a constant table of
 * functions; none asks which mode the program is in. */
#ifndef VIEW_VIEW_H
#define VIEW_VIEW_H

#include "engine/observer.h"
#include "view/csv_columns.h"

#include <stdbool.h>
#include <stdio.h>

/* How text may look on an output. */
struct look_and_feel {
    bool colour; /* a terminal, and NO_COLOR is not set */
    bool utf8;   /* by locale */
};

struct look_and_feel look_and_feel_of(int fd);

/* What switches the colour of a state on, "" where it has none; "\033[0m" ends it. */
const char *view_state_colour(struct look_and_feel feel, enum tcp_state state);

/* Each takes an open file, which it does not close, and writes it out after every event. The view itself is
 * freed by view_free. `name` is what a failed output is called. The view member is NULL when out of memory.
 */
struct observer summary_view(FILE *out, const char *name);
/* One line for each state that is kept, as soon as it is there. */
struct observer state_table_view(FILE *out, const char *name);
struct observer csv_view(FILE *out, const char *name);
extern const struct csv_column
    look_columns[]; /* of csv_view; samples of json_view have members of these names */
struct observer json_view(FILE *out, const char *name);
/* A row for each move between two states, at the end of an order. */
struct observer transitions_view(FILE *out, const char *name);

/* Progress lines through diag, for anything over a second. */
struct observer progress_view(void);

/* Both sides' histograms on a terminal, as they move: drawn through diag, so that stderr must be one where
 * diag_is_terminal(). From the first moment, or for anything over a second. */
struct observer live_view(bool at_once);

/* Serves what is there now to a monitor, from a listening socket that it takes over at run_start. */
struct observer metrics_view(int listener);

void view_free(struct observer *observer);

/* What the run would take, a line for each thing. */
void view_print_plan(const struct plan *plan, FILE *out);

/* Prints how another terminal gets into the run's network namespace, where it has one of its own. */
void view_print_way_inside(FILE *out, const struct run_settings *settings);

/* Prints where the lanes are, who looks at them, and how to look oneself. */
void view_print_lanes(FILE *out, const struct plan *plan, const struct port_range *lanes);

/* Prints the ss command that shows the sockets of these lanes, in the run's network namespace. */
void view_print_ss_command(FILE *out, const struct run_settings *settings, const struct port_range *lanes);

/* output_flush. */
int view_flush(FILE *out);

#endif
