#include "analysis/transition_report.h"

#include "base/min_max.h"
#include "base/number_text.h"
#include "base/text.h"
#include "model/dwell_time.h"
#include "model/transition.h"

#include <string.h>

bool transitions_were_missed(const struct transition_counts *counts)
{
    return counts->unheard > 0 || counts->holes > 0;
}

bool transitions_are_still(const struct transition_counts *before, const struct transition_counts *after)
{
    return transitions_in_all(before) == transitions_in_all(after);
}

/* ---- the gauge and the look ---- */

/* States whose sockets that level counts all. */
static uint32_t states_seen(enum events_level level)
{
    const uint32_t none = STATE_SET(STATE_GONE) | STATE_SET(STATE_CLOSE);
    const uint32_t small =
        STATE_SET(STATE_SYN_RECV) | STATE_SET(STATE_FIN_WAIT2) | STATE_SET(STATE_TIME_WAIT);
    return ~(level == EVENTS_ALL ? none : none | small);
}

bool transitions_agree(const struct transition_counts *counts, enum events_level level,
                       const struct histogram sides[SIDE_COUNT], struct difference *difference)
{
    difference->text[0] = '\0';
    for (int side = 0; side < SIDE_COUNT; side++)
        for (int at = 0; at < STATE_COUNT; at++) {
            int64_t counted = counts->side[side].now[at], looked = sides[side].of[at];
            if (!state_set_has(states_seen(level), (enum tcp_state)at) || counted == looked)
                continue;
            TEXT_ADD(difference->text, "%s%s %s on the %s where the tables show %s",
                     difference->text[0] != '\0'
                         ? ", "
                         : "the event counts and the kernel's tables differ: the events count ",
                     grouped(counted).text, tcp_state_name((enum tcp_state)at), side_name((enum side)side),
                     grouped(looked).text);
        }
    return difference->text[0] == '\0';
}

void transitions_gauge(const struct transition_counts *counts, enum events_level level,
                       const struct histogram looked[SIDE_COUNT], struct histogram sides[SIDE_COUNT])
{
    for (int side = 0; side < SIDE_COUNT; side++) {
        struct histogram *now = &sides[side];
        *now = looked[side];
        for (int at = 0; at < STATE_COUNT; at++)
            if (state_set_has(states_seen(level), (enum tcp_state)at))
                now->of[at] = counts->side[side].now[at];
        now->unread = min_of(now->unread, now->of[STATE_CLOSE_WAIT]);
        now->unowned = min_of(now->unowned, now->of[STATE_CLOSE_WAIT]);
        now->half_closed = min_of(now->half_closed, now->of[STATE_FIN_WAIT2]);
    }
}

/* ---- the order ---- */

struct move {
    enum side side;
    enum tcp_state from, to;
    enum transition_why why;
};

enum { MOVES_IN_ALL = SIDE_COUNT * STATE_COUNT * STATE_COUNT * WHY_COUNT };

static struct move move_at(int i)
{
    return (struct move){
        .why = (enum transition_why)(i % WHY_COUNT),
        .to = (enum tcp_state)(i / WHY_COUNT % STATE_COUNT),
        .from = (enum tcp_state)(i / WHY_COUNT / STATE_COUNT % STATE_COUNT),
        .side = (enum side)(i / WHY_COUNT / STATE_COUNT / STATE_COUNT),
    };
}

static int64_t count_of(const struct transition_counts *counts, const struct move *move)
{
    return counts->side[move->side].moved[move->from][move->to][move->why];
}

static enum transition_kind kind_of(const struct transition_report *report, const struct move *move)
{
    return transition_kind(move->side, move->from, move->to, move->why, report->level == EVENTS_ALL);
}

struct move_text {
    char text[160];
};

/* "ESTABLISHED to gone by RST on the server". */
static struct move_text move_text(const struct move *move)
{
    static const char *const by[] = {[WHY_ORDERLY] = "",
                                     [WHY_RESET] = " by RST",
                                     [WHY_TIMED_OUT] = " unanswered",
                                     [WHY_DESTROYED] = "",
                                     [WHY_UNACKNOWLEDGED] = " without the ACK of its FIN"};
    struct move_text out = {""};
    TEXT_ADD(out.text, "%s to %s%s on the %s%s", tcp_state_name(move->from), tcp_state_name(move->to),
             by[move->why], side_name(move->side),
             move->why == WHY_DESTROYED ? ", destroyed by another process (SOCK_DESTROY, as ss -K does)"
                                        : "");
    return out;
}

