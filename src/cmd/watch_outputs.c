#include "cmd/watch_outputs.h"

#include "base/clock.h"
#include "base/diag.h"
#include "base/output.h"
#include "base/screen.h"
#include "base/terminal.h"
#include "cmd/command.h"
#include "cmd/outputs.h"
#include "view/view.h"
#include "view/watch_view.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {
    FILE_ROWS = 200,
    NOTE_ROWS = 8, /* what the terminal needs besides the rows of the table */
    BLOCK_SIZE = 65536,
    BLOCK_LINES = 60,
    NEWS_REST_US = 2000,
    TICK_MS = 50, /* between two calls of between() */
};

/* ---- the table ---- */

static void draw_table(const struct watch_page *page)
{
    char text[BLOCK_SIZE];
    struct terminal_size size = terminal_size(STDERR_FILENO);
    FILE *out = fmemopen(text, sizeof text, "w");
    if (out == NULL)
        return;
    watch_print_table(out, page, size.rows > NOTE_ROWS ? size.rows - NOTE_ROWS : 1, size.columns - 1);
    fputc('\0', out);
    fclose(out);
    const char *lines[BLOCK_LINES];
    int count = 0;
    for (char *rest = text, *line; count < BLOCK_LINES && (line = strsep(&rest, "\n")) != NULL;)
        if (*line != '\0')
            lines[count++] = line;
    diag_progress_block(lines, count);
}

static void print_table(const struct watch_page *page, bool is_last)
{
    diag_progress_clear();
    watch_print_table(stdout, page, FILE_ROWS,
                      isatty(STDOUT_FILENO) == 1 ? terminal_size(STDOUT_FILENO).columns : 0);
    if (!is_last)
        fputc('\n', stdout);
}

static struct watch_page page_of(const struct watch_outputs *outputs, const struct watch_look *look)
{
    return (struct watch_page){.look = look,
                               .is_root = geteuid() == 0,
                               .by_peer = outputs->options->by_peer,
                               .by_service = outputs->options->by == BY_SERVICE,
                               .pid = (pid_t)outputs->options->pid,
                               .closings = outputs->closings};
}

static int show_table(void *sink, const struct watch_look *look, bool is_last)
{
    const struct watch_outputs *outputs = sink;
    const struct watch_page page = page_of(outputs, look);
    if (outputs->screen != NULL && !is_last)
        return 0;
    if (outputs->redraws && !is_last)
        draw_table(&page);
    else
        print_table(&page, is_last);
    return view_flush(stdout);
}

static const struct watch_sink_ops table_sink = {.look = show_table};

/* ---- JSON ---- */

static int show_json(void *sink, const struct watch_look *look, bool is_last)
{
    const struct watch_outputs *outputs = sink;
    const struct watch_page page = page_of(outputs, look);
    (void)is_last;
    watch_print_json(outputs->json, &page);
    return view_flush(outputs->json);
}

static const struct watch_sink_ops json_sink = {.look = show_json};

/* ---- closings ---- */

/* It comes one by one: a rest lets some more come. */
static int read_news(void *sink)
{
    struct watch_closings *closings = sink;
    struct pollfd news = {.fd = watch_closings_fd(closings), .events = POLLIN};
    if (poll(&news, 1, 0) <= 0)
        return 0;
    usleep(NEWS_REST_US);
    return watch_closings_read(closings);
}

static const struct watch_sink_ops closings_sink = {.between = read_news};

/* ---- all of them ---- */

/* After a hang-up nobody is left who reads the terminal. */
static int tell_unwritten(const struct watch_outputs *outputs, const char *name, int error)
{
    if (*outputs->stopped_by == SIGHUP)
        return EXIT_INTERRUPTED;
    diag_error("cannot write %s: %s", name, strerror(error));
    return EXIT_MACHINE;
}

int watch_outputs_write(const struct watch_outputs *outputs, FILE *out)
{
    int rc = view_flush(out);
    return rc == 0 ? EXIT_AS_EXPECTED : tell_unwritten(outputs, output_name(out), -rc);
}

