/* csv: one row per look, side and host, under one header, so that files concatenate. Columns are only ever
 * added at the end. */
#include "analysis/debt.h"
#include "base/output.h"
#include "base/printable.h"
#include "base/text.h"
#include "view/sample_row.h"
#include "view/view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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
    fputs(",gone,fds,errors,look_s,ghosts,unread,unowned,queued,dropped,late,connect_s,nofile,host", out);
    fputs(",owed,stuck,unclosed,began_s,failed_s,dropped_s,half_closed,elsewhere,lost\n", out);
    return view_flush(out);
}

/* What concerns one side only is 0 on the other's row. */
static void put_flow(FILE *out, const struct sample *sample, const struct sample_row *row)
{
    const struct histogram *histogram = row->histogram;
    fprintf(out, ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, histogram->ghosts, histogram->unread,
            histogram->unowned, histogram->queued);
    fprintf(out, ",%" PRId64 ",%" PRId64 ",%.6f,%" PRId64, row->is_of_server ? sample->dropped : 0,
            row->is_of_client ? sample->late : 0, row->is_of_client ? (double)sample->connect_us / 1e6 : 0,
            row->nofile);
}

/* A launcher may have anything in it, and no row has quotes. */
static void put_host(FILE *out, const char *host)
{
    char text[256] = "";
    TEXT_ADD(text, "%s", host);
    printable(text);
    for (char *p = text; (p = strpbrk(p, ",\"?")) != NULL;)
        *p = '_';
    fprintf(out, ",%s", text);
}

/* What pictures and reports draw, so that they need not work it out again. */
static void put_findings(FILE *out, const struct sample *sample, const struct sample_row *row)
{
    const struct debt debt = debt_of(row->histogram);
    fprintf(out, ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%.6f,%.6f,%.6f", debt.owed, debt.stuck, debt.unclosed,
            sample->began_s, row->failed_s, row->is_of_server ? sample->dropped_s : 0);
    fprintf(out, ",%" PRId64 ",%" PRId64 ",%" PRId64 "\n", row->histogram->half_closed, row->elsewhere,
            row->lost);
}

static void put_row(FILE *out, const struct sample *sample, const struct sample_row *row)
{
    fprintf(out, "%s,%" PRId64 ",%.6f,%s,%d,%s,%" PRId64, sample->experiment->name, sample->conns,
            sample->t_s, sample->step, sample->settled, side_name(row->side), row->opened);
    for (size_t i = 0; i < LIFE_ORDER_COUNT; i++)
        fprintf(out, ",%" PRId64, row->histogram->of[tcp_state_in_life_order(i)]);
    fprintf(out, ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%.6f", histogram_gone(row->histogram, row->opened),
            row->fds, row->errors, sample->look_s);
    put_flow(out, sample, row);
    put_host(out, row->host);
    put_findings(out, sample, row);
}

static int csv_sample(void *view, const struct sample *sample)
{
    FILE *out = ((struct csv *)view)->out;
    struct sample_row rows[SAMPLE_ROWS_MAX];
    int count = sample_rows(sample, rows);
    for (int i = 0; i < count; i++)
        put_row(out, sample, &rows[i]);
    return view_flush(out);
}

static bool csv_is_clogged(const void *view)
{
    return output_is_clogged(((const struct csv *)view)->out);
}

static const struct observer_ops csv_ops = {
    .run_start = csv_run_start,
    .sample = csv_sample,
    .is_clogged = csv_is_clogged,
};

struct observer csv_view(FILE *out, const char *name)
{
    struct csv *csv = calloc(1, sizeof *csv);
    if (csv != NULL)
        csv->out = out;
    return (struct observer){.ops = &csv_ops, .view = csv, .name = name};
}
