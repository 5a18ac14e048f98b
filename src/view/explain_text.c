/* explain_text: an explanation that is read in five seconds: who, what lingers, why, how fast, what to do. */
#include "base/number_text.h"
#include "base/text.h"
#include "base/wrap.h"
#include "view/explain_view.h"
#include "view/stack_view.h"
#include "view/view.h"

#include <errno.h>
#include <string.h>

enum {
    WIDTH = 98,
    GROUP_INDENT = 2,
    VERDICT_INDENT = 5,
    PROCESSES_MOST = 8, /* that have a line of their own */
    FINDINGS_MOST = 12,
    LISTENERS_MOST = 4,
};

struct line {
    char text[2048];
};

#define ADD(line, ...) TEXT_ADD((line)->text, __VA_ARGS__)

/* ---- who ---- */

static bool is_any_on(const struct fact_listener *listener, uint16_t port)
{
    return address_is_wildcard(&listener->at.address) && listener->at.port == port;
}

static bool is_same(const struct fact_listener *a, const struct fact_listener *b)
{
    return a->at.port == b->at.port && address_equal(&a->at.address, &b->at.address);
}

/* On all addresses of IPv4 and of IPv6 it listens on a port, said once; and so are several on one
 * (SO_REUSEPORT). */
static bool is_told(const struct facts *facts, int listener)
{
    const struct fact_listener *of = &facts->listeners[listener];
    for (int i = 0; i < listener; i++)
        if (is_same(of, &facts->listeners[i]) ||
            (is_any_on(of, of->at.port) && is_any_on(&facts->listeners[i], of->at.port)))
            return true;
    return false;
}

static void add_listeners(struct line *line, const struct facts *facts)
{
    int told = 0, left = 0;
    for (int i = 0; i < facts->listener_count; i++) {
        const struct fact_endpoint *at = &facts->listeners[i].at;
        bool is_any = address_is_wildcard(&at->address);
        if (is_told(facts, i))
            continue;
        if (told == LISTENERS_MOST) {
            left++;
            continue;
        }
        ADD(line, "%s%s:%u", told++ == 0 ? " listens on " : ", ",
            is_any ? "" : address_text(&at->address).text, at->port);
    }
    if (left > 0)
        ADD(line, " and %d more", left);
}

static void print_process(FILE *out, const struct facts *facts, const struct fact_process *process)
{
    struct line line = {""};
    ADD(&line, "%s %d", process->command, (int)process->pid);
    if (process->group.name.kind != CGROUP_NONE)
        ADD(&line, " (%s)", process->group.name.text);
    add_listeners(&line, facts);
    if (process->descriptors >= 0)
        ADD(&line, "; %s", grouped(process->descriptors).text);
    if (process->descriptors >= 0 && process->descriptor_limit >= 0)
        ADD(&line, " of %s", grouped(process->descriptor_limit).text);
    if (process->descriptors >= 0)
        ADD(&line, " descriptors");
    if (process->ghosts > 0)
        ADD(&line, ", %s ghost%s", grouped(process->ghosts).text, process->ghosts == 1 ? "" : "s");
    else if (process->ghosts == 0 && process->descriptors >= 0)
        ADD(&line, ", no ghosts");
    wrap_print(out, line.text, 0, WIDTH);
}

static void print_processes(FILE *out, const struct facts *facts)
{
    int told = 0, others = 0;
    for (int i = 0; i < facts->process_count; i++) {
        if (facts->processes[i].is_heir)
            continue;
        if (told < PROCESSES_MOST) {
            print_process(out, facts, &facts->processes[i]);
            told++;
        } else {
            others++;
        }
    }
    if (others > 0)
        fprintf(out, "and %d more %s\n", others, one_or_many(others, "process", "processes"));
}

/* ---- what lingers, and why ---- */

/* "[shown: never-accept]" */
static void add_mark(struct line *line, const struct finding *finding)
{
    ADD(line, " [%s", certainty_name(finding->certainty));
    for (int i = 0; i < RULE_CAUSES && finding->rule->causes[i] != NULL; i++)
        ADD(line, "%s%s", i == 0 ? ": " : ", ", finding->rule->causes[i]);
    ADD(line, "]");
}

