#include "kernel/host_limits.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

struct sysctl_row {
    const char *path;
    int64_t usual;
    size_t target; /* offset in struct host_limits */
    int64_t unit;
};

#define LIMIT(member) offsetof(struct host_limits, member)

static const struct sysctl_row sysctls[] = {
    {.path = "/proc/sys/net/core/somaxconn", .usual = 4096, .target = LIMIT(somaxconn), .unit = 1},
    {.path = "/proc/sys/net/ipv4/tcp_max_tw_buckets",
     .usual = 262144,
     .target = LIMIT(max_tw_buckets),
     .unit = 1},
    {.path = "/proc/sys/net/ipv4/tcp_fin_timeout",
     .usual = 60,
     .target = LIMIT(fin_timeout_ms),
     .unit = 1000},
    {.path = "/proc/sys/net/ipv4/tcp_retries2", .usual = 15, .target = LIMIT(retries2), .unit = 1},
    {.path = "/proc/sys/net/ipv4/tcp_rfc1337", .usual = 0, .target = LIMIT(rfc1337), .unit = 1},
    {.path = "/proc/sys/net/ipv4/tcp_ehash_entries", .usual = 0, .target = LIMIT(ehash_entries), .unit = 1},
};

static int64_t read_number(const char *path, int64_t usual)
{
    FILE *file = fopen(path, "re");
    int64_t value = usual;
    if (file == NULL)
        return usual;
    if (fscanf(file, "%" SCNd64, &value) != 1)
        value = usual;
    fclose(file);
    return value;
}

/* fs.file-max does not bind CAP_SYS_ADMIN of the first user namespace; root of another is bound. */
static bool is_real_root(void)
{
    unsigned long inside = 1, outside = 1, count = 0;
    FILE *file = fopen("/proc/self/uid_map", "re");
    if (file == NULL)
        return false;
    bool whole = fscanf(file, "%lu %lu %lu", &inside, &outside, &count) == 3 && inside == 0 && outside == 0 &&
                 count == UINT32_MAX;
    fclose(file);
    return whole && geteuid() == 0;
}

static int64_t read_files_left(void)
{
    int64_t used, most = INT64_MAX;
    FILE *file = is_real_root() ? NULL : fopen("/proc/sys/fs/file-nr", "re");
    if (file == NULL)
        return INT64_MAX;
    int found = fscanf(file, "%" SCNd64 " %*d %" SCNd64, &used, &most);
    fclose(file);
    return found == 2 ? most - used : INT64_MAX;
}

static void read_port_range(struct host_limits *limits)
{
    limits->port_first = 32768;
    limits->port_last = 60999;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (file == NULL)
        return;
    int64_t first, last;
    if (fscanf(file, "%" SCNd64 " %" SCNd64, &first, &last) == 2) {
        limits->port_first = first;
        limits->port_last = last;
    }
    fclose(file);
}

/* The number behind `key` in a file of "Key: value" or "word word value" text; `usual` when it is not there.
 */
static int64_t read_keyed(const char *path, const char *key, int64_t usual)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return usual;
    char line[256];
    int64_t value = usual;
    while (fgets(line, sizeof line, file) != NULL) {
        const char *at = strstr(line, key);
        if (at != NULL && sscanf(at + strlen(key), "%" SCNd64, &value) == 1)
            break;
    }
    fclose(file);
    return value;
}

/* What the memory limit of one cgroup (v2) leaves; INT64_MAX where it has none ("max"). */
static int64_t cgroup_room(const char *group)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", group);
    int64_t most = read_number(path, INT64_MAX);
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.current", group);
    int64_t used = read_number(path, 0);
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.stat", group);
    used -= read_keyed(path, "inactive_file ", 0); /* page cache, given up when it is needed */
    return most == INT64_MAX ? most : most - used;
}

