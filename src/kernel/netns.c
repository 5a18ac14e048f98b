#include "kernel/netns.h"

#include "kernel/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t length = (ssize_t)strlen(text);
    int rc = write(fd, text, (size_t)length) == length ? 0 : -errno;
    close(fd);
    return rc;
}

/* Who a user and a group of the parent namespace are in this one (man 7 user_namespaces). */
static int map_user(uid_t uid, uid_t of_parent, gid_t gid, gid_t of_parent_group)
{
    char map[64];
    int rc = write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "%u %u 1", gid, of_parent_group);
    rc = rc != 0 ? rc : write_file("/proc/self/gid_map", map);
    snprintf(map, sizeof map, "%u %u 1", uid, of_parent);
    return rc != 0 ? rc : write_file("/proc/self/uid_map", map);
}

int netns_become_user(uid_t uid, gid_t gid)
{
    return unshare(CLONE_NEWUSER) == 0 ? map_user(uid, 0, gid, 0) : -errno;
}

uint64_t netns_inode(void)
{
    struct stat net;
    return stat("/proc/self/ns/net", &net) == 0 ? (uint64_t)net.st_ino : 0;
}

static int bring_loopback_up(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int rc = ioctl(fd, SIOCGIFFLAGS, &request) == 0 ? 0 : -errno;
    request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
    if (rc == 0 && ioctl(fd, SIOCSIFFLAGS, &request) != 0)
        rc = -errno;
    close(fd);
    return rc;
}

static int unshare_network(bool *has_own_user)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWNET) == 0)
        return 0;
    if (errno != EPERM)
        return -errno;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return -errno;
    *has_own_user = true;
    return map_user(0, uid, 0, gid); /* our own user becomes its root */
}

int netns_enter(int64_t ehash_entries, bool *has_own_user)
{
    char entries[32];
    snprintf(entries, sizeof entries, "%lld", (long long)ehash_entries);
    *has_own_user = false;
    int rc = unshare_network(has_own_user);
    if (rc == 0 && ehash_entries > 0 && sysctl_write("net.ipv4.tcp_child_ehash_entries", entries) == 0)
        rc = unshare(CLONE_NEWNET) == 0 ? 0 : -errno;
    return rc == 0 ? bring_loopback_up() : rc;
}

/* Returns a descriptor or a negative errno. */
static int open_namespace(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : errno == EACCES ? -EPERM : -errno;
    return fd;
}

static int enter_namespace(pid_t pid, const char *name, int kind)
{
    int fd = open_namespace(pid, name);
    if (fd < 0)
        return fd;
    int rc = setns(fd, kind) == 0 ? 0 : -errno;
    close(fd);
    return rc;
}

/* The owner of a user namespace has all rights in it, its networks included (man 7 user_namespaces). */
int netns_join(pid_t pid)
{
    int rc = enter_namespace(pid, "net", CLONE_NEWNET);
    if (rc != -EPERM)
        return rc;
    rc = enter_namespace(pid, "user", CLONE_NEWUSER);
    if (rc == 0)
        rc = enter_namespace(pid, "net", CLONE_NEWNET);
    return rc == -EINVAL ? -EPERM : rc; /* EINVAL: it is our own user namespace */
}
