/* memory_reader: reads what a thread had in its memory: from the process itself, or from a copy of its stack.
 */
#ifndef CODE_MEMORY_READER_H
#define CODE_MEMORY_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { MEMORY_BLOCKS = 6, MEMORY_BLOCK_SIZE = 2048 };

/* A read of a process costs a call; a stack is read in a few blocks, which are kept until the end. */
struct memory_block {
    uint64_t at;
    size_t size; /* 0: free */
    uint8_t bytes[MEMORY_BLOCK_SIZE];
};

struct memory_reader {
    pid_t pid; /* 0: there is the copy only */
    int error; /* errno of the first read of the process that failed; EACCES: we may not */
    /* A copy of the stack, from the stack pointer on. What is above it was not copied, and has changed since.
     */
    const uint8_t *copy;
    uint64_t copy_at;
    size_t copy_size;
    int next;
    struct memory_block blocks[MEMORY_BLOCKS];
};

/* The blocks are not cleared, but what tells of them is. */
void memory_reader_begin(struct memory_reader *reader, pid_t pid);

/* False: it is not there, or may not be read. */
bool memory_read(struct memory_reader *reader, uint64_t at, void *into, size_t size);

/* As much as is there of a larger piece, past the blocks. Returns how many bytes. */
size_t memory_read_much(struct memory_reader *reader, uint64_t at, void *into, size_t size);

#endif
