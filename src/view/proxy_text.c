/* proxy_text: the audit of a proxy for people: the matrix. */
#include "base/number_text.h"
#include "base/text.h"
#include "base/wrap.h"
#include "view/proxy_view.h"
#include "view/view.h"

#include <inttypes.h>
#include <string.h>

enum { TEXT_WIDTH = 78, LABEL_WIDTH = 14, CELL_WIDTH = 16, CELL_LINES = 3 };

/* What stands in one cell. */
struct cell_text {
    char lines[CELL_LINES][CELL_WIDTH + 8];
};

static const char *const manners[] = {[MANNER_CLOSE] = "closes",
                                      [MANNER_HALF_CLOSE] = "half-closes",
                                      [MANNER_ABORT] = "aborts",
                                      [MANNER_STAYS] = "stays open"};

/* What all have heard, if it is the same. */
static const char *heard_by(const struct proxy_cell *cell, enum proxy_side side)
{
    static const char *const names[] = {[HEARD_NOTHING] = "none", [HEARD_FIN] = "FIN", [HEARD_RST] = "RST"};
    for (int heard = 0; heard < HEARD_COUNT; heard++)
        if (cell->heard[side][heard] == cell->passed)
            return cell->early[side] > 0 ? "early" : names[heard];
    return "mixed";
}

static void tell_heard(struct cell_text *text, const struct proxy_cell *cell, enum proxy_manner client,
                       enum proxy_manner backend)
{
    bool hears = client == MANNER_STAYS        ? backend != MANNER_STAYS
                 : client != MANNER_HALF_CLOSE ? false
                                               : backend != MANNER_STAYS || cell->early[PROXY_FRONT] > 0;
    if (client != MANNER_STAYS)
        TEXT_ADD(text->lines[0], "> %s", heard_by(cell, PROXY_BACK));
    if (hears)
        TEXT_ADD(text->lines[0], "%s< %s", client != MANNER_STAYS ? " " : "", heard_by(cell, PROXY_FRONT));
    if (text->lines[0][0] == '\0')
        TEXT_ADD(text->lines[0], "-");
}

static void tell_data(char *line, size_t size, const struct proxy_cell *cell, enum proxy_manner client,
                      enum proxy_manner backend, bool is_http)
{
    bool is_half_open =
        client == MANNER_HALF_CLOSE || (client == MANNER_STAYS && backend == MANNER_HALF_CLOSE);
    if (cell->lost > 0)
        text_add(line, size, "LOST %" PRId64 " of %" PRId64, cell->lost, cell->passed);
    else if (is_http)
        text_add(line, size, "%s",
                 client == MANNER_CLOSE || client == MANNER_ABORT || backend == MANNER_ABORT ? ""
                 : cell->replied == cell->passed                                             ? "whole reply"
                 : cell->replied == 0                                                        ? "no reply"
                                      : "some replies");
    else if (is_half_open && client != MANNER_STAYS && backend == MANNER_ABORT)
        text_add(line, size, "all data");
    else if (is_half_open)
        text_add(line, size, "%s",
                 cell->answered == cell->passed ? "data, answer"
                 : cell->answered == 0          ? "data, no answer"
                                                : "some answers");
    else if (client == MANNER_CLOSE || (client == MANNER_STAYS && backend == MANNER_CLOSE))
        text_add(line, size, "all data");
}

static void tell_held(char *line, size_t size, const struct proxy_cell *cell)
{
    int64_t front = cell->held[PROXY_FRONT], back = cell->held[PROXY_BACK];
    if (front > 0 || back > 0)
        text_add(line, size, "HOLDS %s %" PRId64,
                 front > 0 && back > 0 ? "both"
                 : front > 0           ? "front"
                                       : "back",
                 front > back ? front : back);
    else if (cell->one_sided > 0)
        text_add(line, size, "KEEPS %" PRId64, cell->one_sided);
    else if (cell->passed > 0 && cell->passed < cell->count)
        text_add(line, size, "%" PRId64 " of %" PRId64 " came", cell->passed, cell->count);
}

static struct cell_text text_of(const struct proxy_cell *cell, enum proxy_manner client,
                                enum proxy_manner backend, bool is_http)
{
    struct cell_text text = {{""}};
    if (cell->passed == 0) {
        TEXT_ADD(text.lines[0], "did not come");
    } else {
        tell_heard(&text, cell, client, backend);
        tell_data(text.lines[1], sizeof text.lines[1], cell, client, backend, is_http);
    }
    tell_held(text.lines[2], sizeof text.lines[2], cell);
    if (text.lines[1][0] == '\0') {
        memcpy(text.lines[1], text.lines[2], sizeof text.lines[1]);
        text.lines[2][0] = '\0';
    }
    return text;
}

static void put_line(FILE *out, const char *label, const char *const cells[MANNER_COUNT])
{
    int length = fprintf(out, "  %-*s", LABEL_WIDTH, label), blank = 0;
    for (int i = 0; i < MANNER_COUNT; i++) {
        int wanted = (int)strlen(cells[i]);
        if (wanted == 0) {
            blank += CELL_WIDTH;
            continue;
        }
        length += fprintf(out, "%*s%s", blank, "", cells[i]);
        blank = wanted < CELL_WIDTH ? CELL_WIDTH - wanted : 1;
    }
    (void)length;
    fputc('\n', out);
}

static void print_row(FILE *out, const struct proxy_report *report, enum proxy_manner client)
{
    struct cell_text texts[MANNER_COUNT];
    for (int backend = 0; backend < MANNER_COUNT; backend++)
        texts[backend] = text_of(proxy_cell_of(report->result, client, (enum proxy_manner)backend), client,
                                 (enum proxy_manner)backend, report->settings->http_path != NULL);
    for (int line = 0; line < CELL_LINES; line++) {
        const char *cells[MANNER_COUNT];
        bool is_empty = true;
        for (int backend = 0; backend < MANNER_COUNT; backend++) {
            cells[backend] = texts[backend].lines[line];
            is_empty &= cells[backend][0] == '\0';
        }
        if (!is_empty)
            put_line(out, line == 0 ? manners[client] : "", cells);
    }
    fputc('\n', out);
}

static void print_matrix(FILE *out, const struct proxy_report *report)
{
    fprintf(out, "  %-*sbackend:\n", LABEL_WIDTH, "");
    put_line(out, "client:", manners);
    for (int client = 0; client < MANNER_COUNT; client++)
        print_row(out, report, (enum proxy_manner)client);
    wrap_print(out,
               "> what the backend sees when the client ends, < what the client sees when the backend does; "
               "early: the proxy had ended it by itself before.",
               2, TEXT_WIDTH);
    fputc('\n', out);
}

int proxy_print_text(FILE *out, const struct proxy_report *report)
{
    const struct proxy_settings *settings = report->settings;
    const struct proxy_result *result = report->result;
    struct proxy_verdict verdict = proxy_verdict_of(report);
    char title[512] = "";
    TEXT_ADD(title, "%s to %s%s: %s per cell, grace %s", settings->front_text, settings->back_text,
             settings->http_path != NULL ? ", http" : "", counted(settings->conns, "connection").text,
             duration_text(settings->grace_ms).text);
    if (result->listener > 0)
        TEXT_ADD(title, "; %s pid %d listens", result->listener_command, (int)result->listener);
    wrap_print(out, title, 0, TEXT_WIDTH);
    fputc('\n', out);
    if (result->by_class[PAIR_PASSED] > 0 && report->outcome != PROXY_INTERRUPTED)
        print_matrix(out, report);
    wrap_print(out, verdict.text, 2, TEXT_WIDTH);
    return view_flush(out);
}
