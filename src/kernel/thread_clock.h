/* thread_clock: since when a thread sleeps, and how much of the time it runs: /proc/PID/task/TID/sched and
 * schedstat, which everybody may read, of everybody's processes (Documentation/scheduler/sched-stats.rst of
 * the kernel).
 *
 * se.exec_start of a thread that sleeps is when it last ran, to the microsecond, by the clock of its CPU.
 * That clock leaves out the time that a virtual machine's host or interrupts took, so that after half an hour
 * it can be seconds behind, and differently on each CPU: it is held against our own, read on the same CPU. */
#ifndef KERNEL_THREAD_CLOCK_H
#define KERNEL_THREAD_CLOCK_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* se.exec_start out of the text of `sched`, in microseconds of its CPU's clock; -1: it is not there. */
int64_t thread_clock_parse(const char *text);

/* What schedstat counts. */
struct thread_usage {
    int64_t ran_ns;    /* on a CPU */
    int64_t waited_ns; /* ready to run, for a CPU */
    int64_t turns;     /* times that it got one: unchanged, it has slept all the time */
};

/* False when the text is not of that form. */
bool thread_usage_parse(const char *text, struct thread_usage *usage);

/* Returns 0 or a negative errno as in kernel/proc_file.h; ESRCH also of a kernel without schedstat. */
int thread_usage_read(pid_t pid, pid_t tid, struct thread_usage *usage);

/* The clocks of the CPUs, each compared with ours when it is first needed. */
struct cpu_clocks {
    int64_t *ahead_us; /* by CPU: what CLOCK_MONOTONIC is ahead of its clock */
    int count;
    cpu_set_t ours; /* where this thread may run, and does again afterwards */
};

/* Returns 0 or -ENOMEM. */
int cpu_clocks_open(struct cpu_clocks *clocks);
void cpu_clocks_close(struct cpu_clocks *clocks);

/* What a thread does: its letter (man 5 proc, stat), the CPU that it is or was on, and how long it has not
 * run. */
struct thread_rest {
    char state;
    int cpu;
    int64_t asleep_ms; /* 0: it runs; -1: not known: no such file, or we may not run on its CPU */
};

/* Reads it of one thread; for a moment the calling thread runs on that CPU. Returns 0 or a negative errno. */
int thread_rest_read(struct cpu_clocks *clocks, pid_t pid, pid_t tid, struct thread_rest *rest);

/* State and CPU out of the text of a thread's `stat`. False when it is not of that form. */
bool thread_rest_parse(const char *text, struct thread_rest *rest);

#endif
