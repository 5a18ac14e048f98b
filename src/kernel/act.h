/* act: what a worker can do to its end of a connection. One act is one visible system call on each end,
 * because that call is what is being measured. */
#ifndef KERNEL_ACT_H
#define KERNEL_ACT_H

#include <stdbool.h>
#include <stddef.h>

enum act {
    ACT_NONE,     /* ends a list of steps */
    ACT_OPEN,     /* connect() and accept(); the only act that is not done to an end that exists */
    ACT_CLOSE,    /* close(): FIN, or RST when data is unread */
    ACT_SHUTDOWN, /* shutdown(SHUT_WR): FIN, and the descriptor stays */
    ACT_ABORT,    /* SO_LINGER 0 and close(): RST */
    ACT_WRITE,    /* send() of a fixed text */
    ACT_READ,     /* recv() of that text, checked */
    ACT_FINISH,   /* send(MSG_MORE) of it and close(): the FIN leaves with the data, in one segment */
    ACT_DROP,     /* SO_ATTACH_FILTER: the end hears nothing any more, see packet_drop.h */
    ACT_UNDROP,   /* SO_DETACH_FILTER */
    ACT_VANISH,   /* close() without FIN or RST, see vanish.h */
    ACT_CRASH,    /* the side's processes are killed, and the kernel closes; done to processes, not to ends */
    ACT_UNLISTEN, /* close() of the server's listening sockets; done to these, not to ends */
    ACT_RECONNECT, /* connect() from the ports that the ends had: the ends are new */
    ACT_WAIT,      /* nothing is done: a clock of the kernel runs out */
    ACT_FILL,      /* send() until nothing more fits, into the smallest of send buffers */
    ACT_LINGER,    /* close() with SO_LINGER, which waits ACT_LINGER_S for all to be acknowledged */
    ACT_COUNT,
};

enum { ACT_LINGER_S = 1 }; /* the kernel's unit, and the least of it */

/* "close": in step labels and in messages. */
const char *act_name(enum act act);

/* The call as a programmer writes it, "shutdown(SHUT_WR)". */
const char *act_call(enum act act);

/* ACT_NONE when there is no such act. */
enum act act_parse(const char *name);

/* True when it is done to an end that exists: act_apply() can. */
bool act_is_on_ends(enum act act);

/* True when a worker can be told to do it: to its ends, or what it does beside that. */
bool act_is_for_workers(enum act act);

/* True when the end has no descriptor any more afterwards. */
bool act_releases(enum act act);

/* True when it closes the end with a FIN, at once or when what is to be sent before it has been. */
bool act_closes(enum act act);

/* True when act_apply() may take seconds: see blocking_act.h. */
bool act_blocks(enum act act);

/* Does it to one end. Returns 0, -EAGAIN when the end must become readable first, or another negative errno:
 * EBADMSG when ACT_READ found other data than ACT_WRITE sends. An act that releases the descriptor does so
 * whatever it returns. */
int act_apply(enum act act, int fd);

/* True when a call fails with this error because this machine cannot make it, and not because of what has
 * become of the connection: the other side has nothing to do with it. */
bool is_failure_here(int error);

#endif
