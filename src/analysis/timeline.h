/* story: an outage as dated sentences: what broke first, and what followed from it. */
#ifndef ANALYSIS_TIMELINE_H
#define ANALYSIS_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

/* In the order in which a server that leaks descriptors usually reaches them. Each says its number. */
enum story_stage {
    STORY_SERVER_EMFILE,     /* accept() failed: the server's descriptor limit */
    STORY_MACHINE_ENFILE,    /* a call failed: fs.file-max */
    STORY_QUEUE_FULL,        /* connections in the accept queue */
    STORY_SYN_DROPPED,       /* ListenDrops since the flow began */
    STORY_CONNECT_SLOW,      /* milliseconds that connect() has taken so far */
    STORY_CONNECT_TIMED_OUT, /* milliseconds waited */
    STORY_REPLY_LOST,        /* no number */
    STORY_STAGE_COUNT,
};

struct story_event {
    bool happened;
    double t_s;
    int64_t number;
};

/* Zero-initialised: nothing has happened. */
struct story {
    double began_s; /* when the flow began, on the clock of its events; sentences count from here */
    struct story_event events[STORY_STAGE_COUNT];
};

/* Notes a stage at t_s, in seconds of any clock; number 0: not known. True only the first time; a
 * later note counts for nothing, unless its date is earlier: then it corrects the date and the number. */
bool story_note(struct story *story, enum story_stage stage, double t_s, int64_t number);

bool story_has(const struct story *story, enum story_stage stage);

/* When it happened first; INFINITY when it did not. */
double story_at(const struct story *story, enum story_stage stage);

/* Likewise, in seconds since the flow began. */
double story_since(const struct story *story, enum story_stage stage);

/* The earliest stage's time; INFINITY when nothing has happened. */
double story_first_failure_s(const struct story *story);

/* Fills `stages` with those that happened, earliest first, and returns how many. At the same time the table's
 * order holds. */
int story_in_order(const struct story *story, enum story_stage stages[STORY_STAGE_COUNT]);

/* For scripts: "server_emfile". */
const char *story_stage_name(enum story_stage stage);

struct story_text {
    char text[192];
};

/* "5.4 s: first EMFILE: accept() fails, the server is out of descriptors"; "" when it did not happen. */
struct story_text story_line(const struct story *story, enum story_stage stage);

#endif
