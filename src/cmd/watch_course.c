#include "cmd/watch_course.h"

#include "base/clock.h"
#include "cmd/command.h"
#include "cmd/watch_namespaces.h"
#include "cmd/watch_stacks.h"
#include "cmd/watch_verdict.h"

#include <errno.h>

enum {
    LOOK_SHARE = 12,   /* looks take at most this part of a core: with what is shown, a tenth */
    BRIEF_SHARE = 60,  /* brief ones likewise */
    DETAIL_MS = 10000, /* between two looks that ask for ages, or a part of --idle where that is judged */
    DETAILS = 8,       /* in --idle */
    DETAILS_LEAST = 2, /* likewise, where they take long */
    DETAIL_MOST_MS = 60000,
    DETAIL_SHARE = 150, /* they take at most this part of a core, unless they would be too few then */
    CHEAP_MS = 10,      /* of processor: those that take no more do not count */
    LOST_LOOKS = 5,     /* in a row, after which it gives up */
    SETTLE_MS = 50,     /* between the two looks of --once, where the first was unsure */
};

static int64_t pause_after(const struct watch_options *options, const struct watch_look *look)
{
    int64_t left_ms = options->duration_ms - (int64_t)(look->t_s * 1e3);
    int64_t took_ms = (int64_t)(look->took_s * 1e3), wanted_ms = options->interval_ms - took_ms;
    bool is_brief = look->brief_cpu_s >= 0; /* the next one */
    double least_s = is_brief ? BRIEF_SHARE * look->brief_cpu_s : LOOK_SHARE * look->cpu_s;
    int64_t least_ms = (int64_t)(least_s * 1e3) - took_ms;
    int64_t pause = wanted_ms > least_ms ? wanted_ms : least_ms;
    return left_ms > 0 && left_ms < pause ? left_ms : pause;
}

/* Sockets whose owner was not found have been closed meanwhile, or are hidden: a second look tells. */
static int look_once(struct watch_course *course)
{
    int rc = watch_take(course->watch, true, &course->look);
    if (rc == 0 && course->look.unsure > 0) {
        watch_outputs_pause(course->outputs, SETTLE_MS);
        watch_look_thoroughly(course->watch);
        rc = watch_take(course->watch, true, &course->look);
    }
    return rc;
}

static int64_t between_details_ms(const struct watch_course *course)
{
    const struct watch_options *options = course->options;
    int64_t part_ms = options->idle_ms / DETAILS, took_ms = (int64_t)(course->look.full_cpu_s * 1e3);
    bool judges_rest = ((options->fail_on.growth & GROUPS_AT_REST) != 0) || options->fail_on.eta_ms > 0;
    int64_t wanted_ms = judges_rest && part_ms < DETAIL_MS ? part_ms : DETAIL_MS;
    int64_t most_ms = judges_rest ? options->idle_ms / DETAILS_LEAST : DETAIL_MOST_MS;
    int64_t least_ms = DETAIL_SHARE * took_ms < most_ms ? DETAIL_SHARE * took_ms : most_ms;
    least_ms = least_ms > LOOK_SHARE * took_ms ? least_ms : LOOK_SHARE * took_ms;
    return took_ms > CHEAP_MS && least_ms > wanted_ms ? least_ms : wanted_ms;
}

static int look_again(struct watch_course *course)
{
    int64_t now_us = monotonic_us();
    bool detailed =
        course->detailed_us == 0 || now_us - course->detailed_us > between_details_ms(course) * 1000;
    int rc = watch_take(course->watch, detailed, &course->look);
    if (rc == 0 && detailed)
        course->detailed_us = now_us;
    return rc;
}

static bool is_over(const struct watch_course *course)
{
    const struct watch_options *options = course->options;
    int64_t beyond_ms = (int64_t)(course->look.t_s * 1e3) - options->duration_ms;
    if (options->once || course->is_ended || *course->stopped_by != 0)
        return true;
    return options->duration_ms > 0 && beyond_ms >= watch_doubt_ms(course);
}

