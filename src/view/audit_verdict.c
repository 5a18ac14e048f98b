/* audit_verdict: what an audit means, in sentences. */
#include "audit/growth.h"
#include "base/number_text.h"
#include "base/text.h"
#include "kernel/process.h"
#include "view/audit_verdict_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

void audit_say(struct audit_verdict *verdict, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_vadd(verdict->text, sizeof verdict->text, format, arguments);
    va_end(arguments);
}

static const char *const groups[] = {
    [GROUP_NONE] = "",
    [GROUP_FROM_AFAR] = ("from outside, a server that holds them and one that is still busy look the same: "
                         "to tell, run this where the server runs"),
    [GROUP_NO_OWNER] = "no process has them: they were never accepted",
    [GROUP_EOF_UNREAD] = "EOF is unread (Recv-Q >= 1): the server is not reading",
    [GROUP_EOF_READ] = "everything is read (Recv-Q 0): only close() is missing",
    [GROUP_EOF_UNSURE] = "all data is read (Recv-Q 0), but perhaps not EOF: the FIN came with the data, and "
                         "one read takes both",
    [GROUP_OTHER_PROCESS] = "held only by processes that were started later and inherited them: the process "
                            "that serves them has closed its own descriptors",
    [GROUP_NO_DESCRIPTOR] =
        "no process has a descriptor of them: it was closed while a call on it is still in progress (a "
        "thread in recv(), io_uring), or it is in an unread message to another process (SCM_RIGHTS)",
    [GROUP_GHOST] =
        "these are descriptors of connections that have left every table: no count of states shows them",
    [GROUP_OPEN] = "its ends are ESTABLISHED",
    [GROUP_SHUT_DOWN] = "its ends are in FIN_WAIT2, or on their way there, and keep their descriptors "
                        "(shutdown() without close()): no kernel timer ends that",
    [GROUP_STALLED] =
        "its ends have data to send (Send-Q > 0) to a client that does not read, and no timeout "
        "of its own has ended that",
};

static const char *group_text(const struct audit_report *report, int group)
{
    const char *of_unix =
        audit_is_unix(report->settings) ? audit_unix_group_text((enum audit_group)group) : NULL;
    if (report->settings->tls != NULL && group == GROUP_EOF_READ)
        return "everything is read, except perhaps the FIN (Recv-Q 0 or 1): only close() is missing";
    return of_unix != NULL ? of_unix : groups[group];
}

/* Of a Unix socket's end of file nobody knows whether it was read, and so which bug it would be. */
static bool is_ambiguous(const struct audit_report *report, int group)
{
    return audit_is_unix(report->settings) && group == GROUP_EOF_READ;
}

static const char *name_of(const char *command)
{
    return command[0] != '\0' ? command : "a process";
}

const struct audit_order_row *audit_report_order(const struct audit_report *report)
{
    return audit_order_row(report->settings->order);
}

/* How the owner came by them, where it did not just accept them. */
static const char *const roles[] = {
    [OWNER_UNKNOWN] = "",
    [OWNER_ACCEPTED] = "",
    [OWNER_GIVEN] = ", which does not listen: they were handed to it",
    [OWNER_CHILD] = ", each a process that was started for one connection, or inherited one",
    [OWNER_HEIR] = "",
    [OWNER_NOBODY] = "",
};

static void say_nobody(struct audit_verdict *verdict, const struct audit_result *result)
{
    if (!result->sees_every_pid)
        audit_say(verdict, ", or it is in a process outside this PID namespace");
    if (result->closed_calls > 0)
        audit_say(verdict, "; %s of %s pid %d in a call on a closed descriptor",
                  result->closed_calls == 1 ? "a thread" : "threads",
                  name_of(process_command(result->caller).text), (int)result->caller);
}

