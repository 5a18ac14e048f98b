/* messages: the protocol between the processes of a run, whole: what is said, by whom to whom, and in which
 * fields. A message is one line of words, its name first and then the fields; message_table.c has a row for
 * each, and encoding, decoding and the checks all follow from that row. A line that comes in is checked
 * before anybody acts on it (link.c, witness_process.c): whoever is handed a message can trust every number
 * and name in it, whatever is at the other end.
 *
 * A run on this machine has a controller, its workers and a witness. On other machines each host has an
 * agent, which starts workers and a witness there and carries their lines. */
#ifndef CONTROL_MESSAGES_H
#define CONTROL_MESSAGES_H

#include "analysis/outage.h"
#include "control/spawn.h"
#include "kernel/act.h"
#include "kernel/address.h"
#include "kernel/histogram.h"
#include "kernel/host_limits.h"
#include "kernel/kernel_counters.h"
#include "kernel/lingering.h"
#include "kernel/witness.h"
#include "model/script.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MESSAGE_PROTOCOL = 11, /* to be raised whenever a message changes */
    MESSAGE_LINE_MAX = 1024,
    MESSAGE_ADDRESSES_MAX = 1 + MORE_ADDRESSES_MAX,
};

/* Whose lines they are. */
enum message_way {
    WAY_TO_WORKER,
    WAY_FROM_WORKER,
    WAY_TO_WITNESS,
    WAY_FROM_WITNESS,
    WAY_TO_HOST,
    WAY_FROM_HOST,
    WAY_COUNT,
    WAY_CARRIED = WAY_COUNT, /* any line, as a MESSAGE_CARRIED: whoever it is for checks it */
};

enum message_id {
    /* from all: the first line of a process */
    MESSAGE_HELLO,
    /* to all: reset what is open and leave */
    MESSAGE_QUIT,

    /* ---- to workers and witnesses; what they answer ---- */
    MESSAGE_PING, /* are you there? */
    MESSAGE_PONG, /* with the ping's serial */

    /* ---- to a worker ---- */
    MESSAGE_LISTEN,    /* a server: up to `quota` connections will come there */
    MESSAGE_CONNECT,   /* a client: will open `quota` connections there, as credit allows */
    MESSAGE_KEEPALIVE, /* of the connections to come: see keepalive_begin() */
    MESSAGE_CREDIT,    /* a client may start up to `total` connections of that lane */
    MESSAGE_ACT,       /* do it to every end, the first or the last opened first, but for the last `spare`; or
                          what is not done to ends */
    MESSAGE_ASK_GHOSTS, /* how many do you hold? Answered by MESSAGE_GHOSTS */
    MESSAGE_SCRIPT,     /* in a flow: what to do with each connection; `leaked` of the first `of` leak */
    MESSAGE_NOFILE,     /* a server in a flow: from now on at most `most` descriptors */
    MESSAGE_ARRIVE,     /* a client in a flow: open `total` connections */
    MESSAGE_STOP,       /* end the act under way where it is, and begin nothing more */

    /* ---- from a worker ---- */
    MESSAGE_LISTENING, /* that lane is */
    MESSAGE_OPENED,    /* a client, so far */
    MESSAGE_ACCEPTED,  /* a server, so far */
    MESSAGE_ARRIVED,   /* a client in a flow, so far: again and again */
    MESSAGE_SERVING,   /* a server in a flow, likewise */
    MESSAGE_ACTED,     /* of an act, so far */
    MESSAGE_DONE,      /* every end has been acted on */
    MESSAGE_GHOSTS,
    MESSAGE_STOPPED,
    MESSAGE_FAULT, /* it cannot go on */

    /* ---- to a witness ---- */
    MESSAGE_BACKEND,
    MESSAGE_TARGET,
    MESSAGE_PID,    /* of a worker */
    MESSAGE_NICE,   /* take no more than what others leave */
    MESSAGE_LOOK,   /* answered by MESSAGE_SEEN or MESSAGE_UNSEEN */
    MESSAGE_OWNERS, /* answered by a MESSAGE_CLASS for each class, and MESSAGE_OWNED at the end */

