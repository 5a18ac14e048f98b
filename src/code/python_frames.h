/* python_frames: the functions of Python that a thread is in, read out of its interpreter's memory. The
 * process is not stopped: nothing that is read is believed before it was checked, and no chain is followed
 * for longer than it can be. While the thread sleeps, or is stopped, its own frames do not change. */
#ifndef CODE_PYTHON_FRAMES_H
#define CODE_PYTHON_FRAMES_H

#include "code/code.h"
#include "code/python_runtime.h"
#include "code/python_threads.h"

enum { PYTHON_TEXT = 16384 };

/* The functions of a thread, innermost first. */
struct python_frames {
    struct place places[SITE_PLACES]; /* of `text`; module NULL */
    int count;
    bool is_cut;
    char text[PYTHON_TEXT];
    size_t used;
};

/* Fills them; `threads` are those of the runtime. Returns 0, or a negative errno: ENOENT, the thread is in no
 * function of Python; EAGAIN, its frames could not be followed. */
int python_frames_read(const struct python_runtime *runtime, struct python_threads *threads, pid_t tid,
                       struct python_frames *frames);

/* The same through any memory; `native` is the thread's number in the process's own PID namespace. */
int python_frames_walk(const struct python_runtime *runtime, struct python_threads *threads,
                       python_reader *read, void *context, uint64_t native, struct python_frames *frames);

/* Puts the functions of Python in the place of the interpreter's own, which are those of its module and all
 * that called them; what is inside of them is not the program's own. `places` has `count` of at most
 * SITE_PLACES, innermost first; what does not fit is cut. Returns how many there are then. The new ones'
 * strings are those of `frames`. */
int python_frames_join(const struct python_runtime *runtime, const struct python_frames *frames,
                       struct place *places, int count, bool *is_cut);

#endif
