/* The table is played against itself: a line made from each row is a message, which is written as that line
 * again, and one that is off in a single place is none. What the rows are to be is in the lines that are
 * written out below. */
#include "../unit.h"

#include "base/version.h"
#include "control/messages.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

/* ---- lines from rows ---- */

struct line {
    char text[16 * MESSAGE_LINE_MAX];
};

static void add(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct line *line, const char *format, ...)
{
    size_t length = strlen(line->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line->text + length, sizeof line->text - length, format, arguments);
    va_end(arguments);
}

/* A word that the field allows. */
static const char *good_word(const struct message_field *field)
{
    static const char *const words[FIELD_KINDS] = {[FIELD_WORD] = "a",
                                                   [FIELD_WORDS] = "w",
                                                   [FIELD_MORE] = "m",
                                                   [FIELD_ACT] = "close",
                                                   [FIELD_DIRECTION] = "backwards",
                                                   [FIELD_OPENING] = "full",
                                                   [FIELD_LINE] = "whatever",
                                                   [FIELD_ADDRESS] = "127.0.0.1",
                                                   [FIELD_STEP] = "read@data",
                                                   [FIELD_LIMIT] = "somaxconn=128"};
    static char number[24];
    if (field->kind != FIELD_NUMBER)
        return words[field->kind];
    snprintf(number, sizeof number, "%" PRId64, field->max);
    return number;
}

/* Each field as often as it may come, or as it must. */
static struct line line_of(const struct message_row *message, bool most)
{
    struct line out = {""};
    add(&out, "%s", message->name);
    for (const struct message_field *field = message->fields; field->name != NULL; field++)
        for (int i = 0; i < (most ? field->most : field->least); i++)
            add(&out, " %s", good_word(field));
    return out;
}

/* The same, with the first word of one field replaced. */
static struct line line_with(const struct message_row *message, const struct message_field *changed,
                             const char *word)
{
    struct line out = {""};
    add(&out, "%s", message->name);
    for (const struct message_field *field = message->fields; field->name != NULL; field++)
        for (int i = 0; i < (field->least > 0 ? field->least : 1); i++)
            add(&out, " %s", field == changed && i == 0 ? word : good_word(field));
    return out;
}

static struct message_complaint complaint;

static struct message heard;

