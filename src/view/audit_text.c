/* audit_text: an audit for people, and for CI (JUnit). */
#include "base/number_text.h"
#include "base/wrap.h"
#include "view/audit_view.h"
#include "view/parting_view.h"
#include "view/view.h"
#include "view/xml_text.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_WIDTH = 78, NAME_WIDTH = 26 };

static const char *const descriptions[] = {
    [CLASS_CLOSED] = "closed by the server",
    [CLASS_RESET] = "reset",
    [CLASS_REPLY_LOST] = "reply lost",
    [CLASS_STILL_RESPONDING] = "still responding",
    [CLASS_HELD] = "held, or still busy",
    [CLASS_NEVER_ACCEPTED] = "never accepted",
    [CLASS_REFUSED] = "refused",
    [CLASS_TIMED_OUT] = "timed out",
    [CLASS_FAILED] = "failed here",
    [CLASS_UNKNOWN] = "not known",
};

/* Without a look at the server's end nobody knows better than "held, or still busy". */
static const char *description_of(const struct audit_result *result, enum audit_class class)
{
    return class == CLASS_HELD && result->by_group[GROUP_FROM_AFAR] == 0 ? "held" : descriptions[class];
}

static void print_times(FILE *out, const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    if (result->max_us < 0)
        return;
    fprintf(out, "   after %.1f ms (p50), %.1f (p90), %.1f (p99), %.1f (max)", (double)result->p50_us / 1e3,
            (double)result->p90_us / 1e3, (double)result->p99_us / 1e3, (double)result->max_us / 1e3);
    if (report->trace != NULL)
        fputs(", traced", out);
}

static void print_classes(FILE *out, const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    for (int class = 0; class < CLASS_COUNT; class ++) {
        if (result->by_class[class] == 0)
            continue;
        fprintf(out, "  %-*s %9s", NAME_WIDTH, description_of(result, (enum audit_class) class),
                grouped(result->by_class[class]).text);
        if (class == CLASS_CLOSED)
            print_times(out, report);
        fputc('\n', out);
    }
}

static void print_rounds(FILE *out, const struct audit_result *result)
{
    for (int round = 0; result->rounds > 1 && round < result->rounds; round++)
        fprintf(out, "  round %-*d %9s held, %s of them to the end\n", NAME_WIDTH - 6, round + 1,
                grouped(result->held_after[round]).text, grouped(result->held_to_the_end[round]).text);
}

int audit_print_text(FILE *out, const struct audit_report *report)
{
    const struct audit_settings *settings = report->settings;
    const struct audit_result *result = report->result;
    struct audit_verdict verdict = audit_verdict_of(report);
    fprintf(out, "%s: %s%s, %s, grace %s", settings->target, counted(settings->conns, "connection").text,
            settings->repeat > 1 ? " a round" : "", audit_order_names[settings->order],
            duration_text(settings->grace_ms).text);
    if (result->listener > 0)
        fprintf(out, "; %s pid %d listens", result->listener_command, (int)result->listener);
    else if (!result->server_is_here)
        fprintf(out, "; the server is not in this network namespace");
    fputs("\n\n", out);
    print_classes(out, report);
    print_rounds(out, result);
    fputc('\n', out);
    wrap_print(out, verdict.text, 2, TEXT_WIDTH);
    if (report->trace != NULL) {
        parting_print(out, report->trace, 2);
    }
    return view_flush(out);
}

/* ---- JUnit ---- */

bool audit_is_void(enum audit_outcome outcome)
{
    return outcome == AUDIT_NO_VERDICT || outcome == AUDIT_INTERRUPTED;
}

bool audit_is_failure(enum audit_outcome outcome)
{
    return outcome != AUDIT_CLOSES && !audit_is_void(outcome);
}

/* The lines of code, where the server was traced. */
static void put_parting(FILE *out, const struct audit_report *report)
{
    char *text = NULL;
    size_t size = 0;
    FILE *lines = report->trace != NULL ? open_memstream(&text, &size) : NULL;
    if (lines == NULL)
        return;
    parting_print(lines, report->trace, 2);
    if (fclose(lines) == 0)
        xml_put_text(out, text);
    free(text);
}

void audit_put_testcase(FILE *out, const struct audit_report *report)
{
    struct audit_verdict verdict = audit_verdict_of(report);
    const char *element = audit_is_void(report->outcome)      ? "error"
                          : audit_is_failure(report->outcome) ? "failure"
                                                              : "system-out";
    fputs("  <testcase classname=\"", out);
    xml_put_text(out, report->settings->target);
    fprintf(out, "\" name=\"closes after %s\" time=\"%.3f\">\n", audit_order_names[report->settings->order],
            report->result->elapsed_s);
    fprintf(out, "    <%s>", element);
    xml_put_text(out, verdict.text);
    put_parting(out, report);
    fprintf(out, "</%s>\n  </testcase>\n", element);
}

int audit_print_junit(FILE *out, const struct audit_report *report)
{
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"tcpstorm audit\" tests=\"1\" "
            "failures=\"%d\" errors=\"%d\" time=\"%.3f\">\n",
            audit_is_failure(report->outcome), audit_is_void(report->outcome), report->result->elapsed_s);
    audit_put_testcase(out, report);
    fputs("</testsuite>\n", out);
    return view_flush(out);
}
