/* proxy_verdict: what the audit of a proxy means, in sentences. */
#include "base/number_text.h"
#include "base/text.h"
#include "view/proxy_view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

static void say(struct proxy_verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct proxy_verdict *verdict, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_vadd(verdict->text, sizeof verdict->text, format, arguments);
    va_end(arguments);
}

static bool is_http(const struct proxy_report *report)
{
    return report->settings->http_path != NULL;
}

/* ---- what it passes on ---- */

/* What becomes of one way to end: of all cells in which that end is the first one. */
struct passage {
    int64_t heard[HEARD_COUNT], early, passed;
};

static void add_passage(struct passage *passage, const struct proxy_cell *cell, enum proxy_side listener)
{
    for (int heard = 0; heard < HEARD_COUNT; heard++)
        passage->heard[heard] += cell->heard[listener][heard];
    passage->early += cell->early[listener];
    passage->passed += cell->passed;
}

static struct passage passage_of(const struct proxy_result *result, enum proxy_side ends,
                                 enum proxy_manner manner)
{
    struct passage passage = {.passed = 0};
    if (ends == PROXY_BACK)
        add_passage(&passage, proxy_cell_of(result, MANNER_STAYS, manner), PROXY_FRONT);
    for (int backend = 0; ends == PROXY_FRONT && backend < MANNER_COUNT; backend++)
        add_passage(&passage, proxy_cell_of(result, manner, (enum proxy_manner)backend), PROXY_BACK);
    return passage;
}

/* Over HTTP a backend replies to a client of whose end it has not heard, and a client is kept for another
 * request.
 */
static const char *heard_words(enum proxy_heard heard, bool http, enum proxy_side ends)
{
    static const char *const names[] = {
        [HEARD_NOTHING] = "not at all", [HEARD_FIN] = "as FIN", [HEARD_RST] = "as RST"};
    if (heard != HEARD_NOTHING || !http)
        return names[heard];
    return ends == PROXY_FRONT ? "not before it replies" : "not at all (it is kept alive)";
}

/* "as FIN", "not at all", "as RST (3) or FIN (2)" */
static void say_passage(struct proxy_verdict *verdict, const struct passage *passage, bool http,
                        enum proxy_side ends)
{
    bool is_first = true;
    if (passage->passed == 0)
        say(verdict, "(not tried)");
    for (int heard = HEARD_COUNT - 1; heard >= 0; heard--) {
        if (passage->heard[heard] == 0)
            continue;
        say(verdict, "%s%s", is_first ? "" : " or ", heard_words((enum proxy_heard)heard, http, ends));
        if (passage->heard[heard] < passage->passed)
            say(verdict, " (%s)", grouped(passage->heard[heard]).text);
        is_first = false;
    }
}

static void say_passed_on(struct proxy_verdict *verdict, const struct proxy_report *report,
                          enum proxy_side ends)
{
    static const char *const acts[] = {
        [MANNER_CLOSE] = "close()", [MANNER_HALF_CLOSE] = "half-close", [MANNER_ABORT] = "RST"};
    say(verdict, "The %s sees the %s's ", ends == PROXY_FRONT ? "backend" : "client",
        ends == PROXY_FRONT ? "client" : "backend");
    for (int manner = MANNER_CLOSE; manner <= MANNER_ABORT; manner++) {
        struct passage passage = passage_of(report->result, ends, (enum proxy_manner)manner);
        say(verdict, "%s%s ", manner > MANNER_CLOSE ? ", " : "", acts[manner]);
        say_passage(verdict, &passage, is_http(report), ends);
    }
    say(verdict, ".\n");
}

static void say_half_open(struct proxy_verdict *verdict, const struct proxy_report *report,
                          enum proxy_side ends)
{
    const struct proxy_result *result = report->result;
    int64_t answered = 0, passed = 0;
    for (int other = 0; other < MANNER_COUNT; other++) {
        bool counts = ends == PROXY_FRONT ? other != MANNER_ABORT : other == MANNER_STAYS;
        const struct proxy_cell *cell =
            ends == PROXY_FRONT ? proxy_cell_of(result, MANNER_HALF_CLOSE, (enum proxy_manner)other)
                                : proxy_cell_of(result, (enum proxy_manner)other, MANNER_HALF_CLOSE);
        answered += counts ? cell->answered : 0;
        passed += counts ? cell->passed : 0;
    }
    if (passed == 0)
        return;
    const char *who = ends == PROXY_FRONT ? "client" : "backend",
               *other = ends == PROXY_FRONT ? "backend" : "client";
    if (answered == passed)
        say(verdict, "After the %s's half-close, everything that the %s sends still arrives.\n", who, other);
    else if (answered == 0)
        say(verdict,
            "After the %s's half-close, nothing more from the %s arrives: the proxy treats it as the end.\n",
            who, other);
    else
        say(verdict,
            "After the %s's half-close, everything that the %s sends arrives on %s of %s connections.\n", who,
            other, grouped(answered).text, grouped(passed).text);
}

