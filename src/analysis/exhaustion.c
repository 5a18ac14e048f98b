#include "analysis/exhaustion.h"

#include "analysis/student_t.h"

#include <math.h>
#include <stdio.h>

enum {
    SPANS =
        8, /* of which the rises are compared: enough to see how they differ, long enough for slow bursts */
    BINS_LEAST = 4, /* full ones */
};

/* Steps that come one by one, at times of their own, have a spread as large as their rate. So much that is
 * worth, in spans, where few rises say that the steps are more regular. */
static const double POISSON_SPANS = 4;

/* Of all that grows as it does by chance, what grows fast and smoothly is taken for a leak: with the usual
 * quantile more than one in twenty of those would be foretold wrongly. */
static const double WIDER = 1.5;

/* What two neighbouring looks at a steady leak can be off, in counts. */
static const double LOOK_ERROR = 1;

/* ---- how far the steps of a leak spread ---- */

static int full_bins(const struct trend_line *line)
{
    int used = line->bins_used;
    return used > 0 && line->bins[used - 1].looks < line->looks_per_bin ? used - 1 : used;
}

/* Means over the looks of a bin. */
static double time_of(const struct trend_line *line, int i)
{
    return line->bins[i].t_s / (double)line->bins[i].looks;
}

static double count_of(const struct trend_line *line, int i)
{
    return line->bins[i].count / (double)line->bins[i].looks;
}

struct spread {
    double per_s;   /* variance that comes in a second */
    double freedom; /* of that estimate */
};

/* A mean over n looks has seen less of its own span: the difference of two such means t seconds apart has the
 * variance of t - span * (1 - 1 / (n * n)) / 3 seconds. */
static struct spread spread_of(const struct trend_line *line, double rate_per_s)
{
    int bins = full_bins(line), lag = bins / SPANS > 0 ? bins / SPANS : 1;
    double n = (double)line->looks_per_bin, squares = 0, seconds = 0;
    double span_s = bins > 1 ? (time_of(line, bins - 1) - time_of(line, 0)) / (bins - 1) : 0;
    for (int i = 0; i + lag < bins; i++) {
        double t_s = time_of(line, i + lag) - time_of(line, i);
        double off = count_of(line, i + lag) - count_of(line, i) - rate_per_s * t_s;
        squares += off * off;
        seconds += t_s - span_s * (1 - 1 / (n * n)) / 3;
    }
    double freedom = (double)bins / lag - 1;
    double seen = seconds > 0 ? squares / seconds * (freedom + 1) / freedom : 0;
    double pooled = (freedom * seen + POISSON_SPANS * rate_per_s) / (freedom + POISSON_SPANS);
    return (struct spread){.per_s = fmax(seen, pooled), .freedom = freedom};
}

/* ---- when ---- */

/* The times at which rate * t lies so far from the room as chance may carry it: q * sqrt(a t t + b t + c). */
static void solve(struct exhaustion *forecast, double room, double q, double a, double b, double c)
{
    double rate = forecast->per_s;
    double square = rate * rate - q * q * a, half = room * rate + q * q * b / 2;
    double rest = room * room - q * q * c;
    double root = sqrt(fmax(half * half - square * rest, 0));
    forecast->earliest_s = fmax((half - root) / square, 0);
    forecast->latest_s = (half + root) / square;
}

struct exhaustion exhaustion_of(const struct trend_line *line, double room)
{
    struct exhaustion forecast = {.is_known = false};
    double span_s = line->last_s - line->first_s;
    if (trend_of(line).kind != TREND_LEAK || full_bins(line) < BINS_LEAST || span_s <= 0)
        return forecast;
    forecast.per_s = (double)(line->last - line->first) / span_s;
    struct spread spread = spread_of(line, forecast.per_s);
    double q = WIDER * student_t(spread.freedom), error = LOOK_ERROR * LOOK_ERROR;
    double a = spread.per_s / span_s + error / (span_s * span_s);
    double margin = q * sqrt(a);
    if (forecast.per_s <= margin)
        return forecast;
    forecast.is_known = true;
    forecast.low_per_s = forecast.per_s - margin;
    forecast.high_per_s = forecast.per_s + margin;
    forecast.in_s = room / forecast.per_s;
    solve(&forecast, room, q, a, spread.per_s + 2 * error / span_s, error);
    return forecast;
}

/* ---- words ---- */

struct exhaustion_text exhaustion_rate_words(const struct exhaustion *forecast)
{
    struct exhaustion_text out;
    double scale = forecast->high_per_s >= 0.1 ? 1 : forecast->high_per_s * 60 >= 0.1 ? 60 : 3600;
    const char *unit = scale < 2 ? "/s" : scale < 61 ? "/min" : "/h";
    snprintf(out.text, sizeof out.text, "+%.1f%s (%.1f to %.1f)", forecast->per_s * scale, unit,
             forecast->low_per_s * scale, forecast->high_per_s * scale);
    return out;
}

/* Two units at most: nobody needs the seconds of an hour. */
static void put_time(char *text, size_t size, double s)
{
    if (s < 60)
        snprintf(text, size, "%.1f s", s);
    else if (s < 3600)
        snprintf(text, size, "%d m %d s", (int)(s / 60), (int)s % 60);
    else if (s < 48.0 * 3600)
        snprintf(text, size, "%d h %d m", (int)(s / 3600), (int)(s / 60) % 60);
    else if (s < 10000.0 * 24 * 3600)
        snprintf(text, size, "%d d %d h", (int)(s / (24 * 3600)), (int)(s / 3600) % 24);
    else
        snprintf(text, size, "years");
}

struct exhaustion_text exhaustion_time_words(const struct exhaustion *forecast)
{
    struct exhaustion_text out;
    char at[24], earliest[24], latest[24];
    put_time(at, sizeof at, forecast->in_s);
    put_time(earliest, sizeof earliest, forecast->earliest_s);
    put_time(latest, sizeof latest, forecast->latest_s);
    snprintf(out.text, sizeof out.text, "%s (%s to %s)", at, earliest, latest);
    return out;
}
