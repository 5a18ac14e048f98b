#include "base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *suffix;
    int64_t factor;
};

static const struct unit count_units[] = {{"", 1}, {"k", 1000}, {"m", 1000000}};
/* Longest first: "ms" must not be taken for "m" with an "s" left over. */
static const struct unit duration_units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct unit *unit_at(const struct unit *units, size_t n, const char *text, size_t length)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(units[i].suffix) == length && strncasecmp(units[i].suffix, text, length) == 0)
            return &units[i];
    return NULL;
}

struct term {
    int64_t value;
    const struct unit *unit;
};

/* Reads digits[.digits][unit] at *at; the value times its unit must be whole. Moves *at behind them. */
static int take_term(const char **at, const struct unit *units, size_t n, const struct unit *bare,
                     struct term *term)
{
    const char *p = *at;
    int64_t mantissa = 0, divisor = 1;
    bool in_fraction = false, any = false;
    for (; isdigit((unsigned char)*p) || (*p == '.' && !in_fraction); p++) {
        if (*p == '.') {
            in_fraction = true;
            continue;
        }
        any = true;
        if (__builtin_mul_overflow(mantissa, 10, &mantissa) ||
            __builtin_add_overflow(mantissa, *p - '0', &mantissa))
            return -ERANGE;
        if (in_fraction && __builtin_mul_overflow(divisor, 10, &divisor))
            return -ERANGE;
    }
    if (!any)
        return -EINVAL;
    size_t letters = 0;
    while (isalpha((unsigned char)p[letters]))
        letters++;
    const struct unit *unit = letters == 0 ? bare : unit_at(units, n, p, letters);
    if (unit == NULL)
        return -EINVAL;
    int64_t scaled;
    if (__builtin_mul_overflow(mantissa, unit->factor, &scaled))
        return -ERANGE;
    if (scaled % divisor != 0)
        return -EINVAL;
    *term = (struct term){.value = scaled / divisor, .unit = unit};
    *at = p + letters;
    return 0;
}

static int within(int64_t value, int64_t min, int64_t max, int64_t *out)
{
    if (value < min || value > max)
        return -ERANGE;
    *out = value;
    return 0;
}

/* A number that would be one but for its sign is out of range rather than nonsense. */
static bool is_negative_number(const char *text)
{
    return text[0] == '-' && isdigit((unsigned char)text[1]);
}

int parse_count(const char *text, int64_t min, int64_t max, int64_t *count)
{
    if (is_negative_number(text))
        return -ERANGE;
    struct term term;
    int rc = take_term(&text, count_units, COUNT_OF(count_units), &count_units[0], &term);
    if (rc != 0)
        return rc;
    return *text == '\0' ? within(term.value, min, max, count) : -EINVAL;
}

int parse_duration(const char *text, int64_t min_ms, int64_t max_ms, int64_t *duration_ms)
{
    if (is_negative_number(text))
        return -ERANGE;
    static const struct unit seconds = {"s", 1000};
    int64_t total = 0, last_factor = INT64_MAX;
    do {
        struct term term;
        const struct unit *bare = last_factor == INT64_MAX ? &seconds : NULL;
        int rc = take_term(&text, duration_units, COUNT_OF(duration_units), bare, &term);
        if (rc != 0)
            return rc;
        if (term.unit->factor >= last_factor) /* "30s1m" and "1s1s" are slips, not durations */
            return -EINVAL;
        last_factor = term.unit->factor;
        if (__builtin_add_overflow(total, term.value, &total))
            return -ERANGE;
    } while (*text != '\0');
    return within(total, min_ms, max_ms, duration_ms);
}
