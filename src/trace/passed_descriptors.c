#include "trace/passed_descriptors.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

static bool read_memory(pid_t tid, uint64_t address, void *bytes, size_t size)
{
    struct iovec here = {bytes, size}, there = {(void *)(uintptr_t)address, size};
    return process_vm_readv(tid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

bool passed_descriptors_have_room(pid_t tid, uint64_t message)
{
    struct msghdr header;
    return read_memory(tid, message, &header, sizeof header) && header.msg_control != NULL &&
           header.msg_controllen >= CMSG_LEN(sizeof(int));
}

static int take(const struct cmsghdr *header, const unsigned char *data, int *fds, int count)
{
    for (size_t at = 0; at + sizeof(int) <= header->cmsg_len - CMSG_LEN(0) && count < PASSED_MAX;
         at += sizeof(int))
        memcpy(&fds[count++], data + at, sizeof(int));
    return count;
}

int passed_descriptors(pid_t tid, uint64_t message, int fds[PASSED_MAX])
{
    struct msghdr header;
    unsigned char control[CMSG_SPACE(PASSED_MAX * sizeof(int))];
    int count = 0;
    if (!read_memory(tid, message, &header, sizeof header) || header.msg_control == NULL)
        return 0;
    size_t length = header.msg_controllen < sizeof control ? header.msg_controllen : sizeof control;
    if (length == 0 || !read_memory(tid, (uint64_t)(uintptr_t)header.msg_control, control, length))
        return 0;
    for (size_t at = 0; length - at >= sizeof(struct cmsghdr);) {
        struct cmsghdr each;
        memcpy(&each, control + at, sizeof each);
        if (each.cmsg_len < CMSG_LEN(0) || each.cmsg_len > length - at)
            break;
        if (each.cmsg_level == SOL_SOCKET && each.cmsg_type == SCM_RIGHTS)
            count = take(&each, control + at + CMSG_LEN(0), fds, count);
        size_t next = CMSG_ALIGN(each.cmsg_len);
        if (next > length - at)
            break;
        at += next;
    }
    return count;
}