static bool is_same_verdict(const struct finding *a, const struct finding *b)
{
    return strcmp(a->rule->name, b->rule->name) == 0 && a->certainty == b->certainty &&
           strcmp(a->verdict.text, b->verdict.text) == 0;
}

static bool is_first_of_its_verdict(const struct explanation *explanation, int finding)
{
    for (int i = 0; i < finding; i++)
        if (is_same_verdict(&explanation->findings[i], &explanation->findings[finding]))
            return false;
    return true;
}

/* An example of the bytes that nobody has read. */
static void print_peeked(FILE *out, const struct finding *finding)
{
    struct line line = {""};
    if (!finding->is_peeked || finding->peeked.error == EAGAIN)
        return;
    if (finding->peeked.error == 0)
        ADD(&line, "The first unread bytes of one: \"%s\".", finding->peeked.text);
    else
        ADD(&line, "Their unread bytes cannot be read: %s.", strerror(finding->peeked.error));
    wrap_print(out, line.text, VERDICT_INDENT, WIDTH);
}

/* The groups of which the same is said, and then what is said. */
static void print_finding(FILE *out, const struct explanation *explanation, int first)
{
    const struct finding *finding = &explanation->findings[first];
    struct line line = {""};
    for (int i = first; i < explanation->finding_count; i++)
        if (explanation->findings[i].heading.text[0] != '\0' &&
            is_same_verdict(finding, &explanation->findings[i])) {
            wrap_print(out, explanation->findings[i].heading.text, GROUP_INDENT, WIDTH);
            print_peeked(out, &explanation->findings[i]);
        }
    ADD(&line, "%s", finding->verdict.text);
    add_mark(&line, finding);
    wrap_print(out, line.text, finding->heading.text[0] != '\0' ? VERDICT_INDENT : GROUP_INDENT, WIDTH);
}

static void print_findings(FILE *out, const struct explanation *explanation)
{
    int told = 0, left = 0;
    for (int i = 0; i < explanation->finding_count; i++) {
        if (!is_first_of_its_verdict(explanation, i))
            continue;
        if (told < FINDINGS_MOST) {
            print_finding(out, explanation, i);
            told++;
        } else {
            left++;
        }
    }
    if (left > 0)
        fprintf(out, "%*sand %d smaller group%s: --json has them\n", GROUP_INDENT, "", left, plural(left));
}

static int count_open(const struct facts *facts)
{
    int count = 0;
    for (int i = 0; i < facts->socket_count; i++)
        count += facts->sockets[i].state == STATE_ESTABLISHED && facts->sockets[i].holder != HOLDER_QUEUE &&
                 facts->sockets[i].holder != HOLDER_CALL;
    return count;
}

static void print_nothing(FILE *out, const struct explain_report *report)
{
    const struct explanation *explanation = report->explanation;
    struct line line = {""};
    int open = count_open(explanation->facts);
    ADD(&line, "Nothing lingers: %s open connection%s", grouped(open).text, open == 1 ? "" : "s");
    if (explanation->groups.young > 0)
        ADD(&line, ", and %s closed by their peer less than %s ago, or at an unknown time",
            grouped(explanation->groups.young).text, duration_text(report->grace_ms).text);
    int half_closed = explanation->groups.half_closed;
    if (half_closed > 0)
        ADD(&line, ", and %s that it has half-closed, where the peer's FIN may still come",
            grouped(half_closed).text);
    ADD(&line, ".");
    wrap_print(out, line.text, GROUP_INDENT, WIDTH);
}

static bool has_ghost_group(const struct explanation *explanation)
{
    for (int i = 0; i < explanation->groups.count; i++)
        if (explanation->groups.each[i].state == STATE_CLOSE)
            return true;
    return false;
}