/* "; owner nginx pid 812 and others". */
static void say_owners(struct audit_verdict *verdict, const struct audit_result *result,
                       enum audit_group group)
{
    const struct audit_connection *first = NULL;
    bool has_others = false, has_hidden = false;
    for (int64_t i = 0; i < result->count; i++) {
        const struct audit_connection *connection = &result->connections[i];
        if (connection->group != group)
            continue;
        /* those that were closed since have none any more */
        has_hidden |= connection->inode != 0 && connection->owner == 0 && connection->held_to_the_end;
        if (connection->owner == 0)
            continue;
        has_others |= first != NULL && connection->owner != first->owner;
        first = first == NULL ? connection : first;
    }
    if (first != NULL)
        audit_say(verdict, "; owner %s pid %d%s%s", name_of(first->command), (int)first->owner,
                  has_others || has_hidden ? " and others" : "", roles[first->role]);
    else if (group == GROUP_NO_DESCRIPTOR)
        say_nobody(verdict, result);
    else if (has_hidden)
        audit_say(verdict, "; the owner cannot be seen (run this as root, or as the server's user), or its "
                           "descriptor was closed while a call on it is still in progress");
    else if (group == GROUP_GHOST && result->ghost_owner > 0)
        audit_say(verdict, "; owner %s pid %d", name_of(process_command(result->ghost_owner).text),
                  (int)result->ghost_owner);
}

static void say_held(struct audit_verdict *verdict, const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    const struct audit_order_row *order = audit_report_order(report);
    bool names_bugs = report->outcome == AUDIT_LEAKS &&
                      (order->keeps == NULL || order->keeps_open); /* those are of ends that were left */
    for (int group = GROUP_NONE + 1; group < GROUP_COUNT; group++) {
        if (result->by_group[group] == 0)
            continue;
        audit_say(verdict, "Holds %s of %s %s after %s; %s", grouped(result->by_group[group]).text,
                  counted(result->count, "connection").text, duration_text(report->settings->grace_ms).text,
                  audit_report_order(report)->since, group_text(report, group));
        say_owners(verdict, result, (enum audit_group)group);
        audit_say(verdict, ".\n");
        if (names_bugs && !is_ambiguous(report, group) && report->causes[group][0] != '\0')
            audit_say(verdict, "Bugs that look like this: %s (\"tcpstorm causes\").\n",
                      report->causes[group]);
        if (group == GROUP_SHUT_DOWN && order->keeps_open)
            audit_say(
                verdict,
                "A server with a lingering close does this on purpose, and ends it: lighttpd after 5 s, "
                "Apache after 30 s, haproxy after its timeout client. A --grace longer than that tells.\n");
    }
}

/* A slow closer and a leak differ only over time: what became of the first that were held? */
static void say_rounds(struct audit_verdict *verdict, const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    int first = audit_first_held(result);
    if (first < 0 || first + 1 >= result->rounds)
        return;
    const struct number_text held = grouped(result->held_after[first]);
    if (report->outcome == AUDIT_LEAKS)
        audit_say(verdict,
                  "Of %s held after round %d, %s %s still held at the end: not closed within %.1f s.\n",
                  held.text, first + 1, grouped(result->held_to_the_end[first]).text,
                  one_or_many(result->held_to_the_end[first], "is", "are"),
                  (double)result->watched_ms[first] / 1e3);
    else if (result->by_group[GROUP_GHOST] > 0)
        audit_say(verdict, "Their number does not grow from round to round: not a leak.\n");
    else
        audit_say(verdict, "A slow closer, not a leak: all %s held after round %d were closed later.\n",
                  held.text, first + 1);
}

static void say_resets(struct audit_verdict *verdict, const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    int64_t after_reply = result->reset_after_reply, at_once = result->by_class[CLASS_RESET] - after_reply;
    if (audit_report_order(report)->asks_late ||
        audit_report_order(report)->never_reads) /* those are told otherwise */
        return;
    if (after_reply > 0)
        audit_say(verdict, "Resets %s after its reply%s%s.\n", counted(after_reply, "connection").text,
                  report->reset_causes[0] != '\0' ? ": close() with unread data sends an RST, as in " : "",
                  report->reset_causes);
    if (at_once > 0)
        audit_say(verdict, "Resets %s without a reply: refused, or closed with the request unread.\n",
                  counted(at_once, "connection").text);
}

