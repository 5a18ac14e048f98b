/* audit_verdict: what an audit means, in sentences. */
#include "base/number_text.h"
#include "tcp/socket_owner.h"
#include "view/audit_view.h"

#include <stdarg.h>
#include <string.h>

static void say(struct audit_verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct audit_verdict *verdict, const char *format, ...)
{
    size_t length = strlen(verdict->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(verdict->text + length, sizeof verdict->text - length, format, arguments);
    va_end(arguments);
}

static const char *const acts[] = {
    [AUDIT_HALF_CLOSE] = "the client's FIN",
    [AUDIT_CLIENT_FIRST] = "the client's FIN",
    [AUDIT_ABORT] = "the client's RST",
    [AUDIT_IDLE] = "the last byte",
};

static const char *const groups[] = {
    [GROUP_NONE] = "",
    [GROUP_FROM_AFAR] = "from afar a server that holds them and one that is still busy look alike: to tell, "
                        "run this where the "
                        "server is",
    [GROUP_NO_OWNER] = "no process has them: they were never accepted",
    [GROUP_EOF_UNREAD] = "EOF is unread (Recv-Q >= 1): the server is not reading",
    [GROUP_EOF_READ] = "everything is read (Recv-Q 0): only close() is missing",
    [GROUP_OTHER_PROCESS] =
        "held by a process that does not listen: one that was given them, or inherited them",
    [GROUP_GHOST] =
        "these are descriptors of connections that have left every table: no count of states shows them",
    [GROUP_OPEN] = "its ends are ESTABLISHED",
};

/* "; owner nginx pid 812 and others". */
static void say_owners(struct audit_verdict *verdict, const struct audit_result *result,
                       enum audit_group group)
{
    const struct audit_connection *first = NULL;
    bool has_others = false;
    for (int64_t i = 0; i < result->count; i++) {
        const struct audit_connection *connection = &result->connections[i];
        if (connection->group != group || connection->owner == 0)
            continue;
        has_others |= first != NULL && connection->owner != first->owner;
        first = first == NULL ? connection : first;
    }
    if (first != NULL)
        say(verdict, "; owner %s pid %d%s", first->command[0] != '\0' ? first->command : "a process",
            (int)first->owner, has_others ? " and others" : "");
    else if (group == GROUP_GHOST && result->listener > 0)
        say(verdict, "; owner %s pid %d", process_command(result->listener).text, (int)result->listener);
}

static void say_held(struct audit_verdict *verdict, const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    bool names_bugs =
        report->leaks && report->settings->order != AUDIT_IDLE; /* those are of clients that left */
    for (int group = GROUP_NONE + 1; group < GROUP_COUNT; group++) {
        if (result->by_group[group] == 0)
            continue;
        say(verdict, "Holds %s of %s connections %s after %s; %s", grouped(result->by_group[group]).text,
            grouped(result->count).text, duration_text(report->settings->grace_ms).text,
            acts[report->settings->order], groups[group]);
        say_owners(verdict, result, (enum audit_group)group);
        say(verdict, ".\n");
        if (names_bugs && report->causes[group][0] != '\0')
            say(verdict, "Bugs that look like this: %s (\"tcpstorm causes\").\n", report->causes[group]);
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
    if (report->leaks)
        say(verdict,
            "It grows: of %s held after round %d, %s are still held at the end, so it is no slow closer.\n",
            held.text, first + 1, grouped(result->held_to_the_end[first]).text);
    else
        say(verdict, "A slow closer, not a leak: all %s held after round %d were closed later.\n", held.text,
            first + 1);
}

static void say_resets(struct audit_verdict *verdict, const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    int64_t after_reply = result->reset_after_reply, at_once = result->by_class[CLASS_RESET] - after_reply;
    if (after_reply > 0)
        say(verdict, "Resets %s connections after its reply%s%s.\n", grouped(after_reply).text,
            report->reset_causes[0] != '\0' ? ": with data unread close() sends RST, as in " : "",
            report->reset_causes);
    if (at_once > 0)
        say(verdict, "Resets %s connections without a reply: refused, or closed with the request unread.\n",
            grouped(at_once).text);
}

static const char *headline(const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    int64_t held = result->by_class[CLASS_HELD] + result->by_class[CLASS_NEVER_ACCEPTED];
    if (!report->leaks)
        return held > 0 ? "The server closes, slowly." : "The server holds nothing.";
    if (report->settings->order == AUDIT_IDLE)
        return "The server keeps idle clients.";
    if (result->by_group[GROUP_FROM_AFAR] == held && result->rounds == 1)
        return "The server holds connections, or is still busy.";
    return "The server leaks.";
}

static void say_no_verdict(struct audit_verdict *verdict, const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    if (result->count == 0)
        say(verdict, "Interrupted before a connection was made.\n");
    else if (result->by_class[CLASS_REFUSED] > 0)
        say(verdict, "Nobody listens on %s: connect() is refused.\n", report->settings->target);
    else if (result->by_class[CLASS_TIMED_OUT] > 0)
        say(verdict, "No answer from %s: connect() timed out.\n", report->settings->target);
    else
        say(verdict, "%s cannot be reached: %s.\n", report->settings->target,
            strerror(result->connections[0].error));
}

struct audit_verdict audit_verdict_of(const struct audit_report *report)
{
    const struct audit_result *result = report->result;
    struct audit_verdict verdict = {""};
    if (report->is_void) {
        say_no_verdict(&verdict, report);
        return verdict;
    }
    say(&verdict, "%s\n", headline(report));
    say_held(&verdict, report);
    say_rounds(&verdict, report);
    if (result->by_class[CLASS_STILL_RESPONDING] > 0)
        say(&verdict, "Still sends on %s connections after the client's FIN, as it may: not a leak.\n",
            grouped(result->by_class[CLASS_STILL_RESPONDING]).text);
    say_resets(&verdict, report);
    if (result->by_class[CLASS_TIMED_OUT] > 0)
        say(&verdict,
            "%s connections were not taken in: the accept queue was full (see its backlog), or the network "
            "lost them.\n",
            grouped(result->by_class[CLASS_TIMED_OUT]).text);
    if (result->by_class[CLASS_REFUSED] + result->by_class[CLASS_FAILED] > 0)
        say(&verdict, "%s connections could not be opened: the others tell what they can.\n",
            grouped(result->by_class[CLASS_REFUSED] + result->by_class[CLASS_FAILED]).text);
    if (result->before_act > 0)
        say(&verdict, "%s of %s connections ended before the client did anything.\n",
            grouped(result->before_act).text, grouped(result->count).text);
    if (report->settings->order == AUDIT_ABORT && !result->ghosts_known)
        say(&verdict,
            "Its descriptors may not be looked into: whether it still has them is not known (run as root, "
            "or as its user).\n");
    return verdict;
}
