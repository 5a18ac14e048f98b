/* keeper: the process between this one and a program of the user: see program.h. What goes between them: */
#ifndef CONTROL_KEEPER_H
#define CONTROL_KEEPER_H

#include "control/program.h"

/* From the keeper: one message each. When nothing of the program is left it closes the stream. */
struct keeper_news {
    bool was_killed; /* SIGTERM was not enough; else: */
    int wait_status; /* the program has ended, so */
    char last_line[PROGRAM_LINE_SIZE];
};

/* To the keeper: end it. A stream that is closed without that: at once. */
struct keeper_order {
    int64_t patience_ms;
};

/* What could not be done in the new process, before the program was there. */
enum birth_stage {
    BIRTH_PIDS, /* a pid namespace of its own: its /proc */
    BIRTH_MACHINE,
    BIRTH_EXECUTION,
};

struct birth {
    enum birth_stage stage;
    int error; /* errno */
};

struct keeper_task {
    char *const *words;
    const struct program_place *place;
    bool has_own_pids; /* this process is process 1 of a namespace */
    int stream;        /* struct keeper_news, struct keeper_order */
    int birth;         /* takes a struct birth; it is closed when the program runs */
};

/* In a new process: all of its life. */
_Noreturn void keeper_live(const struct keeper_task *task);

#endif