static void print_ghosts(FILE *out, const struct explanation *explanation)
{
    if (explanation->ghosts == 0 || has_ghost_group(explanation))
        return;
    struct line line = {""};
    ADD(&line,
        "%s %s open on connections that are gone, ended by a reset or by keep-alive. No kernel table shows "
        "%s: %s like CLOSE_WAIT.",
        counted(explanation->ghosts, "descriptor").text, one_or_many(explanation->ghosts, "is", "are"),
        one_or_many(explanation->ghosts, "it", "them"),
        one_or_many(explanation->ghosts, "it leaks", "they leak"));
    wrap_print(out, line.text, GROUP_INDENT, WIDTH);
}

/* ---- all together ---- */

static void print_contrast(FILE *out, const struct explanation *explanation)
{
    struct words words = words_of_contrast(&explanation->contrast);
    if (words.text[0] == '\0')
        return;
    struct line line = {""};
    ADD(&line, "In common: %s.", words.text);
    wrap_print(out, line.text, GROUP_INDENT, WIDTH);
}

static void print_window(FILE *out, const struct explanation *explanation)
{
    struct words words = words_of_window(explanation->facts, &explanation->closing);
    if (words.text[0] != '\0')
        wrap_print(out, words.text, GROUP_INDENT, WIDTH);
}

static void print_outlook(FILE *out, const struct explanation *explanation)
{
    struct words words = words_of_outlook(explanation->facts, &explanation->outlook);
    if (words.text[0] != '\0')
        wrap_print(out, words.text, GROUP_INDENT, WIDTH);
}

/* ---- what to do ---- */

static bool is_said(const struct explanation *explanation, int finding)
{
    for (int i = 0; i < finding; i++)
        if (strcmp(explanation->findings[i].act.text, explanation->findings[finding].act.text) == 0)
            return true;
    return false;
}

static void print_acts(FILE *out, const struct explanation *explanation)
{
    struct line line = {""};
    for (int i = 0; i < explanation->finding_count && i < FINDINGS_MOST; i++)
        if (!is_said(explanation, i))
            ADD(&line, "%s%s", i == 0 ? "Do: " : "; ", explanation->findings[i].act.text);
    if (line.text[0] == '\0')
        return;
    ADD(&line, ".");
    wrap_print(out, line.text, GROUP_INDENT, WIDTH);
}

/* What the rules that were met leave open. */
struct open_questions {
    bool window, dump, audit;
    int process; /* of which a dump would tell */
};

static struct open_questions questions_of(const struct explanation *explanation)
{
    struct open_questions open = {.process = -1};
    for (int i = 0; i < explanation->finding_count; i++) {
        const struct finding *finding = &explanation->findings[i];
        open.window = open.window || (finding->rule->needs_window && finding->share.all == 0);
        open.audit = open.audit || finding->rule->needs_audit;
        if (!finding->rule->needs_dump || open.dump)
            continue;
        open.dump = true;
        open.process = finding->group != NULL ? finding->group->first_process : -1;
    }
    return open;
}

/* That of the largest group, or the first. */
static const struct fact_listener *listener_to_audit(const struct explanation *explanation)
{
    for (int i = 0; i < explanation->groups.count; i++)
        if (explanation->groups.each[i].listener >= 0)
            return &explanation->facts->listeners[explanation->groups.each[i].listener];
    return explanation->facts->listener_count > 0 ? &explanation->facts->listeners[0] : NULL;
}

/* The address that a client of a listener would use. */
static void add_audit(struct line *line, const struct fact_listener *listener)
{
    const struct address *address = &listener->at.address;
    const char *any = address->family == AF_INET6 ? "[::1]" : "127.0.0.1";
    ADD(line, "\"tcpstorm audit %s:%u\"", address_is_wildcard(address) ? any : address_text(address).text,
        listener->at.port);
}

/* Where tasks are threads their stacks have told it. */
static bool is_dumped(const struct explain_report *report, const struct fact_process *process)
{
    return report->stacks != NULL && report->stacks->read > 0 &&
           (process->runtime == RUNTIME_UNKNOWN || process->runtime == RUNTIME_PYTHON);
}

