/* audit_no_verdict: why an audit has none, in sentences. */
#include "audit/findings.h"
#include "audit/growth.h"
#include "base/number_text.h"
#include "view/audit_verdict_parts.h"

#include <string.h>

static int error_of_failed(const struct audit_result *result)
{
    for (int64_t i = 0; i < result->count; i++)
        if (result->connections[i].class == CLASS_FAILED)
            return result->connections[i].error;
    return 0;
}

static void say_too_few(struct audit_verdict *verdict, const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    const struct {
        int64_t count;
        const char *what;
    } reasons[] = {{result->by_class[CLASS_REFUSED], "refused"},
                   {result->by_class[CLASS_TIMED_OUT], "not accepted"},
                   {result->by_class[CLASS_FAILED], "failed on this machine"},
                   {result->not_played, "ended by the server before the client did anything"},
                   {result->by_class[CLASS_UNKNOWN], "not visible"}};
    bool is_overrun = result->by_class[CLASS_REFUSED] + result->by_class[CLASS_TIMED_OUT] > 0;
    audit_say(verdict, "Too few for a verdict: %s of %s succeeded", grouped(result->audited).text,
              counted(result->asked, "connection").text);
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].count > 0)
            audit_say(verdict, ", %s %s", grouped(reasons[i].count).text, reasons[i].what);
    if (result->by_class[CLASS_FAILED] > 0)
        audit_say(verdict, " (%s)", strerror(error_of_failed(result)));
    audit_say(verdict, "%s.\n",
              is_overrun ? ": open fewer a second with --rate, or give the server a larger backlog" : "");
}

static void say_why_nobody_answers(struct audit_verdict *verdict, const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    const char *target = report->settings->target;
    if (result->tls_refusal[0] != '\0')
        audit_say(verdict, "The handshake of TLS with %s fails: %s.\n", target, result->tls_refusal);
    else if (result->by_class[CLASS_REFUSED] == result->count)
        audit_say(verdict, "Nobody listens on %s: connect() is refused.\n", target);
    else if (result->not_opened == result->count)
        audit_say(verdict,
                  "The accept queue of %s is full, and the server accepts nobody: nothing was tried.\n",
                  target);
    else if (result->half_open == result->count)
        audit_say(verdict,
                  "The server's kernel does not pass on the connections to %s: it waits for their first byte "
                  "(TCP_DEFER_ACCEPT: send one, with --http or --send), or for room in the accept queue.\n",
                  target);
    else if (result->by_class[CLASS_TIMED_OUT] == result->count)
        audit_say(verdict, "No answer from %s: connect() timed out.\n", target);
    else if (result->by_class[CLASS_FAILED] == result->count)
        audit_say(verdict, "%s cannot be audited: %s.\n", target, strerror(error_of_failed(result)));
    else if (result->not_played == result->count)
        audit_say(verdict,
                  "The server ended %s of %s before the client did anything: %s was never played (give it "
                  "something to answer with --http or --send).\n",
                  grouped(result->not_played).text, counted(result->count, "connection").text,
                  audit_order_names[report->settings->order]);
    else
        say_too_few(verdict, report);
}

/* A client that never closes has nothing to judge before the server's own FIN. */
static void say_no_fin(struct audit_verdict *verdict, const struct audit_report *report)
{
    if (report->result->server_is_here)
        audit_say(verdict,
                  "The server did not close first: no FIN came within %s. never-close shows what a server "
                  "keeps after its own FIN: make --grace longer than its idle time-out, or let it close "
                  "after a reply, with --http or --send.\n",
                  duration_text(report->settings->grace_ms).text);
    else
        audit_say(
            verdict,
            "What a server keeps after its own FIN is visible on its own machine only: run this there.\n");
}

/* A silent client has only the tables to tell what the server does. */
static void say_unseen_silence(struct audit_verdict *verdict, const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    if (!result->server_is_here)
        audit_say(
            verdict,
            "What a server does with a client that %s is visible on its own machine only: run this there.\n",
            audit_report_order(report)->never_reads ? "does not read" : "has vanished");
    else
        audit_say(verdict,
                  "The reply fits into the buffers, or none came: on %s of %s the server could send all that "
                  "it had. stall needs a request with a longer reply (some 10 KB are enough).\n",
                  grouped(result->by_class[CLASS_UNKNOWN]).text, counted(result->count, "connection").text);
}

