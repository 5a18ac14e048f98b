/* parting_text: where held connections part from closed ones, for people. */
#include "base/number_text.h"
#include "base/text.h"
#include "base/wrap.h"
#include "code/site_part.h"
#include "trace/call_text.h"
#include "view/parting_view.h"

#include <string.h>

enum { TEXT_WIDTH = 78, STEPS_TOLD = 4, CALL_WIDTH_MOST = 36 };

static const struct {
    const char *name, *words; /* "996 closed", "1 whose reply was cut short" */
} ends[] = {
    [PARTING_CLOSED] = {"closed", "closed"},
    [PARTING_HELD] = {"held", "held"},
    [PARTING_LOST] = {"reply_lost", "closed before the reply was complete"},
    [PARTING_RESET] = {"reset", "reset"},
    [PARTING_OPEN] = {"open", "open when it was interrupted"},
    [PARTING_UNACCEPTED] = {"never_accepted", "never accepted"},
    [PARTING_OTHER] = {"other", "not compared"},
};

const char *parting_end_name(enum parting_end end)
{
    return ends[end].name;
}

/* ---- one branch ---- */

static bool is_to_be_closed(enum parting_end end)
{
    return end == PARTING_HELD || end == PARTING_OPEN;
}

static void say_holder(struct branch_remark *remark, const struct traced_connection *example)
{
    if (example->holder_count == 0) {
        TEXT_ADD(remark->text, "; no process has a descriptor of it: a call on it is still in progress, or "
                               "it is being sent to another process");
        return;
    }
    const struct traced_holder *holder = &example->holders[0];
    TEXT_ADD(remark->text, "; pid %d still has it", (int)holder->pid);
    if (holder->forked_at != NULL)
        TEXT_ADD(remark->text, ", since fork() at %s", site_part_text(holder->forked_at, 1, 0).text);
}

struct branch_remark branch_remark(const struct parting_branch *branch)
{
    struct branch_remark remark = {""};
    const struct traced_connection *example = branch->example;
    if (branch->end == PARTING_LOST)
        TEXT_ADD(remark.text, "before the reply was complete");
    else if (branch->end == PARTING_RESET)
        TEXT_ADD(remark.text, "the client got an RST");
    else if (branch->end == PARTING_CLOSED && branch->close == NULL)
        TEXT_ADD(remark.text, "closed without a visible call: for example, its process ended");
    if (!is_to_be_closed(branch->end))
        return remark;
    if (branch->close == NULL) {
        TEXT_ADD(remark.text, branch->end == PARTING_OPEN ? "no close() so far" : "no close() follows");
        if (example->holder_count > 0 && example->holders[0].forked_at != NULL)
            say_holder(&remark, example);
        return remark;
    }
    TEXT_ADD(remark.text, "closed by pid %d at %s", (int)branch->close->pid,
             site_part_text(branch->close->site, 1, 0).text);
    say_holder(&remark, example);
    return remark;
}

/* ---- the columns of a fork ---- */

struct columns {
    int count, call; /* widths */
    int shared;      /* outermost places that all stacks have in common; -1: there is one stack */
    const struct site *first;
};

static bool is_step_told(const struct parting_branch *branch, int step)
{
    return branch->step_count <= STEPS_TOLD || step < 2 || step == branch->step_count - 1;
}

static void widen(int *width, const char *text)
{
    *width = (int)strlen(text) > *width ? (int)strlen(text) : *width;
}

/* Of each kind some branches are told, the rest is counted. */
static bool is_told(const struct parting_fork *fork, int branch)
{
    int before = 0;
    for (int i = 0; i < branch; i++)
        before += (fork->branches[i].end == PARTING_CLOSED) == (fork->branches[branch].end == PARTING_CLOSED);
    return before < PARTING_BRANCHES_TOLD;
}

/* The outermost places that all stacks have in common, such as main(), tell nothing. */
static void narrow(struct columns *columns, const struct traced_note *note)
{
    if (note == NULL || note->site == NULL || note->site == columns->first)
        return;
    int shared = columns->first != NULL ? sites_share(columns->first, note->site) : 0;
    if (columns->first == NULL)
        columns->first = note->site;
    else if (columns->shared < 0 || shared < columns->shared)
        columns->shared = shared;
}

