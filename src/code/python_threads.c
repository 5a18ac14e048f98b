#include "code/python_threads.h"

#include "base/array.h"
#include "base/clock.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    INTERPRETERS_MAX = 256,
    THREADS_MAX = 20000, /* of all interpreters */
    KEPT_US = 100000,    /* a number may be another thread's later */
    FEW = 100,           /* so many are looked through whenever one is not among them, ... */
    PAUSE_US = 2000,     /* ... more of them not more often */
};

struct reading {
    struct python_threads *threads;
    const struct python_layout *layout;
    python_reader *read;
    void *context;
};

static uint64_t read_word(const struct reading *reading, uint64_t address)
{
    uint64_t word;
    return reading->read(reading->context, address, &word, sizeof word) == sizeof word ? word : 0;
}

static void follow(const struct reading *reading, uint64_t thread)
{
    struct python_threads *threads = reading->threads;
    for (; thread != 0 && threads->count < THREADS_MAX;
         thread = read_word(reading, thread + reading->layout->thread_next)) {
        if (ARRAY_RESERVE(threads->each, threads->room, threads->count + 1) != 0)
            return;
        threads->each[threads->count++] = (struct python_thread){
            .native = read_word(reading, thread + reading->layout->thread_native_id), .at = thread};
    }
}

static void follow_all(const struct reading *reading, uint64_t runtime)
{
    uint64_t interpreter = read_word(reading, runtime + reading->layout->interpreters);
    reading->threads->count = 0;
    for (int i = 0; interpreter != 0 && i < INTERPRETERS_MAX; i++) {
        follow(reading, read_word(reading, interpreter + reading->layout->threads));
        interpreter = read_word(reading, interpreter + reading->layout->interpreter_next);
    }
    reading->threads->read_us = monotonic_us();
}

static uint64_t find(const struct reading *reading, uint64_t native)
{
    const struct python_threads *threads = reading->threads;
    for (size_t i = 0; i < threads->count; i++)
        if (threads->each[i].native == native &&
            read_word(reading, threads->each[i].at + reading->layout->thread_native_id) == native)
            return threads->each[i].at;
    return 0;
}

uint64_t python_threads_find(struct python_threads *threads, const struct python_runtime *runtime,
                             python_reader *read, void *context, uint64_t native)
{
    const struct reading reading = {threads, &runtime->layout, read, context};
    int64_t age_us = monotonic_us() - threads->read_us;
    uint64_t at = threads->read_us != 0 && age_us < KEPT_US ? find(&reading, native) : 0;
    if (at != 0 || native == 0 || (threads->read_us != 0 && age_us < PAUSE_US && threads->count > FEW))
        return at;
    follow_all(&reading, runtime->at);
    return find(&reading, native);
}

void python_threads_clear(struct python_threads *threads)
{
    free(threads->each);
    *threads = (struct python_threads){0};
}