static void say_facts(struct proxy_verdict *verdict, const struct proxy_report *report)
{
    const struct proxy_result *result = report->result;
    say_passed_on(verdict, report, PROXY_FRONT);
    say_passed_on(verdict, report, PROXY_BACK);
    say_half_open(verdict, report, PROXY_FRONT);
    if (!is_http(report))
        say_half_open(verdict, report, PROXY_BACK);
    if (result->pooled > 0)
        say(verdict,
            "It keeps %s to the backend open after their clients have gone (pooled); of %s, %s came on one "
            "of them.\n",
            counted(result->pooled, "connection").text,
            counted(report->settings->conns, "later request").text, grouped(result->reused).text);
    if (result->lost == 0)
        say(verdict, "Data in flight: all of it arrived.\n");
}

/* ---- what is wrong ---- */

static const char *const holds[] = {
    [HOLD_SOCKET] = "",
    [HOLD_NEVER_ACCEPTED] = "no process has them: they were never accepted",
    [HOLD_GHOST] = "descriptors of connections that have left every table",
    [HOLD_FROM_AFAR] = "it has not closed them: our ends wait for its FIN",
};

static const char *where(enum proxy_side side)
{
    return side == PROXY_FRONT ? "from clients" : "to the backend";
}

static void say_owner(struct proxy_verdict *verdict, const struct proxy_leg *leg, bool has_others)
{
    if (leg->owner > 0)
        say(verdict, "; owner %s pid %d%s", leg->command[0] != '\0' ? leg->command : "a process",
            (int)leg->owner, has_others ? " and others" : "");
    else if (leg->hold == HOLD_SOCKET || leg->hold == HOLD_NONE)
        say(verdict, "; the owner cannot be seen (run this as root, or as the proxy's user)");
}

static bool is_of(const struct proxy_leg *leg, enum proxy_hold hold, enum tcp_state state)
{
    return leg->hold == hold && (hold == HOLD_GHOST || leg->held_state == state);
}

static void say_held_in(struct proxy_verdict *verdict, const struct proxy_report *report,
                        enum proxy_side side, enum proxy_hold hold, enum tcp_state state)
{
    const struct proxy_result *result = report->result;
    const struct proxy_leg *first = NULL;
    int64_t count = 0, unread = 0, unsure = 0;
    bool has_others = false;
    for (int64_t i = 0; i < result->count; i++) {
        const struct proxy_leg *leg = &result->pairs[i].leg[side];
        if (!is_of(leg, hold, state))
            continue;
        first = first == NULL ? leg : first;
        has_others |= leg->owner != first->owner;
        unread += leg->unread > 0;
        unsure += leg->unread == 0 && leg->fin_with_data;
        count++;
    }
    if (count == 0)
        return;
    say(verdict, "Holds %s %s, %s after both our ends have gone: ", counted(count, "connection").text,
        where(side), duration_text(report->settings->grace_ms).text);
    if (hold == HOLD_SOCKET && state == STATE_CLOSE_WAIT)
        say(verdict, "CLOSE_WAIT, %s",
            unread == count             ? "EOF is unread"
            : unread == 0 && unsure > 0 ? "all data is read, but perhaps not EOF: the FIN came with the data"
            : unread == 0               ? "everything is read: only close() is missing"
                                        : "EOF is unread on some");
    else if (hold == HOLD_SOCKET)
        say(verdict, "%s", tcp_state_name(state));
    else
        say(verdict, "%s", holds[hold]);
    if (hold == HOLD_SOCKET || hold == HOLD_GHOST)
        say_owner(verdict, first, has_others);
    say(verdict, ".\n");
}

static void say_held(struct proxy_verdict *verdict, const struct proxy_report *report)
{
    for (int side = 0; side < PROXY_SIDES; side++)
        for (int hold = HOLD_NONE + 1; hold < HOLD_COUNT; hold++)
            for (int state = 0; state < (hold == HOLD_GHOST ? 1 : STATE_COUNT); state++)
                say_held_in(verdict, report, (enum proxy_side)side, (enum proxy_hold)hold,
                            (enum tcp_state)state);
}