static struct columns columns_of(const struct parting *parting, const struct parting_fork *fork)
{
    struct columns columns = {.shared = -1};
    for (int i = 0; i < fork->count; i++) {
        const struct parting_branch *branch = &fork->branches[i];
        widen(&columns.count, grouped(branch->count).text);
        for (int k = 0; is_told(fork, i) && k < branch->step_count; k++) {
            if (!is_step_told(branch, k))
                continue;
            widen(&columns.call, call_text(branch->steps[k]).text);
            narrow(&columns, branch->steps[k]);
        }
    }
    if (columns.shared < 0) {
        narrow(&columns, fork->after);
        narrow(&columns, parting->accepted);
    }
    columns.shared = columns.shared > 0 ? columns.shared : 0;
    columns.call = columns.call < CALL_WIDTH_MOST ? columns.call : CALL_WIDTH_MOST;
    return columns;
}

/* ---- its lines ---- */

static const char *verb_of(const struct parting_branch *branch, int step)
{
    return branch->end == PARTING_CLOSED || step < branch->step_count - 1 ? "went on to" : "ended with";
}

static void print_remark(FILE *out, const struct parting_branch *branch, int indent, const char *gap)
{
    struct branch_remark remark = branch_remark(branch);
    size_t length = strlen(remark.text);
    if (length == 0)
        fputc('\n', out);
    else if (length <= 40)
        fprintf(out, "%s%s\n", gap, remark.text);
    else {
        fputc('\n', out);
        wrap_print(out, remark.text, indent + 2, TEXT_WIDTH);
    }
}

static void print_branch(FILE *out, const struct parting_branch *branch, const struct columns *columns,
                         int indent)
{
    const char *last_verb = NULL;
    const int behind = indent + columns->count + 1;
    fprintf(out, "%*s%*s ", indent, "", columns->count, grouped(branch->count).text);
    if (branch->step_count == 0) {
        fputs(branch->end == PARTING_CLOSED ? "were closed" : "ended there", out);
        print_remark(out, branch, behind, "      ");
        return;
    }
    for (int i = 0; i < branch->step_count; i++) {
        const struct traced_note *note = branch->steps[i];
        const char *verb = verb_of(branch, i);
        if (!is_step_told(branch, i)) {
            if (i == 2)
                fprintf(out, "%*s(%d more)\n", behind + 12, "", branch->step_count - 3);
            continue;
        }
        fprintf(out, "%*s%-10s  %-*s  %s", i > 0 ? behind : 0, "", last_verb == verb ? "" : verb,
                columns->call, call_text(note).text,
                site_part_text(note->site, SITE_PART_PLACES, columns->shared).text);
        last_verb = verb;
        if (i < branch->step_count - 1)
            fputc('\n', out);
    }
    print_remark(out, branch, behind, "      ");
}

/* Behind those that are told. */
static void print_rest(FILE *out, const struct parting_fork *fork, bool is_closed, int indent)
{
    int64_t rest = 0, ways = 0;
    for (int i = 0; i < fork->count; i++)
        if ((fork->branches[i].end == PARTING_CLOSED) == is_closed && !is_told(fork, i)) {
            rest += fork->branches[i].count;
            ways++;
        }
    if (rest > 0)
        fprintf(out, "%*s%s in %s, %s\n", indent, "", grouped(rest).text, counted(ways, "other way").text,
                is_closed ? "closed" : "not closed");
}

static void print_fork(FILE *out, const struct parting *parting, const struct parting_fork *fork, int indent)
{
    const struct columns columns = columns_of(parting, fork);
    for (int closed = 1; closed >= 0; closed--) {
        for (int i = 0; i < fork->count; i++)
            if ((fork->branches[i].end == PARTING_CLOSED) == (closed == 1) && is_told(fork, i))
                print_branch(out, &fork->branches[i], &columns, indent);
        print_rest(out, fork, closed == 1, indent);
    }
}

