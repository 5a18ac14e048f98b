#include "code/memory_reader.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

void memory_reader_begin(struct memory_reader *reader, pid_t pid)
{
    reader->pid = pid;
    reader->error = 0;
    reader->copy = NULL;
    reader->copy_size = 0;
    reader->next = 0;
    for (int i = 0; i < MEMORY_BLOCKS; i++)
        reader->blocks[i].size = 0;
}

static bool take_from(uint64_t at, void *into, size_t size, const uint8_t *bytes, uint64_t bytes_at,
                      size_t there)
{
    if (at < bytes_at || at - bytes_at > there || there - (at - bytes_at) < size)
        return false;
    memcpy(into, bytes + (at - bytes_at), size);
    return true;
}

/* Whether it may be of the stack, and is not in the copy. */
static bool has_changed(const struct memory_reader *reader, uint64_t at)
{
    enum { LARGEST_STACK = 64 << 20 };
    return reader->copy != NULL && at >= reader->copy_at && at - reader->copy_at < LARGEST_STACK;
}

size_t memory_read_much(struct memory_reader *reader, uint64_t at, void *into, size_t size)
{
    if (take_from(at, into, size, reader->copy, reader->copy_at, reader->copy_size))
        return size;
    if (reader->pid == 0 || has_changed(reader, at))
        return 0;
    /* Page by page: of a piece with a hole in it, what is before the hole is read. */
    enum { PIECES = 64, PAGE = 4096 };
    struct iovec theirs[PIECES], ours = {into, size};
    size_t pieces = 0;
    for (uint64_t from = at; from < at + size && pieces < PIECES; pieces++) {
        uint64_t end = (from | (PAGE - 1)) + 1;
        end = end > at + size || pieces == PIECES - 1 ? at + size : end;
        theirs[pieces] = (struct iovec){(void *)(uintptr_t)from, end - from};
        from = end;
    }
    ssize_t length = process_vm_readv(reader->pid, &ours, 1, theirs, pieces, 0);
    if (length < 0 && reader->error == 0)
        reader->error = errno == EPERM ? EACCES : errno;
    return length > 0 ? (size_t)length : 0;
}

bool memory_read(struct memory_reader *reader, uint64_t at, void *into, size_t size)
{
    if (take_from(at, into, size, reader->copy, reader->copy_at, reader->copy_size))
        return true;
    for (int i = 0; i < MEMORY_BLOCKS; i++) {
        const struct memory_block *block = &reader->blocks[i];
        if (take_from(at, into, size, block->bytes, block->at, block->size))
            return true;
    }
    if (size > MEMORY_BLOCK_SIZE || reader->pid == 0 || at > UINT64_MAX - MEMORY_BLOCK_SIZE)
        return false;
    struct memory_block *block = &reader->blocks[reader->next];
    reader->next = (reader->next + 1) % MEMORY_BLOCKS;
    block->at = at;
    block->size = memory_read_much(reader, at, block->bytes, MEMORY_BLOCK_SIZE);
    return take_from(at, into, size, block->bytes, block->at, block->size);
}