/* Those that tell nothing of the server, beside others that do. */
static void say_others(struct audit_verdict *verdict, const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    int64_t refused = result->by_class[CLASS_REFUSED], failed = result->by_class[CLASS_FAILED];
    if (result->by_class[CLASS_TIMED_OUT] > 0)
        audit_say(
            verdict,
            "%s %s not accepted: the accept queue was full (see its backlog), or the network lost %s.\n",
            counted(result->by_class[CLASS_TIMED_OUT], "connection").text,
            one_or_many(result->by_class[CLASS_TIMED_OUT], "was", "were"),
            one_or_many(result->by_class[CLASS_TIMED_OUT], "it", "them"));
    if (refused > 0)
        audit_say(verdict, "%s %s refused: the verdict is that of the others.\n",
                  counted(refused, "connection").text, one_or_many(refused, "was", "were"));
    if (failed > 0)
        audit_say(verdict, "%s failed on this machine, which says nothing about the server.\n",
                  counted(failed, "connection").text);
    if (result->before_act > 0 && !audit_report_order(report)->asks_again &&
        !audit_report_order(report)->asks_late)
        audit_say(verdict, "%s of %s ended before the client did %s.\n", grouped(result->before_act).text,
                  counted(result->count, "connection").text,
                  report->settings->request != NULL ? "more than send its request" : "anything");
}

static double seconds(int64_t us)
{
    return (double)us / 1e6;
}

/* A request that meets the end of the idle timeout is nobody's bug: the two cross on the way (RFC
 * 9112, 9.3.1, asks for no more than a second try). */
static void say_late(struct audit_verdict *verdict, const struct audit_report *report)
{
    const struct audit_requests *later = &report->result->later;
    const struct counted_text sent = counted(later->sent, "request");
    double idle_s = seconds(report->result->idle_us);
    if (later->not_kept == report->result->audited)
        audit_say(verdict, "It closes each connection after its reply, so no request comes too late.\n");
    else if (later->sent > 0 && later->lost == 0)
        audit_say(verdict, "All %s sent as its idle timeout (%.2f s) ended got a reply.\n", sent.text,
                  idle_s);
    else if (later->sent > 0)
        audit_say(verdict,
                  "%s of %s sent as its idle timeout (%.2f s) ended got no reply: it had closed, or was "
                  "closing. This race is inherent in TCP, not a bug; a proxy in front answers 502: make the "
                  "proxy's idle "
                  "timeout shorter than %.2f s.\n",
                  grouped(later->lost).text, sent.text, idle_s, idle_s);
    if (later->sent > 0 && later->not_kept > 0)
        audit_say(verdict, "%s %s closed before that moment.\n", counted(later->not_kept, "connection").text,
                  one_or_many(later->not_kept, "was", "were"));
}

static void say_again(struct audit_verdict *verdict, const struct audit_report *report)
{
    const struct audit_requests *later = &report->result->later;
    const struct number_text all = grouped(report->result->count);
    if (later->not_kept > 0)
        audit_say(verdict,
                  "Closed %s of %s connections before it had %s requests: it does not keep those alive.\n",
                  grouped(later->not_kept).text, all.text, grouped(report->settings->requests).text);
    if (later->lost + later->silent > 0)
        audit_say(verdict,
                  "%s of %s connections got no reply to a later request, although the first request did.\n",
                  grouped(later->lost + later->silent).text, all.text);
}

static void say_requests(struct audit_verdict *verdict, const struct audit_report *report)
{
    if (audit_report_order(report)->asks_late)
        say_late(verdict, report);
    else if (audit_report_order(report)->asks_again)
        say_again(verdict, report);
    if (report->result->orphans > 0)
        audit_say(verdict,
                  "Closed %s with data that the client has not read: their ends are in FIN_WAIT1 and no "
                  "process has them. The kernel keeps probing the client's window, and gives up by itself "
                  "(net.ipv4.tcp_orphan_retries): not a leak of the server.\n",
                  counted(report->result->orphans, "connection").text);
}