static void print_decides(FILE *out, const struct explain_report *report, const struct open_questions *open)
{
    const struct facts *facts = report->explanation->facts;
    const struct fact_listener *listener = listener_to_audit(report->explanation);
    struct line line = {""};
    if (open->window)
        ADD(&line, "\"tcpstorm explain %s --for 10s\", under traffic", report->target);
    if (open->dump && open->process >= 0 && !is_dumped(report, &facts->processes[open->process]))
        ADD(&line, "%s%s", line.text[0] != '\0' ? "; " : "",
            words_of_dump(&facts->processes[open->process]).text);
    if (open->audit && listener != NULL) {
        ADD(&line, "%s", line.text[0] != '\0' ? "; " : "");
        add_audit(&line, listener);
    }
    if (line.text[0] == '\0')
        return;
    struct line sentence = {""};
    ADD(&sentence, "Next: %s.", line.text);
    wrap_print(out, sentence.text, GROUP_INDENT, WIDTH);
}

static void print_next(FILE *out, const struct explain_report *report)
{
    const struct explanation *explanation = report->explanation;
    struct open_questions open = questions_of(explanation);
    const struct fact_listener *listener = listener_to_audit(explanation);
    struct line line = {"Then: "};
    print_acts(out, explanation);
    print_decides(out, report, &open);
    if (explanation->finding_count == 0 || listener == NULL || open.audit)
        return;
    add_audit(&line, listener);
    ADD(&line, " shows whether it is fixed.");
    wrap_print(out, line.text, GROUP_INDENT, WIDTH);
}

/* ---- what was not seen ---- */

static void add_unseen(struct line *line, const struct fact_process *process)
{
    static const char *const names[UNSEEN_COUNT] = {
        [UNSEEN_DESCRIPTORS] = "its descriptors",
        [UNSEEN_EPOLL] = "its epoll sets",
        [UNSEEN_LARGE_EPOLL] = "all of a large epoll set (a sample was asked for)",
        [UNSEEN_CALLS] = "what its threads wait for",
        [UNSEEN_WCHAN] = "where its threads wait",
        [UNSEEN_MEMORY] = "its sets of poll() and select()",
        [UNSEEN_CLOCKS] = "since when its threads sleep",
        [UNSEEN_LIMITS] = "its limit of descriptors",
        [UNSEEN_RINGS] = "files of its io_uring",
        [UNSEEN_GHOSTS] = "its ghosts",
        [UNSEEN_MPTCP] = "whether peers of its MPTCP connections have closed",
        [UNSEEN_THREADS] = "all of its threads",
    };
    bool is_first = true;
    for (int i = 0; i < UNSEEN_COUNT; i++) {
        if (process->unseen[i] == 0)
            continue;
        ADD(line, "%s%s (%s)", is_first ? "" : ", ", names[i], strerror(process->unseen[i]));
        is_first = false;
    }
}

static void print_unseen(FILE *out, const struct facts *facts)
{
    int told = 0;
    for (int i = 0; i < facts->process_count && told < PROCESSES_MOST; i++) {
        struct line unseen = {""}, line = {""};
        add_unseen(&unseen, &facts->processes[i]);
        if (unseen.text[0] == '\0')
            continue;
        ADD(&line, "Not seen for pid %d: %s.", (int)facts->processes[i].pid, unseen.text);
        wrap_print(out, line.text, GROUP_INDENT, WIDTH);
        told++;
    }
    if (facts->events_lost > 0)
        fprintf(out, "%*sThe kernel lost reports of ended sockets %s: shares are too high.\n", GROUP_INDENT,
                "", counted(facts->events_lost, "time").text);
}

int explain_print_text(FILE *out, const struct explain_report *report)
{
    const struct explanation *explanation = report->explanation;
    print_processes(out, explanation->facts);
    if (!explanation_has_something(explanation) && explanation->facts->process_count > 0)
        print_nothing(out, report);
    print_findings(out, explanation);
    print_ghosts(out, explanation);
    print_window(out, explanation);
    print_contrast(out, explanation);
    print_outlook(out, explanation);
    if (report->stacks != NULL)
        stacks_print_text(out, explanation->facts, report->stacks, GROUP_INDENT, WIDTH);
    print_next(out, report);
    print_unseen(out, explanation->facts);
    return view_flush(out);
}
