/* program: a command of the user that is started for a while, with all that it starts in its turn.
 *
 *   this process --- keeper --- the program --- what it starts, and what that leaves behind
 *
 * The keeper is a child of this process. It adopts whoever leaves its parent (PR_SET_CHILD_SUBREAPER), passes
 * on what they write, tells how the program ended, and ends all of them: when it is asked to, and when this
 * process is gone, however that came about. Every descendant of the keeper is of the program. */
#ifndef CONTROL_PROGRAM_H
#define CONTROL_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROGRAM_LINE_SIZE = 240 };

/* Zero-initialised: none. */
struct program {
    pid_t keeper;     /* 0: not started */
    int stream;       /* from the keeper; readable: program_hear() has news */
    bool is_refused;  /* program_start: the command cannot be executed */
    bool has_left;    /* the program has ended: wait_status. What it has started may be there */
    bool is_over;     /* and nothing that it has started is there any more */
    bool is_stopping; /* program_stop has been called: from then on its end says nothing */
    bool was_killed;  /* it has not left at SIGTERM */
    int wait_status;
    int error; /* errno: what the keeper tells cannot be heard any more, and nothing is known; 0 */
    char last_line[PROGRAM_LINE_SIZE]; /* that it wrote before it ended, printable; "": none */
};

/* Where it runs. */
struct program_place {
    int output;        /* a descriptor of ours: what it writes goes there, standard error too */
    bool has_own_pids; /* in a pid namespace of its own, where this system lets us: for the root of a user
                          namespace, or of the machine */
    bool is_user;      /* this process is the root of its own user namespace, and the program shall not be: */
    uid_t user;        /* it is who started us */
    gid_t group;
    int (*before_execution)(
        void *context); /* in the program's own process, last; 0 or a negative errno. NULL: nothing */
    void *context;
};

/* Executes words[0], found in PATH, with the words that a NULL ends: no shell, in a process group of its own,
 * with the default signals, nothing on standard input. Returns 0
 * when it runs, or a negative errno: with is_refused that of execvp(). */
int program_start(struct program *program, char *const words[], const struct program_place *place);

/* Takes what the keeper has told, without waiting. */
void program_hear(struct program *program);

/* Ends it and all that it has started: SIGTERM to each, and SIGKILL when they are there patience_ms later.
 * Waits until they are gone. Returns 0, or -EBUSY when some cannot be ended: they are another user's. Does
 * nothing to one that was not started. */
int program_stop(struct program *program, int64_t patience_ms);

struct program_end {
    char text[64];
};

/* Of one that has left: "exited with status 1", "was killed by signal 11 (Segmentation fault)". */
struct program_end program_end_text(const struct program *program);

#endif