static void say_move(struct difference *difference, int64_t count, const struct move *move,
                     const struct transition_range *range)
{
    TEXT_ADD(difference->text, "%s%s from %s", difference->text[0] != '\0' ? "; " : "", grouped(count).text,
             move_text(move).text);
    if (range == NULL)
        TEXT_ADD(difference->text, ", outside of RFC 9293");
    else if (range->least == range->most)
        TEXT_ADD(difference->text, " where the order expects %s", grouped(range->most).text);
    else
        TEXT_ADD(difference->text, " where the order expects %s to %s", grouped(range->least).text,
                 grouped(range->most).text);
}

static void check_time_wait(const struct transition_report *report, const struct transition_range *range,
                            struct difference *difference)
{
    int64_t came = 0;
    for (int i = 0; i < MOVES_IN_ALL; i++) {
        const struct move move = move_at(i);
        came += move.to == STATE_TIME_WAIT ? count_of(report->counts, &move) : 0;
    }
    if (range->most > 0 && (came < range->least || came > range->most))
        TEXT_ADD(difference->text,
                 "%s%s entered TIME_WAIT on both sides together where the order expects %s to %s",
                 difference->text[0] != '\0' ? "; " : "", grouped(came).text, grouped(range->least).text,
                 grouped(range->most).text);
}

bool transitions_are_as_expected(const struct transition_report *report,
                                 const struct order_transitions *expected, struct difference *difference)
{
    difference->text[0] = '\0';
    for (int i = 0; i < MOVES_IN_ALL; i++) {
        const struct move move = move_at(i);
        int64_t count = count_of(report->counts, &move);
        if (count != 0 && kind_of(report, &move) == TRANSITION_OUTSIDE) {
            say_move(difference, count, &move, NULL);
            continue;
        }
        const struct transition_range *range =
            expected != NULL ? &expected->of[move.side][move.from][move.to][move.why] : NULL;
        if (range != NULL && (count < range->least || count > range->most))
            say_move(difference, count, &move, range);
    }
    if (expected != NULL)
        check_time_wait(report, &expected->to_time_wait, difference);
    return difference->text[0] == '\0';
}

/* ---- in sentences ---- */

static int64_t of_kind(const struct transition_report *report, enum transition_kind kind)
{
    return transitions_of_kind(report->counts, kind, report->level == EVENTS_ALL);
}

/* How many, and each by name. */
static void say_outside(struct transition_text *out, const struct transition_report *report)
{
    const char *before = ": ";
    TEXT_ADD(out->text, ", %s outside", grouped(of_kind(report, TRANSITION_OUTSIDE)).text);
    for (int i = 0; i < MOVES_IN_ALL; i++) {
        const struct move move = move_at(i);
        int64_t count = count_of(report->counts, &move);
        if (count == 0 || kind_of(report, &move) != TRANSITION_OUTSIDE)
            continue;
        TEXT_ADD(out->text, "%s%s from %s", before, grouped(count).text, move_text(&move).text);
        before = "; ";
    }
    TEXT_ADD(out->text, ".");
}

static void say_kinds(struct transition_text *out, const struct transition_report *report)
{
    static const struct {
        enum transition_kind kind;
        const char *are;
    } others[] = {
        {TRANSITION_RESET, "ended by an RST"},
        {TRANSITION_ABORT, "given up by their own side (ABORT)"},
        {TRANSITION_UNANSWERED, "given up because nobody answered"},
        {TRANSITION_SHORTENED,
         "with TIME_WAIT left out or cut short (tcp_fin_timeout, tcp_max_tw_buckets, an RST or a new SYN)"},
        {TRANSITION_UNSEEN, "handed over to minisockets, which these events do not see"},
    };
    int64_t all = transitions_in_all(report->counts), drawn = of_kind(report, TRANSITION_DIAGRAM);
    TEXT_ADD(out->text, "%s transition%s, ", grouped(all).text, all == 1 ? "" : "s");
    if (drawn == all)
        TEXT_ADD(out->text, "every one an arrow of RFC 9293's diagram");
    else
        TEXT_ADD(out->text, "%s of them arrows of RFC 9293's diagram", grouped(drawn).text);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (of_kind(report, others[i].kind) > 0)
            TEXT_ADD(out->text, ", %s %s", grouped(of_kind(report, others[i].kind)).text, others[i].are);
    say_outside(out, report);
}

