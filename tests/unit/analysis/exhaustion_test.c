#include "../unit.h"

#include "analysis/exhaustion.h"

#include <math.h>

/* Simulated leaks, the same in every run: of each shape the true time has to lie in the interval of at least
 * 19 in 20 of those that have one. */
enum { LEAKS = 200, HIT_SHARE = 20 };

/* ---- chance ---- */

struct chance {
    uint64_t state;
};

/* splitmix64 */
static uint64_t next_bits(struct chance *chance)
{
    uint64_t z = chance->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double uniform(struct chance *chance)
{
    return ((double)(next_bits(chance) >> 11) + 1) / 9007199254740994.0;
}

static double exponential(struct chance *chance, double mean)
{
    return -mean * log(uniform(chance));
}

/* ---- leaks ---- */

struct shape {
    const char *name;
    double between_s;  /* two steps, in the mean */
    double regularity; /* 0: at any time (Poisson); 1: by the clock */
    double more;       /* the chance that one more is lost in the same step */
    double phase_s;    /* so long in the mean it leaks twice as fast, and then not at all; 0: always */
    double looks_s, watched_s, room;
    double stock, stay_s; /* so many more come and go, each stays so long in the mean; 0: none */
};

struct leak {
    struct chance chance;
    const struct shape *shape;
    double next_s, turns_s;
    bool rests;
    int64_t lost, stock;
};

/* Those that come and go, a look later. */
static void renew_stock(struct leak *leak)
{
    const struct shape *shape = leak->shape;
    int64_t stay = 0;
    if (shape->stock <= 0)
        return;
    for (int64_t i = 0; i < leak->stock; i++)
        stay += uniform(&leak->chance) < exp(-shape->looks_s / shape->stay_s);
    double come_every_s = shape->stay_s / shape->stock;
    for (double t_s = exponential(&leak->chance, come_every_s); t_s < shape->looks_s;
         t_s += exponential(&leak->chance, come_every_s))
        stay += uniform(&leak->chance) < exp(-(shape->looks_s - t_s) / shape->stay_s);
    leak->stock = stay;
}

static void plan_step(struct leak *leak)
{
    const struct shape *shape = leak->shape;
    double mean_s = shape->phase_s > 0 ? shape->between_s / 2 : shape->between_s;
    double wait_s = shape->regularity * mean_s + (1 - shape->regularity) * exponential(&leak->chance, mean_s);
    while (shape->phase_s > 0) {
        if (!leak->rests && leak->next_s + wait_s < leak->turns_s)
            break;
        wait_s -= leak->rests ? 0 : leak->turns_s - leak->next_s;
        wait_s = fmax(wait_s, 0);
        leak->next_s = leak->turns_s;
        leak->turns_s += exponential(&leak->chance, shape->phase_s);
        leak->rests = !leak->rests;
    }
    leak->next_s += wait_s;
}

/* Until that time, or until so many are lost; returns when that was. */
static double leak_until(struct leak *leak, double until_s, int64_t lost_most)
{
    double at_s = 0;
    while (leak->next_s <= until_s && leak->lost < lost_most) {
        at_s = leak->next_s;
        do
            leak->lost++;
        while (uniform(&leak->chance) < leak->shape->more);
        plan_step(leak);
    }
    return at_s;
}

/* Whether it was foretold, and whether rightly. */
static bool foretell(const struct shape *shape, int seed, bool *is_right)
{
    struct leak leak = {.chance = {(uint64_t)seed * 7919}, .shape = shape};
    struct trend_line line = {0};
    leak.chance.state = next_bits(&leak.chance);
    leak.turns_s = shape->phase_s > 0 ? exponential(&leak.chance, shape->phase_s) : 0;
    plan_step(&leak);
    leak.stock = (int64_t)shape->stock;
    double t_s = 0;
    for (; t_s <= shape->watched_s; t_s += shape->looks_s) {
        leak_until(&leak, t_s, INT64_MAX);
        renew_stock(&leak);
        trend_line_add(&line, t_s, leak.lost + leak.stock);
    }
    t_s -= shape->looks_s;
    struct exhaustion forecast = exhaustion_of(&line, shape->room);
    if (!forecast.is_known)
        return false;
    int64_t full = leak.lost + leak.stock + (int64_t)shape->room;
    double in_s = shape->looks_s;
    for (; shape->stock > 0; in_s += shape->looks_s) {
        leak_until(&leak, t_s + in_s, INT64_MAX);
        renew_stock(&leak);
        if (leak.lost + leak.stock >= full)
            break;
    }
    if (shape->stock <= 0)
        in_s = leak_until(&leak, INFINITY, full) - t_s;
    *is_right = in_s >= forecast.earliest_s && in_s <= forecast.latest_s;
    return true;
}

static const struct shape shapes[] = {
    {"by the clock", 0.25, 1, 0, 0, 0.2, 12, 200, 0, 0},
    {"nearly by the clock", 0.25, 0.8, 0, 0, 0.2, 12, 200, 0, 0},
    {"Poisson, fast", 0.05, 0, 0, 0, 1, 60, 20000, 0, 0},
    {"Poisson, slow", 15, 0, 0, 0, 1, 600, 800, 0, 0},
    {"Poisson, few looks", 1, 0, 0, 0, 1, 30, 1000, 0, 0},
    {"Poisson, many looks", 0.1, 0, 0, 0, 0.1, 300, 100000, 0, 0},
    {"Poisson, next to full", 1, 0, 0, 0, 1, 120, 5, 0, 0},
    {"bursts of ten", 5, 0, 0.9, 0, 1, 300, 4000, 0, 0},
    {"bursts of ten, many", 0.5, 0, 0.9, 0, 1, 600, 60000, 0, 0},
    {"bursts of a hundred", 10, 0, 0.99, 0, 1, 1200, 60000, 0, 0},
    {"it leaks for a while, and rests", 0.2, 0, 0, 10, 1, 600, 10000, 0, 0},
    {"others come and go", 0.5, 0, 0, 0, 1, 300, 1000, 20, 5},
    {"many others come and go", 0.2, 0, 0, 0, 1, 300, 1000, 50, 10},
};

static void the_true_time_lies_in_the_interval(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        int foretold = 0, right = 0;
        for (int seed = 1; seed <= LEAKS; seed++) {
            bool is_right = false;
            foretold += foretell(&shapes[i], seed, &is_right);
            right += is_right;
        }
        print_message("%s: %d of %d foretold, %d right\n", shapes[i].name, foretold, LEAKS, right);
        assert_true(foretold >= LEAKS / 10);
        assert_true(right * HIT_SHARE >= foretold * (HIT_SHARE - 1));
    }
}