/* A process is bound by the limits of its cgroup and of every one above it. */
static int64_t cgroups_room(void)
{
    char group[PATH_MAX / 2] = "";
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL)
        return INT64_MAX;
    int found = fscanf(file, "0::%2047s", group);
    fclose(file);
    int64_t room = found == 1 ? cgroup_room("") : INT64_MAX; /* in a container the root has a limit too */
    while (found == 1 && group[0] == '/') {
        int64_t here = cgroup_room(group);
        room = here < room ? here : room;
        *strrchr(group, '/') = '\0';
    }
    return room;
}

void shared_limits_read(struct shared_limits *shared)
{
    shared->max_orphans = read_number("/proc/sys/net/ipv4/tcp_max_orphans", INT64_MAX);
    shared->tcp_pages = INT64_MAX;
    FILE *file = fopen("/proc/sys/net/ipv4/tcp_mem", "re");
    if (file == NULL)
        return;
    int64_t most;
    if (fscanf(file, "%*d %*d %" SCNd64, &most) == 1)
        shared->tcp_pages = most;
    fclose(file);
}

void host_limits_read(struct host_limits *limits)
{
    memset(limits, 0, sizeof *limits);
    struct rlimit nofile = {.rlim_max = 1024};
    getrlimit(RLIMIT_NOFILE, &nofile);
    limits->nofile_hard = nofile.rlim_max > INT32_MAX ? INT32_MAX : (int64_t)nofile.rlim_max;
    limits->files_left = read_files_left();
    limits->processors = sysconf(_SC_NPROCESSORS_ONLN);
    limits->memory_available = read_keyed("/proc/meminfo", "MemAvailable:", INT64_MAX / 1024) * 1024;
    int64_t room = cgroups_room();
    if (room < limits->memory_available)
        limits->memory_available = room;
    for (size_t i = 0; i < sizeof sysctls / sizeof sysctls[0]; i++) {
        int64_t value = read_number(sysctls[i].path, sysctls[i].usual);
        if (value != INT64_MAX)
            value *= sysctls[i].unit;
        *(int64_t *)((char *)limits + sysctls[i].target) = value;
    }
    if (limits->ehash_entries < 0) /* so a namespace says that the table is the host's */
        limits->ehash_entries = -limits->ehash_entries;
    struct shared_limits shared;
    shared_limits_read(&shared);
    limits->max_orphans = shared.max_orphans;
    limits->tcp_pages = shared.tcp_pages;
    read_port_range(limits);
    struct utsname name;
    if (uname(&name) == 0)
        snprintf(limits->kernel, sizeof limits->kernel, "%s %.60s", "Linux", name.release);
}

/* TCP_RTO_MIN and TCP_RTO_MAX of include/net/tcp.h; the time doubles from the one to the other. */
enum { RTO_MIN_MS = 200, RTO_MAX_MS = 120000, DOUBLINGS = 9 };

int64_t retransmission_least_ms(int64_t retries)
{
    int64_t doubled = retries < DOUBLINGS ? retries : DOUBLINGS;
    return ((INT64_C(2) << doubled) - 1) * RTO_MIN_MS + (retries - doubled) * RTO_MAX_MS;
}

/* The kernel looks at the time when it is about to send again: that is twice as late at most, and no more
 * than RTO_MAX later. Its first time-out is a round trip and some ticks longer than RTO_MIN. */
int64_t retransmission_most_ms(int64_t retries)
{
    int64_t least = retransmission_least_ms(retries);
    return least + (least < RTO_MAX_MS ? least : RTO_MAX_MS) + 5 * RTO_MIN_MS;
}

int64_t host_time_wait_now(void)
{
    return read_keyed("/proc/net/sockstat", " tw ", 0);
}

int host_raise_nofile(void)
{
    struct rlimit nofile;
    if (getrlimit(RLIMIT_NOFILE, &nofile) != 0)
        return -errno;
    nofile.rlim_cur = nofile.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &nofile) == 0 ? 0 : -errno;
}
