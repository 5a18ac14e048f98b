#include "cmd/watch_verdict.h"

#include "base/diag.h"
#include "base/number_text.h"
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/outputs.h"
#include "view/watch_view.h"
#include "watch/watch_outlook.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Why the kernel, or the one process, can be looked at no longer. */
int watch_tell_unwatched(const struct watch_options *options, int error, double watched_s)
{
    diag_progress_clear();
    if (error == ESRCH && watched_s > 0)
        diag_error("process %lld has ended: it was watched for %.1f s", (long long)options->pid, watched_s);
    else if (error == ESRCH)
        diag_error("--pid \"%lld\": there is no such process, or it has ended", (long long)options->pid);
    else if (error == EXDEV)
        diag_error(
            "--record: process %lld is in another network namespace, and the kernel reports ends of "
            "connections only there: run \"nsenter -t %lld -n tcpstorm watch --pid %lld --record FILE\"",
            (long long)options->pid, (long long)options->pid, (long long)options->pid);
    else if (error == EACCES && options->pid > 0)
        diag_error("--pid \"%lld\": this user may not inspect that process%s", (long long)options->pid,
                   geteuid() != 0 ? ": root may" : "");
    else if (error == ENOMEM)
        diag_error("out of memory: the kernel's socket tables cannot be stored");
    else
        diag_error("the kernel's sockets cannot be read: %s", strerror(error));
    return EXIT_MACHINE;
}

int watch_tell_blind(const struct watch_course *course, int error)
{
    return watch_tell_unwatched(course->options, error, course->look.t_s);
}

int64_t watch_rest_sure_ms(const struct watch_options *options)
{
    int64_t rest_ms = WATCH_REST_SPANS * options->idle_ms;
    return rest_ms > WATCH_SURE_S * 1000 ? rest_ms : WATCH_SURE_S * 1000;
}

/* ---- whether --fail-on is met ---- */

static int tell(const struct watch_course *course, const char *sentence)
{
    if (course->is_silent)
        return EXIT_DIFFERS;
    diag_progress_clear();
    diag_error("%s", sentence);
    return EXIT_DIFFERS;
}

static int judge_growth(const struct watch_course *course)
{
    const struct watch_look *look = &course->look;
    uint32_t groups = course->options->fail_on.growth;
    struct watch_growth growing;
    struct watch_outlook outlook;
    if (!watch_growing(look, groups & ~GROUPS_AT_REST, WATCH_SURE_S, &growing) &&
        !watch_growing(look, groups & GROUPS_AT_REST, (double)watch_rest_sure_ms(course->options) / 1e3,
                       &growing))
        return EXIT_AS_EXPECTED;
    struct watch_growth_text words = watch_growth_words(&growing);
    if (watch_outlook_of(look, growing.row, &outlook))
        TEXT_ADD(words.text, "; %s", watch_outlook_words(&outlook).text);
    return tell(course, words.text);
}

static int judge_queues(const struct watch_course *course)
{
    const struct watch_row *row = watch_stuck_queue(&course->look, WATCH_SURE_S);
    if ((course->options->fail_on.growth & GROUP_SET(GROUP_ACCEPT_QUEUE)) == 0 || row == NULL)
        return EXIT_AS_EXPECTED;
    struct watch_growth_text words = {""};
    TEXT_ADD(words.text, "the accept queue on %s is full, %s of %s, and nobody was accepted for %.1f s",
             watch_row_words(row, WATCH_PORTS).text, grouped(row->queue_length).text,
             grouped(row->queue_limit).text, row->queue_full_s);
    return tell(course, words.text);
}

/* Of all rows of a process or port that with the most CLOSE_WAIT and ghosts is the first. */
static int judge_count(const struct watch_course *course)
{
    int64_t most = course->options->fail_on.count;
    for (int set = 0; most > 0 && set < WATCH_SETS; set++) {
        const struct watch_rows *rows = &course->look.sets[set];
        if (rows->count == 0 || rows->each[0].count[GROUP_OWED] < most)
            continue;
        const struct watch_row *row = &rows->each[0];
        struct watch_growth_text words = {""};
        TEXT_ADD(words.text, "%s CLOSE_WAIT and %s on %s: %s or more are too many",
                 grouped(row->count[GROUP_CLOSE_WAIT]).text, counted(row->count[GROUP_GHOSTS], "ghost").text,
                 watch_row_words(row, (enum watch_set)set).text, grouped(most).text);
        return tell(course, words.text);
    }
    return EXIT_AS_EXPECTED;
}

static int judge_age(const struct watch_course *course)
{
    int64_t most_ms = course->options->fail_on.age_ms;
    const struct watch_rows *rows = &course->look.sets[WATCH_OWNERS];
    for (int i = 0; most_ms > 0 && i < rows->count; i++) {
        if (rows->each[i].oldest_ms < most_ms)
            continue;
        struct watch_growth_text words = {""};
        TEXT_ADD(words.text, "the oldest CLOSE_WAIT on %s is %.1f s old: %s or more is too old",
                 watch_row_words(&rows->each[i], WATCH_OWNERS).text, (double)rows->each[i].oldest_ms / 1e3,
                 duration_text(most_ms).text);
        return tell(course, words.text);
    }
    return EXIT_AS_EXPECTED;
}

static int judge_eta(const struct watch_course *course)
{
    double most_s = (double)course->options->fail_on.eta_ms / 1e3;
    struct watch_outlook outlook;
    if (most_s <= 0 || !watch_soonest(&course->look, WATCH_SURE_S, &outlook) ||
        outlook.forecast.latest_s > most_s)
        return EXIT_AS_EXPECTED;
    return tell(course, watch_outlook_words(&outlook).text);
}