static bool ends_alike(const struct parting_branch *a, const struct parting_branch *b)
{
    return a->end == b->end && (a->close == NULL) == (b->close == NULL) && a->step_count == b->step_count &&
           (a->step_count == 0 || (strcmp(call_text(a->steps[0]).text, call_text(b->steps[0]).text) == 0 &&
                                   strcmp(site_part_text(a->steps[0]->site, SITE_PART_PLACES, 0).text,
                                          site_part_text(b->steps[0]->site, SITE_PART_PLACES, 0).text) == 0));
}

/* Nothing to compare with: what was done last. */
static void print_alone(FILE *out, const struct parting *parting, const struct parting_fork *fork, int indent)
{
    struct parting_branch branches[PARTING_BRANCHES_TOLD];
    struct parting_fork last = {.branches = branches};
    int64_t rest = 0, ways = 0;
    for (int i = 0; i < fork->count; i++) {
        struct parting_branch branch = fork->branches[i];
        int at = 0;
        if (branch.step_count > 1) {
            branch.steps += branch.step_count - 1;
            branch.step_count = 1;
        }
        while (at < last.count && !ends_alike(&branches[at], &branch))
            at++;
        if (at < last.count) {
            branches[at].count += branch.count;
        } else if (last.count < PARTING_BRANCHES_TOLD) {
            branches[last.count++] = branch;
        } else {
            rest += branch.count;
            ways++;
        }
    }
    print_fork(out, parting, &last, indent);
    if (rest > 0)
        fprintf(out, "%*s%s in %s\n", indent, "", grouped(rest).text, counted(ways, "other way").text);
}

/* ---- what was not seen ---- */

static int64_t sum(const int64_t *counts)
{
    int64_t total = 0;
    for (int end = 0; end < PARTING_END_COUNT; end++)
        total += counts[end];
    return total;
}

static void print_unseen(FILE *out, const struct audit_trace *trace, int indent)
{
    const struct trace_report *report = &trace->report;
    const struct parting *parting = &trace->parting;
    char text[1200] = "";
    int64_t unseen =
        sum(parting->unseen) - parting->unseen[PARTING_UNACCEPTED] - parting->unseen[PARTING_OTHER];
    if (unseen > 0)
        TEXT_ADD(text, "The tracer did not see %s.\n", counted(unseen, "connection").text);
    if (report->rings > 0)
        TEXT_ADD(text,
                 "The program uses io_uring: what it does through that is not seen, and not shown here.\n");
    if (report->foreign > 0)
        TEXT_ADD(text, "%d of its processes %s 32-bit system calls, which are not seen.\n", report->foreign,
                 one_or_many(report->foreign, "makes", "make"));
    if (report->set_user > 0)
        TEXT_ADD(
            text,
            "It executed a set-user-ID program, which ran without those rights because it was traced.\n");
    if (report->attaches > 0)
        TEXT_ADD(text,
                 "%d of its processes tried to trace others but could not: there is a tracer already.\n",
                 report->attaches);
    if (report->hidden > 0)
        TEXT_ADD(text, "This user may not inspect the descriptors of %d of its processes.\n", report->hidden);
    if (report->unknown_sockets > 0)
        TEXT_ADD(text, "For %s it could not be seen which connection %s on.\n",
                 counted(report->unknown_sockets, "call").text,
                 one_or_many(report->unknown_sockets, "it was", "they were"));
    if (text[0] != '\0')
        wrap_print(out, text, indent, TEXT_WIDTH);
}

/* ---- all of it ---- */

static void add_counts(char *text, size_t size, const struct parting *parting)
{
    const char *between = ": ";
    text_add(text, size, "%s", counted(sum(parting->by_end), "connection").text);
    for (int end = 0; end < PARTING_END_COUNT; end++) {
        if (parting->by_end[end] == 0)
            continue;
        text_add(text, size, "%s%s %s", between, grouped(parting->by_end[end]).text, ends[end].words);
        between = ", ";
    }
    text_add(text, size, ".");
}

