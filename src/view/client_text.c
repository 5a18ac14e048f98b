/* client_text: the audit of a client for people, and for CI (JUnit). */
#include "base/number_text.h"
#include "base/text.h"
#include "base/wrap.h"
#include "view/client_view.h"
#include "view/view.h"
#include "view/xml_text.h"

enum { TEXT_WIDTH = 78, NAME_WIDTH = 26 };

static const char *const descriptions[] = {
    [CLASS_CLOSED] = "closed by the client",
    [CLASS_RESET] = "reset by the client",
    [CLASS_REPLY_LOST] = "reply lost",
    [CLASS_STILL_RESPONDING] = "still sending",
    [CLASS_HELD] = "held",
    [CLASS_NEVER_ACCEPTED] = "held by no process",
    [CLASS_REFUSED] = "refused",
    [CLASS_TIMED_OUT] = "timed out",
    [CLASS_FAILED] = "failed here",
    [CLASS_UNKNOWN] = "not known",
};

static void print_classes(FILE *out, const struct audit_result *result)
{
    for (int class = 0; class < CLASS_COUNT; class ++) {
        if (result->by_class[class] == 0)
            continue;
        fprintf(out, "  %-*s %9s", NAME_WIDTH, descriptions[class], grouped(result->by_class[class]).text);
        if (class == CLASS_CLOSED && result->max_us >= 0)
            fprintf(out, "   after %.1f ms (p50), %.1f (p99), %.1f (max)", (double)result->p50_us / 1e3,
                    (double)result->p99_us / 1e3, (double)result->max_us / 1e3);
        fputc('\n', out);
    }
}

int client_print_text(FILE *out, const struct client_report *report)
{
    const struct audit_settings *settings = &report->settings->audit;
    const struct client_result *result = report->result;
    struct client_verdict verdict = client_verdict_of(report);
    char title[512] = "";
    TEXT_ADD(title, "as server on %s: %s, %s came, grace %s", settings->target,
             server_manner_names[report->settings->manner], counted(result->audit.count, "connection").text,
             duration_text(settings->grace_ms).text);
    if (result->client > 0)
        TEXT_ADD(title, "; from %s pid %d", result->client_command, (int)result->client);
    wrap_print(out, title, 0, TEXT_WIDTH);
    fputc('\n', out);
    print_classes(out, &result->audit);
    if (result->audit.count > 0)
        fputc('\n', out);
    wrap_print(out, verdict.text, 2, TEXT_WIDTH);
    return view_flush(out);
}

int client_print_junit(FILE *out, const struct client_report *report)
{
    struct client_verdict verdict = client_verdict_of(report);
    bool fails = report->outcome == AUDIT_LEAKS;
    bool is_void = report->outcome == AUDIT_NO_VERDICT || report->outcome == AUDIT_INTERRUPTED;
    const char *element = is_void ? "error" : fails ? "failure" : "system-out";
    double elapsed_s = report->result->audit.elapsed_s;
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"tcpstorm audit --as-server\" "
            "tests=\"1\" "
            "failures=\"%d\" errors=\"%d\" time=\"%.3f\">\n  <testcase classname=\"",
            fails, is_void, elapsed_s);
    xml_put_text(out, report->settings->command != NULL ? report->settings->command[0]
                                                        : report->settings->audit.target);
    fprintf(out, "\" name=\"closes, %s\" time=\"%.3f\">\n    <%s>",
            server_manner_names[report->settings->manner], elapsed_s, element);
    xml_put_text(out, verdict.text);
    fprintf(out, "</%s>\n  </testcase>\n</testsuite>\n", element);
    return view_flush(out);
}
