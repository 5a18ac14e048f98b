/* cmd_explain: why a live program keeps its sockets, from outside, without a restart. */
#include "base/diag.h"
#include "base/options.h"
#include "base/output.h"
#include "base/parse.h"
#include "base/stop_signals.h"
#include "cmd/command.h"
#include "cmd/option_rules.h"
#include "cmd/outputs.h"
#include "explain/explanation.h"
#include "view/explain_view.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum {
    WINDOW_LEAST_MS = 500,
    HOUR_MS = 3600 * 1000,
    EPOLL_PRESET = 20000, /* entries: read in some 25 ms, for which the set is locked */
    EPOLL_MOST = 10000000,
    STACKS_MOST = 1000, /* threads, and ... */
    STACKS_MS = 2000,   /* ... the time in which they are begun with: some 0.1 ms each, but a large program's
                           debug information is read once */
};

enum free_choice { FREE_DRY_RUN, FREE_NOW, FREE_NOTHING };

static const char *const free_choices[] = {"dry-run", "now", NULL};

struct explain_options {
    struct facts_request request;
    const char *target, *json;
    bool peek, stacks;
    int free; /* enum free_choice */
};

#define OPTION(member)  offsetof(struct explain_options, member)
#define REQUEST(member) offsetof(struct explain_options, request.member)

static const struct option_row rows[] = {
    {.name = "for",
     .value = "TIME",
     .help = "watch for this long: which share stays, and what is lost",
     .preset = "one look",
     .more = "Watch for this long, under traffic, instead of taking one look: this shows which share of the "
             "connections stays, and which connections are closed with their request unread. If one look "
             "leaves two causes open, this often decides.",
     .kind = OPTION_DURATION,
     .target = REQUEST(window_ms),
     .min = WINDOW_LEAST_MS,
     .max = HOUR_MS},
    {.name = "json",
     .value = "FILE",
     .help = "the explanation as JSON; - is stdout, instead of the text",
     .kind = OPTION_TEXT,
     .target = OPTION(json)},
    {.name = "no-attach",
     .help = "look only at what needs no right to attach to the program",
     .more = "Look only at what needs no right to attach to the program: no registers, no memory and no "
             "copies of its descriptors. The masks of poll() and the descriptors that threads wait for are "
             "then not seen.",
     .kind = OPTION_FLAG,
     .target = REQUEST(no_attach)},
    {.name = "peek",
     .help = "show the first unread bytes of one socket of each group",
     .more = "Show the first unread bytes of one socket of each group, to tell which request it was. The "
             "bytes stay in the socket; a copy of the descriptor is open for some microseconds.",
     .kind = OPTION_FLAG,
     .target = OPTION(peek)},
    {.name = "stacks",
     .help = "show where in its source each thread waits, without stopping it",
     .more =
         "Show where in its source each thread waits. Threads that block an event loop or are in a call on a "
         "lingering connection come first; threads at the same place are shown together. Nothing is stopped "
         "and no call is interrupted: a running thread is not read. Lines are shown for programs with debug "
         "information and for Python 3.11 to 3.13; for others, function names or offsets in the binary.",
     .kind = OPTION_FLAG,
     .target = OPTION(stacks)},
    {.name = "free",
     .value = "dry-run|now",
     .help = "free descriptors from outside where that helps; \"now\" does it",
     .more = "Free descriptors from outside, in the two cases in which that helps: shutdown(SHUT_WR) on the "
             "connections to a backend that a proxy forgot to half-close, and shutdown(SHUT_RDWR) where a "
             "handler is blocked in send() to a peer that has read nothing for 10 s. \"dry-run\" shows which "
             "sockets these are; \"now\" does it, and counts descriptors before and after. Each socket is "
             "checked again right before. One socket of each process is tried first; if that frees nothing, "
             "the others are left alone. At most 1,000 sockets are shut down in one run. For all other "
             "sockets it says why nothing outside the program helps.",
     .kind = OPTION_CHOICE,
     .target = OPTION(free),
     .choices = free_choices},
    {.name = "max-epoll",
     .value = "N",
     .help = "read epoll sets whole up to this many entries",
     .preset = "20k",
     .more = "Read epoll sets whole up to this many entries, and a sample of larger ones. A set is locked "
             "while it is read, and its program may wait that long: some 1.5 microseconds per entry.",
     .kind = OPTION_COUNT,
     .target = REQUEST(max_epoll),
     .min = 0,
     .max = EPOLL_MOST},
    {.name = NULL},
};

static const struct option_table table = {
    .command = "explain",
    .help = "tcpstorm explain --help",
    .rows = rows,
    .rules = option_rules,
    .operand = "process",
    .operand_target = OPTION(target),
    .operand_missing = "explain needs a process or a port that it listens on: \"tcpstorm explain 1234\", "
                       "\"tcpstorm explain :8080\"",
};

/* ---- signals ---- */

static volatile sig_atomic_t stopped_by; /* a signal's number; 0: none */

