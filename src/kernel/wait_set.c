#include "kernel/wait_set.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>

enum { WORD_BITS = 8 * sizeof(long), DESCRIPTORS_MAX = 1 << 20 };

int poll_set_parse(const struct pollfd *array, size_t count, on_waited *each, void *context)
{
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        if (array[i].fd >= 0)
            rc = each(context, array[i].fd, (uint16_t)array[i].events);
    return rc;
}

size_t select_set_words(int descriptors)
{
    return ((size_t)descriptors + WORD_BITS - 1) / WORD_BITS;
}

int select_set_parse(const unsigned long *const sets[SELECT_SETS], int descriptors, on_waited *each,
                     void *context)
{
    static const uint32_t events_of[SELECT_SETS] = {
        [SELECT_IN] = POLLIN, [SELECT_OUT] = POLLOUT, [SELECT_EXCEPT] = POLLPRI};
    int rc = 0;
    for (int fd = 0; fd < descriptors && rc == 0; fd++) {
        uint32_t events = 0;
        for (int i = 0; i < SELECT_SETS; i++)
            if (sets[i] != NULL && (sets[i][fd / WORD_BITS] >> (fd % WORD_BITS) & 1) != 0)
                events |= events_of[i];
        rc = events != 0 ? each(context, fd, events) : 0;
    }
    return rc;
}

/* Returns 0 or a negative errno. */
static int read_memory(pid_t pid, uint64_t address, void *bytes, size_t size)
{
    const struct iovec here = {.iov_base = bytes, .iov_len = size};
    const struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = size}; // NOLINT
    ssize_t length = process_vm_readv(pid, &here, 1, &there, 1, 0);
    if (length < 0)
        return errno == EPERM ? -EACCES : -errno;
    return (size_t)length == size ? 0 : -EFAULT;
}

static int read_poll(pid_t pid, const struct thread_call *call, on_waited *each, void *context)
{
    size_t count = call->arguments[1];
    struct pollfd *array = malloc((count > 0 ? count : 1) * sizeof *array);
    if (array == NULL)
        return -ENOMEM;
    int rc = count > 0 ? read_memory(pid, call->arguments[0], array, count * sizeof *array) : 0;
    if (rc == 0)
        rc = poll_set_parse(array, count, each, context);
    free(array);
    return rc;
}

static int read_select(pid_t pid, const struct thread_call *call, on_waited *each, void *context)
{
    int descriptors = (int)call->arguments[0], rc = 0;
    size_t words = select_set_words(descriptors);
    unsigned long *memory = calloc(SELECT_SETS * (words > 0 ? words : 1), sizeof *memory);
    const unsigned long *sets[SELECT_SETS] = {NULL};
    if (memory == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < SELECT_SETS && rc == 0; i++) {
        if (call->arguments[1 + i] == 0 || words == 0)
            continue;
        sets[i] = memory + i * words;
        rc = read_memory(pid, call->arguments[1 + i], memory + i * words, words * sizeof *memory);
    }
    if (rc == 0)
        rc = select_set_parse(sets, descriptors, each, context);
    free(memory);
    return rc;
}

int wait_set_read(pid_t pid, const struct thread_call *call, on_waited *each, void *context)
{
    bool is_poll = call->kind == IN_POLL;
    uint64_t count = call->arguments[is_poll ? 1 : 0];
    if (!call->has_arguments || (!is_poll && call->kind != IN_SELECT))
        return -EFAULT;
    if (count > DESCRIPTORS_MAX)
        return -E2BIG;
    return is_poll ? read_poll(pid, call, each, context) : read_select(pid, call, each, context);
}
