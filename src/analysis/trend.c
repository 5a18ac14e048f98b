#include "analysis/trend.h"

#include "analysis/student_t.h"
#include "base/number_text.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

enum { LOOKS_LEAST = 8, RISE_LEAST = 2 };

static const double SPAN_LEAST_S = 0.5;
static const double CORRELATION_MOST = 0.98;
static const double RISE_OVER_SCATTER = 3;
static const double RISE_OVER_CHANCE = 2.5;
static const double LATTER_HALF_SHARE = 0.25; /* of the whole's slope */

/* ---- looks into bins ---- */

static void merge_bins_in_pairs(struct trend_line *growth)
{
    growth->bins_used /= 2;
    growth->looks_per_bin *= 2;
    for (int i = 0; i < growth->bins_used; i++) {
        struct trend_bin a = growth->bins[2 * i], b = growth->bins[2 * i + 1];
        growth->bins[i] = (struct trend_bin){a.looks + b.looks, a.t_s + b.t_s, a.count + b.count};
    }
}

static struct trend_bin *bin_with_room(struct trend_line *growth)
{
    int used = growth->bins_used;
    if (used > 0 && growth->bins[used - 1].looks < growth->looks_per_bin)
        return &growth->bins[used - 1];
    if (used == TREND_BINS)
        merge_bins_in_pairs(growth);
    struct trend_bin *bin = &growth->bins[growth->bins_used++];
    *bin = (struct trend_bin){0};
    return bin;
}

void trend_line_add(struct trend_line *growth, double t_s, int64_t count)
{
    if (growth->looks == 0) {
        growth->looks_per_bin = 1;
        growth->first_s = t_s;
        growth->first = count;
    }
    if (growth->looks > 0 && count < growth->last)
        growth->falls_squared += (double)(growth->last - count) * (double)(growth->last - count);
    growth->looks++;
    growth->last_s = t_s;
    growth->last = count;
    struct trend_bin *bin = bin_with_room(growth);
    bin->looks++;
    bin->t_s += t_s - growth->first_s;
    bin->count += (double)(count - growth->first);
}

/* ---- a line through bins ---- */

/* Full bins weigh 1, the last one as much as it is full. */
struct point {
    double weight, t_s, count;
};

static struct point point_of(const struct trend_line *growth, int i)
{
    const struct trend_bin *bin = &growth->bins[i];
    double looks = (double)bin->looks;
    return (struct point){looks / (double)growth->looks_per_bin, bin->t_s / looks, bin->count / looks};
}

struct line {
    double weight;         /* of all points */
    double t_s, count;     /* where it passes: the mean */
    double t_squares;      /* weighted sum of squared distances from t_s */
    double slope_per_s;    /* 0 when all points have the same time */
    double scatter;        /* weighted sum of squared residuals */
    double scatter_lagged; /* of products of neighbouring residuals */
};

static double residual_of(const struct line *line, const struct point *point)
{
    return point->count - line->count - line->slope_per_s * (point->t_s - line->t_s);
}

static void find_mean(struct line *line, const struct trend_line *growth, int from)
{
    for (int i = from; i < growth->bins_used; i++) {
        struct point point = point_of(growth, i);
        line->weight += point.weight;
        line->t_s += point.weight * point.t_s;
        line->count += point.weight * point.count;
    }
    line->t_s /= line->weight;
    line->count /= line->weight;
}

static void find_slope(struct line *line, const struct trend_line *growth, int from)
{
    double products = 0;
    for (int i = from; i < growth->bins_used; i++) {
        struct point point = point_of(growth, i);
        double t_s = point.t_s - line->t_s;
        line->t_squares += point.weight * t_s * t_s;
        products += point.weight * t_s * (point.count - line->count);
    }
    line->slope_per_s = line->t_squares > 0 ? products / line->t_squares : 0;
}

static void find_scatter(struct line *line, const struct trend_line *growth, int from)
{
    double before = 0;
    for (int i = from; i < growth->bins_used; i++) {
        struct point point = point_of(growth, i);
        double residual = residual_of(line, &point);
        line->scatter += point.weight * residual * residual;
        line->scatter_lagged += point.weight * residual * before;
        before = residual;
    }
}

static struct line line_through(const struct trend_line *growth, int from)
{
    struct line line = {0};
    find_mean(&line, growth, from);
    find_slope(&line, growth, from);
    find_scatter(&line, growth, from);
    return line;
}

/* ---- how sure the slope is ---- */

/* Of neighbouring bins. Residuals of a fitted line show less than there is, by about (2 + 4 r) / n. */
static double correlation_of(const struct line *line)
{
    if (line->scatter <= 0)
        return 0;
    double shown = line->scatter_lagged / line->scatter;
    double correlation = shown + (2 + 4 * shown) / line->weight;
    return fmin(fmax(correlation, 0), CORRELATION_MOST);
}

/* Half the width of the interval. */
static double slope_margin(const struct line *line)
{
    double correlation = correlation_of(line);
    double independent = line->weight * (1 - correlation) / (1 + correlation);
    double freedom = fmax(independent - 2, 1);
    return student_t(freedom) * sqrt(line->scatter / freedom / line->t_squares);
}

/* ---- what it means ---- */

/* How far chance alone may carry a count of sockets that come and go. A short window can show a stretch of a
 * slow wave that looks straight, so this does not rest on the scatter around the line: the count wanders no
 * further than a walk with such falls and rises alike, and no further than Poisson lets such a stock differ
 * between two looks. A leak that nothing is taken from has no falls, and chance carries it nowhere. */
