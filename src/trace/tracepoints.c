#include "trace/tracepoints.h"

#include "kernel/proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/mount.h, which excludes sys/mount.h of some C libraries. */
enum { CREATE_FILE_SYSTEM = 6 };

static const char *const places[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};

/* A file system of our own that is mounted nowhere: it is gone with its descriptor. */
static int open_detached(void)
{
#if defined(SYS_fsopen) && defined(SYS_fsconfig) && defined(SYS_fsmount)
    int context = (int)syscall(SYS_fsopen, "tracefs", 0);
    if (context < 0)
        return errno == ENODEV ? -ENOENT : -errno;
    int mount = syscall(SYS_fsconfig, context, CREATE_FILE_SYSTEM, NULL, NULL, 0) == 0
                    ? (int)syscall(SYS_fsmount, context, 0, 0)
                    : -1;
    int error = errno;
    close(context);
    return mount >= 0 ? mount : -error;
#else
    return -ENOENT;
#endif
}

static int read_number(const char *path)
{
    char text[32];
    int rc = proc_file_read(path, text, sizeof text);
    if (rc < 0)
        return rc == -ESRCH ? -ENOENT : rc;
    return atoi(text) > 0 ? atoi(text) : -ENOENT;
}

int tracepoint_id(const char *name)
{
    char path[160];
    int refused = -ENOENT;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(path, sizeof path, "%s/events/%s/id", places[i], name);
        int id = read_number(path);
        if (id > 0)
            return id;
        refused = id == -EACCES ? id : refused;
    }
    int detached = open_detached();
    if (detached < 0)
        return detached == -EPERM ? -EACCES : refused == -EACCES ? refused : detached;
    snprintf(path, sizeof path, "/proc/self/fd/%d/events/%s/id", detached, name);
    int id = read_number(path);
    close(detached);
    return id;
}
