/* messages: every line of the link, a row each: who says it to whom, its name, its fields and what each of
 * them may be. A line that comes in is checked against its row before anybody acts on it (link.c,
 * witness_process.c): whoever is told of one can trust its count of words, and every number and name in it,
 * whatever is at the other end. */
#ifndef CONTROL_MESSAGES_H
#define CONTROL_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

struct link_line;

/* Whose lines they are. */
enum message_way {
    WAY_TO_WORKER,
    WAY_FROM_WORKER,
    WAY_TO_WITNESS,
    WAY_FROM_WITNESS,
    WAY_TO_HOST,
    WAY_FROM_HOST,
    WAY_COUNT,
    WAY_CARRIED = WAY_COUNT, /* to be handed on: whoever it is for checks it */
};

enum field_kind {
    FIELD_NUMBER,    /* decimal, min to max */
    FIELD_WORD,      /* printable ASCII, at most max bytes: it may reach a terminal, a CSV and a JSON text */
    FIELD_ACT,       /* that is done to an end: see act_is_on_ends() */
    FIELD_DIRECTION, /* forwards, backwards */
    FIELD_OPENING,
    FIELD_ADDRESS,
    FIELD_STEP,  /* ACT@TRIGGER, see script.h */
    FIELD_LIMIT, /* NAME=NUMBER, see host_report.h */
    FIELD_INNER, /* a word of a line of another way, which is checked where it gets to */
    FIELD_KINDS,
};

struct message_field {
    const char *name; /* NULL ends the fields */
    enum field_kind kind;
    int64_t min, max;
    int least, most; /* how often it comes; where these differ it is the last field */
};

enum { MESSAGE_FIELDS_MAX = 12 };

struct message {
    const char *name; /* its first word */
    struct message_field fields[MESSAGE_FIELDS_MAX];
};

/* The i-th message of that way; NULL past the last. */
const struct message *message_at(enum message_way way, int i);

struct message_complaint {
    char text[192];
};

/* False when it is no message of that way, and why: `PORT of "listen" is "70000", allowed is 0 to 65535`.
 * Whatever the line holds, the complaint is printable ASCII. */
bool message_check(enum message_way way, const struct link_line *line, struct message_complaint *why);

/* A complaint of what is no line of words at all, from the text or what there is of it. */
struct message_complaint message_complaint_of(const char *what, const char *text);

/* A decimal number within the bounds and nothing behind it. */
bool message_number(const char *text, int64_t min, int64_t max, int64_t *number);

#endif