/* The times in the table count from when all had come: that is later than the last byte of most. */
static void say_idle_timeout(struct audit_verdict *verdict, const struct audit_report *report)
{
    if (report->settings->expect_idle_ms == 0) {
        if (report->settings->order == AUDIT_IDLE && report->result->idle_us > 0)
            audit_say(verdict, "It closes idle clients %.2f s after the last byte (the median).\n",
                      seconds(report->result->idle_us));
        return;
    }
    const struct number_text expected = duration_text(report->settings->expect_idle_ms);
    if (report->result->idle_us < 0)
        audit_say(verdict, "It was expected to close idle clients after %s.\n", expected.text);
    else
        audit_say(verdict, "It closes idle clients after %.2f s (the median); expected was %s.\n",
                  seconds(report->result->idle_us), expected.text);
}

/* Processes that may be the server's as well: its parent, the parent's other children. */
static void say_unseen_kin(struct audit_verdict *verdict, const struct audit_result *result)
{
    char name[64] = "";
    if (result->unseen_kin_pid > 0)
        snprintf(name, sizeof name, "%s pid %d", name_of(result->unseen_kin_command),
                 (int)result->unseen_kin_pid);
    if (result->unseen_kin == 1 && name[0] != '\0')
        audit_say(verdict, "%s may belong to the server, and", name);
    else if (name[0] != '\0')
        audit_say(verdict, "%d processes, %s among them, may belong to the server, and", result->unseen_kin,
                  name);
    else
        audit_say(verdict, "Other processes listen there too, which");
    audit_say(verdict, " this user may not inspect: what they hold is not known (run this as root).\n");
}

/* What of the server's processes was not seen, though some were. */
void audit_say_who_is_unseen(struct audit_verdict *verdict, const struct audit_result *result)
{
    if (result->ghost_sight == GHOSTS_SEEN && result->unseen_kin > 0)
        say_unseen_kin(verdict, result);
    else if (result->ghost_sight == GHOSTS_SEEN && result->has_unseen_holder)
        audit_say(verdict, "Some of its connections are in no process that this user may inspect: what is "
                           "held there is not known (run this as root).\n");
}

static void say_what_is_unseen(struct audit_verdict *verdict, const struct audit_result *result)
{
    audit_say_who_is_unseen(verdict, result);
    if (result->ghost_sight == GHOSTS_NOT_OURS)
        audit_say(verdict,
                  "This user may not inspect the descriptors of its processes: what it keeps of connections "
                  "that have ended, and behind them, is not known (run this as root, or as its user).\n");
    else if (result->ghost_sight == GHOSTS_FROM_AFAR)
        audit_say(verdict, "Its descriptors cannot be seen from here: what it keeps of connections that have "
                           "ended, and behind them, is not known.\n");
    if (result->fate == FATE_STOPPED)
        audit_say(verdict, "It has since closed its listening socket.\n");
}

static const char *headline(const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    int64_t held = result->by_class[CLASS_HELD] + result->by_class[CLASS_NEVER_ACCEPTED];
    if (report->outcome == AUDIT_OFF_TIME)
        return "The server closes idle clients, but not when it was expected to.";
    if (report->outcome == AUDIT_LOSES)
        return "The server loses replies: it treats the client's FIN as its end.";
    if (report->outcome != AUDIT_LEAKS)
        return held == 0                           ? "The server holds nothing."
               : result->by_group[GROUP_GHOST] > 0 ? "The server closes, but keeps some descriptors."
                                                   : "The server closes, but slowly.";
    if (held == 0)
        return "The server closes its connections, but leaks what it holds behind them.";
    if (result->by_group[GROUP_FROM_AFAR] == held && result->rounds == 1)
        return "The server holds connections, or is still busy.";
    return "The server leaks.";
}

