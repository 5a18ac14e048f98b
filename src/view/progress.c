/* progress: where a run is, on stderr, from its second second on: a line that moves on a terminal, now and
 * then a plain line elsewhere. */
#include "base/clock.h"
#include "base/diag.h"
#include "base/number_text.h"
#include "view/view.h"

#include <stdlib.h>

enum { QUIET_US = 1000000, PLAIN_EVERY_US = 2000000 };

struct progress_state {
    int64_t began_us;
    int64_t said_us;
};

static int progress_run_start(void *view, const struct run_start *start)
{
    (void)start;
    ((struct progress_state *)view)->began_us = monotonic_us();
    return 0;
}

static bool is_time(struct progress_state *state, double elapsed_s)
{
    int64_t now_us = monotonic_us();
    if (now_us - state->began_us < QUIET_US)
        return false;
    if (!diag_is_terminal() && (elapsed_s < 2 || now_us - state->said_us < PLAIN_EVERY_US))
        return false;
    state->said_us = now_us;
    return true;
}

static void progress_progress(void *view, const struct progress *at)
{
    if (!is_time(view, at->elapsed_s))
        return;
    if (at->total == 0 || at->done == 0) {
        diag_progress("%s %s: %s, %.1f s", at->experiment->name, at->step, at->doing, at->elapsed_s);
        return;
    }
    diag_progress("%s %s: %s of %s, %s/s, %.0f s left", at->experiment->name, at->step,
                  grouped(at->done).text, grouped(at->total).text,
                  grouped((int64_t)((double)at->done / at->elapsed_s)).text, at->left_s);
}

static int progress_step_end(void *view, const struct step_end *end)
{
    (void)view;
    (void)end;
    diag_progress_clear();
    return 0;
}

static int progress_order_end(void *view, const struct order_end *end)
{
    (void)view;
    (void)end;
    diag_progress_clear();
    return 0;
}

static const struct observer_ops progress_ops = {
    .run_start = progress_run_start,
    .step_end = progress_step_end,
    .progress = progress_progress,
    .order_end = progress_order_end,
};

struct observer progress_view(void)
{
    return (struct observer){
        .ops = &progress_ops, .view = calloc(1, sizeof(struct progress_state)), .name = "progress"};
}
