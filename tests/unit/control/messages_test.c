/* The table is played against itself: a line made from each row is a message, and one that is off in a single
 * place is none. What the rows are to be is in the lines that are written out below. */
#include "../unit.h"

#include "control/link.h"
#include "control/messages.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

/* ---- lines from rows ---- */

/* A word that the field allows. */
static const char *good_word(const struct message_field *field)
{
    static const char *const words[FIELD_KINDS] = {
        [FIELD_WORD] = "a",         [FIELD_ACT] = "close",          [FIELD_DIRECTION] = "backwards",
        [FIELD_OPENING] = "full",   [FIELD_ADDRESS] = "fd77::1",    [FIELD_STEP] = "read@data",
        [FIELD_INNER] = "whatever", [FIELD_LIMIT] = "somaxconn=128"};
    static char number[24];
    if (field->kind != FIELD_NUMBER)
        return words[field->kind];
    snprintf(number, sizeof number, "%" PRId64, field->max);
    return number;
}

/* Each field as often as it may come, or as it must. */
static struct link_text line_of(const struct message *message, bool most)
{
    struct link_text out = {""};
    link_text_add(&out, "%s", message->name);
    for (const struct message_field *field = message->fields; field->name != NULL; field++)
        for (int i = 0; i < (most ? field->most : field->least); i++)
            link_text_add(&out, " %s", good_word(field));
    return out;
}

/* The same, with the first word of one field replaced. */
static struct link_text line_with(const struct message *message, const struct message_field *changed,
                                  const char *word)
{
    struct link_text out = {""};
    link_text_add(&out, "%s", message->name);
    for (const struct message_field *field = message->fields; field->name != NULL; field++)
        for (int i = 0; i < (field->least > 0 ? field->least : 1); i++)
            link_text_add(&out, " %s", field == changed && i == 0 ? word : good_word(field));
    return out;
}

static struct message_complaint complaint;

static bool is_message(enum message_way way, const char *text)
{
    struct link_text copy;
    struct link_line line;
    snprintf(copy.text, sizeof copy.text, "%s", text);
    assert_int_equal(link_split(copy.text, &line), 0);
    complaint.text[0] = '\0';
    bool is = message_check(way, &line, &complaint);
    assert_int_equal(is, complaint.text[0] == '\0');
    return is;
}

static void expect(enum message_way way, const char *text, bool wanted)
{
    if (is_message(way, text) != wanted)
        fail_msg("\"%s\" is %s: %s", text, wanted ? "no message" : "a message", complaint.text);
}

#define each_message(way, message)                                                                           \
    for (enum message_way way = 0; way < WAY_COUNT; way++)                                                   \
        for (int i_ = 0; message_at(way, i_) != NULL; i_++)                                                  \
            for (const struct message *message = message_at(way, i_); message != NULL; message = NULL)

static void every_row_is_a_message_of_its_way(void **state)
{
    (void)state;
    int rows = 0;
    each_message(way, message)
    {
        expect(way, line_of(message, true).text, true);
        expect(way, line_of(message, false).text, true);
        rows++;
    }
    assert_int_equal(rows, 11 + 12 + 8 + 7 + 7 + 9);
}

static void every_row_with_a_field_too_few_or_too_many_is_none(void **state)
{
    (void)state;
    each_message(way, message)
    {
        struct link_text text = line_of(message, true);
        struct link_line line;
        struct link_text words = text;
        assert_int_equal(link_split(words.text, &line), 0);
        link_text_add(&text, " 1");
        if (line.count < LINK_WORDS_MAX)
            expect(way, text.text, false);
        text = line_of(message, false);
        char *last = strrchr(text.text, ' ');
        if (last == NULL)
            continue;
        *last = '\0';
        expect(way, text.text, false);
    }
}

static void every_number_has_its_edges(void **state)
{
    (void)state;
    static const char *const never[] = {"",
                                        "x",
                                        "1x",
                                        "0x1",
                                        "1.0",
                                        "+1",
                                        "--1",
                                        "-",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "99999999999999999999999999"};
    each_message(way, message)
    {
        for (const struct message_field *field = message->fields; field->name != NULL; field++) {
            char edge[24];
            if (field->kind != FIELD_NUMBER)
                continue;
            assert_true(field->max <= (int64_t)1 << 53 && field->min >= -4095);
            for (int64_t off = -1; off <= 1; off++) {
                snprintf(edge, sizeof edge, "%" PRId64, field->min + off);
                expect(way, line_with(message, field, edge).text, off >= 0);
                snprintf(edge, sizeof edge, "%" PRId64, field->max + off);
                expect(way, line_with(message, field, edge).text, off <= 0);
            }
            for (size_t i = 1; i < COUNT_OF(never); i++)
                expect(way, line_with(message, field, never[i]).text, false);
        }
    }
}

