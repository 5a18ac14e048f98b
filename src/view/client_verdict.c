/* client_verdict: what the audit of a client means, in sentences. */
#include "base/number_text.h"
#include "base/text.h"
#include "view/client_view.h"

#include <stdarg.h>
#include <string.h>

static void say(struct client_verdict *verdict, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct client_verdict *verdict, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_vadd(verdict->text, sizeof verdict->text, format, arguments);
    va_end(arguments);
}

static const char *const groups[] = {
    [GROUP_NONE] = "",
    [GROUP_FROM_AFAR] = "their ends are not in our tables, and have sent no FIN",
    [GROUP_NO_OWNER] = "no process has them",
    [GROUP_EOF_UNREAD] = "CLOSE_WAIT, and EOF is unread (Recv-Q >= 1): the client is not reading",
    [GROUP_EOF_READ] = "CLOSE_WAIT, everything is read: only close() is missing",
    [GROUP_EOF_UNSURE] = "CLOSE_WAIT, all data is read, but perhaps not EOF: the FIN came with the data, and "
                         "one read takes both",
    [GROUP_OTHER_PROCESS] = "CLOSE_WAIT",
    [GROUP_NO_DESCRIPTOR] =
        "no process has a descriptor: it was closed while a call on it is still in progress",
    [GROUP_STALLED] = "they have data to send",
    [GROUP_GHOST] = "descriptors of connections that have left every table: no count of states shows them",
    [GROUP_OPEN] = "its ends are ESTABLISHED",
    [GROUP_SHUT_DOWN] =
        ("its ends are in FIN_WAIT2 and keep their descriptors (shutdown() without close()): no timer "
         "ends that"),
};

/* Connections of the group that are in SYN_SENT. */
static int64_t count_connecting(const struct audit_result *result, enum audit_group group)
{
    int64_t count = 0;
    for (int64_t i = 0; i < result->count; i++)
        count += result->connections[i].group == group && result->connections[i].server_seen &&
                 result->connections[i].server_state == STATE_SYN_SENT;
    return count;
}

static void say_group(struct client_verdict *verdict, const struct audit_result *result,
                      enum audit_group group)
{
    int64_t connecting = group == GROUP_OPEN ? count_connecting(result, group) : 0;
    if (connecting == 0)
        say(verdict, "%s", groups[group]);
    else if (connecting == result->by_group[group])
        say(verdict, "its ends are in SYN_SENT: connect() was not given up, or given up without close()");
    else
        say(verdict,
            "%s %s ESTABLISHED and %s in SYN_SENT: connect() was not given up, or given up without close()",
            grouped(result->by_group[group] - connecting).text,
            one_or_many(result->by_group[group] - connecting, "is", "are"), grouped(connecting).text);
}

/* "; owner python3 pid 812 and others". */
static void say_owners(struct client_verdict *verdict, const struct client_report *report,
                       enum audit_group group)
{
    const struct audit_result *result = &report->result->audit;
    const struct audit_connection *first = NULL;
    bool has_others = false;
    for (int64_t i = 0; i < result->count; i++) {
        const struct audit_connection *connection = &result->connections[i];
        if (connection->group != group || connection->owner == 0)
            continue;
        has_others |= first != NULL && first->owner != connection->owner;
        first = first == NULL ? connection : first;
    }
    if (first != NULL)
        say(verdict, "; owner %s pid %d%s", first->command[0] != '\0' ? first->command : "a process",
            (int)first->owner, has_others ? " and others" : "");
    else if (group != GROUP_GHOST && group != GROUP_FROM_AFAR && group != GROUP_NO_DESCRIPTOR)
        say(verdict, "; the owner cannot be seen (run this as root, or as the client's user)");
    else if (group == GROUP_GHOST && result->ghost_owner > 0)
        say(verdict, "; owner %s pid %d",
            result->ghost_owner == report->result->client ? report->result->client_command : "a process",
            (int)result->ghost_owner);
}

static void say_held(struct client_verdict *verdict, const struct client_report *report)
{
    const struct audit_result *result = &report->result->audit;
    for (int group = GROUP_NONE + 1; group < GROUP_COUNT; group++) {
        if (result->by_group[group] == 0)
            continue;
        say(verdict, "Holds %s of %s %s after %s; ", grouped(result->by_group[group]).text,
            counted(result->count, "connection").text, duration_text(report->settings->audit.grace_ms).text,
            server_manner_row(report->settings->manner)->since);
        say_group(verdict, result, (enum audit_group)group);
        say_owners(verdict, report, (enum audit_group)group);
        say(verdict, ".\n");
    }
    if (report->settings->manner == MANNER_CLOSES_IDLE && result->by_group[GROUP_EOF_UNREAD] > 0)
        say(verdict, "A pool that checks a connection only when it takes it out again holds it until then: "
                     "as many as it has room for.\n");
}