static bool is_message(enum message_way way, const char *text)
{
    static struct line copy; /* what was heard borrows from it */
    snprintf(copy.text, sizeof copy.text, "%s", text);
    complaint.text[0] = '\0';
    bool is = message_decode(way, copy.text, &heard, &complaint);
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
        for (const struct message_row *message = message_rows; message < message_rows + MESSAGE_COUNT;       \
             message++)                                                                                      \
            if ((message->ways & 1U << way) != 0)

static void every_row_is_a_message_of_its_way(void **state)
{
    (void)state;
    int rows = 0;
    each_message(way, message)
    {
        expect(way, line_of(message, true).text, true);
        assert_ptr_equal(&message_rows[heard.id], message);
        expect(way, line_of(message, false).text, true);
        rows++;
    }
    assert_int_equal(rows, 12 + 12 + 8 + 7 + 7 + 9);
}

/* But for what a message does not keep: the words that another version adds, and the order of limits. */
static void every_message_is_written_as_it_was_read(void **state)
{
    (void)state;
    each_message(way, message)
    {
        for (int most = 0; most < 2; most++) {
            struct line text = line_of(message, most != 0 && message != &message_rows[MESSAGE_HELLO]);
            struct message_text again;
            if (message == &message_rows[MESSAGE_LIMITS])
                continue;
            expect(way, text.text, true);
            size_t length = message_encode(&heard, &again);
            assert_int_equal(length, strlen(again.text));
            if (strlen(text.text) <= MESSAGE_LINE_MAX)
                assert_string_equal(again.text, text.text);
        }
    }
}

static void every_row_with_a_field_too_few_or_too_many_is_none(void **state)
{
    (void)state;
    each_message(way, message)
    {
        struct line text = line_of(message, true);
        add(&text, " 1");
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
        [FIELD_WORDS] = {"\x1b[2J", "\x7f", "\xc3\xa4", "a\tb"},
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
            char word[MESSAGE_LINE_MAX] = "";
            if (field->kind != FIELD_WORD)
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
        for (const struct message_row *other = message_rows; other < message; other++)
            assert_true((other->ways & 1U << way) == 0 || strcmp(other->name, message->name) != 0);
    }
}

static void every_message_fits_a_line_behind_its_carrier(void **state)
{
    (void)state;
    each_message(way, message)
    {
        bool is_free = false;
        for (const struct message_field *field = message->fields; field->name != NULL; field++)
            is_free |= field->kind == FIELD_MORE || field->kind == FIELD_LINE;
        if (!is_free)
            assert_true(strlen(line_of(message, true).text) + strlen("from 2147483647 ") <= MESSAGE_LINE_MAX);
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
        {WAY_TO_WORKER, "connect 0 ::1 15000 0 full 0"},
        {WAY_TO_WORKER, "connect 0 ::1 15000 5 full 1"},
        {WAY_TO_WORKER, "credit 0 2048"},
        {WAY_TO_WORKER, "keepalive 32767"},
        {WAY_TO_WORKER, "listen 3 127.0.0.1 15000 4096 4000 narrow"},
        {WAY_TO_WORKER, "act 1 shutdown backwards 0"},
        {WAY_TO_WORKER, "act 1 unlisten forwards 0"},
        {WAY_TO_WORKER, "act 1 connect forwards 0"},
        {WAY_TO_WORKER, "script 50000 0 100"},
        {WAY_TO_WORKER, "script 50000 5 100 shutdown@life read@data close@eof"},
        {WAY_TO_WORKER, "arrive 1 400 200000 3000000"},
        {WAY_FROM_WORKER, "hello 3 0.1.0"},
        {WAY_FROM_WORKER, "hello 4 0.2.0 and more that only it knows"},
        {WAY_FROM_WORKER, "serving 10 10 0 0 0 0 0"},
        {WAY_FROM_WORKER, "arrived 10 10 9 0 0 13 0 0 1 0 45000 4 700 5 0"},
        {WAY_FROM_WORKER, "fault socket 24 0"},
        {WAY_TO_WITNESS, "target 15000 15003 10.77.0.1 10.77.0.2"},
        {WAY_FROM_WITNESS, "seen 1 250 0 0 0 0 0 0 0 0 0 0 0 0 1 1 1 1 1 1 1 1 1 1 1 1 1 0 0 0 0 7 7 7 7 7"},
        {WAY_FROM_WITNESS, "class 1 0 8 0 0 1 1 0 4242 1 100 -1 nginx"},
        {WAY_TO_WORKER, "ghosts 3"},
        {WAY_FROM_WORKER, "ghosts 3 0"},
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

/* ---- what is heard is what was said ---- */

static const struct message *said(enum message_way way, const struct message *message)
{
    struct message_text text;
    message_encode(message, &text);
    expect(way, text.text, true);
    return &heard;
}

static void fields_get_to_their_members(void **state)
{
    (void)state;
    struct message listen = {
        .id = MESSAGE_LISTEN,
        .listen = {
            .lane = 3, .port = 15000, .backlog = 4096, .quota = (int64_t)1 << 40, .opening = OPENING_HALF}};
    assert_true(address_parse("fd77::1", &listen.listen.address));
    const struct message *got = said(WAY_TO_WORKER, &listen);
    assert_int_equal(got->listen.lane, 3);
    assert_true(address_equal(&got->listen.address, &listen.listen.address));
    assert_int_equal(got->listen.port, 15000);
    assert_int_equal(got->listen.backlog, 4096);
    assert_true(got->listen.quota == (int64_t)1 << 40);
    assert_int_equal(got->listen.opening, OPENING_HALF);
    got = said(WAY_TO_WORKER,
               &(struct message){.id = MESSAGE_ACT, .act = {9, ACT_SHUTDOWN, .backwards = true, .spare = 2}});
    assert_int_equal(got->act.act, ACT_SHUTDOWN);
    assert_true(got->act.backwards);
    got = said(WAY_FROM_HOST, &(struct message){.id = MESSAGE_ROOM, .room = {-98, 15000}});
    assert_int_equal(got->room.rc, -98);
}

static void what_comes_several_times_is_counted(void **state)
{
    (void)state;
    struct message script = {.id = MESSAGE_SCRIPT, .script = {.life_us = 1, .of = 1}};
    assert_int_equal(said(WAY_TO_WORKER, &script)->script.script.count, 0);
    script.script.script = (struct script){2, {{TRIGGER_LIFE, ACT_SHUTDOWN}, {TRIGGER_EOF, ACT_CLOSE}}};
    const struct script *steps = &said(WAY_TO_WORKER, &script)->script.script;
    assert_int_equal(steps->count, 2);
    assert_int_equal(steps->steps[1].when, TRIGGER_EOF);
    assert_int_equal(steps->steps[1].act, ACT_CLOSE);
    const struct message *got =
        said(WAY_TO_HOST, &(struct message){.id = MESSAGE_START, .start = {7, 2, {"worker", "client-flow"}}});
    assert_int_equal(got->start.count, 2);
    assert_string_equal(got->start.words[1], "client-flow");
    assert_null(got->start.words[2]);
}

static void a_look_keeps_its_counts_apart(void **state)
{
    (void)state;
    struct message seen = {.id = MESSAGE_SEEN, .seen = {.serial = 1, .took_us = 250}};
    int64_t next = 1;
    for (int side = 0; side < SIDE_COUNT; side++) {
        struct histogram *histogram = &seen.seen.sides[side];
        for (int state_ = 0; state_ < STATE_COUNT; state_++)
            histogram->of[state_] = next++;
        histogram->owned = next++;
        histogram->unread = next++;
        histogram->unowned = next++;
        histogram->queued = next++;
        histogram->half_closed = next++;
    }
    assert_memory_equal(said(WAY_FROM_WITNESS, &seen)->seen.sides, seen.seen.sides, sizeof seen.seen.sides);
}

static void a_line_is_carried_as_it_is(void **state)
{
    (void)state;
    expect(WAY_TO_HOST, "to 7  act 1 close  forwards 0\r\n", true);
    assert_int_equal(heard.carried.id, 7);
    assert_string_equal(heard.carried.line, "act 1 close  forwards 0");
    expect(WAY_CARRIED, "any line", true);
    assert_int_equal(heard.id, MESSAGE_CARRIED);
    assert_string_equal(heard.carried.line, "any line");
    struct message_text text;
    message_encode(&heard, &text);
    assert_string_equal(text.text, "any line");
}

static void the_kernels_name_is_the_rest_of_its_line(void **state)
{
    (void)state;
    expect(WAY_FROM_HOST, "identity 0f.1 Linux 6.1.0", true);
    assert_string_equal(heard.identity.identity, "0f.1");
    assert_string_equal(heard.identity.kernel, "Linux 6.1.0");
    expect(WAY_FROM_HOST, "identity 0f.1", true);
    assert_string_equal(heard.identity.kernel, "");
}

/* Whoever says what is not allowed is found out: nothing on the way makes it fit. */
static void a_value_out_of_range_is_complained_of_where_it_gets_to(void **state)
{
    (void)state;
    static const struct {
        enum message_way way;
        struct message message;
        const char *complaint;
    } rows[] = {
        {WAY_FROM_WORKER,
         {.id = MESSAGE_FAULT, .fault = {"listen", 98, 70000}},
         "PORT of \"fault\" is \"70000\""},
        {WAY_FROM_WORKER, {.id = MESSAGE_STOPPED, .serial = -1}, "SERIAL of \"stopped\" is \"-1\""},
        {WAY_FROM_WORKER, {.id = MESSAGE_STOPPED, .serial = INT64_MIN}, "is \"-9223372036854775808\""},
        {WAY_FROM_WORKER, {.id = MESSAGE_FAULT, .fault = {"two words", 1, 1}}, "\"fault\" has 4 fields"},
        {WAY_TO_WORKER, {.id = MESSAGE_ACT, .act = {1, ACT_CRASH}}, "ACT of \"act\" is \"crash\""},
        {WAY_TO_HOST, {.id = MESSAGE_START, .start = {.id = 1}}, "\"start\" has 1 field"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct message_text text;
        message_encode(&rows[i].message, &text);
        expect(rows[i].way, text.text, false);
        assert_contains(complaint.text, rows[i].complaint);
    }
}

static void a_carried_line_that_is_too_long_stays_too_long(void **state)
{
    (void)state;
    char line[2 * MESSAGE_LINE_MAX];
    struct message_text text;
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    const struct message from = {.id = MESSAGE_FROM, .carried = {7, line}};
    assert_true(message_encode(&from, &text) > MESSAGE_LINE_MAX);
    assert_true(strlen(text.text) < sizeof text.text);
}

/* ---- who handles it ---- */

static void note(void *context, const struct message *message)
{
    *(int64_t *)context = message->serial;
}

static void a_message_gets_to_its_handler(void **state)
{
    (void)state;
    static message_handler *const handlers[MESSAGE_COUNT] = {[MESSAGE_STOP] = note};
    int64_t got = 0;
    assert_true(message_dispatch(handlers, &got, &(struct message){.id = MESSAGE_STOP, .serial = 7}));
    assert_int_equal(got, 7);
    assert_false(message_dispatch(handlers, &got, &(struct message){.id = MESSAGE_PING, .serial = 8}));
    assert_int_equal(got, 7);
}

static void a_version_is_the_same_when_protocol_and_program_are(void **state)
{
    (void)state;
    struct message hello = message_hello();
    assert_true(message_is_same_version(said(WAY_FROM_HOST, &hello)));
    hello.hello.protocol++;
    assert_false(message_is_same_version(&hello));
    hello = message_hello();
    hello.hello.version = TCPSTORM_VERSION "x";
    assert_false(message_is_same_version(&hello));
}

/* ---- complaints ---- */

static void a_complaint_names_the_field_and_what_is_allowed(void **state)
{
    (void)state;
    expect(WAY_TO_WORKER, "keepalive 0", false);
    expect(WAY_TO_WORKER, "keepalive 32768", false);
    expect(WAY_TO_WORKER, "listen 0 ::1 70000 1 1 full", false);
    assert_string_equal(complaint.text, "PORT of \"listen\" is \"70000\", allowed is 0 to 65535");
    expect(WAY_FROM_WITNESS, "class 1 0 -5 0 0 0 0 0 0 0 1 0 x", false);
    assert_contains(complaint.text, "STATE of \"class\" is \"-5\", allowed is 0 to ");
    expect(WAY_TO_WORKER, "connect 0 localhost 1 1 full 0", false);
    assert_string_equal(complaint.text,
                        "ADDRESS of \"connect\" is \"localhost\", allowed is a numeric address");
    expect(WAY_FROM_HOST, "room 0", false);
    assert_string_equal(complaint.text, "\"room\" has 1 field, allowed are 2");
    expect(WAY_TO_HOST, "start 1 a b c d e", false);
    assert_string_equal(complaint.text, "\"start\" has 6 fields, allowed are 2 to 5");
    expect(WAY_FROM_HOST, "gossip", false);
    assert_string_equal(complaint.text, "\"gossip\" is not a message");
}

static void a_complaint_is_printable_and_short_whatever_came(void **state)
{
    (void)state;
    char long_word[600];
    memset(long_word, 'y', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = '\0';
    expect(WAY_FROM_HOST, long_word, false);
    assert_contains(complaint.text, "yyy...\" is not a message");
    expect(WAY_FROM_HOST, "\x1b]0;owned\x07\xff", false);
    assert_string_equal(complaint.text, "\"?]0;owned??\" is not a message");
    struct line text = {""};
    add(&text, "hello 3 \x1b[31m");
    expect(WAY_FROM_HOST, text.text, false);
    for (const char *c = complaint.text; *c != '\0'; c++)
        assert_true(*c >= ' ' && *c < '\x7f');
    assert_string_equal(message_complaint_of("is not a line of words", "a\x1b b").text,
                        "\"a? b\" is not a line of words");
}

static void nothing_is_no_message(void **state)
{
    (void)state;
    expect(WAY_FROM_HOST, "", false);
    expect(WAY_FROM_HOST, "  ", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_a_message_of_its_way),
        cmocka_unit_test(every_message_is_written_as_it_was_read),
        cmocka_unit_test(every_row_with_a_field_too_few_or_too_many_is_none),
        cmocka_unit_test(every_number_has_its_edges),
        cmocka_unit_test(every_word_is_one_of_its_kind),
        cmocka_unit_test(every_word_has_a_longest),
        cmocka_unit_test(only_the_last_field_comes_a_varying_number_of_times),
        cmocka_unit_test(no_name_comes_twice_in_a_way),
        cmocka_unit_test(every_message_fits_a_line_behind_its_carrier),
        cmocka_unit_test(what_each_sends_is_a_message),
        cmocka_unit_test(a_message_of_another_way_is_none),
        cmocka_unit_test(fields_get_to_their_members),
        cmocka_unit_test(what_comes_several_times_is_counted),
        cmocka_unit_test(a_look_keeps_its_counts_apart),
        cmocka_unit_test(a_line_is_carried_as_it_is),
        cmocka_unit_test(the_kernels_name_is_the_rest_of_its_line),
        cmocka_unit_test(a_value_out_of_range_is_complained_of_where_it_gets_to),
        cmocka_unit_test(a_carried_line_that_is_too_long_stays_too_long),
        cmocka_unit_test(a_message_gets_to_its_handler),
        cmocka_unit_test(a_version_is_the_same_when_protocol_and_program_are),
        cmocka_unit_test(a_complaint_names_the_field_and_what_is_allowed),
        cmocka_unit_test(a_complaint_is_printable_and_short_whatever_came),
        cmocka_unit_test(nothing_is_no_message),
    };
    return cmocka_run_group_tests_name("messages", tests, NULL, NULL);
}