static void every_word_is_one_of_its_kind(void **state)
{
    (void)state;
    static const char *const never[FIELD_KINDS][4] = {
        [FIELD_WORD] = {"\x1b[2J", "\x7f", "\xc3\xa4", "a\tb"},
        [FIELD_ACT] = {"open", "crash", "wait", "none"},
        [FIELD_DIRECTION] = {"sideways", "forward", "1", "FORWARDS"},
        [FIELD_OPENING] = {"empty", "1", "fullest", "-"},
        [FIELD_ADDRESS] = {"localhost", "10.0.0", "10.0.0.256", "fd77::1%lo"},
        [FIELD_STEP] = {"open@life", "crash@eof", "close", "close@never"},
        [FIELD_LIMIT] = {"colour=7", "somaxconn=-1", "somaxconn=", "port_last=65536"},
    };
    each_message(way, message)
    {
        for (const struct message_field *field = message->fields; field->name != NULL; field++)
            for (int i = 0; i < 4 && never[field->kind][i] != NULL; i++)
                expect(way, line_with(message, field, never[field->kind][i]).text, false);
    }
}

static void every_word_has_a_longest(void **state)
{
    (void)state;
    each_message(way, message)
    {
        for (const struct message_field *field = message->fields; field->name != NULL; field++) {
            char word[LINK_LINE_MAX] = "";
            if (field->kind != FIELD_WORD || field->max >= LINK_LINE_MAX)
                continue;
            memset(word, 'w', (size_t)field->max);
            expect(way, line_with(message, field, word).text, true);
            word[field->max] = 'w';
            expect(way, line_with(message, field, word).text, false);
        }
    }
}

static void only_the_last_field_comes_a_varying_number_of_times(void **state)
{
    (void)state;
    each_message(way, message)
    {
        for (const struct message_field *field = message->fields; field->name != NULL; field++)
            assert_true(field->least == field->most || field[1].name == NULL);
    }
}

static void no_name_comes_twice_in_a_way(void **state)
{
    (void)state;
    each_message(way, message)
    {
        int same = 0;
        for (int i = 0; message_at(way, i) != NULL; i++)
            same += strcmp(message_at(way, i)->name, message->name) == 0;
        assert_int_equal(same, 1);
    }
}

static void every_message_fits_a_line_behind_its_carrier(void **state)
{
    (void)state;
    each_message(way, message)
    {
        bool is_free = strcmp(message->name, "hello") == 0 || strcmp(message->name, "identity") == 0;
        struct link_text text = line_of(message, true);
        if (!is_free)
            assert_true(strlen(text.text) + strlen("from 2147483647 ") <= LINK_LINE_MAX);
        struct link_line line;
        assert_int_equal(link_split(text.text, &line), 0);
        assert_true(strcmp(message->name, "to") == 0 || strcmp(message->name, "from") == 0 ||
                    line.count + 2 <= LINK_WORDS_MAX || is_free);
    }
}

/* ---- what is sent ---- */

