/* json_writer: writes one JSON object a line (RFC 8259, JSON Lines). */
#ifndef BASE_JSON_WRITER_H
#define BASE_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json_writer {
    FILE *out;
    bool needs_comma;
};

/* key NULL: the line's own object, or an element of an array. */
void json_open(struct json_writer *json, const char *key, char bracket);
void json_close(struct json_writer *json, char bracket);
/* Any bytes: those that are no UTF-8 become U+FFFD. */
void json_string(struct json_writer *json, const char *key, const char *value);
void json_integer(struct json_writer *json, const char *key, int64_t value);
/* Finite; six decimals. */
void json_number(struct json_writer *json, const char *key, double value);
void json_boolean(struct json_writer *json, const char *key, bool value);
void json_end_line(struct json_writer *json);

#endif