/* What all have answered: the first one that cannot go on, or that one wants the end. */
static int answer(const struct watch_outputs *outputs, int so_far, const struct watch_sink *sink, int rc)
{
    if (rc < 0 && so_far >= 0)
        tell_unwritten(outputs, sink->name, -rc);
    return so_far < 0 || rc == 0 ? so_far : rc;
}

int watch_outputs_begin(const struct watch_outputs *outputs)
{
    int rc = 0;
    for (int i = 0; i < outputs->sinks.count; i++) {
        const struct watch_sink *sink = &outputs->sinks.each[i];
        if (sink->ops->begin != NULL)
            rc = answer(outputs, rc, sink, sink->ops->begin(sink->self));
    }
    return rc;
}

int watch_outputs_look(const struct watch_outputs *outputs, const struct watch_look *look, bool is_last)
{
    int rc = 0;
    for (int i = 0; i < outputs->sinks.count; i++) {
        const struct watch_sink *sink = &outputs->sinks.each[i];
        if (sink->ops->look != NULL)
            rc = answer(outputs, rc, sink, sink->ops->look(sink->self, look, is_last));
    }
    return rc;
}

int watch_outputs_lost(const struct watch_outputs *outputs, int error)
{
    int rc = 0;
    for (int i = 0; i < outputs->sinks.count; i++) {
        const struct watch_sink *sink = &outputs->sinks.each[i];
        if (sink->ops->lost != NULL)
            rc = answer(outputs, rc, sink, sink->ops->lost(sink->self, error));
    }
    return rc;
}

int watch_outputs_end(const struct watch_outputs *outputs)
{
    int rc = 0;
    for (int i = 0; i < outputs->sinks.count; i++) {
        const struct watch_sink *sink = &outputs->sinks.each[i];
        if (sink->ops->end != NULL)
            rc = answer(outputs, rc, sink, sink->ops->end(sink->self));
    }
    return rc;
}

/* ---- pauses ---- */

static int between(const struct watch_outputs *outputs)
{
    int rc = 0;
    for (int i = 0; i < outputs->sinks.count; i++) {
        const struct watch_sink *sink = &outputs->sinks.each[i];
        if (sink->ops->between != NULL)
            rc = answer(outputs, rc, sink, sink->ops->between(sink->self));
    }
    return rc;
}

/* A signal ends it early. */
static void await(const struct watch_outputs *outputs, int ms)
{
    struct pollfd fds[WATCH_SINKS_MAX];
    for (int i = 0; i < outputs->sinks.count; i++)
        fds[i] = (struct pollfd){.fd = outputs->sinks.each[i].fd, .events = POLLIN};
    poll(fds, (nfds_t)outputs->sinks.count, ms);
}

int watch_outputs_pause(const struct watch_outputs *outputs, int64_t ms)
{
    int rc = 0;
    for (int64_t until_us = monotonic_us() + ms * 1000;
         rc == 0 && *outputs->stopped_by == 0 && monotonic_us() < until_us;) {
        int64_t left_ms = (until_us - monotonic_us() + 999) / 1000;
        await(outputs, left_ms > TICK_MS ? TICK_MS : left_ms > 0 ? (int)left_ms : 0);
        output_push_all();
        rc = between(outputs);
    }
    return rc;
}

void watch_outputs_wait_while_clogged(const struct watch_outputs *outputs)
{
    outputs_wait_while_clogged(stdout, outputs->stopped_by);
    if (outputs->json != NULL)
        outputs_wait_while_clogged(outputs->json, outputs->stopped_by);
    if (outputs->record.recorder.out != NULL)
        outputs_wait_while_clogged(outputs->record.recorder.out, outputs->stopped_by);
}

/* ---- beginning and end ---- */