static void what_each_sends_is_a_message(void **state)
{
    (void)state;
    static const struct {
        enum message_way way;
        const char *text;
    } lines[] = {
        {WAY_TO_WORKER, "listen 3 127.0.0.1 15000 4096 4000 full"},
        {WAY_TO_WORKER, "connect 0 ::1 15000 0 full"},
        {WAY_TO_WORKER, "credit 0 2048"},
        {WAY_TO_WORKER, "act 1 shutdown backwards 0"},
        {WAY_TO_WORKER, "script 50000 0 100"},
        {WAY_TO_WORKER, "script 50000 5 100 shutdown@life read@data close@eof"},
        {WAY_TO_WORKER, "arrive 1 400 200000 3000000"},
        {WAY_FROM_WORKER, "hello 3 0.1.0"},
        {WAY_FROM_WORKER, "hello 4 0.2.0 and more that only it knows"},
        {WAY_FROM_WORKER, "serving 10 10 0 0 0 0"},
        {WAY_FROM_WORKER, "arrived 10 10 9 0 0 13 0 0 1 0 45000"},
        {WAY_FROM_WORKER, "fault socket 24 0"},
        {WAY_TO_WITNESS, "target 15000 15003 10.77.0.1 10.77.0.2"},
        {WAY_FROM_WITNESS, "seen 1 250 0 0 0 0 0 0 0 0 0 0 0 0 1 1 1 1 1 1 1 1 1 1 1 1 0 0 0 0 7 7 7 7"},
        {WAY_FROM_WITNESS, "class 1 0 8 1 1 0 4242 1 100 -1 nginx"},
        {WAY_TO_HOST, "to 7 act 1 close forwards 0"},
        {WAY_TO_HOST, "start 0 worker client-flow"},
        {WAY_FROM_HOST, "identity 0f.4026531840 Linux 6.1.0-18-amd64"},
        {WAY_FROM_HOST, "room -98 15000"},
        {WAY_FROM_HOST, "ended 3 9"},
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        expect(lines[i].way, lines[i].text, true);
}

static void a_message_of_another_way_is_none(void **state)
{
    (void)state;
    expect(WAY_TO_WORKER, "opened 0 1 1 1 0", false);
    expect(WAY_FROM_WORKER, "owned 1 0 0", false);
    expect(WAY_FROM_WITNESS, "done 1 1 0 0 1", false);
    expect(WAY_TO_HOST, "pong", false);
    expect(WAY_FROM_HOST, "quit", false);
}

/* ---- complaints ---- */

static void a_complaint_names_the_field_and_what_is_allowed(void **state)
{
    (void)state;
    expect(WAY_TO_WORKER, "listen 0 ::1 70000 1 1 full", false);
    assert_string_equal(complaint.text, "PORT of \"listen\" is \"70000\", allowed is 0 to 65535");
    expect(WAY_FROM_WITNESS, "class 1 0 -5 0 0 0 0 0 1 0 x", false);
    assert_contains(complaint.text, "STATE of \"class\" is \"-5\", allowed is 0 to ");
    expect(WAY_TO_WORKER, "connect 0 localhost 1 1 full", false);
    assert_string_equal(complaint.text,
                        "ADDRESS of \"connect\" is \"localhost\", allowed is a numeric address");
    expect(WAY_FROM_HOST, "room 0", false);
    assert_string_equal(complaint.text, "\"room\" has 1 field, allowed are 2");
    expect(WAY_TO_HOST, "start 1 a b c d e", false);
    assert_string_equal(complaint.text, "\"start\" has 6 fields, allowed are 2 to 5");
    expect(WAY_FROM_HOST, "gossip", false);
    assert_string_equal(complaint.text, "\"gossip\" is no message");
}

static void a_complaint_is_printable_and_short_whatever_came(void **state)
{
    (void)state;
    char long_word[600];
    memset(long_word, 'y', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = '\0';
    expect(WAY_FROM_HOST, long_word, false);
    assert_contains(complaint.text, "yyy...\" is no message");
    expect(WAY_FROM_HOST, "\x1b]0;owned\x07\xff", false);
    assert_string_equal(complaint.text, "\"?]0;owned??\" is no message");
    struct link_text text = {""};
    link_text_add(&text, "hello 3 \x1b[31m");
    expect(WAY_FROM_HOST, text.text, false);
    for (const char *c = complaint.text; *c != '\0'; c++)
        assert_true(*c >= ' ' && *c < '\x7f');
    assert_string_equal(message_complaint_of("is no line of words", "a\x1b b").text,
                        "\"a? b\" is no line of words");
}

static void nothing_is_no_message(void **state)
{
    (void)state;
    const struct link_line nothing = {.count = 0};
    assert_false(message_check(WAY_FROM_HOST, &nothing, &complaint));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_a_message_of_its_way),
        cmocka_unit_test(every_row_with_a_field_too_few_or_too_many_is_none),
        cmocka_unit_test(every_number_has_its_edges),
        cmocka_unit_test(every_word_is_one_of_its_kind),
        cmocka_unit_test(every_word_has_a_longest),
        cmocka_unit_test(only_the_last_field_comes_a_varying_number_of_times),
        cmocka_unit_test(no_name_comes_twice_in_a_way),
        cmocka_unit_test(every_message_fits_a_line_behind_its_carrier),
        cmocka_unit_test(what_each_sends_is_a_message),
        cmocka_unit_test(a_message_of_another_way_is_none),
        cmocka_unit_test(a_complaint_names_the_field_and_what_is_allowed),
        cmocka_unit_test(a_complaint_is_printable_and_short_whatever_came),
        cmocka_unit_test(nothing_is_no_message),
    };
    return cmocka_run_group_tests_name("messages", tests, NULL, NULL);
}
