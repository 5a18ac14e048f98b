/* wire: controller and worker exchange lines of words over a stream. A local worker has a socketpair, as its
 * standard input; the lines are the same whatever carries them.
 *
 * What may be said, by whom and with what fields is one table, in messages.c: a line that comes in and is
 * not in it never gets to on_line. */
#ifndef CONTROL_LINK_H
#define CONTROL_LINK_H

#include "control/messages.h"

#include <stdint.h>

enum {
    WIRE_PROTOCOL = 4,
    WIRE_WORDS_MAX = 48,
    WIRE_LINE_MAX = 1024,
};

struct event_base;
struct wire;

struct wire_text {
    char text[WIRE_LINE_MAX];
};

struct wire_line {
    int count;
    const char *word[WIRE_WORDS_MAX]; /* valid during the callback only */
};

/* Cuts a line into words in place. Returns 0, or -EMSGSIZE when there are too many. */
int wire_split(char *text, struct wire_line *line);

/* The i-th word of a line that was checked, where the table has a number; 0 when it is missing or none. */
int64_t wire_number(const struct wire_line *line, int i);

/* A message of the protocol. */
typedef void wire_on_line(void *context, const struct wire_line *line);
/* A line that is none. */
typedef void wire_on_bad(void *context, const struct message_complaint *why);
/* The other end is gone, by EOF or by an error: a killed process shows as either. */
typedef void wire_on_end(void *context);

/* Who hears what comes in. */
struct wire_ears {
    enum message_way way; /* whose lines they are to be */
    wire_on_line *on_line;
    wire_on_bad *on_bad;
    wire_on_end *on_end;
};

/* Takes the descriptor over: wire_free closes it. NULL when out of memory. */
struct wire *wire_new(struct event_base *base, int fd, const struct wire_ears *ears, void *context);
/* Likewise, where lines come in on one descriptor and go out on another, as over pipes. */
struct wire *wire_new_pair(struct event_base *base, int in, int out, const struct wire_ears *ears,
                           void *context);
/* One of many streams that another carries: what is sent here goes out there as "to ID LINE". The lines that
 * come are given to wire_hear by who hears the carrier. The carrier outlives it. */
struct wire *wire_new_channel(struct wire *carrier, int id, const struct wire_ears *ears, void *context);
void wire_free(struct wire *wire);

/* A line, or the end, of a channel. */
void wire_hear(struct wire *channel, const struct wire_line *line);
void wire_hear_end(struct wire *channel);

/* Appends, as far as there is room. */
void wire_text_add(struct wire_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The words from the i-th on, as they were: a space between them. */
struct wire_text wire_rest(const struct wire_line *line, int i);

/* Queues one line, without its newline. */
void wire_send(struct wire *wire, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