static void print_same(FILE *out, const struct parting_fork *fork, int shared)
{
    fputs("No call tells them apart", out);
    if (fork->after != NULL)
        fprintf(out, "; the last is %s at %s", call_text(fork->after).text,
                site_part_text(fork->after->site, 1, shared).text);
    fputs(":\n", out);
}

static bool has_no_odd(const struct parting_fork *fork)
{
    bool has_odd = false;
    for (int i = 0; i < fork->count; i++)
        has_odd |= fork->branches[i].end != PARTING_CLOSED;
    return !has_odd;
}

static void print_forks(FILE *out, const struct parting *parting, const char *counts, int indent)
{
    bool is_one = parting->count == 1;
    if (!is_one)
        wrap_print(out, counts, indent, TEXT_WIDTH);
    for (int i = 0; i < parting->count && i < PARTING_FORKS_TOLD; i++) {
        const struct parting_fork *fork = &parting->forks[i];
        const bool is_all_closed = has_no_odd(fork);
        fprintf(out, "%*s%s%s", indent, "", is_one ? counts : "", is_one ? " " : "");
        if (is_all_closed)
            fputs("The last call on them:\n", out);
        else if (!fork->has_closed)
            fprintf(out, "%sThe last call on them:\n",
                    parting->by_end[PARTING_CLOSED] == 0
                        ? "None was closed, so there is nothing to compare with. "
                        : "");
        else if (fork->is_same)
            print_same(out, fork, columns_of(parting, fork).shared);
        else if (fork->after == NULL)
            fputs("They part from the first call on:\n", out);
        else
            fprintf(out, "They part after %s at %s:\n", call_text(fork->after).text,
                    site_part_text(fork->after->site, 1, columns_of(parting, fork).shared).text);
        if (fork->has_closed && !is_all_closed)
            print_fork(out, parting, fork, indent + 2);
        else
            print_alone(out, parting, fork, indent + 2);
        if (fork->own_before != NULL)
            fprintf(out, "%*sthe last call by a function of its own on those not closed: %s at %s\n", indent,
                    "", call_text(fork->own_before).text, site_part_text(fork->own_before->site, 1, 0).text);
    }
    if (parting->count > PARTING_FORKS_TOLD)
        fprintf(out, "%*sThey part at %s too.\n", indent, "",
                counted(parting->count - PARTING_FORKS_TOLD, "other place").text);
}

static void print_accepted(FILE *out, const struct parting *parting, int indent)
{
    const int64_t unaccepted = parting->by_end[PARTING_UNACCEPTED];
    if (unaccepted > 0 && parting->accepted == NULL)
        fprintf(out, "%*sNo accept() was seen.\n", indent, "");
    if (parting->accepted == NULL)
        return;
    fprintf(out, "%*s%saccepted at %s", indent, "", unaccepted > 0 ? "the others were " : "",
            site_part_text(parting->accepted->site, 1, 0).text);
    if (parting->accepted_elsewhere > 0)
        fprintf(out, ", and %s elsewhere", grouped(parting->accepted_elsewhere).text);
    fputc('\n', out);
}

void parting_print(FILE *out, const struct audit_trace *trace, int indent)
{
    char counts[240] = "";
    if (!trace->is_there) {
        char text[160] = "";
        TEXT_ADD(text, "What the server did is not known: the tracer gave no report (%s).\n",
                 strerror(trace->error));
        wrap_print(out, text, indent, TEXT_WIDTH);
        return;
    }
    add_counts(counts, sizeof counts, &trace->parting);
    if (sum(trace->parting.by_end) == 0)
        return;
    if (trace->parting.count > 0)
        print_forks(out, &trace->parting, counts, indent);
    else
        fprintf(out, "%*s%s\n", indent, "", counts);
    print_accepted(out, &trace->parting, indent);
    print_unseen(out, trace, indent);
    if (!code_names_lines())
        wrap_print(out, "This build has no libdw: it shows functions and offsets, but no lines.\n", indent,
                   TEXT_WIDTH);
}
