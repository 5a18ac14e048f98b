#include "code/python_lines.h"

#include <limits.h>
#include <stdbool.h>

enum {
    UNIT = 2, /* bytes of a code unit */
    KIND_ONE_LINE = 10,
    KIND_NO_COLUMNS = 13,
    KIND_LONG = 14,
    KIND_NONE = 15,
    VARINT_BYTES = 6, /* of 6 bits each: more than an int has */
};

struct table {
    const unsigned char *at, *end;
};

static bool take_varint(struct table *table, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < VARINT_BYTES && table->at < table->end; i++) {
        unsigned char byte = *table->at++;
        *value |= (uint64_t)(byte & 0x3f) << (6 * i);
        if ((byte & 0x40) == 0)
            return true;
    }
    return false;
}

/* The sign is in the lowest bit. */
static bool take_signed(struct table *table, int64_t *value)
{
    uint64_t coded;
    if (!take_varint(table, &coded))
        return false;
    *value = (coded & 1) != 0 ? -(int64_t)(coded >> 1) : (int64_t)(coded >> 1);
    return true;
}

/* By how many lines an entry is further than the one before; its columns are passed over. */
static bool take_delta(struct table *table, int kind, int64_t *delta)
{
    uint64_t ignored;
    *delta = 0;
    if (kind == KIND_NONE)
        return true;
    if (kind == KIND_NO_COLUMNS)
        return take_signed(table, delta);
    if (kind == KIND_LONG)
        return take_signed(table, delta) && take_varint(table, &ignored) && take_varint(table, &ignored) &&
               take_varint(table, &ignored);
    int columns = kind < KIND_ONE_LINE ? 1 : 2;
    *delta = kind < KIND_ONE_LINE ? 0 : kind - KIND_ONE_LINE;
    if (table->end - table->at < columns)
        return false;
    table->at += columns;
    return true;
}

int python_line_of(const unsigned char *table, size_t size, int first_line, int64_t offset)
{
    struct table rest = {table, table + size};
    int64_t line = first_line, until = 0;
    while (offset >= 0 && rest.at < rest.end) {
        unsigned char head = *rest.at++;
        int kind = head >> 3 & 15;
        int64_t delta;
        if ((head & 0x80) == 0 || !take_delta(&rest, kind, &delta))
            return 0;
        line += delta;
        until += ((head & 7) + 1) * UNIT;
        if (offset < until)
            return kind == KIND_NONE || line < 1 || line > INT_MAX ? 0 : (int)line;
    }
    return 0;
}
