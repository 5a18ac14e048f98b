#include "model/dwell_time.h"

#include <stdio.h>

int64_t dwell_sampled(const struct dwell *dwell)
{
    int64_t sum = 0;
    for (int i = 0; i < DWELL_BUCKETS; i++)
        sum += dwell->in[i] > 0 ? dwell->in[i] : 0;
    return sum;
}

static double bucket_begins_s(int bucket)
{
    return (double)((int64_t)DWELL_FIRST_NS << bucket) / 1e9;
}

double dwell_longest_s(const struct dwell *dwell)
{
    return dwell_sampled(dwell) > 0 ? (double)dwell->longest_ns / 1e9 : -1;
}

/* Within a bucket they are taken to be spread evenly. */
double dwell_quantile_s(const struct dwell *dwell, double share)
{
    int64_t sampled = dwell_sampled(dwell);
    double wanted = share * (double)sampled, before = 0;
    if (sampled == 0)
        return -1;
    double longest_s = dwell_longest_s(dwell);
    for (int i = 0; i < DWELL_BUCKETS; i++) {
        double here = dwell->in[i] > 0 ? (double)dwell->in[i] : 0;
        if (here > 0 && before + here >= wanted) {
            double begins_s = bucket_begins_s(i), at_s = begins_s + begins_s * (wanted - before) / here;
            return longest_s > 0 && at_s > longest_s ? longest_s : at_s;
        }
        before += here;
    }
    return longest_s;
}

struct dwell_text dwell_text_of(double seconds)
{
    static const struct {
        double below, factor;
        const char *unit;
    } units[] = {
        {1e-3, 1e6, "us"}, {1, 1e3, "ms"}, {120, 1, "s"}, {7200, 1.0 / 60, "min"}, {0, 1.0 / 3600, "h"}};
    struct dwell_text out;
    size_t unit = 0;
    while (units[unit].below > 0 && seconds >= units[unit].below)
        unit++;
    double value = seconds * units[unit].factor;
    snprintf(out.text, sizeof out.text, value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit].unit);
    return out;
}
