/* parse: numbers and durations as people type them. Each returns 0, -EINVAL when the text is not of that
 * kind (trailing junk included), or -ERANGE when it is but does not fit the bounds given. */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

#include <stdint.h>

/* "1000", "10k", "1.5m": decimal digits, a fraction that leaves a whole number, k = 1,000 and m = 1,000,000.
 */
int parse_count(const char *text, int64_t min, int64_t max, int64_t *count);

/* "500ms", "2s", "1m30s", "1.5s", "2h"; a bare number is seconds. The result is in milliseconds. */
int parse_duration(const char *text, int64_t min_ms, int64_t max_ms, int64_t *duration_ms);

#endif
