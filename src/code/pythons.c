#include "code/pythons.h"

#include "base/clock.h"

enum { LOOK_AGAIN_US = 1000000 };

static struct python_process *process_of(struct pythons *pythons, pid_t pid)
{
    for (int i = 0; i < PYTHONS_MAX; i++)
        if (pythons->each[i].runtime.pid == pid)
            return &pythons->each[i];
    struct python_process *process = &pythons->each[pythons->next];
    pythons->next = (pythons->next + 1) % PYTHONS_MAX;
    python_threads_clear(&process->threads);
    *process = (struct python_process){.runtime = {.pid = pid}};
    return process;
}

static bool look(struct python_process *process)
{
    pid_t pid = process->runtime.pid;
    if (process->is_there || (process->looked_us != 0 && monotonic_us() - process->looked_us < LOOK_AGAIN_US))
        return process->is_there;
    process->is_there = python_runtime_find(pid, &process->runtime) == 0;
    process->looked_us = monotonic_us();
    return process->is_there;
}

bool pythons_read(struct pythons *pythons, pid_t pid, pid_t tid)
{
    struct python_process *process = process_of(pythons, pid);
    pythons->process = process;
    return look(process) &&
           python_frames_read(&process->runtime, &process->threads, tid, &pythons->frames) == 0;
}

int pythons_join(const struct pythons *pythons, struct place *places, int count, bool *is_cut)
{
    return python_frames_join(&pythons->process->runtime, &pythons->frames, places, count, is_cut);
}

void pythons_forget(struct pythons *pythons, pid_t pid)
{
    struct python_process *process = process_of(pythons, pid);
    python_threads_clear(&process->threads);
    *process = (struct python_process){.runtime = {.pid = 0}};
}

void pythons_clear(struct pythons *pythons)
{
    for (int i = 0; i < PYTHONS_MAX; i++)
        python_threads_clear(&pythons->each[i].threads);
}
