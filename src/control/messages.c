#include "control/messages.h"

#include "control/host_info.h"
#include "control/link.h"
#include "control/spawn.h"
#include "kernel/address.h"
#include "kernel/free_ports.h"
#include "kernel/histogram.h"
#include "kernel/kernel_counters.h"
#include "kernel/witness.h"
#include "model/close_order.h"
#include "model/script.h"

#include <stdio.h>
#include <string.h>

/* Sums stay far from overflow: a million workers may count MOST ends each, and 16 hosts LARGEST of anything.
 */
#define MOST    ((int64_t)1 << 40)
#define LARGEST ((int64_t)1 << 53)

#define FIELD(field, of, low, high, from, to)                                                                \
    {                                                                                                        \
        .name = (field), .kind = (of), .min = (low), .max = (high), .least = (from), .most = (to)            \
    }
#define NUMBER(field, low, high) FIELD(field, FIELD_NUMBER, low, high, 1, 1)
#define NUMBERS(field, times)    FIELD(field, FIELD_NUMBER, 0, MOST, times, times)
#define COUNT(field)             NUMBER(field, 0, MOST)
#define TIME_US(field)           NUMBER(field, 0, LARGEST)
#define FLAG(field)              NUMBER(field, 0, 1)
#define WORD(field, length)      FIELD(field, FIELD_WORD, 0, length, 1, 1)
#define ONE(field, of)           FIELD(field, of, 0, 0, 1, 1)
#define SERIAL                   NUMBER("SERIAL", 0, LARGEST)
#define ID                       NUMBER("ID", 0, INT32_MAX)
#define LANE                     NUMBER("LANE", 0, 65535)
#define PORT(field)              NUMBER(field, 0, 65535)
#define ERROR                    NUMBER("ERRNO", 0, 4095)
#define PID                      NUMBER("PID", 0, INT32_MAX)
#define WORDS(field, from, most) FIELD(field, FIELD_WORD, 0, LINK_LINE_MAX, from, most)
#define HELLO_FIELDS             NUMBER("PROTOCOL", 0, LARGEST), WORD("VERSION", 63), WORDS("MORE", 0, LINK_WORDS_MAX - 3)
#define LINE                     FIELD("LINE", FIELD_INNER, 0, 0, 1, LINK_WORDS_MAX - 2)

enum { LOOK_COUNTS = SIDE_COUNT * STATE_COUNT, LOOK_TALLIES = SIDE_COUNT * 4 };

static const struct message to_worker[] = {
    /* a client may start up to TOTAL connections of that lane */
    {"credit", {LANE, COUNT("TOTAL")}},
    /* a server: up to QUOTA connections will come there */
    {"listen",
     {LANE, ONE("ADDRESS", FIELD_ADDRESS), PORT("PORT"), NUMBER("BACKLOG", 0, INT32_MAX), COUNT("QUOTA"),
      ONE("OPENING", FIELD_OPENING)}},
    /* a client: will open QUOTA connections there, as credit allows */
    {"connect",
     {LANE, ONE("ADDRESS", FIELD_ADDRESS), PORT("PORT"), COUNT("QUOTA"), ONE("OPENING", FIELD_OPENING)}},
    /* do it to every end, the first or the last opened first, but for the last SPARE */
    {"act", {SERIAL, ONE("ACT", FIELD_ACT), ONE("DIRECTION", FIELD_DIRECTION), COUNT("SPARE")}},
    /* count the ghosts */
    {"census", {SERIAL}},
    /* in a flow: what to do with each connection; LEAKED of OF leak */
    {"script",
     {TIME_US("LIFE_US"), COUNT("LEAKED"), COUNT("OF"),
      FIELD("STEP", FIELD_STEP, 0, 0, 0, SCRIPT_STEPS_MAX)}},
    /* a server in a flow: from now on at most N descriptors */
    {"nofile", {COUNT("N")}},
    /* a client in a flow: open TOTAL connections, RATE in 1,000 s */
    {"arrive", {SERIAL, COUNT("TOTAL"), NUMBER("RATE", 1, MOST), TIME_US("TIMEOUT_US")}},
    /* end the act under way where it is, and begin nothing more */
    {"stop", {SERIAL}},
    /* are you there? */
    {"ping", {SERIAL}},
    {"quit", {{0}}}, /* reset what is open and leave */
    {0}};

