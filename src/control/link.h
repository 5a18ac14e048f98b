/* link: the controller and its processes exchange messages over a stream, a line each. A process on this
 * machine has a socketpair, as its standard input; the lines are the same whatever carries them. */
#ifndef CONTROL_LINK_H
#define CONTROL_LINK_H

#include "control/messages.h"

struct event_base;
struct link;

/* A line that is no message. */
typedef void link_on_bad(void *context, const struct message_complaint *why);
/* The other end is gone, by EOF or by an error: a killed process shows as either. */
typedef void link_on_end(void *context);

/* Who hears what comes in. */
struct link_ears {
    enum message_way way; /* whose messages they are to be */
    message_handler *on_message;
    link_on_bad *on_bad;
    link_on_end *on_end;
};

/* Takes the descriptor over: link_free closes it. NULL when out of memory. */
struct link *link_new(struct event_base *base, int fd, const struct link_ears *ears, void *context);
/* Likewise, where lines come in on one descriptor and go out on another, as over pipes. */
struct link *link_new_pair(struct event_base *base, int in, int out, const struct link_ears *ears,
                           void *context);
/* One of many streams that another carries: what is sent here goes out there as MESSAGE_TO. The lines that
 * come are given to link_hear by who hears the carrier. The carrier outlives it. */
struct link *link_new_channel(struct link *carrier, int id, const struct link_ears *ears, void *context);
void link_free(struct link *link);

/* A line of a channel. */
void link_hear(struct link *channel, const char *line);

/* Queues one message. */
void link_send(struct link *link, const struct message *message);

#endif
