/* csv: one row per look and side, under one header, so that files concatenate. Columns are only ever added at
 * the end. */
#include "view/view.h"

#include <inttypes.h>
#include <stdlib.h>

struct csv {
    FILE *out;
};

static int csv_run_start(void *view, const struct run_start *start)
{
    (void)start;
    FILE *out = ((struct csv *)view)->out;
    fputs("order,conns,t_s,step,settled,side,opened", out);
    for (size_t i = 0; i < LIFE_ORDER_COUNT; i++)
        fprintf(out, ",%s", tcp_state_column(tcp_state_in_life_order(i)));
    fputs(",gone,fds,errors,look_s,ghosts,unread,unowned,queued,dropped,late,connect_s,nofile\n", out);
    return view_flush(out);
}

/* What concerns one side only is 0 on the other's row. */
static void put_flow(FILE *out, const struct sample *sample, enum side side)
{
    const struct histogram *histogram = &sample->sides[side];
    bool is_client = side == SIDE_CLIENT;
    fprintf(out, ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, histogram->ghosts, histogram->unread,
            histogram->unowned, histogram->queued);
    fprintf(out, ",%" PRId64 ",%" PRId64 ",%.6f,%" PRId64 "\n", is_client ? 0 : sample->dropped,
            is_client ? sample->late : 0, is_client ? (double)sample->connect_us / 1e6 : 0,
            sample->nofile[side]);
}

static int csv_sample(void *view, const struct sample *sample)
{
    FILE *out = ((struct csv *)view)->out;
    for (int side = 0; side < SIDE_COUNT; side++) {
        const struct histogram *histogram = &sample->sides[side];
        fprintf(out, "%s,%" PRId64 ",%.6f,%s,%d,%s,%" PRId64, sample->order->name, sample->conns, sample->t_s,
                sample->step, sample->settled, side_name((enum side)side), sample->opened);
        for (size_t i = 0; i < LIFE_ORDER_COUNT; i++)
            fprintf(out, ",%" PRId64, histogram->of[tcp_state_in_life_order(i)]);
        fprintf(out, ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%.6f", histogram_gone(histogram, sample->opened),
                sample->fds[side], sample->errors[side], sample->look_s);
        put_flow(out, sample, (enum side)side);
    }
    return view_flush(out);
}

static const struct observer_ops csv_ops = {
    .run_start = csv_run_start,
    .sample = csv_sample,
};

struct observer csv_view(FILE *out, const char *name)
{
    struct csv *csv = calloc(1, sizeof *csv);
    if (csv != NULL)
        csv->out = out;
    return (struct observer){.ops = &csv_ops, .view = csv, .name = name};
}