static void say_no_reference(struct audit_verdict *verdict, const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    if (audit_report_order(report)->asks_late)
        audit_say(verdict,
                  "The server closed no idle client within %s, so no request could be late (see --grace).\n",
                  duration_text(report->settings->grace_ms).text);
    else if (result->reply_bytes < 0)
        audit_say(verdict, "No waiting client succeeded: there is nothing to compare the replies with.\n");
    else
        audit_say(verdict, "The server does not reply to that request, not even to a waiting client: there "
                           "is nothing to compare (see --send and --http).\n");
}

/* Clients came through, and there was nothing to hold them against. */
static bool lacks_reference(const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    if (audit_report_order(report)->asks_late)
        return result->idle_us < 0 && result->count == 0;
    return audit_report_order(report)->fin_with_request && result->reply_bytes <= 0 && result->audited > 0;
}

/* Too few connections to check it, or they said neither yes nor no. */
static void say_open_growth(struct audit_verdict *verdict, const struct audit_report *report)
{
    audit_say(verdict, "No verdict: the server closes, but holds more than before, and it is not known "
                       "whether that is a leak.\n");
    audit_say_growth(verdict->text, sizeof verdict->text, &report->result->growth, false);
}

static bool has_seen_all(const struct audit_result *result)
{
    return result->ghost_sight == GHOSTS_SEEN && result->unseen_kin == 0 && !result->has_unseen_holder;
}

static void say_unseen_after_rst(struct audit_verdict *verdict, const struct audit_result *result)
{
    if (result->ghost_sight != GHOSTS_SEEN) {
        audit_say(verdict, "What a server does after an RST shows in its descriptors only, which this user "
                           "may not inspect: run this as root, or as the server's user.\n");
        return;
    }
    audit_say(verdict, "What a server does after an RST shows in its descriptors only. ");
    audit_say_who_is_unseen(verdict, result);
}

static void say_late(struct audit_verdict *verdict, const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    audit_say(
        verdict,
        "No verdict: a traced server is slower. The last connection to be closed took %.1f s, and %s %s not "
        "closed within %s: a longer --grace tells whether %s only late.\n",
        (double)result->max_us / 1e6,
        grouped(result->by_class[CLASS_HELD] + result->by_class[CLASS_NEVER_ACCEPTED]).text,
        one_or_many(result->by_class[CLASS_HELD] + result->by_class[CLASS_NEVER_ACCEPTED], "was", "were"),
        duration_text(report->settings->grace_ms).text,
        one_or_many(result->by_class[CLASS_HELD] + result->by_class[CLASS_NEVER_ACCEPTED], "that one is",
                    "those are"));
}

void audit_say_no_verdict(struct audit_verdict *verdict, const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    if (result->failure != NULL)
        audit_say(verdict, "No verdict: %s: %s.\n", result->failure, strerror(result->failure_error));
    else if (result->to_itself > 0)
        audit_say(verdict, "Nobody listens on %s: the kernel connected the client to itself.\n",
                  report->settings->target);
    else if (result->fate == FATE_STOPPED_SOMEHOW)
        audit_say(
            verdict,
            "Nobody listens on %s any more: the server has ended, or closed its listening socket (run this "
            "as "
            "root, or as its user, to know which).\n",
            report->settings->target);
    else if (audit_may_be_late(result, report->settings))
        say_late(verdict, report);
    else if (lacks_reference(report))
        say_no_reference(verdict, report);
    else if (audit_report_order(report)->act == ACT_ABORT && result->by_class[CLASS_UNKNOWN] > 0 &&
             !has_seen_all(result))
        say_unseen_after_rst(verdict, result);
    else if (result->forgotten > 0)
        audit_say(verdict,
                  "What became of %s is not known: the kernel forgets the client's end %s after its close() "
                  "(net.ipv4.tcp_fin_timeout): use --order half-close, or a shorter --grace.\n",
                  counted(result->forgotten, "connection").text,
                  duration_text(report->settings->fin_timeout_ms).text);
    else if (audit_report_order(report)->keeps_open && result->by_class[CLASS_UNKNOWN] == result->count)
        say_no_fin(verdict, report);
    else if (audit_order_is_silent(audit_report_order(report)) && result->count > 0 &&
             (audit_report_order(report)->never_reads || !result->server_is_here) &&
             result->by_class[CLASS_UNKNOWN] == result->count)
        say_unseen_silence(verdict, report);
    else if (audit_is_enough(result) && growth_is_open(&result->growth))
        say_open_growth(verdict, report);
    else if (result->audited == 0)
        say_why_nobody_answers(verdict, report);
    else
        say_too_few(verdict, report);
}
