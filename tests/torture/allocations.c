/* allocations: preloaded (LD_PRELOAD) into every program that one_failure runs. It tells the tracer where a
 * program of ours begins, and asks before each allocation whether it is the one to fail. Without a tracer
 * every answer is ENOSYS, which means no.
 *
 * With -DWITHOUT_ALLOCATIONS it only tells the beginning: a program under sanitizers has an allocator of its
 * own. */
#include "calls.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* syscall() would set errno, and so change what is tested. */
static long ask(long number)
{
    long answer;
    __asm__ volatile("syscall" : "=a"(answer) : "a"(number) : "rcx", "r11", "memory");
    return answer;
}

#ifndef WITHOUT_ALLOCATIONS

static bool has_begun;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static bool fails(enum torture_call call)
{
    if (!has_begun || ask(call) != -ENOMEM)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails(CALL_MALLOC) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(CALL_CALLOC) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails(CALL_REALLOC) ? NULL : __libc_realloc(old, size);
}

#endif

__attribute__((constructor)) static void begin(void)
{
    extern char *program_invocation_short_name;
    if (strcmp(program_invocation_short_name, "tcpstorm") != 0)
        return;
    ask(CALL_BEGIN);
#ifndef WITHOUT_ALLOCATIONS
    has_begun = true;
#endif
}
