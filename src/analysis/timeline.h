/* timeline: an outage as dated sentences: what broke first, and what followed from it. */
#ifndef ANALYSIS_TIMELINE_H
#define ANALYSIS_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

/* In the order in which a server that leaks descriptors usually reaches them. Each says its number. */
enum timeline_stage {
    STAGE_SERVER_EMFILE,     /* accept() failed: the server's descriptor limit */
    STAGE_MACHINE_ENFILE,    /* a call failed: fs.file-max */
    STAGE_QUEUE_FULL,        /* connections in the accept queue */
    STAGE_SYN_DROPPED,       /* ListenDrops since the flow began */
    STAGE_CONNECT_SLOW,      /* milliseconds that connect() has taken so far */
    STAGE_CONNECT_TIMED_OUT, /* milliseconds waited */
    STAGE_PORTS_USED_UP,     /* no number: connect() failed with EADDRNOTAVAIL */
    STAGE_REPLY_LOST,        /* no number */
    STAGE_COUNT,
};

struct timeline_event {
    bool happened;
    double t_s;
    int64_t number;
};

/* Zero-initialised: nothing has happened. */
struct timeline {
    double began_s; /* when the flow began, on the clock of its events; sentences count from here */
    struct timeline_event events[STAGE_COUNT];
};

/* Notes a stage at t_s, in seconds of any clock; number 0: not known. True only the first time; a
 * later note counts for nothing, unless its date is earlier: then it corrects the date and the number. */
bool timeline_note(struct timeline *timeline, enum timeline_stage stage, double t_s, int64_t number);

bool timeline_has(const struct timeline *timeline, enum timeline_stage stage);

/* When it happened first; INFINITY when it did not. */
double timeline_at(const struct timeline *timeline, enum timeline_stage stage);

/* Likewise, in seconds since the flow began. */
double timeline_since(const struct timeline *timeline, enum timeline_stage stage);

/* The earliest stage's time; INFINITY when nothing has happened. */
double timeline_first_failure_s(const struct timeline *timeline);

/* Fills `stages` with those that happened, earliest first, and returns how many. At the same time the table's
 * order holds. */
int timeline_in_order(const struct timeline *timeline, enum timeline_stage stages[STAGE_COUNT]);

/* For scripts: "server_emfile". */
const char *timeline_stage_name(enum timeline_stage stage);

struct timeline_text {
    char text[192];
};

/* "5.4 s: first EMFILE: accept() fails, the server is out of descriptors"; "" when it did not happen. */
struct timeline_text timeline_line(const struct timeline *timeline, enum timeline_stage stage);

#endif
