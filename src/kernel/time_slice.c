#include "kernel/time_slice.h"

#include <errno.h>
#include <linux/sched/types.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int time_slice_ask(int64_t us)
{
    struct sched_attr asked = {
        .size = sizeof asked,
        .sched_policy = 0, /* SCHED_OTHER, which all have */
        .sched_nice = getpriority(PRIO_PROCESS, 0),
        .sched_runtime = (uint64_t)us * 1000,
    };
    return syscall(SYS_sched_setattr, 0, &asked, 0) == 0 ? 0 : -errno;
}
