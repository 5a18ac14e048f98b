/* json_reader: reads a JSON text (RFC 8259) from front to back and keeps nothing of it: who reads asks for
 * what is wanted there, and skips the rest. The text need not end in a '\0'. What is no JSON, or is not what
 * was asked for, makes the reader bad: from then on every question fails. */
#ifndef BASE_JSON_READER_H
#define BASE_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_reader {
    const char *at, *end;
    bool needs_comma, is_bad;
};

void json_reader_begin(struct json_reader *json, const char *text, size_t length);

/* '{', '[', '"', 't' (true or false), '0' (a number), 'n' (null); '\0': the end, or no value. Takes nothing.
 */
char json_reader_kind(struct json_reader *json);

/* Takes the bracket that opens an object or an array. */
bool json_reader_enter(struct json_reader *json, char bracket);

/* The next member of the object that was entered; its value is to be read next. False behind the last one,
 * with the bracket taken. A key that does not fit into `size` bytes is cut. */
bool json_reader_member(struct json_reader *json, char *key, size_t size);

/* Likewise the next element of an array. */
bool json_reader_element(struct json_reader *json);

bool json_reader_number(struct json_reader *json, double *value);

/* A whole number of at most 2^53. */
bool json_reader_integer(struct json_reader *json, int64_t *value);

/* Cut where it does not fit; every byte outside of visible ASCII becomes '?'. */
bool json_reader_string(struct json_reader *json, char *text, size_t size);

/* A value of any kind, up to JSON_DEPTH_MAX brackets deep. */
enum { JSON_DEPTH_MAX = 32 };
bool json_reader_skip(struct json_reader *json);

/* True when it was all read, and was JSON. */
bool json_reader_is_over(struct json_reader *json);

#endif
