/* link: controller and worker exchange lines of words over a stream. A local worker has a socketpair, as its
 * standard input; the lines are the same whatever carries them.
 *
 * What may be said, by whom and with what fields is one table, in messages.c: a line that comes in and is
 * not in it never gets to on_line. */
#ifndef CONTROL_LINK_H
#define CONTROL_LINK_H

#include "control/messages.h"

#include <stdint.h>

enum {
    LINK_PROTOCOL = 4,
    LINK_WORDS_MAX = 48,
    LINK_LINE_MAX = 1024,
};

struct event_base;
struct link;

struct link_text {
    char text[LINK_LINE_MAX];
};

struct link_line {
    int count;
    const char *word[LINK_WORDS_MAX]; /* valid during the callback only */
};

/* Cuts a line into words in place. Returns 0, or -EMSGSIZE when there are too many. */
int link_split(char *text, struct link_line *line);

/* The i-th word of a line that was checked, where the table has a number; 0 when it is missing or none. */
int64_t link_number(const struct link_line *line, int i);

/* A message of the protocol. */
typedef void link_on_line(void *context, const struct link_line *line);
/* A line that is none. */
typedef void link_on_bad(void *context, const struct message_complaint *why);
/* The other end is gone, by EOF or by an error: a killed process shows as either. */
typedef void link_on_end(void *context);

/* Who hears what comes in. */
struct link_ears {
    enum message_way way; /* whose lines they are to be */
    link_on_line *on_line;
    link_on_bad *on_bad;
    link_on_end *on_end;
};

/* Takes the descriptor over: link_free closes it. NULL when out of memory. */
struct link *link_new(struct event_base *base, int fd, const struct link_ears *ears, void *context);
/* Likewise, where lines come in on one descriptor and go out on another, as over pipes. */
struct link *link_new_pair(struct event_base *base, int in, int out, const struct link_ears *ears,
                           void *context);
/* One of many streams that another carries: what is sent here goes out there as "to ID LINE". The lines that
 * come are given to link_hear by who hears the carrier. The carrier outlives it. */
struct link *link_new_channel(struct link *carrier, int id, const struct link_ears *ears, void *context);
void link_free(struct link *link);

/* A line, or the end, of a channel. */
void link_hear(struct link *channel, const struct link_line *line);
void link_hear_end(struct link *channel);

/* Appends, as far as there is room. */
void link_text_add(struct link_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The words from the i-th on, as they were: a space between them. */
struct link_text link_rest(const struct link_line *line, int i);

/* Queues one line, without its newline. */
void link_send(struct link *link, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
