/* number_text: numbers as people read them. */
#ifndef BASE_NUMBER_TEXT_H
#define BASE_NUMBER_TEXT_H

#include <stdint.h>

struct number_text {
    char text[32];
};

/* 1234567 becomes "1,234,567". */
struct number_text grouped(int64_t value);

/* Milliseconds in the spelling that parse_duration takes: "500ms", "2s", "1m30s". */
struct number_text duration_text(int64_t duration_ms);

#endif
