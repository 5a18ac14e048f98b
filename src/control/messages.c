#include "control/messages.h"

#include "base/version.h"
#include "control/host_info.h"

#include <stdio.h>
#include <string.h>

/* ---- one field: to a word and back ---- */

/* What has been written of a line; what does not fit any more is left out, and the line then too long for
 * whoever hears it. */
struct writer {
    char *at, *end;
};

static void put_text(struct writer *out, const char *text)
{
    size_t length = strlen(text), room = (size_t)(out->end - out->at);
    length = length < room ? length : room;
    memcpy(out->at, text, length);
    out->at += length;
}

static void put_number(struct writer *out, int64_t number)
{
    char text[24], *digit = text + sizeof text - 1;
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    *digit = '\0';
    do
        *--digit = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (number < 0)
        *--digit = '-';
    put_text(out, digit);
}

bool message_number(const char *text, int64_t min, int64_t max, int64_t *number)
{
    bool is_negative = text[0] == '-';
    const char *digit = text + is_negative;
    int64_t value = 0;
    if (*digit == '\0')
        return false;
    for (; *digit >= '0' && *digit <= '9'; digit++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *digit - '0', &value))
            return false;
    *number = is_negative ? -value : value;
    return *digit == '\0' && *number >= min && *number <= max;
}

static bool read_number(const struct message_field *field, const char *word, void *to)
{
    int64_t number;
    if (!message_number(word, field->min, field->max, &number))
        return false;
    if (field->size == sizeof(int64_t))
        *(int64_t *)to = number;
    else if (field->size == sizeof(int))
        *(int *)to = (int)number;
    else
        *(bool *)to = number != 0;
    return true;
}

static void write_number(const struct message_field *field, const void *from, struct writer *out)
{
    put_number(out, field->size == sizeof(int64_t) ? *(const int64_t *)from
                    : field->size == sizeof(int)   ? *(const int *)from
                                                   : *(const bool *)from);
}

static bool is_graphic(char c)
{
    return c > ' ' && c < '\x7f';
}

static bool read_word(const struct message_field *field, const char *word, void *to)
{
    const char *end = word;
    while (is_graphic(*end))
        end++;
    *(const char **)to = word;
    return *end == '\0' && end - word <= field->max;
}

static bool read_words(const struct message_field *field, const char *words, void *to)
{
    (void)field;
    const char *end = words;
    while (is_graphic(*end) || *end == ' ')
        end++;
    *(const char **)to = words;
    return *end == '\0';
}

static bool read_line(const struct message_field *field, const char *line, void *to)
{
    (void)field;
    *(const char **)to = line;
    return true;
}

static void write_text(const struct message_field *field, const void *from, struct writer *out)
{
    (void)field;
    const char *text = *(const char *const *)from;
    put_text(out, text != NULL ? text : "");
}

static bool pass_over(const struct message_field *field, const char *word, void *to)
{
    (void)field;
    (void)word;
    (void)to;
    return true;
}

static bool read_act(const struct message_field *field, const char *word, void *to)
{
    (void)field;
    enum act act = act_parse(word);
    *(enum act *)to = act;
    return act_is_for_workers(act);
}

static void write_act(const struct message_field *field, const void *from, struct writer *out)
{
    (void)field;
    put_text(out, act_name(*(const enum act *)from));
}

static bool read_direction(const struct message_field *field, const char *word, void *to)
{
    (void)field;
    *(bool *)to = strcmp(word, "backwards") == 0;
    return *(bool *)to || strcmp(word, "forwards") == 0;
}

static void write_direction(const struct message_field *field, const void *from, struct writer *out)
{
    (void)field;
    put_text(out, *(const bool *)from ? "backwards" : "forwards");
}

static bool read_opening(const struct message_field *field, const char *word, void *to)
{
    (void)field;
    enum opening opening = opening_parse(word);
    *(enum opening *)to = opening;
    return opening != OPENING_COUNT;
}

static void write_opening(const struct message_field *field, const void *from, struct writer *out)
{
    (void)field;
    put_text(out, opening_name(*(const enum opening *)from));
}

static bool read_address(const struct message_field *field, const char *word, void *to)
{
    (void)field;
    return address_parse(word, to);
}

static void write_address(const struct message_field *field, const void *from, struct writer *out)
{
    (void)field;
    put_text(out, address_text(from).text);
}

