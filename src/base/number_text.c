#include "base/number_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct number_text grouped(int64_t value)
{
    char digits[24];
    struct number_text out = {""};
    size_t n = (size_t)snprintf(digits, sizeof digits, "%" PRIu64,
                                value < 0 ? (uint64_t)0 - (uint64_t)value : (uint64_t)value);
    char *p = out.text;
    if (value < 0)
        *p++ = '-';
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            *p++ = ',';
        *p++ = digits[i];
    }
    *p = '\0';
    return out;
}

const char *plural(int64_t count)
{
    return one_or_many(count, "", "s");
}

const char *one_or_many(int64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}

struct counted_text counted(int64_t count, const char *noun)
{
    struct counted_text out;
    snprintf(out.text, sizeof out.text, "%s %s%s", grouped(count).text, noun, plural(count));
    return out;
}

struct number_text duration_text(int64_t duration_ms)
{
    struct number_text out = {""};
    int64_t hours = duration_ms / 3600000, minutes = duration_ms / 60000 % 60, rest_ms = duration_ms % 60000;
    char *p = out.text;
    size_t room = sizeof out.text;
    if (hours > 0) {
        int n = snprintf(p, room, "%" PRId64 "h", hours);
        p += n;
        room -= (size_t)n;
    }
    if (minutes > 0) {
        int n = snprintf(p, room, "%" PRId64 "m", minutes);
        p += n;
        room -= (size_t)n;
    }
    if (rest_ms % 1000 != 0 && rest_ms > 1000) {
        int n = snprintf(p, room, "%" PRId64 ".%03" PRId64, rest_ms / 1000, rest_ms % 1000);
        while (p[n - 1] == '0')
            n--;
        strcpy(p + n, "s");
    } else if (rest_ms % 1000 != 0)
        snprintf(p, room, "%" PRId64 "ms", rest_ms);
    else if (rest_ms > 0 || duration_ms < 60000)
        snprintf(p, room, "%" PRId64 "s", rest_ms / 1000);
    return out;
}
