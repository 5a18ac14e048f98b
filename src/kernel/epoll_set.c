#include "kernel/epoll_set.h"

#include "kernel/proc_file.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* "tfd:        6 events: 8000201d data:                6  pos:0 ino:834ea87 sdev:9": the first number
 * decimal, the others hexadecimal. */
bool epoll_entry_parse(const char *line, struct epoll_entry *entry)
{
    *entry = (struct epoll_entry){.fd = -1};
    int end = 0;
    if (sscanf(line, "tfd: %9d events: %8" SCNx32 " data: %*16[0-9a-f]%n", &entry->fd, &entry->events, &end) <
            2 ||
        end == 0 || entry->fd < 0)
        return false;
    if (sscanf(line + end, " pos:%*d ino:%16" SCNx64 " sdev:%8" SCNx32, &entry->inode, &entry->device) != 2)
        entry->inode = entry->device = 0;
    return true;
}

struct reading {
    on_epoll_entry *each;
    void *context;
};

static int pass_on(void *context, const char *line)
{
    const struct reading *reading = context;
    struct epoll_entry entry;
    return epoll_entry_parse(line, &entry) ? reading->each(reading->context, &entry) : 0;
}

int epoll_set_read(pid_t pid, int set, on_epoll_entry *each, void *context)
{
    char path[64];
    struct reading reading = {each, context};
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)pid, set);
    return proc_file_each_line(path, pass_on, &reading);
}

/* The kernel finds the first entry of that number (toff 0) and compares its file with that of `fd`: after a
 * number has been used again a stale entry may come first, so some more are asked for. */
int epoll_set_has(pid_t pid, int set, int fd)
{
    enum { SAME_NUMBER_MAX = 4 };
    for (unsigned skipped = 0; skipped < SAME_NUMBER_MAX; skipped++) {
        struct kcmp_epoll_slot slot = {.efd = (uint32_t)set, .tfd = (uint32_t)fd, .toff = skipped};
        long rc = syscall(SYS_kcmp, pid, pid, KCMP_EPOLL_TFD, (unsigned long)fd, (unsigned long)&slot);
        if (rc < 0)
            return errno == ENOENT ? 0 : -errno;
        if (rc == 0)
            return 1;
    }
    return 0;
}

int epoll_set_is_same(pid_t pid, int set, pid_t other_pid, int other_set)
{
    long rc = syscall(SYS_kcmp, pid, other_pid, KCMP_FILE, (unsigned long)set, (unsigned long)other_set);
    return rc < 0 ? -errno : rc == 0;
}