/* The threads' places below the last table. */
static int show_stacks(const struct watch_course *course)
{
    const struct watch_outputs *outputs = course->outputs;
    int unseen =
        watch_stacks_show((pid_t)course->options->pid, outputs->has_table ? stdout : NULL, outputs->json);
    int rc = outputs->json != NULL ? watch_outputs_write(outputs, outputs->json) : EXIT_AS_EXPECTED;
    rc = rc == EXIT_AS_EXPECTED ? watch_outputs_write(outputs, stdout) : rc;
    return rc == EXIT_AS_EXPECTED ? unseen : rc;
}

/* What is left to be said when the watch is over: the last table stays. Who ends it by anything but Ctrl-C
 * does not wait. */
static int end(const struct watch_course *course, int code)
{
    bool is_waited_for = *course->stopped_by == 0 || *course->stopped_by == SIGINT;
    int unseen = course->options->stacks && is_waited_for ? show_stacks(course) : EXIT_AS_EXPECTED;
    if (code == EXIT_AS_EXPECTED)
        code = watch_verdict_at_end(course);
    return code == EXIT_AS_EXPECTED ? unseen : code;
}

/* Nobody is accused of what somebody else may hold by now: all owners are read anew before. */
static int make_sure(struct watch_course *course)
{
    if (course->look.is_thorough || !watch_verdict_accuses(course))
        return 0;
    watch_look_thoroughly(course->watch);
    return watch_take(course->watch, true, &course->look);
}

static int look(struct watch_course *course)
{
    int rc = course->options->once ? look_once(course) : look_again(course);
    rc = rc == 0 ? make_sure(course) : rc;
    course->lost_looks = rc == -EINTR ? course->lost_looks + 1 : 0;
    course->is_blind |= rc == 0 && course->look.doomed > 0;
    if (rc == 0)
        watch_tell_namespaces(&course->look);
    return rc;
}

/* Passes on what sinks answer: one that cannot be told any more ends the watch at once. */
static bool may_go_on(struct watch_course *course, int rc)
{
    course->is_ended |= rc == WATCH_SINK_ENDS;
    return rc >= 0;
}

static int unwritten(const struct watch_course *course)
{
    return *course->stopped_by == SIGHUP ? EXIT_INTERRUPTED : EXIT_MACHINE;
}

/* Who serves metrics tells them that it lost one, and goes on for ever. */
static bool may_lose(const struct watch_course *course)
{
    return course->lost_looks < LOST_LOOKS || course->options->metrics.wanted;
}

static int look_on(struct watch_course *course)
{
    const struct watch_outputs *outputs = course->outputs;
    for (;;) {
        int rc = look(course);
        if (rc == -EINTR && may_lose(course) && *course->stopped_by == 0) {
            rc = watch_outputs_lost(outputs, EINTR);
            rc = rc == 0 ? watch_outputs_pause(outputs, course->options->interval_ms) : rc;
            if (!may_go_on(course, rc))
                return unwritten(course);
            continue;
        }
        if (rc != 0)
            return *course->stopped_by != 0 ? watch_verdict_at_end(course) : watch_tell_blind(course, -rc);
        int code = watch_verdict_now(course);
        bool is_last = code != EXIT_AS_EXPECTED || is_over(course);
        if (!may_go_on(course, watch_outputs_look(outputs, &course->look, is_last)))
            return unwritten(course);
        if (is_last)
            return end(course, code);
        watch_outputs_wait_while_clogged(outputs);
        if (!may_go_on(course, watch_outputs_pause(outputs, pause_after(course->options, &course->look))))
            return unwritten(course);
    }
}

int watch_course_run(struct watch_course *course)
{
    if (watch_outputs_begin(course->outputs) < 0)
        return unwritten(course);
    int code = look_on(course);
    int rc = watch_outputs_end(course->outputs);
    return rc < 0 && code == EXIT_AS_EXPECTED ? unwritten(course) : code;
}
