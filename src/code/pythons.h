/* pythons: the interpreters of processes, each looked for once, and the functions of Python that one of their
 * threads was last seen in. */
#ifndef CODE_PYTHONS_H
#define CODE_PYTHONS_H

#include "code/python_frames.h"

enum { PYTHONS_MAX = 256 }; /* processes that are remembered */

struct python_process {
    struct python_runtime runtime; /* pid 0: nothing is known of any */
    struct python_threads threads;
    bool is_there;     /* else the process runs no Python that could be read ... */
    int64_t looked_us; /* ... when it was looked at: it may load one later */
};

/* Zero-initialised: none is known. */
struct pythons {
    struct python_process each[PYTHONS_MAX];
    int next;                             /* the place that is given up next */
    const struct python_process *process; /* that `frames` are of */
    struct python_frames frames;
};

/* Reads the functions that a thread is in, which must sleep or be stopped until it returns. False: there are
 * none. */
bool pythons_read(struct pythons *pythons, pid_t pid, pid_t tid);

/* Puts what was read in the place of the interpreter's own, as python_frames_join() does. */
int pythons_join(const struct pythons *pythons, struct place *places, int count, bool *is_cut);

void pythons_clear(struct pythons *pythons);

/* The process executes another program now, or has ended. */
void pythons_forget(struct pythons *pythons, pid_t pid);

#endif