static struct trend_line steady(double per_s, int looks)
{
    struct trend_line line = {0};
    for (int i = 0; i < looks; i++)
        trend_line_add(&line, i, (int64_t)(per_s * i));
    return line;
}

/* An interval that holds whatever comes would be right, too. */
static void an_interval_is_no_wider_than_chance(void **state)
{
    (void)state;
    struct trend_line line = steady(4, 600);
    struct exhaustion forecast = exhaustion_of(&line, 4000);
    assert_true(forecast.is_known);
    assert_true(fabs(forecast.in_s - 1000) < 2);
    assert_true(forecast.earliest_s > 850 && forecast.earliest_s < 999);
    assert_true(forecast.latest_s < 1200 && forecast.latest_s > 1001);
    assert_true(forecast.low_per_s > 3.4 && forecast.high_per_s < 4.6);
}

static void what_does_not_grow_for_sure_has_no_forecast(void **state)
{
    (void)state;
    struct trend_line line = {0};
    assert_false(exhaustion_of(&line, 100).is_known);
    line = steady(0, 100);
    assert_false(exhaustion_of(&line, 100).is_known);
    line = steady(-1, 100);
    assert_false(exhaustion_of(&line, 100).is_known);
    line = steady(5, 6); /* too few */
    assert_false(exhaustion_of(&line, 100).is_known);
    line = (struct trend_line){0};
    for (int i = 0; i < 200; i++) /* it has levelled off */
        trend_line_add(&line, i, i < 60 ? i : 60);
    assert_false(exhaustion_of(&line, 100).is_known);
}

static void without_room_it_is_now(void **state)
{
    (void)state;
    struct trend_line line = steady(5, 100);
    struct exhaustion forecast = exhaustion_of(&line, 0);
    assert_true(forecast.is_known);
    assert_true(forecast.in_s <= 0 && forecast.earliest_s <= 0);
    assert_true(forecast.latest_s < 5);
}

static void times_are_told_in_two_units_at_most(void **state)
{
    (void)state;
    const struct exhaustion forecasts[] = {
        {true, 4.1 / 60, 3.8 / 60, 4.4 / 60, 11520, 10680, 12420},
        {true, 12.34, 11, 13.06, 40.26, 38, 95},
        {true, 1.0 / 3600, 0.5 / 3600, 2.0 / 3600, 864000, 180000, 1e12},
    };
    assert_string_equal(exhaustion_rate_words(&forecasts[0]).text, "+4.1/min (3.8 to 4.4)");
    assert_string_equal(exhaustion_time_words(&forecasts[0]).text, "3 h 12 m (2 h 58 m to 3 h 27 m)");
    assert_string_equal(exhaustion_rate_words(&forecasts[1]).text, "+12.3/s (11.0 to 13.1)");
    assert_string_equal(exhaustion_time_words(&forecasts[1]).text, "40.3 s (38.0 s to 1 m 35 s)");
    assert_string_equal(exhaustion_rate_words(&forecasts[2]).text, "+1.0/h (0.5 to 2.0)");
    assert_string_equal(exhaustion_time_words(&forecasts[2]).text, "10 d 0 h (2 d 2 h to years)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_true_time_lies_in_the_interval),
        cmocka_unit_test(an_interval_is_no_wider_than_chance),
        cmocka_unit_test(what_does_not_grow_for_sure_has_no_forecast),
        cmocka_unit_test(without_room_it_is_now),
        cmocka_unit_test(times_are_told_in_two_units_at_most),
    };
    return cmocka_run_group_tests_name("exhaustion", tests, NULL, NULL);
}
