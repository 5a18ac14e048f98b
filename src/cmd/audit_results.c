#include "cmd/audit_results.h"

#include "base/diag.h"
#include "base/output.h"
#include "cmd/command.h"
#include "cmd/outputs.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PATH_OF(result) ((result) * sizeof(struct result_file) + offsetof(struct result_file, path))

const struct option_row audit_result_rows[] = {
    {.name = "json",
     .value = "FILE",
     .help = "the result as JSON; - is stdout",
     .kind = OPTION_TEXT,
     .target = PATH_OF(RESULT_JSON)},
    {.name = "csv",
     .value = "FILE",
     .help = "a row for each connection; - is stdout",
     .kind = OPTION_TEXT,
     .target = PATH_OF(RESULT_CSV)},
    {.name = "junit",
     .value = "FILE",
     .help = "the verdict as a JUnit test case",
     .kind = OPTION_TEXT,
     .target = PATH_OF(RESULT_JUNIT)},
    {.name = NULL},
};

const struct option_row audit_trace_result_rows[] = {
    {.name = "sarif",
     .value = "FILE",
     .help = "with --trace: the lines of code as SARIF 2.1.0",
     .more = "With --trace: the lines of code as SARIF 2.1.0, for code hosts and editors that show them in "
             "the source. Files are named by their path below the current folder.",
     .kind = OPTION_TEXT,
     .target = PATH_OF(RESULT_SARIF)},
    {.name = NULL},
};

void audit_results_init(struct result_file *results)
{
    results[RESULT_CSV] =
        (struct result_file){.option = "csv", .print = audit_print_csv, .print_all = audit_print_csv_of_all};
    results[RESULT_JSON] = (struct result_file){
        .option = "json", .print = audit_print_json, .print_all = audit_print_json_of_all};
    results[RESULT_JUNIT] = (struct result_file){
        .option = "junit", .print = audit_print_junit, .print_all = audit_print_junit_of_all};
    results[RESULT_SARIF] = (struct result_file){
        .option = "sarif", .print = audit_print_sarif, .print_all = audit_print_sarif_of_all};
}

bool audit_results_use_stdout(const struct result_file *results)
{
    for (int i = 0; i < RESULT_COUNT; i++)
        if (output_is_stdout(results[i].path))
            return true;
    return false;
}

/* Before a connection is opened: an audit whose result cannot be kept is not begun. */
int audit_results_open(struct result_file *results)
{
    struct output_path paths[RESULT_COUNT];
    for (int i = 0; i < RESULT_COUNT; i++)
        paths[i] = (struct output_path){results[i].option, results[i].path};
    if (outputs_check_paths(paths, RESULT_COUNT) != 0)
        return EXIT_USAGE;
    for (int i = 0; i < RESULT_COUNT; i++) {
        struct result_file *result = &results[i];
        if (result->path == NULL)
            continue;
        snprintf(result->name, sizeof result->name, "--%s %s", result->option, result->path);
        result->out = output_is_stdout(result->path) ? stdout : output_open(result->path, result->name);
        if (result->out == NULL) {
            diag_error("--%s \"%s\": %s", result->option, result->path, strerror(errno));
            return EXIT_USAGE;
        }
    }
    return EXIT_AS_EXPECTED;
}

/* Of an audit that was not made. */
void audit_results_close(struct result_file *results)
{
    for (int i = 0; i < RESULT_COUNT; i++)
        if (results[i].out != NULL && results[i].out != stdout)
            output_close(results[i].out);
}

int audit_result_told(FILE *out, int rc)
{
    if (rc == 0)
        return 0;
    diag_error("cannot write %s: %s", output_name(out), strerror(-rc));
    return -1;
}

int audit_result_close(struct result_file *result, int rc)
{
    FILE *out = result->out;
    if (audit_result_told(out, rc) != 0)
        return -1;
    if (out == stdout)
        return 0;
    result->out = NULL;
    return outputs_let_go_and_close(out) != 0 ? -1 : 0;
}

/* GitHub Actions shows lines of a job's output at the code that they name. */
static bool is_github_job(void)
{
    const char *value = getenv("GITHUB_ACTIONS");
    return value != NULL && strcmp(value, "true") == 0;
}

int audit_results_write(struct result_file *results, bool quiet, const struct audit_report *report)
{
    bool failed = false;
    FILE *text = audit_results_use_stdout(results) ? stderr : stdout;
    for (int i = 0; i < RESULT_COUNT; i++)
        if (results[i].out != NULL)
            failed |= audit_result_close(&results[i], results[i].print(results[i].out, report)) != 0;
    int rc = quiet ? 0 : audit_print_text(text, report);
    if (rc == 0 && is_github_job())
        rc = audit_print_annotations(text, report);
    return audit_result_told(text, rc) != 0 || failed ? -1 : 0;
}

int audit_results_write_all(struct result_file *results, bool quiet, const struct audit_series *series)
{
    bool failed = false;
    FILE *text = audit_results_use_stdout(results) ? stderr : stdout;
    for (int i = 0; i < RESULT_COUNT; i++)
        if (results[i].out != NULL)
            failed |= audit_result_close(&results[i], results[i].print_all(results[i].out, series)) != 0;
    int rc = quiet ? 0 : audit_print_text_of_all(text, series);
    for (int i = 0; i < series->count && rc == 0 && is_github_job(); i++)
        rc = audit_print_annotations(text, &series->reports[i]);
    return audit_result_told(text, rc) != 0 || failed ? -1 : 0;
}
