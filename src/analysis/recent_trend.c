#include "analysis/recent_trend.h"

enum { STAY_SHARE = 4 }; /* at most one in so many has left */

void recent_trend_add(struct recent_trend *recent, double t_s, int64_t count, int64_t came)
{
    struct recent_line *older = &recent->older, *younger = &recent->younger;
    if (older->line.looks > 0 && t_s - older->line.first_s > RECENT_TREND_S) {
        *older = *younger;
        *younger = (struct recent_line){.came = 0};
    }
    if (came < recent->came) {
        older->came -= recent->came;
        younger->came -= recent->came;
    }
    if (older->line.looks == 0)
        older->came = came;
    trend_line_add(&older->line, t_s, count);
    bool is_half_over = t_s - older->line.first_s >= RECENT_TREND_S / 2;
    if (is_half_over && younger->line.looks == 0)
        younger->came = came;
    if (is_half_over)
        trend_line_add(&younger->line, t_s, count);
    recent->came = came;
    recent->count = count;
}

bool recent_trend_stays(const struct recent_trend *recent)
{
    int64_t came = recent->came - recent->older.came;
    int64_t left = came - (recent->count - recent->older.line.first);
    return STAY_SHARE * left <= came;
}