static void say_others(struct client_verdict *verdict, const struct client_report *report)
{
    const struct client_result *result = report->result;
    if (result->audit.before_act > 0)
        say(verdict, "%s of %s %s closed by the client first.\n", grouped(result->audit.before_act).text,
            counted(result->audit.count, "connection").text,
            one_or_many(result->audit.before_act, "was", "were"));
    if (result->audit.by_class[CLASS_STILL_RESPONDING] > 0)
        say(verdict, "Still sends on %s after the server's FIN, which is allowed: not a leak.\n",
            counted(result->audit.by_class[CLASS_STILL_RESPONDING], "connection").text);
    if (result->at_exit > 0)
        say(verdict,
            "%s of %s %s closed by the end of their process (closed at exit): whether the client would have "
            "closed them is not known.\n",
            grouped(result->at_exit).text, counted(result->audit.count, "connection").text,
            one_or_many(result->at_exit, "was", "were"));
    if (result->unplayed > 0)
        say(verdict, "On %s %s was never played.\n", counted(result->unplayed, "connection").text,
            server_manner_names[report->settings->manner]);
    if (result->audit.by_class[CLASS_FAILED] > 0)
        say(verdict, "%s failed on this machine, which says nothing about the client.\n",
            counted(result->audit.by_class[CLASS_FAILED], "connection").text);
}

static const char *headline(const struct client_report *report)
{
    const struct audit_result *result = &report->result->audit;
    enum server_manner manner = report->settings->manner;
    if (report->outcome != AUDIT_LEAKS)
        return "The client holds nothing.";
    bool waits = manner == MANNER_NEVER_ANSWERS || manner == MANNER_NEVER_ACCEPTS;
    int64_t held = result->by_class[CLASS_HELD] + result->by_class[CLASS_NEVER_ACCEPTED];
    return waits && result->by_group[GROUP_OPEN] == held
               ? "The client waits for a server that does not answer."
               : "The client leaks.";
}

/* ---- no verdict ---- */

static const char *name_of_command(const struct client_report *report)
{
    return report->settings->command != NULL ? report->settings->command[0] : "";
}

static void say_nobody_came(struct client_verdict *verdict, const struct client_report *report)
{
    const char *target = report->settings->audit.target;
    if (report->settings->command == NULL)
        say(verdict, "Nobody connected to %s.\n", target);
    else if (report->result->has_ended)
        say(verdict, "\"%s\" %s without having connected to %s.\n", name_of_command(report),
            program_end_text(report->program).text, target);
    else
        say(verdict, "\"%s\" did not connect to %s within %s: give it more time with --until-ready.\n",
            name_of_command(report), target, duration_text(report->settings->until_ready_ms).text);
}

static void say_too_few(struct client_verdict *verdict, const struct client_report *report)
{
    const struct client_result *result = report->result;
    say(verdict, "Too few for a verdict: only %s of %s %s whether the client closes",
        grouped(result->audit.audited).text, counted(result->audit.count, "connection").text,
        one_or_many(result->audit.audited, "shows", "show"));
    if (result->at_exit > 0)
        say(verdict, ", %s %s closed at exit: keep the command running for longer than --grace %s",
            grouped(result->at_exit).text, one_or_many(result->at_exit, "was", "were"),
            duration_text(report->settings->audit.grace_ms).text);
    if (result->unplayed > 0)
        say(verdict, ", on %s %s was never played", grouped(result->unplayed).text,
            server_manner_names[report->settings->manner]);
    say(verdict, ".\n");
}

static void say_no_verdict(struct client_verdict *verdict, const struct client_report *report)
{
    const struct audit_result *result = &report->result->audit;
    if (result->failure != NULL)
        say(verdict, "No verdict: %s: %s.\n", result->failure, strerror(result->failure_error));
    else if (result->count == 0)
        say_nobody_came(verdict, report);
    else if (report->settings->manner == MANNER_RESETS && result->ghost_sight != GHOSTS_SEEN)
        say(verdict, "What a client does after an RST shows in its descriptors only, and these %s.\n",
            result->ghost_sight == GHOSTS_NOT_OURS
                ? "are closed to this user: run this as root, or as the client's user"
                : "cannot be seen from here: run this on the client's machine, in its network namespace");
    else if (result->forgotten > 0)
        say(verdict, "What became of %s is not known: the kernel has forgotten our ends.\n",
            counted(result->forgotten, "connection").text);
    else
        say_too_few(verdict, report);
}

struct client_verdict client_verdict_of(const struct client_report *report)
{
    struct client_verdict verdict = {""};
    if (report->outcome == AUDIT_INTERRUPTED) {
        say(&verdict, "Interrupted after %.1f s: no verdict.\n", report->result->audit.elapsed_s);
    } else if (report->outcome == AUDIT_NO_VERDICT) {
        say_no_verdict(&verdict, report);
    } else {
        say(&verdict, "%s\n", headline(report));
        say_held(&verdict, report);
        say_others(&verdict, report);
    }
    return verdict;
}
