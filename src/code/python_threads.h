/* python_threads: where the interpreter of a process has the state of each of its threads. The list of them
 * is followed rarely, as a thread's state stays where it is for as long as the thread lives. */
#ifndef CODE_PYTHON_THREADS_H
#define CODE_PYTHON_THREADS_H

#include "code/python_runtime.h"

#include <stddef.h>

struct python_thread {
    uint64_t native; /* its number in the process's own PID namespace */
    uint64_t at;
};

/* Zero-initialised: none is known. */
struct python_threads {
    struct python_thread *each;
    size_t count, room;
    int64_t read_us; /* when the list was followed; 0: never */
};

/* Where the state of that thread is; 0: the interpreter has none, or it could not be read. */
uint64_t python_threads_find(struct python_threads *threads, const struct python_runtime *runtime,
                             python_reader *read, void *context, uint64_t native);

void python_threads_clear(struct python_threads *threads);

#endif
