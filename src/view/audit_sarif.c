/* audit_sarif: the lines of code of an audit for code hosts: SARIF 2.1.0 (OASIS), and the lines that GitHub
 * Actions reads from a job's output. */
#include "base/json_writer.h"
#include "base/version.h"
#include "view/audit_view.h"
#include "view/parting_note.h"
#include "view/parting_view.h"
#include "view/view.h"

#include <string.h>

/* A rule each, in this order. */
static const struct {
    enum parting_end end;
    const char *id, *level, *text;
} rules[] = {
    {PARTING_HELD, "held-connection", "error",
     "The server does not close a connection whose client has finished"},
    {PARTING_LOST, "lost-reply", "error", "The server closes before its reply is complete"},
    {PARTING_RESET, "reset-connection", "warning", "The server resets a connection"},
};

enum { RULES = sizeof rules / sizeof rules[0] };

static int rule_of(enum parting_end end)
{
    for (int i = 0; i < RULES; i++)
        if (rules[i].end == end)
            return i;
    return -1;
}

/* ---- SARIF ---- */

static void put_text(struct json_writer *w, const char *key, const char *text)
{
    json_open(w, key, '{');
    json_string(w, "text", text);
    json_close(w, '}');
}

static void put_location(struct json_writer *w, const struct source_line *line, int id, const char *message)
{
    json_open(w, NULL, '{');
    if (id > 0)
        json_integer(w, "id", id);
    if (message != NULL)
        put_text(w, "message", message);
    json_open(w, "physicalLocation", '{');
    json_open(w, "artifactLocation", '{');
    json_string(w, "uri", line->uri);
    json_close(w, '}');
    json_open(w, "region", '{');
    json_integer(w, "startLine", line->line);
    json_close(w, '}');
    json_close(w, '}');
    if (line->function != NULL) {
        json_open(w, "logicalLocations", '[');
        json_open(w, NULL, '{');
        json_string(w, "name", line->function);
        json_string(w, "kind", "function");
        json_close(w, '}');
        json_close(w, ']');
    }
    json_close(w, '}');
}

/* Where the ways part, where the others were closed, and where all were accepted. */
static void put_related(struct json_writer *w, const struct parting_note *note)
{
    struct source_line line;
    int id = 0;
    json_open(w, "relatedLocations", '[');
    if (source_line_of(note->fork->after, &line))
        put_location(w, &line, ++id, "They part after this call");
    for (int i = 0; i < note->fork->count && i < PARTING_BRANCHES_TOLD; i++)
        if (note->fork->branches[i].end == PARTING_CLOSED &&
            source_line_of(note->fork->branches[i].close, &line))
            put_location(w, &line, ++id, "Others are closed here");
    if (source_line_of(note->report->trace->parting.accepted, &line))
        put_location(w, &line, ++id, "They were accepted here");
    json_close(w, ']');
}

static int put_result(void *context, struct parting_note *note)
{
    struct json_writer *w = context;
    int rule = rule_of(note->branch->end);
    if (rule < 0)
        return 0;
    json_open(w, NULL, '{');
    json_string(w, "ruleId", rules[rule].id);
    json_integer(w, "ruleIndex", rule);
    json_string(w, "level", rules[rule].level);
    put_text(w, "message", note->text);
    json_open(w, "locations", '[');
    if (note->has_line)
        put_location(w, &note->line, 0, NULL);
    json_close(w, ']');
    put_related(w, note);
    json_close(w, '}');
    return 0;
}

static void put_tool(struct json_writer *w)
{
    json_open(w, "tool", '{');
    json_open(w, "driver", '{');
    json_string(w, "name", "tcpstorm");
    json_string(w, "version", TCPSTORM_VERSION);
    json_open(w, "rules", '[');
    for (int i = 0; i < RULES; i++) {
        json_open(w, NULL, '{');
        json_string(w, "id", rules[i].id);
        put_text(w, "shortDescription", rules[i].text);
        json_open(w, "defaultConfiguration", '{');
        json_string(w, "level", rules[i].level);
        json_close(w, '}');
        json_close(w, '}');
    }
    json_close(w, ']');
    json_close(w, '}');
    json_close(w, '}');
}

static int print_sarif(FILE *out, const struct audit_report *reports, int count)
{
    struct json_writer w = {.out = out};
    json_open(&w, NULL, '{');
    json_string(&w, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    json_string(&w, "version", "2.1.0");
    json_open(&w, "runs", '[');
    json_open(&w, NULL, '{');
    put_tool(&w);
    json_string(&w, "columnKind", "unicodeCodePoints");
    json_open(&w, "results", '[');
    for (int i = 0; i < count; i++)
        parting_each_note(&reports[i], put_result, &w);
    json_close(&w, ']');
    json_close(&w, '}');
    json_close(&w, ']');
    json_close(&w, '}');
    json_end_line(&w);
    return view_flush(out);
}

int audit_print_sarif(FILE *out, const struct audit_report *report)
{
    return print_sarif(out, report, 1);
}

int audit_print_sarif_of_all(FILE *out, const struct audit_series *series)
{
    return print_sarif(out, series->reports, series->count);
}

/* ---- GitHub Actions ---- */

/* A property ends at a comma or a colon, a line at its end. */
static void put_escaped(FILE *out, const char *text, bool is_property)
{
    for (; *text != '\0'; text++)
        if (strchr(is_property ? "%\r\n,:" : "%\r\n", *text) != NULL)
            fprintf(out, "%%%02X", (unsigned char)*text);
        else
            fputc(*text, out);
}

static int put_annotation(void *context, struct parting_note *note)
{
    FILE *out = context;
    int rule = rule_of(note->branch->end);
    if (rule < 0)
        return 0;
    fprintf(out, "::%s ", rules[rule].level);
    if (note->has_line) {
        fputs("file=", out);
        put_escaped(out, note->line.uri, true);
        fprintf(out, ",line=%d,", note->line.line);
    }
    fputs("title=tcpstorm audit::", out);
    put_escaped(out, note->text, false);
    fputc('\n', out);
    return 0;
}

int audit_print_annotations(FILE *out, const struct audit_report *report)
{
    parting_each_note(report, put_annotation, out);
    return view_flush(out);
}
