/* number_text: numbers as people read them. */
#ifndef BASE_NUMBER_TEXT_H
#define BASE_NUMBER_TEXT_H

#include <stdint.h>

struct number_text {
    char text[32];
};

/* 1234567 becomes "1,234,567". */
struct number_text grouped(int64_t value);

/* "s" unless the count is 1. */
const char *plural(int64_t count);

/* "was" or "were": `one` where the count is 1. */
const char *one_or_many(int64_t count, const char *one, const char *many);

struct counted_text {
    char text[96];
};

/* A count and what it counts: "1 connection", "2,000 connections". The noun is in the singular, and takes an
 * "s". */
struct counted_text counted(int64_t count, const char *noun);

/* Milliseconds in the spelling that parse_duration takes: "500ms", "2s", "1m30s". */
struct number_text duration_text(int64_t duration_ms);

#endif
