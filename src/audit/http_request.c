#include "audit/http_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool starts_with(const char *line, const char *name)
{
    return strncasecmp(line, name, strlen(name)) == 0;
}

/* Nothing that cannot be: a length below 0, or one that is none, is no body. */
static int64_t number(const char *text, int base)
{
    char *end;
    long long value = strtoll(text, &end, base);
    return end == text || value < 0 ? 0 : value < INT64_MAX / 2 ? value : INT64_MAX / 2;
}

static void start_over(struct http_reader *reader)
{
    *reader = (struct http_reader){.place = HTTP_LINES};
}

/* The empty line behind the headers. Returns whether the request ends there. */
static bool end_head(struct http_reader *reader)
{
    reader->place = reader->is_chunked ? HTTP_CHUNK_LINE : HTTP_BODY;
    return !reader->is_chunked && reader->left == 0;
}

static void take_header(struct http_reader *reader)
{
    static const char content_length[] = "Content-Length:", encoding[] = "Transfer-Encoding:";
    if (starts_with(reader->line, content_length))
        reader->left = number(reader->line + strlen(content_length), 10);
    else if (starts_with(reader->line, encoding) && strstr(reader->line, "chunked") != NULL)
        reader->is_chunked = true;
}

static void take_chunk_line(struct http_reader *reader)
{
    int64_t size = number(reader->line, 16);
    reader->place = size > 0 ? HTTP_CHUNK : HTTP_TRAILER;
    reader->left = size + 2; /* and its own line's end */
}

/* Returns whether the request ends with this line. Empty lines before a request are none of it. */
static bool take_line(struct http_reader *reader, bool *is_first)
{
    bool is_empty = reader->length == 0;
    reader->line[reader->length < sizeof reader->line ? reader->length : sizeof reader->line - 1] = '\0';
    reader->length = 0;
    if (reader->place == HTTP_CHUNK_LINE)
        take_chunk_line(reader);
    else if (reader->place == HTTP_TRAILER)
        return is_empty;
    else if (is_empty)
        return !*is_first && end_head(reader);
    else
        take_header(reader);
    *is_first = false;
    return false;
}

static bool is_in_lines(const struct http_reader *reader)
{
    return reader->place == HTTP_LINES || reader->place == HTTP_CHUNK_LINE || reader->place == HTTP_TRAILER;
}

/* Returns whether the request ends with this byte. */
static bool take_byte(struct http_reader *reader, char byte)
{
    if (!is_in_lines(reader)) {
        if (--reader->left > 0)
            return false;
        bool is_over = reader->place == HTTP_BODY;
        reader->place = HTTP_CHUNK_LINE;
        return is_over;
    }
    if (byte == '\n') {
        bool is_first = !reader->has_begun;
        bool is_over = take_line(reader, &is_first);
        reader->has_begun = !is_first;
        return is_over;
    }
    if (byte != '\r' && reader->length < sizeof reader->line - 1)
        reader->line[reader->length++] = byte;
    return false;
}

int http_reader_take(struct http_reader *reader, const char *bytes, size_t length)
{
    int ended = 0;
    for (size_t i = 0; i < length; i++)
        if (take_byte(reader, bytes[i])) {
            ended++;
            start_over(reader);
        }
    return ended;
}

bool http_reader_is_within(const struct http_reader *reader)
{
    return reader->has_begun || reader->length > 0;
}
