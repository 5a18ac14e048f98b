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

const struct csv_column look_columns[] = {
    {"order", "", "the name of the order, or of the state (`CLOSE_WAIT`)"},
    {"conns", "connections", "connections to open"},
    {"t_s", "s",
     "time from the start of the run to the start of the look. The clock is monotonic, and all orders of a "
     "run share it"},
    {"step", "",
     "`open`, or side and call: `server-close`, `client-shutdown`; `arrivals` if connections come one by "
     "one"},
    {"settled", "", "1 if this look shows the expected states on both sides, otherwise 0"},
    {"side", "", "`server` or `client`"},
    {"opened", "calls",
     "`connect()` calls that were started and had not failed when the look began; the same number in the "
     "rows of both sides"},
    {"listen", "sockets", "listeners of this side, one for each lane"},
    {"syn_sent", "sockets", "sockets of this side in that state"},
    {"syn_recv", "sockets", NULL},
    {"established", "sockets", NULL},
    {"fin_wait1", "sockets", NULL},
    {"fin_wait2", "sockets", NULL},
    {"close_wait", "sockets", NULL},
    {"closing", "sockets", NULL},
    {"last_ack", "sockets", NULL},
    {"time_wait", "sockets", NULL},
    {"close", "sockets", NULL},
    {"gone", "connections",
     "`opened` minus the sockets that the kernel has for this side, without the listeners. It is exact if "
     "`settled` is 1. It may be negative, because connections are opened while the look lasts. A `connect()` "
     "that was not answered yet has a socket on the client's side only, and counts as gone on the server's"},
    {"fds", "descriptors", "descriptors that this side has on connections"},
    {"errors", "calls", "`accept()` calls (server) or `connect()` calls (client) that have failed so far"},
    {"look_s", "s",
     "time that the look took. While sockets change state, a look may see one twice or not at all"},
    {"ghosts", "descriptors",
     "descriptors that this side still has open on connections that have ended. Their sockets count as "
     "`gone`, or as `time_wait`, which the kernel keeps by itself"},
    {"unread", "sockets",
     "how many of `close_wait` have a Recv-Q of 1 or more: the program has not read the end of file, nor "
     "perhaps data before it"},
    {"unowned", "sockets", "how many of `close_wait` were never accepted, so no process has them"},
    {"queued", "connections", "server: connections in the accept queues"},
    {"dropped", "SYNs",
     "server: SYNs that listeners of this network namespace have dropped so far (`ListenDrops`)"},
    {"late", "connections", "client: connections so far that were opened more than 10 ms too late"},
    {"connect_s", "s", "client: time that its oldest `connect()` has been waiting"},
    {"nofile", "descriptors", "descriptors that all processes of this side together may have"},
    {"host", "",
     "`local`, or the launcher. With several hosts ([tcpstorm-hosts(7)](tcpstorm-hosts.7.md)) each has a row "
     "for its own sockets; `dropped`, `late`, `connect_s`, `failed_s`, `dropped_s` and `elsewhere` are in "
     "the first row of the side"},
    {"owed", "calls",
     "`close()` calls that this side owes: for accepted connections in CLOSE_WAIT, for ghosts, and for "
     "SYN_SENT that it has given up"},
    {"stuck", "sockets", "sockets in CLOSE_WAIT that were never accepted: nobody can close them"},
    {"unclosed", "sockets", "accepted sockets in ESTABLISHED: this side has not closed"},
    {"began_s", "s",
     "when the order's first step began, on the clock of `t_s`; times in pictures and sentences count from "
     "here"},
    {"failed_s", "s",
     "with `--rate` or `--cause`: when the first of `errors` was seen, on the clock of `t_s`; 0 if there was "
     "none"},
    {"dropped_s", "s",
     "server, with `--rate` or `--cause`: when the first dropped SYN of this run was seen, on the clock of "
     "`t_s`; 0 if there was none"},
    {"half_closed", "sockets",
     "how many of `fin_wait2` this side has shut down with `shutdown()` while it keeps the descriptor, so "
     "that `tcp_fin_timeout` does not run"},
    {"elsewhere", "descriptors",
     "with a cause that shows in them: descriptors that this side has on connections to others, such as a "
     "proxy's to its backend"},
    {"lost", "calls",
     "with `--rate` or `--cause`: `read()` and `write()` calls of this side that have failed so far because "
     "the connection had ended; each is a lost request or a lost reply"},
    {NULL, NULL, NULL},
};

struct csv {
    FILE *out;
};

static int csv_run_start(void *view, const struct run_start *start)
{
    (void)start;
    FILE *out = ((struct csv *)view)->out;
    csv_put_header(out, look_columns);
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
