#include "base/json_reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void json_reader_begin(struct json_reader *json, const char *text, size_t length)
{
    *json = (struct json_reader){.at = text, .end = text + length};
}

static bool fail(struct json_reader *json)
{
    json->is_bad = true;
    return false;
}

static char peek(struct json_reader *json)
{
    while (json->at < json->end && strchr(" \t\r\n", *json->at) != NULL && *json->at != '\0')
        json->at++;
    return json->at < json->end && !json->is_bad ? *json->at : '\0';
}

static bool take(struct json_reader *json, char wanted)
{
    if (peek(json) != wanted)
        return fail(json);
    json->at++;
    return true;
}

char json_reader_kind(struct json_reader *json)
{
    char next = peek(json);
    if (next == '-' || (next >= '0' && next <= '9'))
        return '0';
    if (next == 'f')
        return 't';
    return next != '\0' && strchr("{[\"tn", next) != NULL ? next : '\0';
}

bool json_reader_enter(struct json_reader *json, char bracket)
{
    json->needs_comma = false;
    return take(json, bracket);
}

/* True when another one follows. */
static bool goes_on(struct json_reader *json, char closing)
{
    if (peek(json) == closing) {
        json->at++;
        json->needs_comma = true;
        return false;
    }
    return !json->needs_comma || take(json, ',');
}

bool json_reader_member(struct json_reader *json, char *key, size_t size)
{
    return goes_on(json, '}') && json_reader_string(json, key, size) && take(json, ':');
}

bool json_reader_element(struct json_reader *json)
{
    return goes_on(json, ']') && !json->is_bad && (json_reader_kind(json) != '\0' || fail(json));
}

static size_t digits(const char *at, const char *end)
{
    size_t count = 0;
    while (at + count < end && at[count] >= '0' && at[count] <= '9')
        count++;
    return count;
}

/* How long the number is that stands there; 0: it is none. */
static size_t length_of_number(const char *begin, const char *end)
{
    const char *at = begin + (begin < end && *begin == '-');
    size_t whole = digits(at, end);
    if (whole == 0 || (whole > 1 && *at == '0'))
        return 0;
    at += whole;
    if (at < end && *at == '.') {
        size_t fraction = digits(at + 1, end);
        if (fraction == 0)
            return 0;
        at += 1 + fraction;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        const char *power = at + 1 + (at + 1 < end && (at[1] == '+' || at[1] == '-'));
        if (digits(power, end) == 0)
            return 0;
        at = power + digits(power, end);
    }
    return (size_t)(at - begin);
}

bool json_reader_number(struct json_reader *json, double *value)
{
    char text[64];
    size_t length = json_reader_kind(json) == '0' ? length_of_number(json->at, json->end) : 0;
    if (length == 0 || length >= sizeof text)
        return fail(json);
    memcpy(text, json->at, length);
    text[length] = '\0';
    json->at += length;
    json->needs_comma = true;
    *value = strtod(text, NULL);
    return isfinite(*value) || fail(json);
}

bool json_reader_integer(struct json_reader *json, int64_t *value)
{
    static const double MOST = 9007199254740992;
    double number;
    if (!json_reader_number(json, &number))
        return false;
    if (number < -MOST || number > MOST || number != floor(number))
        return fail(json);
    *value = (int64_t)number;
    return true;
}

/* The character behind a backslash. */
static bool read_escape(struct json_reader *json, char *out)
{
    static const char codes[] = "\"\\/bfnrt", meanings[] = "\"\\/?????";
    if (json->at == json->end)
        return fail(json);
    char code = *json->at++;
    const char *known = code != '\0' ? strchr(codes, code) : NULL;
    *out = '?';
    if (known != NULL) {
        *out = meanings[known - codes];
        return true;
    }
    if (code != 'u' || json->end - json->at < 4)
        return fail(json);
    for (int i = 0; i < 4; i++)
        if (json->at[i] == '\0' || strchr("0123456789abcdefABCDEF", json->at[i]) == NULL)
            return fail(json);
    json->at += 4;
    return true;
}

bool json_reader_string(struct json_reader *json, char *text, size_t size)
{
    size_t length = 0;
    if (!take(json, '"'))
        return false;
    while (json->at < json->end && *json->at != '"') {
        char c = *json->at++;
        if (c >= 0 && c < ' ')
            return fail(json);
        if (c == '\\' && !read_escape(json, &c))
            return false;
        if (length + 1 < size)
            text[length++] = c >= ' ' && c <= '~' ? c : '?';
    }
    if (size > 0)
        text[length] = '\0';
    json->needs_comma = true;
    return json->at < json->end ? take(json, '"') : fail(json);
}

static bool skip_word(struct json_reader *json)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(json->end - json->at) < length || memcmp(json->at, words[i], length) != 0)
            continue;
        json->at += length;
        json->needs_comma = true;
        return true;
    }
    return fail(json);
}

static bool skip_value(struct json_reader *json, int depth)
{
    double number;
    char kind = json_reader_kind(json);
    if (depth == JSON_DEPTH_MAX || kind == '\0')
        return fail(json);
    if (kind == '"')
        return json_reader_string(json, NULL, 0);
    if (kind == '0')
        return json_reader_number(json, &number);
    if (kind == 't' || kind == 'n')
        return skip_word(json);
    json_reader_enter(json, kind);
    char key[2];
    while (kind == '{' ? json_reader_member(json, key, sizeof key) : json_reader_element(json))
        if (!skip_value(json, depth + 1))
            return false;
    return !json->is_bad;
}

bool json_reader_skip(struct json_reader *json)
{
    return skip_value(json, 0);
}

bool json_reader_is_over(struct json_reader *json)
{
    return peek(json) == '\0' && json->at == json->end && !json->is_bad;
}
