/* calls: the calls that can fail, each with the errors that it can have; what one_failure injects.
 *
 * Allocations are calls too: allocations.c makes a system call that no kernel has before each, and does as
 * one_failure answers. */
#ifndef TORTURE_CALLS_H
#define TORTURE_CALLS_H

/* Numbers beyond the kernel's table: without a tracer they say ENOSYS. */
enum torture_call {
    CALL_BEGIN = 5000, /* main() is about to begin: nothing before it is counted */
    CALL_MALLOC,
    CALL_CALLOC,
    CALL_REALLOC,
};

#endif