static bool read_step(const struct message_field *field, const char *word, void *to)
{
    (void)field;
    struct script script = {.count = 0};
    if (script_add_word(&script, word) != 0)
        return false;
    *(struct script_step *)to = script.steps[0];
    return true;
}

static void write_step(const struct message_field *field, const void *from, struct writer *out)
{
    (void)field;
    const struct script script = {.count = 1, .steps = {*(const struct script_step *)from}};
    put_text(out, script_text(&script).text);
}

static bool read_limit(const struct message_field *field, const char *word, void *to)
{
    (void)field;
    return host_info_read_limit(word, to);
}

static void write_limits(const struct message_field *field, const void *from, struct writer *out)
{
    (void)field;
    put_text(out, host_info_limits(from).text);
}

static const struct {
    bool (*read)(const struct message_field *field, const char *word, void *to);
    void (*write)(const struct message_field *field, const void *from, struct writer *out);
    bool is_rest;        /* its words are all that are left of the line, and read and written together */
    const char *allowed; /* NULL: said with the numbers of the field */
} kinds[FIELD_KINDS] = {
    [FIELD_NUMBER] = {read_number, write_number, false, NULL},
    [FIELD_WORD] = {read_word, write_text, false, "a word of printable ASCII"},
    [FIELD_WORDS] = {read_words, write_text, true, "words of printable ASCII"},
    [FIELD_MORE] = {pass_over, NULL, true, ""},
    [FIELD_ACT] = {read_act, write_act, false, "an act on sockets"},
    [FIELD_DIRECTION] = {read_direction, write_direction, false, "forwards or backwards"},
    [FIELD_OPENING] = {read_opening, write_opening, false, "an opening"},
    [FIELD_ADDRESS] = {read_address, write_address, false, "a numeric address"},
    [FIELD_STEP] = {read_step, write_step, false, "ACT@TRIGGER"},
    [FIELD_LIMIT] = {read_limit, write_limits, false, "a limit that is known, and its number"},
    [FIELD_LINE] = {read_line, write_text, true, ""},
};

/* ---- complaints ---- */

struct foreign_text {
    char text[40];
};

/* What another has sent, to be shown: as much of it as tells what it is. */
static struct foreign_text shown(const char *word)
{
    struct foreign_text out = {""};
    snprintf(out.text, sizeof out.text, "%s", word);
    if (strlen(word) >= sizeof out.text)
        memcpy(out.text + sizeof out.text - 4, "...", 3);
    for (char *c = out.text; *c != '\0'; c++)
        *c = is_graphic(*c) || *c == ' ' ? *c : '?';
    return out;
}

struct message_complaint message_complaint_of(const char *what, const char *text)
{
    struct message_complaint out;
    snprintf(out.text, sizeof out.text, "\"%s\" %s", shown(text).text, what);
    return out;
}

static bool complain_of_count(const struct message_row *row, int count, int least, int most,
                              struct message_complaint *why)
{
    if (least == most)
        snprintf(why->text, sizeof why->text, "\"%s\" has %d field%s, allowed are %d", row->name, count,
                 count == 1 ? "" : "s", least);
    else
        snprintf(why->text, sizeof why->text, "\"%s\" has %d field%s, allowed are %d to %d", row->name, count,
                 count == 1 ? "" : "s", least, most);
    return false;
}

static bool complain_of_field(const struct message_row *row, const struct message_field *field,
                              const char *word, struct message_complaint *why)
{
    char range[48];
    snprintf(range, sizeof range, "%lld to %lld", (long long)field->min, (long long)field->max);
    snprintf(why->text, sizeof why->text, "%s of \"%s\" is \"%s\", allowed is %s", field->name, row->name,
             shown(word).text, kinds[field->kind].allowed != NULL ? kinds[field->kind].allowed : range);
    return false;
}

/* ---- a line ---- */

static const char blanks[] = " \r\n";

static int count_words(const char *text)
{
    int count = 0;
    for (text += strspn(text, blanks); *text != '\0'; text += strspn(text, blanks)) {
        text += strcspn(text, blanks);
        count++;
    }
    return count;
}

/* Cuts the next word off, "" when there is none. */
static char *next_word(char **rest)
{
    char *word = *rest + strspn(*rest, blanks);
    char *end = word + strcspn(word, blanks);
    *rest = *end != '\0' ? end + 1 : end;
    *end = '\0';
    return word;
}