    /* ---- from a witness ---- */
    MESSAGE_SEEN,
    MESSAGE_UNSEEN,  /* the dump failed and counts for nothing */
    MESSAGE_LOOKING, /* while it looks, about once a second */
    MESSAGE_CLASS,
    MESSAGE_OWNED,

    /* ---- to a host's agent; "processes" are its own ---- */
    MESSAGE_TO, /* for the standard input of a process */
    MESSAGE_START,
    MESSAGE_KILL,
    MESSAGE_PORTS,     /* is there room for so many lanes? Answered by MESSAGE_ROOM */
    MESSAGE_COUNTERS,  /* answered by MESSAGE_COUNTED */
    MESSAGE_HOST_PING, /* who hears nothing for a while takes the other for gone */

    /* ---- from a host's agent ---- */
    MESSAGE_FROM,   /* from the standard output of a process */
    MESSAGE_LIMITS, /* what the host has; then MESSAGE_IDENTITY */
    MESSAGE_IDENTITY,
    MESSAGE_STARTED,
    MESSAGE_ENDED,
    MESSAGE_ROOM,
    MESSAGE_COUNTED,
    MESSAGE_HOST_PONG,

    MESSAGE_CARRIED, /* a line of whatever is spoken there: WAY_CARRIED */
    MESSAGE_COUNT,
};

/* A message and its fields: of the union, the member that belongs to the id. Texts are borrowed: those of a
 * message that was heard are valid while it is handled. `error` is an errno, 0 for none. */
struct message {
    enum message_id id;
    union {
        struct {
            int64_t protocol;
            const char *version; /* of tcpstorm. What another one adds behind it is passed over */
        } hello;

        int64_t
            serial;   /* PING, PONG, ASK_GHOSTS, STOP, STOPPED, LOOK, OWNERS: an answer has its question's */
        int64_t lane; /* LISTENING */

        struct {
            int64_t lane;
            struct address address;
            int port;
            int backlog;
            int64_t quota;
            enum opening opening;
        } listen;
        struct {
            int64_t lane;
            struct address address;
            int port;
            int64_t quota;
            enum opening opening;
            bool reconnects; /* an ACT_RECONNECT will follow: the ports of the ends are kept in mind */
        } connect;
        struct {
            int64_t idle_s;
        } keepalive;
        struct {
            int64_t lane;
            int64_t total;
        } credit;
        struct {
            int64_t serial;
            enum act act;
            bool backwards;
            int64_t spare;
        } act;
        struct {
            int64_t life_us;
            int64_t leaked, of;
            struct script script;
        } script;
        struct {
            int64_t most;
        } nofile;
        struct {
            int64_t serial;
            int64_t total;
            int64_t rate_milli; /* connections in 1,000 s */
            int64_t timeout_us; /* of a connect() */
        } arrive;

        struct {
            int64_t lane;
            int64_t started, connected;
            int64_t fds; /* descriptors that the worker holds in all */
            int64_t errors;
        } opened;
        struct {
            int64_t lane;
            int64_t total;
            int64_t fds; /* as in `opened` */
            int64_t errors;
        } accepted;
        struct { /* ARRIVED, SERVING */
            struct flow_tally flow;
            int64_t fds;
        } tally;
        struct { /* ACTED, DONE */
            int64_t serial;
            int64_t done;
            int64_t failed; /* of them */
            int error;      /* of the last failure */
            int64_t fds;
        } acted;
        struct {
            int64_t serial;
            int64_t count;
        } ghosts;
        struct {
            const char *call;
            int error;
            int port; /* 0 where none is concerned */
        } fault;

        struct {
            const char *name;
        } backend;
        struct {
            int first_port, last_port;
            int count; /* of the addresses, at least 1 */
            struct address addresses[MESSAGE_ADDRESSES_MAX];
        } target;
        int pid; /* PID */
        struct {
            int increment;
        } nice;

        struct {
            int64_t serial;
            int64_t took_us;
            struct histogram sides[SIDE_COUNT]; /* without ghosts: those are no matter of a look */
        } seen;
        struct {
            int64_t serial;
            int64_t took_us;
            int error;
        } unseen;
        struct {
            int64_t serial;
            struct lingering_class of; /* without its command and host */
            const char *command;       /* "-": it has no name that could be read */
        } class;
        struct {
            int64_t serial;
            int64_t total; /* lingering sockets */
            int error;     /* of the look */
        } owned;