/* The second one does not wait for anything. */
static void on_stop(int number)
{
    if (stopped_by != 0)
        _exit(EXIT_INTERRUPTED);
    stopped_by = number;
}

/* ---- what is asked ---- */

static int refuse_target(const char *target)
{
    diag_error("explain \"%s\": it must be the number of a process, such as 1234, or a port from 1 to 65535, "
               "such as "
               ":8080",
               target);
    return EXIT_USAGE;
}

/* "1k" is a good count, and no good process. */
static bool are_digits(const char *text)
{
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static int parse_target(struct explain_options *options)
{
    const char *target = options->target;
    bool is_port = *target == ':';
    int64_t number;
    if (!are_digits(target + is_port) ||
        parse_count(target + is_port, 1, is_port ? UINT16_MAX : INT32_MAX, &number) != 0)
        return refuse_target(target);
    options->request.pid = is_port ? 0 : (pid_t)number;
    options->request.port = is_port ? (uint16_t)number : 0;
    return EXIT_AS_EXPECTED;
}

/* ---- when it cannot be told ---- */

static int tell_blind(const struct explain_options *options, int error)
{
    const char *target = options->target;
    if (error == EINTR)
        return EXIT_INTERRUPTED;
    if (error == ESRCH && options->request.port != 0)
        diag_error("explain \"%s\": nothing listens on that port in this network namespace, or this user may "
                   "not inspect the process that does%s",
                   target, geteuid() != 0 ? ": root may" : "");
    else if (error == ESRCH)
        diag_error("explain \"%s\": there is no such process, or it has ended", target);
    else if (error == EXDEV)
        diag_error("explain \"%s\": it is in another network namespace: run \"nsenter -t %s -n tcpstorm "
                   "explain %s\"",
                   target, target, target);
    else if (error == EACCES || error == EPERM)
        diag_error("explain \"%s\": this user may not inspect that process%s", target,
                   geteuid() != 0 ? ": root may" : "");
    else if (error == ENOMEM)
        diag_error("out of memory: the kernel's socket tables cannot be stored");
    else
        diag_error("the kernel's sockets cannot be read: %s", strerror(error));
    return EXIT_MACHINE;
}

static bool is_anybody_there(const struct facts *facts)
{
    for (int i = 0; i < facts->process_count; i++)
        if (!facts->processes[i].is_heir)
            return true;
    return false;
}

/* Of a process that is not ours only sockets, queues and clocks are seen. */
static int tell_refused(const struct facts *facts)
{
    if (!is_anybody_there(facts)) {
        diag_error("the process that has this listener was not found: this user may not inspect it%s, or it "
                   "has closed the listener while one of its threads is in accept() on it",
                   geteuid() != 0 ? " (root may)" : "");
        return EXIT_MACHINE;
    }
    for (int i = 0; i < facts->process_count; i++) {
        const struct fact_process *process = &facts->processes[i];
        if (process->unseen[UNSEEN_MPTCP] != 0) {
            diag_error("process %d has MPTCP connections, whose states cannot be read: %s", (int)process->pid,
                       strerror(process->unseen[UNSEEN_MPTCP]));
            return EXIT_MACHINE;
        }
        if (process->is_heir || process->unseen[UNSEEN_DESCRIPTORS] == 0)
            continue;
        diag_error("this user may not inspect process %d%s: what it holds is not known", (int)process->pid,
                   geteuid() != 0 ? " (root may)" : "");
        return EXIT_MACHINE;
    }
    return EXIT_AS_EXPECTED;
}

/* ---- telling ---- */

static int print_json(FILE *out, const void *report)
{
    return explain_print_json(out, report);
}

/* ---- first aid ---- */

static const char *why_failed(int error)
{
    if (error == EACCES || error == EPERM)
        return geteuid() != 0 ? "this user may not attach to it: root may" : "this user may not attach to it";
    return error == ESRCH ? "it has ended" : strerror(error);
}

/* Why it could not be done, or what came of it is not known. */
static int tell_failed(const struct explain_options *options, const struct first_aid *aid)
{
    const char *how = free_choices[options->free];
    for (int i = 0; i < aid->step_count; i++)
        if (aid->steps[i].outcome == AID_FAILED) {
            diag_error("--free %s: process %d: %s", how, (int)aid->steps[i].pid,
                       why_failed(aid->steps[i].error));
            return EXIT_MACHINE;
        }
    if (!aid->was_looked_after || aid->after_error == 0)
        return EXIT_AS_EXPECTED;
    diag_error("--free %s: it was done, but the state afterwards is not known: %s", how,
               aid->after_error == ESRCH ? "nobody listens on that port any more"
                                         : strerror(aid->after_error));
    return EXIT_MACHINE;
}

static int help(const struct explain_options *options, const struct explanation *explanation,
                struct first_aid *aid)
{
    int rc = first_aid_plan(explanation, aid);
    if (rc != 0)
        return tell_blind(options, -rc);
    first_aid_give(aid, options->free == FREE_DRY_RUN, &stopped_by);
    if (first_aid_count(aid, AID_DONE) > 0)
        first_aid_look_after(aid, &options->request, EXPLAIN_GRACE_MS);
    return EXIT_AS_EXPECTED;
}

/* The text comes before anything is done: what nobody can read is no reason to act. */
static int tell(const struct explain_options *options, struct explain_report *report, struct first_aid *aid)
{
    bool has_text = !output_is_stdout(options->json), is_asked = options->free != FREE_NOTHING;
    int code = has_text ? outputs_tell_written(stdout, explain_print_text(stdout, report), &stopped_by)
                        : EXIT_AS_EXPECTED;
    int refused = stopped_by == 0 ? tell_refused(report->explanation->facts) : EXIT_AS_EXPECTED;
    if (code == EXIT_AS_EXPECTED && is_asked && refused == EXIT_AS_EXPECTED) {
        code = help(options, report->explanation, aid);
        report->aid = code == EXIT_AS_EXPECTED ? aid : NULL;
        if (report->aid != NULL && has_text)
            code = outputs_tell_written(stdout, explain_print_aid(stdout, report), &stopped_by);
    }
    if (code == EXIT_AS_EXPECTED && !has_text)
        code = outputs_tell_written(stdout, explain_print_json(stdout, report), &stopped_by);
    else if (code == EXIT_AS_EXPECTED && options->json != NULL)
        code = outputs_write_json(options->json, print_json, report, &stopped_by);
    return code == EXIT_AS_EXPECTED ? refused : code;
}

static int explain(const struct explain_options *options, const struct facts *facts,
                   const struct stacks *stacks)
{
    struct explanation explanation;
    struct first_aid aid = {0};
    int rc = explanation_of(facts, EXPLAIN_GRACE_MS, &explanation);
    if (rc != 0)
        return tell_blind(options, -rc);
    if (options->peek)
        explanation_peek(&explanation);
    struct explain_report report = {.explanation = &explanation,
                                    .target = options->target,
                                    .grace_ms = EXPLAIN_GRACE_MS,
                                    .stacks = stacks};
    int code = tell(options, &report, &aid);
    if (code == EXIT_AS_EXPECTED && stopped_by != 0)
        code = EXIT_INTERRUPTED;
    if (code == EXIT_AS_EXPECTED)
        code = tell_failed(options, &aid);
    bool lingers = aid.was_looked_after ? aid.lingers : explanation_has_something(&explanation);
    first_aid_free(&aid);
    explanation_free(&explanation);
    return code == EXIT_AS_EXPECTED && lingers ? EXIT_DIFFERS : code;
}

static int explain_with_stacks(const struct explain_options *options, struct facts *facts)
{
    const struct stacks_settings settings = {
        .threads_most = STACKS_MOST, .most_ms = STACKS_MS, .stop = &stopped_by};
    struct stacks stacks;
    int rc = stacks_take(facts, &settings, &stacks);
    if (rc != 0)
        return tell_blind(options, -rc);
    int code = explain(options, facts, &stacks);
    stacks_free(&stacks);
    return code;
}

static int cmd_explain(int argc, char *argv[])
{
    struct explain_options options = {.request = {.max_epoll = EPOLL_PRESET, .stop = &stopped_by},
                                      .free = FREE_NOTHING};
    struct facts facts;
    if (options_parse(&table, argc, argv, &options) != 0 || parse_target(&options) != EXIT_AS_EXPECTED)
        return EXIT_USAGE;
    const struct output_path path = {"json", options.json};
    if (outputs_check_paths(&path, 1) != 0)
        return EXIT_USAGE;
    stop_signals_catch(on_stop, NULL);
    int rc = facts_take(&options.request, &facts);
    if (rc != 0)
        return tell_blind(&options, -rc);
    int code = options.stacks ? explain_with_stacks(&options, &facts) : explain(&options, &facts, NULL);
    facts_free(&facts);
    return code;
}

const struct command explain_command = {
    .name = "explain",
    .summary = "explain why a running program keeps its sockets, without a restart",
    .usage = "explain PID|:PORT [--option VALUE]...",
    .notes = "Exit codes: 0 nothing lingers (with --free now: any more), 1 something does, 2 bad usage, 3 "
             "there is\n"
             "no such process or this user may not inspect it, 130 interrupted.\n",
    .examples =
        {
            {"tcpstorm explain 1234", "one look at a process"},
            {"tcpstorm explain :8080", "one look at all processes that listen on a port"},
            {"tcpstorm explain 1234 --stacks", "also where in its source its threads wait"},
            {"tcpstorm explain :8080 --for 10s", "under traffic: which share stays"},
            {"tcpstorm explain :8080 --free dry-run", "what can be freed from outside, and what cannot"},
        },
    .options = &table,
    .run = cmd_explain,
};