static void say_interrupted(struct audit_verdict *verdict, const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    bool compares = audit_report_order(report)->fin_with_request || audit_report_order(report)->asks_late;
    if (result->count == 0 && !compares)
        audit_say(verdict, "Interrupted before a connection was made.\n");
    else
        audit_say(verdict, "Interrupted after %.1f s: no verdict.\n", result->elapsed_s);
}

/* ---- it did not survive ---- */

static void say_ended(struct audit_verdict *verdict, const struct audit_report *report)
{
    const struct audit_ending *ending = &report->result->ending;
    audit_say(verdict, "%s during the audit: %s pid %d ",
              report->result->fate == FATE_CRASHED ? "A process of the server crashed" : "The server ended",
              name_of(ending->command), (int)ending->pid);
    if (!ending->is_status_known)
        audit_say(verdict, "is gone.\n");
    else if (WIFSIGNALED(ending->status))
        audit_say(verdict, "was killed by signal %d (%s).\n", WTERMSIG(ending->status),
                  strsignal(WTERMSIG(ending->status)));
    else
        audit_say(verdict, "exited with status %d.\n", WEXITSTATUS(ending->status));
    audit_say(verdict, "Whether it would have closed is not known.\n");
}

static void say_closes_or_leaks(struct audit_verdict *verdict, const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    bool keeps = report->outcome == AUDIT_LEAKS && audit_report_order(report)->keeps != NULL &&
                 result->by_group[GROUP_GHOST] < result->by_class[CLASS_HELD];
    if (keeps)
        audit_say(verdict, "The server %s.\n", audit_report_order(report)->keeps);
    else
        audit_say(verdict, "%s\n", headline(report));
    say_held(verdict, report);
    say_rounds(verdict, report);
    audit_say_growth(verdict->text, sizeof verdict->text, &result->growth,
                     result->by_class[CLASS_HELD] + result->by_class[CLASS_NEVER_ACCEPTED] > 0);
    if (report->growth_causes[0] != '\0')
        audit_say(verdict, "Bugs that look like this: %s (\"tcpstorm causes\").\n", report->growth_causes);
    if (result->by_class[CLASS_STILL_RESPONDING] > 0)
        audit_say(verdict, "Still sends on %s after the client's FIN, which is allowed: not a leak.\n",
                  counted(result->by_class[CLASS_STILL_RESPONDING], "connection").text);
    if (result->by_class[CLASS_REPLY_LOST] > 0)
        audit_say(verdict,
                  "%s of %s whose FIN came with the request got less than the %s bytes that a waiting client "
                  "gets: EOF means that the client sends no more, not that it has gone.\n",
                  grouped(result->by_class[CLASS_REPLY_LOST]).text, counted(result->count, "connection").text,
                  grouped(result->reply_bytes).text);
    if (result->by_class[CLASS_REPLY_LOST] > 0 && report->loss_causes[0] != '\0')
        audit_say(verdict, "Bugs that look like this: %s (\"tcpstorm causes\").\n", report->loss_causes);
    say_requests(verdict, report);
    say_idle_timeout(verdict, report);
    say_resets(verdict, report);
    say_others(verdict, report);
    say_what_is_unseen(verdict, result);
}

struct audit_verdict audit_verdict_of(const struct audit_report *report)
{
    struct audit_verdict verdict = {""};
    switch (report->outcome) {
    case AUDIT_CLOSES:
    case AUDIT_LEAKS:
    case AUDIT_LOSES:
    case AUDIT_OFF_TIME:
        say_closes_or_leaks(&verdict, report);
        break;
    case AUDIT_ENDED:
        say_ended(&verdict, report);
        break;
    case AUDIT_NO_VERDICT:
        audit_say_no_verdict(&verdict, report);
        break;
    case AUDIT_INTERRUPTED:
        say_interrupted(&verdict, report);
        break;
    }
    if (report->program.has_ended)
        audit_say(&verdict, "The program %s before it was stopped.\n", report->program.text);
    if (audit_is_unix(report->settings))
        audit_say_as_unix(verdict.text, sizeof verdict.text);
    return verdict;
}