static const struct message from_worker[] = {
    /* a client, and a server: so far */
    {"opened", {LANE, COUNT("STARTED"), COUNT("CONNECTED"), COUNT("FDS"), COUNT("ERRORS")}},
    {"accepted", {LANE, COUNT("TOTAL"), COUNT("FDS"), COUNT("ERRORS")}},
    /* likewise in a flow, again and again. OLDEST_US: for so long the oldest connect() has been waiting;
     * SPAN_US: from the first arrival to the last */
    {"arrived",
     {COUNT("STARTED"), COUNT("CONNECTED"), COUNT("FDS"), COUNT("ERRORS"), COUNT("LATE"), TIME_US("WORST_US"),
      TIME_US("OLDEST_US"), COUNT("TIMEOUTS"), COUNT("LEAKED"), COUNT("LOST"), TIME_US("SPAN_US")}},
    {"serving", {COUNT("BEGUN"), COUNT("FDS"), COUNT("ERRORS"), ERROR, COUNT("LEAKED"), COUNT("LOST")}},
    /* of an act, so far; ERRNO of the last failure, 0 for none; done: every end has been acted on */
    {"acted", {SERIAL, COUNT("DONE"), COUNT("FAILED"), ERROR, COUNT("FDS")}},
    {"done", {SERIAL, COUNT("DONE"), COUNT("FAILED"), ERROR, COUNT("FDS")}},
    {"ghosts", {SERIAL, COUNT("COUNT")}},
    {"listening", {LANE}},
    {"stopped", {SERIAL}},
    {"pong", {SERIAL}},
    /* it cannot go on; PORT is 0 where none is concerned */
    {"fault", {WORD("CALL", 31), ERROR, PORT("PORT")}},
    /* the first line */
    {"hello", {HELLO_FIELDS}},
    {0}};

static const struct message to_witness[] = {
    /* answered by "seen" or "unseen" */
    {"look", {SERIAL}},
    {"backend", {WORD("NAME", 31)}},
    {"target",
     {PORT("FIRST_PORT"), PORT("LAST_PORT"),
      FIELD("ADDRESS", FIELD_ADDRESS, 0, 0, 1, 1 + MORE_ADDRESSES_MAX)}},
    /* a worker */
    {"pid", {PID}},
    /* take no more than what others leave */
    {"nice", {NUMBER("N", 0, 19)}},
    /* answered by a "class" for each class of lingering sockets, and "owned" at the end */
    {"owners", {SERIAL}},
    {"ping", {SERIAL}},
    {"quit", {{0}}}, /* reset what is open and leave */
    {0}};

static const struct message from_witness[] = {
    /* the counts of the server's side, then the client's, by state number; then, of each side, OWNED UNREAD
     * UNOWNED QUEUED: see struct histogram */
    {"seen", {SERIAL, TIME_US("TOOK_US"), NUMBERS("COUNT", LOOK_COUNTS), NUMBERS("TALLY", LOOK_TALLIES)}},
    /* the dump failed and counts for nothing */
    {"unseen", {SERIAL, TIME_US("TOOK_US"), ERROR}},
    {"looking", {{0}}}, /* while it looks, about once a second */
    {"pong", {SERIAL}},
    {"class",
     {SERIAL, NUMBER("SIDE", 0, SIDE_COUNT - 1), NUMBER("STATE", 0, STATE_COUNT - 1), FLAG("UNREAD"),
      FLAG("OWNED"), FLAG("LISTED"), PID, NUMBER("PROCESSES", 0, INT32_MAX), COUNT("COUNT"),
      NUMBER("OLDEST_MS", -1, LARGEST), WORD("COMMAND", 15)}},
    /* TOTAL lingering sockets; ERRNO 0 when the look succeeded */
    {"owned", {SERIAL, COUNT("TOTAL"), ERROR}},
    {"hello", {HELLO_FIELDS}},
    {0}};

/* See hosts.h. */
static const struct message to_host[] = {
    /* for the standard input of a process there */
    {"to", {ID, LINE}},
    {"ping", {{0}}}, /* who hears nothing for a while takes the other for gone */
    {"counters", {{0}}},
    /* a process there: tcpstorm WORD ... */
    {"start", {ID, FIELD("WORD", FIELD_WORD, 0, 31, 1, PROCESS_WORDS_MAX)}},
    {"kill", {ID}},
    /* is there room for so many lanes? */
    {"ports",
     {PORT("FROM"), PORT("LAST"), NUMBER("COUNT", 1, 65536),
      FIELD("ADDRESS", FIELD_ADDRESS, 0, 0, 1, 1 + MORE_ADDRESSES_MAX)}},
    {"quit", {{0}}}, /* reset what is open and leave */
    {0}};

static const struct message from_host[] = {
    /* from the standard output of a process there */
    {"from", {ID, LINE}},
    {"pong", {{0}}},
    /* of the host's kernel; TIMEWAIT: sockets in that state, see host_limits.h */
    {"counted", {FIELD("VALUE", FIELD_NUMBER, 0, LARGEST, COUNTER_COUNT, COUNTER_COUNT), COUNT("TIMEWAIT")}},
    {"started", {ID, PID, ERROR}},
    {"ended", {ID, NUMBER("STATUS", 0, 65535)}}, /* as wait() has it */
    /* 0 and the first port, or why there is none: see lane.h */
    {"room", {NUMBER("RC", -4095, PORTS_CROWDED), PORT("FIRST")}},
    {"hello", {HELLO_FIELDS}},
    /* what the host has; then */
    {"limits", {FIELD("NAME=NUMBER", FIELD_LIMIT, 0, 0, 1, HOST_INFO_LIMITS)}},
    /* the same for all that share its kernel and network namespace, and the kernel's name */
    {"identity", {WORD("IDENTITY", 127), WORDS("KERNEL", 0, 8)}},
    {0}};

