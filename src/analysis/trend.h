/* growth: whether a count of sockets grows, from looks at it, in memory that stays flat however long the run.
 *
 * Looks are averaged into at most TREND_BINS bins of equally many looks, which double when all are full, and
 * a straight line is laid through the bins by least squares. Looks 100 ms apart see many of the same sockets,
 * so that bins are no independent measurements: the interval of the slope counts only as many as their lag-1
 * autocorrelation leaves (Santer et al. 2000, doi:10.1029/1999JD901105). */
#ifndef ANALYSIS_TREND_H
#define ANALYSIS_TREND_H

#include <stdint.h>

enum { TREND_BINS = 64 };

/* Sums over the looks of a bin, both less those of the first look of all. */
struct trend_bin {
    int64_t looks;
    double t_s;
    double count;
};

/* Zero-initialised: no looks yet. */
struct trend_line {
    struct trend_bin bins[TREND_BINS];
    int bins_used;         /* all but the last are full */
    int64_t looks_per_bin; /* of a full one: a power of two */
    int64_t looks;
    double falls_squared; /* sum over looks lower than the one before */
    double first_s, last_s;
    int64_t first, last; /* counts */
};

/* t_s in seconds of any clock that does not go back. */
void trend_line_add(struct trend_line *growth, double t_s, int64_t count);

enum trend_kind {
    TREND_UNKNOWN, /* too few looks, or too short a span */
    TREND_LEAK,
    TREND_PLATEAU,
    TREND_DRAINING,
};

struct trend {
    enum trend_kind kind;
    double slope_per_s;           /* this and the next are 0 while unknown */
    double low_per_s, high_per_s; /* 95 % confidence interval of the slope */
    int64_t looks;
    double span_s;       /* from the first look to the last */
    int64_t first, last; /* counts */
};

/* A leak is a slope whose interval lies above 0 and that
 *   - raised the count by two sockets, by three times the scatter of the bins around the line, and by
 *     more than chance does to a stock of sockets that come and go (Poisson: its variance is its mean),
 *   - still holds in the latter half: a count that rises and then levels off is a plateau.
 * Draining is the same, downwards. Fewer than 8 looks or less than half a second are unknown. */
struct trend trend_of(const struct trend_line *growth);

/* "leak", "plateau", "draining", "unknown". */
const char *trend_kind_name(enum trend_kind kind);

struct trend_text {
    char text[256];
};

/* The predicate of a sentence about the count: "grows by 50.0/s (95% confidence 49.6 to 50.4, 98 looks over
 * 9.8 s)"; slow slopes are told per minute or per hour. */
struct trend_text trend_words(const struct trend *trend);

/* Seconds until `room` more are taken at that slope; INFINITY unless it is a leak, 0 without room. */
double trend_seconds_to(const struct trend *trend, double room);

#endif
