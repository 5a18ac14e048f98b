/* Numbers and durations as people type them; what is taken lies within the bounds. */
#include "fuzz.h"

#include "base/parse.h"

enum { LEAST = 3, MOST = 2000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    int64_t value;
    if (parse_count(text, LEAST, MOST, &value) == 0 && (value < LEAST || value > MOST))
        abort();
    if (parse_duration(text, LEAST, MOST, &value) == 0 && (value < LEAST || value > MOST))
        abort();
    parse_count(text, INT64_MIN, INT64_MAX, &value);
    parse_duration(text, INT64_MIN, INT64_MAX, &value);
    free(text);
    return 0;
}
