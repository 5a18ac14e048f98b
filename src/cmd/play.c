#include "cmd/play.h"

#include "base/diag.h"
#include "base/parse.h"
#include "base/shell_quote.h"
#include "cmd/command.h"
#include "control/hosts.h"
#include "engine/run.h"
#include "kernel/host_limits.h"
#include "view/view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_ports(const struct plan *plan)
{
    struct plan_sentence why = {""};
    uint16_t first;
    if (plan_choose_ports(plan, (uint16_t)plan->settings->port, &first, &why) == 0)
        return EXIT_AS_EXPECTED;
    diag_error("%s", why.text);
    return plan->settings->hosts->stops > 0 ? EXIT_INTERRUPTED : EXIT_MACHINE;
}

static int exit_code_of(enum outcome outcome)
{
    static const int codes[] = {
        [OUTCOME_AS_EXPECTED] = EXIT_AS_EXPECTED,
        [OUTCOME_DIFFERS] = EXIT_DIFFERS,
        [OUTCOME_FAULT] = EXIT_MACHINE,
        [OUTCOME_INTERRUPTED] = EXIT_INTERRUPTED,
    };
    return codes[outcome];
}

enum { DAY_MS = 24 * 3600 * 1000 };

/* The plans of a run, and what they found. */
struct plans {
    struct plan *each;
    struct plan *together[PLAY_TOGETHER_MAX];
};

static int make_plans(const struct play *run, struct plans *plans)
{
    int code = EXIT_AS_EXPECTED;
    for (int i = 0; i < run->count; i++) {
        struct plan *plan = &plans->each[i];
        bool possible = plan_make(plan, run->settings[i]) == 0;
        plans->together[i] = plan;
        for (int k = 0; k < plan->warnings.count; k++)
            diag_warn("%s", plan->warnings.each[k].text);
        if (run->dry_run)
            view_print_plan(plan, stdout);
        for (int k = 0; k < plan->obstacles.count; k++)
            diag_error("%s", plan->obstacles.each[k].text);
        if (!possible)
            code = EXIT_MACHINE;
        else if (code == EXIT_AS_EXPECTED)
            code = check_ports(plan); /* before an output is truncated */
    }
    return code;
}

static int play(const struct play *run, const struct plans *plans)
{
    struct outputs outputs;
    int rc = outputs_open(&outputs, run->outputs);
    if (rc != 0)
        return rc == -EINVAL ? EXIT_USAGE : EXIT_MACHINE;
    host_raise_nofile();
    enum outcome outcome = run_plans(plans->together, run->count, run->hold_together_ms, &outputs.observers);
    rc = outputs_close(&outputs);
    if (rc != 0 && outcome != OUTCOME_INTERRUPTED)
        outcome = rc == -EINTR ? OUTCOME_INTERRUPTED : OUTCOME_FAULT;
    return exit_code_of(outcome);
}

static int plan_and_play(const struct play *run)
{
    struct plans plans = {.each = calloc(PLAY_TOGETHER_MAX, sizeof *plans.each)};
    if (plans.each == NULL) {
        diag_error("out of memory");
        return EXIT_MACHINE;
    }
    int code = make_plans(run, &plans);
    if (code == EXIT_AS_EXPECTED && !run->dry_run)
        code = play(run, &plans);
    free(plans.each);
    return code;
}

int play_storm(const struct play *run, const char *command, int argc, char *const argv[])
{
    diag_set_quiet(run->outputs->quiet);
    char *command_line = shell_quoted(command, argc, argv);
    for (int i = 0; i < run->count; i++)
        run->settings[i]->command = command_line;
    int code = plan_and_play(run);
    free(command_line);
    return code;
}

int play_parse_hold(const char *text, void *target, char *why, size_t why_size)
{
    int64_t *hold_ms = target;
    if (strcmp(text, "forever") == 0) {
        *hold_ms = HOLD_FOREVER;
        return 0;
    }
    if (parse_duration(text, 0, DAY_MS, hold_ms) == 0)
        return 0;
    snprintf(why, why_size, "must be a duration from 0s to 24h, such as 500ms, 2s or 1m30s, or forever");
    return -EINVAL;
}