static double chance_rise(const struct trend_line *growth, const struct line *whole)
{
    double at_start = (double)growth->first + whole->count - whole->slope_per_s * whole->t_s;
    double at_end = at_start + whole->slope_per_s * (growth->last_s - growth->first_s);
    double stock = fmax(fmin(at_start, at_end), 0);
    return sqrt(fmin(2 * growth->falls_squared, 2 * stock));
}

static double least_rise(const struct trend_line *growth, const struct line *whole)
{
    double scatter = sqrt(whole->scatter / whole->weight);
    return fmax(RISE_LEAST, fmax(RISE_OVER_SCATTER * scatter, RISE_OVER_CHANCE * chance_rise(growth, whole)));
}

struct trend trend_of(const struct trend_line *growth)
{
    struct trend trend = {
        .looks = growth->looks,
        .span_s = growth->last_s - growth->first_s,
        .first = growth->first,
        .last = growth->last,
    };
    if (trend.looks < LOOKS_LEAST || trend.span_s < SPAN_LEAST_S)
        return trend;
    struct line whole = line_through(growth, 0);
    struct line latter = line_through(growth, growth->bins_used / 2);
    double margin = slope_margin(&whole);
    trend.slope_per_s = whole.slope_per_s;
    trend.low_per_s = whole.slope_per_s - margin;
    trend.high_per_s = whole.slope_per_s + margin;
    bool steep = fabs(whole.slope_per_s) * trend.span_s >= least_rise(growth, &whole);
    bool lasting =
        latter.slope_per_s * whole.slope_per_s >= LATTER_HALF_SHARE * whole.slope_per_s * whole.slope_per_s;
    trend.kind = TREND_PLATEAU;
    if (steep && lasting && trend.low_per_s > 0)
        trend.kind = TREND_LEAK;
    if (steep && lasting && trend.high_per_s < 0)
        trend.kind = TREND_DRAINING;
    return trend;
}

double trend_seconds_to(const struct trend *trend, double room)
{
    if (trend->kind != TREND_LEAK)
        return INFINITY;
    return room > 0 ? room / trend->slope_per_s : 0;
}

/* ---- words ---- */

const char *trend_kind_name(enum trend_kind kind)
{
    static const char *const names[] = {
        [TREND_UNKNOWN] = "unknown",
        [TREND_LEAK] = "leak",
        [TREND_PLATEAU] = "plateau",
        [TREND_DRAINING] = "draining",
    };
    return names[kind];
}

/* One unit and one precision for a slope and both ends of its interval. */
struct rate_scale {
    double seconds;
    const char *unit;
    int decimals;
};

static struct rate_scale scale_for(const struct trend *trend)
{
    double most = fmax(fabs(trend->low_per_s), fabs(trend->high_per_s));
    struct rate_scale scale = {1, "/s", 2};
    if (most > 0 && most < 0.1 / 60)
        scale = (struct rate_scale){3600, "/h", 2};
    else if (most > 0 && most < 0.1)
        scale = (struct rate_scale){60, "/min", 2};
    if (most * scale.seconds >= 1)
        scale.decimals = 1;
    return scale;
}

static struct number_text rate_text(double per_s, const struct rate_scale *scale)
{
    double rate = per_s * scale->seconds;
    struct number_text out;
    if (fabs(rate) < 0.005)
        rate = 0; /* not -0.00 */
    if (fabs(rate) >= 10000 && fabs(rate) < 1e15)
        return grouped((int64_t)(rate < 0 ? rate - 0.5 : rate + 0.5));
    snprintf(out.text, sizeof out.text, fabs(rate) < 1e15 ? "%.*f" : "%.*e", scale->decimals, rate);
    return out;
}

static struct number_text span_text(double span_s)
{
    struct number_text out;
    if (span_s >= 120)
        return duration_text((int64_t)span_s * 1000);
    snprintf(out.text, sizeof out.text, "%.1f s", span_s);
    return out;
}

static struct trend_text level_words(const struct trend *trend)
{
    struct rate_scale scale = scale_for(trend);
    struct trend_text out;
    snprintf(out.text, sizeof out.text, "stays level (%s%s, 95%% confidence %s to %s)",
             rate_text(trend->slope_per_s, &scale).text, scale.unit, rate_text(trend->low_per_s, &scale).text,
             rate_text(trend->high_per_s, &scale).text);
    return out;
}

static struct trend_text slope_words(const struct trend *trend, const char *verb, double slope, double low,
                                     double high)
{
    struct rate_scale scale = scale_for(trend);
    struct trend_text out;
    snprintf(out.text, sizeof out.text, "%s by %s%s (95%% confidence %s to %s, %s over %s)", verb,
             rate_text(slope, &scale).text, scale.unit, rate_text(low, &scale).text,
             rate_text(high, &scale).text, counted(trend->looks, "look").text, span_text(trend->span_s).text);
    return out;
}

struct trend_text trend_words(const struct trend *trend)
{
    switch (trend->kind) {
    case TREND_LEAK:
        return slope_words(trend, "grows", trend->slope_per_s, trend->low_per_s, trend->high_per_s);
    case TREND_DRAINING:
        return slope_words(trend, "is draining", -trend->slope_per_s, -trend->high_per_s, -trend->low_per_s);
    case TREND_PLATEAU:
        return level_words(trend);
    case TREND_UNKNOWN:
        break;
    }
    return (struct trend_text){"too few looks to tell"};
}