bool watch_verdict_accuses(const struct watch_course *course)
{
    struct watch_course silent = *course;
    silent.is_silent = true;
    return watch_verdict_now(&silent) != EXIT_AS_EXPECTED;
}

int watch_verdict_now(const struct watch_course *course)
{
    static int (*const judges[])(const struct watch_course *) = {judge_growth, judge_queues, judge_count,
                                                                 judge_age, judge_eta};
    int code = EXIT_AS_EXPECTED;
    for (size_t i = 0; code == EXIT_AS_EXPECTED && i < sizeof judges / sizeof *judges; i++)
        code = judges[i](course);
    return code;
}

/* ---- what was not seen ---- */

int64_t watch_doubt_ms(const struct watch_course *course)
{
    const struct watch_look *look = &course->look;
    const struct fail_on *fail_on = &course->options->fail_on;
    uint32_t groups = fail_on->growth;
    struct watch_growth growing;
    struct watch_outlook outlook;
    if (watch_growing(look, groups & GROUPS_AT_REST, look->t_s / 2, &growing))
        return watch_rest_sure_ms(course->options);
    if (watch_growing(look, groups & ~GROUPS_AT_REST, look->t_s / 2, &growing) ||
        (fail_on->eta_ms > 0 && watch_soonest(look, look->t_s / 2, &outlook)))
        return WATCH_SURE_S * 1000;
    return 0;
}

static int tell_too_few(const struct watch_course *course)
{
    struct trend all = trend_of(&course->look.all);
    if (all.kind != TREND_UNKNOWN)
        return EXIT_AS_EXPECTED;
    diag_error(
        "too few looks to tell what grows: %lld in %.0f s; use a longer --duration or a shorter --interval",
        (long long)all.looks, all.span_s);
    return EXIT_MACHINE;
}

/* Connections at rest take longer to judge than others, and the kernel's word on when data moved. */
static int tell_unjudged_rest(const struct watch_course *course)
{
    const struct watch_options *options = course->options;
    const struct watch_look *look = &course->look;
    int64_t least_ms = options->idle_ms + watch_rest_sure_ms(options), established = 0;
    if ((options->fail_on.growth & GROUPS_AT_REST) == 0)
        return EXIT_AS_EXPECTED;
    for (int i = 0; i < look->sets[WATCH_OWNERS].count; i++)
        established += look->sets[WATCH_OWNERS].each[i].count[GROUP_ESTABLISHED];
    if (look->untimed > 0 && options->fail_on.is_chosen) {
        diag_error("no verdict: it is not known here when data last moved on %s ESTABLISHED",
                   grouped(look->untimed).text);
        return EXIT_MACHINE;
    }
    if (established > 0 && look->t_s * 1e3 < (double)least_ms)
        diag_note("ESTABLISHED connections at rest were not judged: that takes %s; use a shorter --idle or a "
                  "longer --duration",
                  duration_text(least_ms).text);
    else if (look->untimed > 0)
        diag_note(
            "ESTABLISHED connections at rest were not judged: it is not known here when data last moved");
    return EXIT_AS_EXPECTED;
}

/* That CLOSE_WAIT do not grow says nothing where they turn into ghosts that cannot be counted. */
static int tell_unseen_ghosts(const struct watch_course *course)
{
    const struct watch_look *look = &course->look;
    const struct fail_on *fail_on = &course->options->fail_on;
    const uint32_t owed = GROUP_SET(GROUP_OWED) | GROUP_SET(GROUP_CLOSE_WAIT) | GROUP_SET(GROUP_GHOSTS);
    if ((fail_on->growth & owed) == 0 && fail_on->count == 0)
        return EXIT_AS_EXPECTED;
    const char *remedy = geteuid() != 0 ? "; run it as root" : "";
    bool is_unseen = look->ghosts_error != 0 || course->is_blind || look->closed > 0;
    if (look->closed > 0)
        diag_error("no verdict: this user may not inspect %s%s",
                   counted(look->closed, "network namespace").text, remedy);
    else if (look->ghosts_error != 0)
        diag_error("no verdict: descriptors whose socket is in no table (ghosts) could not be counted: %s",
                   strerror(look->ghosts_error));
    else if (course->is_blind)
        diag_error("no verdict: CLOSE_WAIT with keep-alive become ghosts, which are in no table, and this "
                   "user may not inspect the process that holds them%s",
                   remedy);
    else if (look->unlooked > 0)
        diag_note("ghosts (descriptors whose socket is in no table) of %s were not counted: "
                  "this user may not inspect %s%s",
                  counted(look->unlooked, "listener").text,
                  one_or_many(look->unlooked, "its process", "their processes"), remedy);
    return is_unseen ? EXIT_MACHINE : EXIT_AS_EXPECTED;
}

/* A watch that was to last, or to judge, is interrupted; one that goes on until Ctrl-C has its end. */
int watch_verdict_at_end(const struct watch_course *course)
{
    const struct watch_options *options = course->options;
    bool judges = fail_on_is_any(&options->fail_on);
    bool was_to_end = options->duration_ms > 0 || judges || options->once;
    if (*course->stopped_by != 0)
        outputs_hurry();
    if (*course->stopped_by != 0)
        return *course->stopped_by == SIGHUP || was_to_end ? EXIT_INTERRUPTED : EXIT_AS_EXPECTED;
    if (!judges)
        return EXIT_AS_EXPECTED;
    int code = fail_on_takes_time(&options->fail_on) != NULL ? tell_too_few(course) : EXIT_AS_EXPECTED;
    code = code == EXIT_AS_EXPECTED ? tell_unjudged_rest(course) : code;
    return code == EXIT_AS_EXPECTED ? tell_unseen_ghosts(course) : code;
}
