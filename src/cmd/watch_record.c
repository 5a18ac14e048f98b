#include "cmd/watch_record.h"

#include "base/diag.h"
#include "base/output.h"
#include "cmd/command.h"
#include "cmd/outputs.h"
#include "explain/explanation.h"
#include "view/explain_view.h"
#include "view/view.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { EPOLL_MOST = 20000 /* entries: read in some 25 ms, for which the set is locked */ };

bool watch_record_refuses(const struct watch_options *options)
{
    if (!output_is_stdout(options->record))
        return false;
    diag_error("--record \"-\": must be a file: the table goes to standard output");
    return true;
}

int watch_record_open(struct watch_record *record, const struct watch_options *options,
                      struct watch_flow *flow, const volatile sig_atomic_t *stopped_by)
{
    char name[160];
    *record = (struct watch_record){.options = options, .flow = flow, .stopped_by = stopped_by};
    snprintf(name, sizeof name, "--record %s", options->record);
    record->recorder.out = output_open(options->record, name);
    if (record->recorder.out != NULL)
        return EXIT_AS_EXPECTED;
    diag_error("--record \"%s\": %s", options->record, strerror(errno));
    return EXIT_USAGE;
}

static int begin(void *sink)
{
    struct watch_record *record = sink;
    const struct watch_settings settings = {.port = (uint16_t)record->options->port,
                                            .pid = (pid_t)record->options->pid};
    recorder_begin(&record->recorder, &settings, record->options->interval_ms);
    return view_flush(record->recorder.out);
}

/* The server that owes the most; NULL: none owes anything. They come in that order. */
static const struct watch_row *most_owed(const struct watch_look *look)
{
    const struct watch_rows *ports = &look->sets[WATCH_PORTS];
    for (int i = 0; i < ports->count; i++)
        if (ports->each[i].key.side == SIDE_SERVER &&
            ports->each[i].of[STATE_CLOSE_WAIT] + ports->each[i].of[STATE_GONE] > 0)
            return &ports->each[i];
    return NULL;
}

/* What cannot be explained is recorded all the same. */
static void explain(struct watch_record *record, const struct watch_row *row)
{
    struct facts_request request = {.pid = (pid_t)record->options->pid,
                                    .port = record->options->pid > 0 ? 0 : row->key.port,
                                    .max_epoll = EPOLL_MOST};
    struct facts facts;
    struct explanation explanation;
    char target[16];
    snprintf(target, sizeof target, ":%u", row->key.port);
    if (facts_take(&request, &facts) != 0)
        return;
    if (explanation_of(&facts, EXPLAIN_GRACE_MS, &explanation) == 0) {
        const struct explain_report report = {
            .explanation = &explanation, .target = target, .grace_ms = EXPLAIN_GRACE_MS};
        explain_print_json(record->recorder.out, &report);
        explanation_free(&explanation);
    }
    facts_free(&facts);
}

static int look(void *sink, const struct watch_look *look, bool is_last)
{
    struct watch_record *record = sink;
    const struct watch_page page = {
        .look = look, .is_root = geteuid() == 0, .by_peer = record->options->by_peer};
    recorder_offer(&record->recorder, &page, record->flow, is_last);
    const struct watch_row *row = is_last ? most_owed(look) : NULL;
    if (row != NULL && (*record->stopped_by == 0 || *record->stopped_by == SIGINT))
        explain(record, row);
    return view_flush(record->recorder.out);
}

static const struct watch_sink_ops record_sink = {.begin = begin, .look = look};

struct watch_sink watch_record_sink(struct watch_record *record)
{
    return (struct watch_sink){&record_sink, record, output_name(record->recorder.out), -1};
}