        struct { /* TO, FROM, CARRIED */
            int64_t id;
            const char *line;
        } carried;
        struct {
            int64_t id;
            int count;
            const char *words[PROCESS_WORDS_MAX + 1]; /* tcpstorm WORD ... */
        } start;
        struct {
            int64_t id;
        } kill;
        struct {
            int first, last;
            int lanes;
            int count; /* of the addresses, at least 1 */
            struct address addresses[MESSAGE_ADDRESSES_MAX];
        } ports;

        struct host_limits limits; /* without the kernel's name */
        struct {
            const char *identity; /* the same for all that share its kernel and network namespace */
            const char *kernel;   /* "Linux 6.1.0" */
        } identity;
        struct {
            int64_t id;
            int pid;
            int error;
        } started;
        struct {
            int64_t id;
            int wait_status; /* as wait() has it */
        } ended;
        struct {
            int rc; /* as of free_ports_find() */
            int first_port;
        } room;
        struct {
            struct kernel_counters counters;
            int64_t time_wait; /* see host_time_wait_now() */
        } counted;
    };
};

/* ---- saying and hearing ---- */

struct message_text {
    char text[MESSAGE_LINE_MAX + 32]; /* room for a line that is carried, and whose it is */
};

/* The message as a line, without a newline. Nothing is cut to what the row allows: a value that it does not
 * allow gets to the other end as it is, and is complained of there. Returns the length. */
size_t message_encode(const struct message *message, struct message_text *out);

struct message_complaint {
    char text[192];
};

/* Reads a line, which is cut into words in place. False when it is no message of that way, and why: `PORT of
 * "listen" is "70000", allowed is 0 to 65535`. Whatever the line holds, the complaint is printable ASCII. */
bool message_decode(enum message_way way, char *line, struct message *message, struct message_complaint *why);

/* A complaint of what is no line of words at all, from the text or what there is of it. */
struct message_complaint message_complaint_of(const char *what, const char *text);

typedef void message_handler(void *context, const struct message *message);

/* Hands it to its handler, found by its id. False when the table has none: nobody here waits for it. */
bool message_dispatch(message_handler *const handlers[MESSAGE_COUNT], void *context,
                      const struct message *message);

/* The HELLO of this program, and whether another's is the same: protocol and version. */
struct message message_hello(void);
bool message_is_same_version(const struct message *hello);

/* A decimal number within the bounds and nothing behind it. */
bool message_number(const char *text, int64_t min, int64_t max, int64_t *number);

/* ---- the table ---- */

enum field_kind {
    FIELD_NUMBER,    /* decimal, min to max: bool, int or int64_t */
    FIELD_WORD,      /* printable ASCII, at most max bytes: it may reach a terminal, a CSV and a JSON text */
    FIELD_WORDS,     /* likewise, all that are left of the line */
    FIELD_MORE,      /* words that are passed over */
    FIELD_ACT,       /* enum act, one that a worker does: see act_is_for_workers() */
    FIELD_DIRECTION, /* forwards, backwards: bool */
    FIELD_OPENING,   /* enum opening */
    FIELD_ADDRESS,   /* struct address */
    FIELD_STEP,      /* struct script_step: ACT@TRIGGER, see script.h */
    FIELD_LIMIT,     /* NAME=NUMBER, all into one struct host_limits: see host_info.h */
    FIELD_LINE,      /* the rest of the line, whatever it is */
    FIELD_KINDS,
};

struct message_field {
    const char *name; /* NULL ends the fields */
    enum field_kind kind;
    int64_t min, max;
    int least, most; /* words of the line; where these differ it is the last field */
    size_t at;       /* where the value, or the first of them, is in struct message */
    size_t size;     /* of one; 0: all words go into one value */
    size_t count_at; /* where the int is that says how many there are; 0: `most` */
};

enum { MESSAGE_FIELDS_MAX = 18 }; /* with the one that ends a row */

struct message_row {
    const char *name; /* its first word */
    uint32_t ways;    /* 1 << enum message_way of each */
    struct message_field fields[MESSAGE_FIELDS_MAX];
};

extern const struct message_row message_rows[MESSAGE_COUNT];

#endif
