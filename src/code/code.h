/* code: which places in its source the stacks of another process's threads consist of.
 *
 * A stack is unwound from outside, with the call frame information that every binary carries (.eh_frame,
 * .debug_frame); a place is named from its debug information (DWARF), or where there is none from its
 * symbols. Both are elfutils' work (libdw), which the build may lack: then a place is a module and an offset
 * in it. Nothing is asked of the network for it. */
#ifndef CODE_CODE_H
#define CODE_CODE_H

#include "code/thread_registers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SITE_PLACES = 48 }; /* at most: the innermost */

/* One function of a stack. All strings live as long as the struct code they are of. */
struct place {
    const char *function; /* NULL: not known */
    const char *file;     /* as a person would name it, "conn.c"; NULL: not known */
    const char *path;     /* the whole of it, as the compiler was told; NULL: not known */
    int line;             /* 0: not known */
    const char *module;   /* the binary's or the library's name, "nginx", "libc.so.6"; NULL: not known */
    uint64_t offset;      /* in the module's file */
    bool is_inlined;      /* into the next one */
    bool is_tail_call;    /* it has left no frame of its own: it is known from who called whom */
    bool is_own; /* of the program's own source: not of libc, a compiler's header, an event library */
};

/* A stack. The same places are the same site: compare the pointers. */
struct site {
    int id; /* 0, 1, 2, ... in the order in which they were met */
    int count;
    int own; /* places[own] is the innermost of the program's own; -1: none is, or which are is not known */
    bool is_cut; /* the outermost are not there: it was too deep, or could not be unwound further */
    struct place places[];
};

/* What is known of the code of any number of processes: a file that several have mapped is read once. */
struct code;

/* NULL: out of memory. */
struct code *code_new(void);
void code_free(struct code *code);

/* Whether this build can name lines: false without libdw. */
bool code_names_lines(void);

/* The stack of a thread that is stopped, with its registers. NULL: out of memory, or nothing of it is known;
 * errno. */
const struct site *code_site(struct code *code, pid_t pid, pid_t tid,
                             const struct thread_registers *registers);

/* The stack of a thread that sleeps in a system call, without stopping it: from /proc/PID/task/TID/syscall,
 * which must say the same before and after. NULL with errno: EAGAIN, it runs or has moved meanwhile; EACCES,
 * we may not look into the process; ESRCH; ENOMEM. */
const struct site *code_site_asleep(struct code *code, pid_t pid, pid_t tid);

/* The stack of a thread that goes on meanwhile, with its registers at one moment, and what was above its
 * stack pointer then. As code_site(). */
const struct site *code_site_copied(struct code *code, pid_t pid, const struct thread_registers *registers,
                                    const void *stack, size_t size);

/* A process that `parent` has made by fork(): it has the same code at the same places, also when it is gone
 * before it is looked at. */
void code_forked(struct code *code, pid_t parent, pid_t child);

/* The process executes another program now, or has ended. */
void code_forget(struct code *code, pid_t pid);

/* The site of these places, innermost first, whose strings are copied; for those that come from another
 * process. `id` is given anew. NULL: out of memory. */
const struct site *code_intern(struct code *code, const struct place *places, int count, bool is_cut);

#endif