/* All that is left, without the blanks around it. */
static char *take_rest(char **rest)
{
    char *first = *rest + strspn(*rest, blanks), *end = first + strlen(first);
    while (end > first && strchr(blanks, end[-1]) != NULL)
        end--;
    *end = '\0';
    *rest = end;
    return first;
}

static enum message_id find(enum message_way way, const char *name)
{
    for (enum message_id id = 0; id < MESSAGE_COUNT; id++)
        if ((message_rows[id].ways & 1U << way) != 0 && strcmp(message_rows[id].name, name) == 0)
            return id;
    return MESSAGE_COUNT;
}

static bool has_count(const struct message_row *row, int count, struct message_complaint *why)
{
    int least = 0, most = 0;
    for (const struct message_field *field = row->fields; field->name != NULL; field++) {
        least += field->least;
        most += field->most;
    }
    return (count >= least && count <= most) || complain_of_count(row, count, least, most, why);
}

/* Reads the words of one field, of which `left` are still in the line. Returns the one that is not allowed,
 * or NULL. */
static const char *read_field(const struct message_field *field, char **rest, int *left,
                              struct message *message)
{
    char *to = (char *)message + field->at;
    if (kinds[field->kind].is_rest) {
        const char *words = take_rest(rest);
        return kinds[field->kind].read(field, words, to) ? NULL : words;
    }
    int times = 0;
    for (; times<field->most && * left> 0; times++, --*left) {
        const char *word = next_word(rest);
        if (!kinds[field->kind].read(field, word, to + (size_t)times * field->size))
            return word;
    }
    if (field->count_at != 0)
        *(int *)((char *)message + field->count_at) = times;
    return NULL;
}

bool message_decode(enum message_way way, char *line, struct message *message, struct message_complaint *why)
{
    char *rest = line;
    const char *name = way == WAY_CARRIED ? "" : next_word(&rest);
    *message = (struct message){.id = find(way, name)};
    if (message->id == MESSAGE_COUNT) {
        *why = message_complaint_of("is not a message", name);
        return false;
    }
    const struct message_row *row = &message_rows[message->id];
    int left = count_words(rest);
    if (!has_count(row, left, why))
        return false;
    for (const struct message_field *field = row->fields; field->name != NULL; field++) {
        const char *wrong = read_field(field, &rest, &left, message);
        if (wrong != NULL)
            return complain_of_field(row, field, wrong, why);
    }
    return true;
}

/* How often the field is written. */
static int times_of(const struct message_field *field, const struct message *message)
{
    if (field->count_at != 0)
        return *(const int *)((const char *)message + field->count_at);
    return kinds[field->kind].is_rest || field->size == 0 ? 1 : field->most;
}

size_t message_encode(const struct message *message, struct message_text *out)
{
    const struct message_row *row = &message_rows[message->id];
    struct writer writer = {out->text, out->text + sizeof out->text - 1};
    put_text(&writer, row->name);
    for (const struct message_field *field = row->fields; field->name != NULL; field++) {
        const char *from = (const char *)message + field->at;
        int times = kinds[field->kind].write != NULL ? times_of(field, message) : 0;
        for (int i = 0; i < times && i < field->most; i++) {
            char *blank = writer.at;
            put_text(&writer, writer.at > out->text ? " " : "");
            const char *word = writer.at;
            kinds[field->kind].write(field, from + (size_t)i * field->size, &writer);
            writer.at = writer.at > word ? writer.at : blank;
        }
    }
    *writer.at = '\0';
    return (size_t)(writer.at - out->text);
}

/* ---- messages ---- */

bool message_dispatch(message_handler *const handlers[MESSAGE_COUNT], void *context,
                      const struct message *message)
{
    if (handlers[message->id] == NULL)
        return false;
    handlers[message->id](context, message);
    return true;
}

struct message message_hello(void)
{
    return (struct message){.id = MESSAGE_HELLO, .hello = {MESSAGE_PROTOCOL, TCPSTORM_VERSION}};
}

bool message_is_same_version(const struct message *hello)
{
    return hello->hello.protocol == MESSAGE_PROTOCOL && strcmp(hello->hello.version, TCPSTORM_VERSION) == 0;
}
