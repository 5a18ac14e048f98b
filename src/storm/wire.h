/* wire: controller and worker exchange lines of words over a stream. A local worker has a socketpair, as its
 * standard input; the lines are the same whatever carries them.
 *
 *   controller to worker
 *     listen LANE ADDRESS PORT BACKLOG QUOTA OPENING
 *                                               server: up to QUOTA connections will come there
 *     connect LANE ADDRESS PORT QUOTA OPENING   client: will open QUOTA connections there, as credit allows
 *     credit LANE TOTAL                         client: up to TOTAL connections of that lane may be started
 *     act SERIAL NAME forwards|backwards SPARE  do it to every end, the first or the last opened first, but
 *                                               for the last SPARE
 *     census SERIAL                             count the ghosts
 *     script LIFE_US LEAKED OF ACT@TRIGGER ...  -flow: what to do with each connection; LEAKED of OF leak
 *     nofile N                                  server-flow: from now on at most N descriptors
 *     arrive SERIAL TOTAL RATE TIMEOUT_US       client-flow: open TOTAL connections, RATE in 1,000 s
 *     stop SERIAL                               end the act under way where it is, and begin nothing more
 *     ping SERIAL                               are you there? Also to the witness
 *     quit                                      reset what is open and leave
 *   worker to controller
 *     hello PROTOCOL VERSION                    the first line
 *     listening LANE
 *     accepted LANE TOTAL FDS ERRORS            server: so far
 *     opened LANE STARTED CONNECTED FDS ERRORS  client: so far
 *     acted SERIAL DONE FAILED ERRNO FDS        so far; ERRNO of the last failure, 0 for none
 *     done SERIAL DONE FAILED ERRNO FDS         every end has been acted on
 *     ghosts SERIAL COUNT
 *     serving BEGUN FDS ERRORS ERRNO LEAKED LOST
 *                                               server-flow, again and again: so far
 *     arrived STARTED CONNECTED FDS ERRORS LATE WORST_US OLDEST_US TIMEOUTS LEAKED LOST SPAN_US
 *                                               client-flow, likewise; OLDEST_US: for so long the oldest
 *                                               connect() has been waiting; SPAN_US: from the
 *                                               first arrival to the last
 *     stopped SERIAL
 *     pong SERIAL                               also from the witness
 *     fault CALL ERRNO PORT                     it cannot go on; PORT is 0 where none is concerned
 *   controller to a host (see team.h), and back
 *     hello PROTOCOL VERSION                    the first line
 *     limits NAME=VALUE ...                     what the host has; then
 *     identity WORD                             the same for all that share its kernel and network namespace
 *     start ID WORD ...                         a process there: tcpstorm WORD ...
 *     started ID PID ERRNO
 *     to ID LINE                                for its standard input
 *     from ID LINE                              from its standard output
 *     kill ID
 *     ended ID STATUS                           as wait() has it
 *     ports FROM LAST COUNT ADDRESS ...         is there room for so many lanes?
 *     room RC FIRST                             0 and the first port, or a negative errno
 *     counters                                  of the host's kernel
 *     counted VALUE ... TIMEWAIT                TIMEWAIT: sockets in that state, see host_limits.h
 *     ping, pong                                who hears nothing for a while takes the other for gone
 *     quit
 *   controller to witness, and back
 *     backend NAME
 *     target FIRST_PORT LAST_PORT ADDRESS ...
 *     look SERIAL                               answered by one of
 *     seen SERIAL MICROSECONDS 12 server counts, 12 client counts, by state number, then of each side
 *          OWNED UNREAD UNOWNED QUEUED          see struct histogram
 *     looking                                   while it looks, about once a second
 *     unseen SERIAL MICROSECONDS ERRNO          the dump failed and counts for nothing
 *     pid PID                                   a worker
 *     nice N                                    take no more than what others leave
 *     owners SERIAL                             answered by a line for each class of lingering sockets, and
 *                                               one at the end:
 *     class SERIAL SIDE STATE UNREAD OWNED LISTED PID PROCESSES COUNT OLDEST_MS COMMAND
 *     owned SERIAL TOTAL ERRNO                  TOTAL lingering sockets; ERRNO 0 when the look succeeded
 */
#ifndef STORM_WIRE_H
#define STORM_WIRE_H

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

/* The i-th word as a number; 0 when it is missing or none. */
int64_t wire_number(const struct wire_line *line, int i);

typedef void wire_on_line(void *context, const struct wire_line *line);
/* The other end is gone, by EOF or by an error: a killed process shows as either. */
typedef void wire_on_end(void *context);

/* Takes the descriptor over: wire_free closes it. NULL when memory is short. */
struct wire *wire_new(struct event_base *base, int fd, wire_on_line *on_line, wire_on_end *on_end,
                      void *context);
/* Likewise, where lines come in on one descriptor and go out on another, as over pipes. */
struct wire *wire_new_pair(struct event_base *base, int in, int out, wire_on_line *on_line,
                           wire_on_end *on_end, void *context);
/* One of many streams that another carries: what is sent here goes out there as "to ID LINE". The lines that
 * come are given to wire_hear by who hears the carrier. The carrier outlives it. */
struct wire *wire_new_channel(struct wire *carrier, int id, wire_on_line *on_line, wire_on_end *on_end,
                              void *context);
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