static void say_one_sided(struct proxy_verdict *verdict, const struct proxy_report *report)
{
    const struct proxy_result *result = report->result;
    for (int side = 0; side < PROXY_SIDES; side++) {
        const struct proxy_leg *first = NULL;
        int64_t count = 0;
        for (int64_t i = 0; i < result->count; i++) {
            if (!result->pairs[i].is_one_sided || result->pairs[i].kept_on != (enum proxy_side)side)
                continue;
            first = first == NULL ? &result->pairs[i].leg[side] : first;
            count++;
        }
        if (count == 0)
            continue;
        say(verdict, "Keeps %s %s (ESTABLISHED) whose %s has gone, and does not close %s",
            counted(count, "connection").text, where((enum proxy_side)side),
            side == PROXY_FRONT ? "backend" : "client", one_or_many(count, "it", "them"));
        say_owner(verdict, first, false);
        say(verdict, ".\n");
    }
}

static void say_lost(struct proxy_verdict *verdict, const struct proxy_report *report)
{
    const struct proxy_result *result = report->result;
    for (int side = 0; side < PROXY_SIDES; side++) {
        int64_t pairs = 0, sent = 0, arrived = 0;
        for (int64_t i = 0; i < result->count; i++) {
            const struct proxy_pair_result *pair = &result->pairs[i];
            if (!pair->is_lost[side])
                continue;
            pairs++;
            sent += pair->leg[side].sent;
            arrived += pair->leg[proxy_side_other((enum proxy_side)side)].received;
        }
        if (pairs > 0)
            say(verdict,
                "Loses data in flight from the %s on %s: of %s bytes sent just before its FIN, %s arrived.\n",
                side == PROXY_FRONT ? "client" : "backend", counted(pairs, "connection").text,
                grouped(sent).text, grouped(arrived).text);
    }
}

static void say_what_is_unseen(struct proxy_verdict *verdict, const struct proxy_result *result)
{
    if (result->unseen > 0 && result->ghost_sight == GHOSTS_SEEN)
        say(verdict,
            "The proxy's ends of %s were not in our tables: another process has them, elsewhere (a "
            "container?).\n",
            counted(result->unseen, "connection").text);
    if (result->ghost_sight == GHOSTS_NOT_OURS)
        say(verdict, "This user may not inspect the descriptors of its processes: it is not known whether it "
                     "keeps descriptors of reset connections (run this as root, or as its user).\n");
    else if (result->ghost_sight == GHOSTS_FROM_AFAR)
        say(verdict, "Its descriptors cannot be seen from here: it is not known whether it keeps descriptors "
                     "of reset connections (run this on its machine, in its network namespace).\n");
}

static void say_others(struct proxy_verdict *verdict, const struct proxy_report *report)
{
    const struct proxy_result *result = report->result;
    int64_t passed = result->by_class[PAIR_PASSED];
    if (passed < result->count)
        say(verdict, "%s of %s reached the backend.\n", grouped(passed).text,
            counted(result->count, "connection").text);
    if (result->strangers > 0)
        say(verdict, "%s came to the backend (health checks?).\n",
            counted(result->strangers, "other connection").text);
    if (result->retried > 0)
        say(verdict, "%s came again (%s), and %s closed.\n", counted(result->retried, "connection").text,
            one_or_many(result->retried, "a retry", "retries"), one_or_many(result->retried, "was", "were"));
}

/* ---- no verdict ---- */

static int error_of_failed(const struct proxy_result *result)
{
    for (int64_t i = 0; i < result->count; i++)
        if (result->pairs[i].class == PAIR_FAILED)
            return result->pairs[i].error;
    return 0;
}

/* Nothing came through. */
static void say_why_nothing_came(struct proxy_verdict *verdict, const struct proxy_report *report)
{
    const struct proxy_result *result = report->result;
    const struct proxy_settings *settings = report->settings;
    const int64_t *by_class = result->by_class;
    if (by_class[PAIR_REFUSED] > 0)
        say(verdict, "Nobody listens on %s: connect() is refused.\n", settings->front_text);
    else if (by_class[PAIR_FAILED] > 0)
        say(verdict, "%s cannot be audited: %s.\n", settings->front_text, strerror(error_of_failed(result)));
    else if (by_class[PAIR_UNANSWERED] > 0)
        say(verdict, "No answer from %s: connect() timed out.\n", settings->front_text);
    else if (result->answer[0] != '\0')
        say(verdict,
            "No connection came to %s: the proxy answered by itself, \"%s\". Is %s set to forward there?\n",
            settings->back_text, result->answer, settings->front_text);
    else if (result->strangers > 0)
        say(verdict, "None of our connections came to %s, but %s %s did, with other data%s.\n",
            settings->back_text, grouped(result->strangers).text,
            one_or_many(result->strangers, "other", "others"),
            is_http(report) ? "" : ": an HTTP proxy needs --http PATH");
    else
        say(verdict, "No connection came to %s: is %s set to forward there?%s\n", settings->back_text,
            settings->front_text, is_http(report) ? "" : " (An HTTP proxy needs --http PATH.)");
}