/* Returns an exit code, after telling. */
static int open_exporter(struct watch_outputs *outputs)
{
    struct metrics_listener listener = outputs->options->metrics;
    int code = metrics_listener_open(&listener);
    if (code != EXIT_AS_EXPECTED || !listener.wanted)
        return code;
    outputs->exporter = watch_exporter_new(listener.listener, outputs->closings);
    if (outputs->exporter != NULL)
        return EXIT_AS_EXPECTED;
    diag_error("out of memory: no metrics can be served");
    return EXIT_MACHINE;
}

static int open_file(struct watch_outputs *outputs)
{
    char name[160];
    snprintf(name, sizeof name, "--json %s", outputs->options->json);
    outputs->json = output_open(outputs->options->json, name);
    if (outputs->json != NULL)
        return EXIT_AS_EXPECTED;
    diag_error("--json \"%s\": %s", outputs->options->json, strerror(errno));
    return EXIT_USAGE;
}

static void add_sinks(struct watch_outputs *outputs)
{
    if (outputs->screen != NULL)
        watch_sinks_add(&outputs->sinks, watch_screen_sink(outputs->screen));
    if (outputs->has_table)
        watch_sinks_add(&outputs->sinks, (struct watch_sink){&table_sink, outputs, output_name(stdout), -1});
    if (outputs->json != NULL)
        watch_sinks_add(&outputs->sinks,
                        (struct watch_sink){&json_sink, outputs, output_name(outputs->json), -1});
    if (outputs->closings != NULL)
        watch_sinks_add(&outputs->sinks, (struct watch_sink){&closings_sink, outputs->closings, "--closings",
                                                             watch_closings_fd(outputs->closings)});
    if (outputs->record.recorder.out != NULL)
        watch_sinks_add(&outputs->sinks, watch_record_sink(&outputs->record));
    if (outputs->exporter != NULL)
        watch_sinks_add(&outputs->sinks, watch_exporter_sink(outputs->exporter));
}

int watch_outputs_open(struct watch_outputs *outputs, const struct watch_options *options,
                       struct watch_flow *flow, struct watch_closings *closings,
                       const volatile sig_atomic_t *stopped_by)
{
    const struct output_path paths[] = {{"json", options->json}, {"record", options->record}};
    bool to_stdout = output_is_stdout(options->json), is_terminal = isatty(STDOUT_FILENO) == 1;
    if (outputs_check_paths(paths, 2) != 0 || watch_record_refuses(options))
        return EXIT_USAGE;
    *outputs = (struct watch_outputs){.options = options,
                                      .stopped_by = stopped_by,
                                      .closings = closings,
                                      .has_table = !to_stdout && (is_terminal || !options->metrics.wanted),
                                      .has_file = options->json != NULL && !to_stdout,
                                      .json = to_stdout ? stdout : NULL};
    outputs->redraws = diag_is_terminal() && is_terminal && !options->once && !to_stdout;
    int code = open_exporter(outputs);
    if (code == EXIT_AS_EXPECTED && outputs->has_file)
        code = open_file(outputs);
    if (code == EXIT_AS_EXPECTED && options->record != NULL)
        code = watch_record_open(&outputs->record, options, flow, stopped_by);
    if (code != EXIT_AS_EXPECTED) {
        watch_outputs_close(outputs, code);
        return code;
    }
    if (outputs->redraws && screen_is_possible())
        outputs->screen = watch_screen_new(options, stopped_by);
    add_sinks(outputs);
    return code;
}

static int close_file(FILE *file, int code)
{
    int rc = file != NULL ? outputs_let_go_and_close(file) : 0;
    return rc == 0 || code == EXIT_INTERRUPTED ? code : rc == -EINTR ? EXIT_INTERRUPTED : EXIT_MACHINE;
}

int watch_outputs_close(struct watch_outputs *outputs, int code)
{
    watch_screen_free(outputs->screen);
    watch_exporter_free(outputs->exporter);
    code = close_file(outputs->has_file ? outputs->json : NULL, code);
    return close_file(outputs->record.recorder.out, code);
}