static const struct message *const ways[WAY_COUNT] = {
    [WAY_TO_WORKER] = to_worker,       [WAY_FROM_WORKER] = from_worker, [WAY_TO_WITNESS] = to_witness,
    [WAY_FROM_WITNESS] = from_witness, [WAY_TO_HOST] = to_host,         [WAY_FROM_HOST] = from_host,
};

const struct message *message_at(enum message_way way, int i)
{
    const struct message *message = ways[way];
    while (i > 0 && message->name != NULL) {
        message++;
        i--;
    }
    return message->name != NULL ? message : NULL;
}

/* ---- fields ---- */

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

static bool is_number(const struct message_field *field, const char *word)
{
    int64_t number;
    return message_number(word, field->min, field->max, &number);
}

static bool is_graphic(char c)
{
    return c > ' ' && c < '\x7f';
}

static bool is_word(const struct message_field *field, const char *word)
{
    const char *end = word;
    while (is_graphic(*end))
        end++;
    return *end == '\0' && end - word <= field->max;
}

static bool is_act(const struct message_field *field, const char *word)
{
    (void)field;
    return act_is_on_ends(act_parse(word));
}

static bool is_direction(const struct message_field *field, const char *word)
{
    (void)field;
    return strcmp(word, "forwards") == 0 || strcmp(word, "backwards") == 0;
}

static bool is_opening(const struct message_field *field, const char *word)
{
    (void)field;
    return opening_parse(word) != OPENING_COUNT;
}

static bool is_address(const struct message_field *field, const char *word)
{
    (void)field;
    struct address address;
    return address_parse(word, &address);
}

static bool is_step(const struct message_field *field, const char *word)
{
    (void)field;
    struct script script = {0};
    return script_add_word(&script, word) == 0;
}

static bool is_limit(const struct message_field *field, const char *word)
{
    (void)field;
    return host_info_is_limit(word);
}

static bool is_anything(const struct message_field *field, const char *word)
{
    (void)field;
    (void)word;
    return true;
}

static const struct {
    bool (*holds)(const struct message_field *field, const char *word);
    const char *allowed; /* NULL: said with the numbers of the field */
} kinds[] = {
    [FIELD_NUMBER] = {is_number, NULL},
    [FIELD_WORD] = {is_word, "a word of printable ASCII"},
    [FIELD_ACT] = {is_act, "an act on ends"},
    [FIELD_DIRECTION] = {is_direction, "forwards or backwards"},
    [FIELD_OPENING] = {is_opening, "an opening"},
    [FIELD_ADDRESS] = {is_address, "a numeric address"},
    [FIELD_STEP] = {is_step, "ACT@TRIGGER"},
    [FIELD_LIMIT] = {is_limit, "a limit that is known, and its number"},
    [FIELD_INNER] = {is_anything, ""},
};
_Static_assert(sizeof kinds / sizeof kinds[0] == FIELD_KINDS, "one row per kind");

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

static bool complain_of_count(const struct message *message, int count, int least, int most,
                              struct message_complaint *why)
{
    if (least == most)
        snprintf(why->text, sizeof why->text, "\"%s\" has %d field%s, allowed are %d", message->name, count,
                 count == 1 ? "" : "s", least);
    else
        snprintf(why->text, sizeof why->text, "\"%s\" has %d field%s, allowed are %d to %d", message->name,
                 count, count == 1 ? "" : "s", least, most);
    return false;
}

static bool complain_of_field(const struct message *message, const struct message_field *field,
                              const char *word, struct message_complaint *why)
{
    char range[48];
    snprintf(range, sizeof range, "%lld to %lld", (long long)field->min, (long long)field->max);
    snprintf(why->text, sizeof why->text, "%s of \"%s\" is \"%s\", allowed is %s", field->name, message->name,
             shown(word).text, kinds[field->kind].allowed != NULL ? kinds[field->kind].allowed : range);
    return false;
}

/* ---- a line ---- */

static const struct message *find(enum message_way way, const char *name)
{
    for (const struct message *message = ways[way]; message->name != NULL; message++)
        if (strcmp(message->name, name) == 0)
            return message;
    return NULL;
}

static bool has_count(const struct message *message, int count, struct message_complaint *why)
{
    int least = 0, most = 0;
    for (const struct message_field *field = message->fields; field->name != NULL; field++) {
        least += field->least;
        most += field->most;
    }
    return (count >= least && count <= most) || complain_of_count(message, count, least, most, why);
}

bool message_check(enum message_way way, const struct link_line *line, struct message_complaint *why)
{
    const struct message *message = line->count > 0 ? find(way, line->word[0]) : NULL;
    if (message == NULL) {
        *why = message_complaint_of("is no message", line->count > 0 ? line->word[0] : "");
        return false;
    }
    if (!has_count(message, line->count - 1, why))
        return false;
    int word = 1;
    for (const struct message_field *field = message->fields; field->name != NULL; field++)
        for (int i = 0; i < field->most && word < line->count; i++, word++)
            if (!kinds[field->kind].holds(field, line->word[word]))
                return complain_of_field(message, field, line->word[word], why);
    return true;
}