static void say_no_verdict(struct proxy_verdict *verdict, const struct proxy_report *report)
{
    const struct proxy_result *result = report->result;
    if (result->failure != NULL) {
        say(verdict, "No verdict: %s: %s.\n", result->failure, strerror(result->failure_error));
    } else if (result->by_class[PAIR_PASSED] == 0) {
        say_why_nothing_came(verdict, report);
    } else if (result->by_class[PAIR_PASSED] * 10 < result->count * 9) {
        say(verdict, "Too few for a verdict: %s of %s reached the backend.\n",
            grouped(result->by_class[PAIR_PASSED]).text, counted(result->count, "connection").text);
        say_facts(verdict, report);
    } else {
        say(verdict,
            "No verdict: the proxy holds nothing that can be seen, but not all of it can be seen.\n");
        say_what_is_unseen(verdict, result);
        say_facts(verdict, report);
        say_others(verdict, report);
    }
}

static void say_ended(struct proxy_verdict *verdict, const struct proxy_report *report)
{
    const struct audit_ending *ending = &report->result->ending;
    say(verdict, "%s during the audit: %s pid %d ",
        report->result->fate == FATE_CRASHED ? "A process of the proxy crashed" : "The proxy ended",
        ending->command[0] != '\0' ? ending->command : "a process", (int)ending->pid);
    if (!ending->is_status_known)
        say(verdict, "is gone.\n");
    else if (WIFSIGNALED(ending->status))
        say(verdict, "was killed by signal %d (%s).\n", WTERMSIG(ending->status),
            strsignal(WTERMSIG(ending->status)));
    else
        say(verdict, "exited with status %d.\n", WEXITSTATUS(ending->status));
}

static void say_finding(struct proxy_verdict *verdict, const struct proxy_report *report)
{
    static const char *const headlines[] = {
        [PROXY_LETS_GO] = "The proxy releases every connection, and loses nothing.",
        [PROXY_LEAKS] = "The proxy leaks.",
        [PROXY_LOSES] = "The proxy loses data.",
    };
    say(verdict, "%s\n", headlines[report->outcome]);
    say_held(verdict, report);
    say_one_sided(verdict, report);
    say_lost(verdict, report);
    say_facts(verdict, report);
    say_others(verdict, report);
    if (report->outcome != PROXY_LETS_GO)
        say_what_is_unseen(verdict, report->result);
}

struct proxy_verdict proxy_verdict_of(const struct proxy_report *report)
{
    struct proxy_verdict verdict = {""};
    switch (report->outcome) {
    case PROXY_LETS_GO:
    case PROXY_LEAKS:
    case PROXY_LOSES:
        say_finding(&verdict, report);
        break;
    case PROXY_ENDED:
        say_ended(&verdict, report);
        break;
    case PROXY_NO_VERDICT:
        say_no_verdict(&verdict, report);
        break;
    case PROXY_INTERRUPTED:
        say(&verdict,
            "Interrupted after %.1f s, when %s of %s connections had reached the backend: no verdict.\n",
            report->result->elapsed_s, grouped(report->result->by_class[PAIR_PASSED]).text,
            grouped(report->result->count).text);
        break;
    }
    return verdict;
}

struct proxy_cell_text proxy_cell_fault(const struct proxy_cell *cell)
{
    struct proxy_cell_text text = {""};
    if (cell->held[PROXY_FRONT] > 0)
        TEXT_ADD(text.text, "holds %s from clients; ", counted(cell->held[PROXY_FRONT], "connection").text);
    if (cell->held[PROXY_BACK] > 0)
        TEXT_ADD(text.text, "holds %s to the backend; ", counted(cell->held[PROXY_BACK], "connection").text);
    if (cell->one_sided > 0)
        TEXT_ADD(text.text, "keeps %s whose other end has gone; ",
                 counted(cell->one_sided, "connection").text);
    if (cell->lost > 0)
        TEXT_ADD(text.text, "loses data in flight on %" PRId64 "; ", cell->lost);
    size_t length = strlen(text.text);
    if (length > 1 && text.text[length - 2] == ';')
        text.text[length - 2] = '\0';
    return text;
}