/* How long the closes were owed. */
static void say_close_wait(struct transition_text *out, const struct transition_report *report)
{
    for (int side = 0; side < SIDE_COUNT; side++) {
        const struct dwell *dwell = &report->counts->side[side].dwell[STATE_CLOSE_WAIT];
        if (dwell_sampled(dwell) > 0)
            TEXT_ADD(out->text, " CLOSE_WAIT on the %s: p50 %s, p99 %s.", side_name((enum side)side),
                     dwell_text_of(dwell_quantile_s(dwell, 0.5)).text,
                     dwell_text_of(dwell_quantile_s(dwell, 0.99)).text);
    }
}

static void say_sent_again(struct transition_text *out, const struct transition_report *report)
{
    const struct transition_counts *counts = report->counts;
    if (counts->retransmitted > 0)
        TEXT_ADD(out->text, " %s segment%s sent again.", grouped(counts->retransmitted).text,
                 counts->retransmitted == 1 ? " was" : "s were");
    if (counts->resets_sent > 0 || counts->resets_received > 0)
        TEXT_ADD(out->text, " RST: %s sent, %s received.", grouped(counts->resets_sent).text,
                 grouped(counts->resets_received).text);
}

static void say_agreement(struct transition_text *out, const struct transition_report *report)
{
    if (report->compared > 0 && report->agreed == report->compared)
        TEXT_ADD(out->text, "\nThe event counts and the kernel's tables agree at %s of %s%s.",
                 grouped(report->agreed).text, counted(report->compared, "settled step").text,
                 report->level == EVENTS_ALL ? "" : " on the states that the events see");
    else if (report->compared > 0)
        TEXT_ADD(out->text,
                 "\nThe event counts and the kernel's tables agree at only %s of %s settled steps. One of "
                 "them is wrong. If the event counts are too low, it is likely these: some kernels skip "
                 "tracepoints in bursts under load, and do not report it.",
                 grouped(report->agreed).text, grouped(report->compared).text);
    else
        TEXT_ADD(out->text,
                 "\nNo settled step was quiet enough to compare the event counts with the kernel's tables.");
}

static void say_missed(struct transition_text *out, const struct transition_report *report)
{
    const struct transition_counts *counts = report->counts;
    if (report->level != EVENTS_ALL)
        TEXT_ADD(out->text, "The counts are incomplete: %s.", report->lack);
    if (counts->unheard > 0)
        TEXT_ADD(out->text, "%sThe kernel reports %s missed event%s: the counts are lower bounds.",
                 out->text[0] != '\0' ? "\n" : "", grouped(counts->unheard).text,
                 counts->unheard == 1 ? "" : "s");
    if (counts->holes > 0)
        TEXT_ADD(out->text,
                 "%s%s of the sockets followed left a state other than the one that they had entered: events "
                 "were missed, and the counts are lower bounds.",
                 out->text[0] != '\0' ? "\n" : "", grouped(counts->holes).text);
}

struct transition_text transition_summary(const struct transition_report *report)
{
    struct transition_text out = {""};
    say_kinds(&out, report);
    say_sent_again(&out, report);
    return out;
}

struct transition_text transition_caveats(const struct transition_report *report)
{
    struct transition_text out = {""};
    say_missed(&out, report);
    return out;
}

struct transition_text transition_sentences(const struct transition_report *report)
{
    struct transition_text out = {""};
    TEXT_ADD(out.text, "%s connection%s made ", grouped(report->conns).text, report->conns == 1 ? "" : "s");
    say_kinds(&out, report);
    say_close_wait(&out, report);
    say_sent_again(&out, report);
    say_agreement(&out, report);
    const struct transition_text caveats = transition_caveats(report);
    TEXT_ADD(out.text, "%s%s", caveats.text[0] != '\0' ? "\n" : "", caveats.text);
    return out;
}
