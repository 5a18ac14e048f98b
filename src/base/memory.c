#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void (*on_exhausted)(void) = abort;
static pid_t owner;

void memory_on_exhausted(void (*leave)(void))
{
    on_exhausted = leave;
    owner = getpid();
}

static void leave(void)
{
    static int times;
    if (times++ == 0 && (owner == 0 || owner == getpid()))
        on_exhausted();
    _exit(127); /* leaving has needed memory too, or this is a child */
}

void *memory_get(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);
    if (memory == NULL)
        leave();
    return memory;
}

void *memory_new(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);
    if (memory == NULL)
        leave();
    return memory;
}

char *memory_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(memory_get(size), text, size);
}

void *memory_resize(void *old, size_t size)
{
    void *memory = realloc(old, size > 0 ? size : 1);
    if (memory == NULL)
        leave();
    return memory;
}
