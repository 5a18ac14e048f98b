/* memory: allocations that are too small to be refused. Nobody can do anything sensible without 100 bytes,
 * and a line or an event that is lost for want of them is not missed until much later: whoever asks here gets
 * memory, or the process leaves at once.
 *
 * What grows with the number of connections is not asked for here: there an error has a good answer, --conns.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/* What is called when there is no memory; it must not return. Until it is set, that is abort(). A child that
 * fork() has made since then leaves with _exit(): what its parent has buffered is not its own to write. */
void memory_on_exhausted(void (*leave)(void));

/* As malloc(), but never NULL. */
void *memory_get(size_t size) __attribute__((malloc, returns_nonnull));

/* The same, all bytes 0. */
void *memory_new(size_t size) __attribute__((malloc, returns_nonnull));

/* As strdup(), but never NULL. */
char *memory_copy(const char *text) __attribute__((returns_nonnull));

/* As realloc(), but never NULL; size is above 0. */
void *memory_resize(void *old, size_t size) __attribute__((returns_nonnull));

#endif
