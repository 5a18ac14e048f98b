#include "kernel/netns_tables.h"

#include "kernel/proc_file.h"
#include "kernel/proc_net_tcp.h"
#include "kernel/sock_diag.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STACK_SIZE = 65536 };

/* ---- a child that goes there ---- */

/* What the child and we share. */
struct errand {
    int net, user; /* descriptors of the two namespaces; user -1: not to be had */
    int error;     /* a negative errno */
    int netlink;   /* made there, for us; -1: none */
    bool wants_ports;
    char ports[64];
};

static int enter(const struct errand *errand)
{
    if (setns(errand->net, CLONE_NEWNET) == 0)
        return 0;
    if (errno != EPERM || errand->user < 0 || setns(errand->user, CLONE_NEWUSER) != 0)
        return -EPERM;
    return setns(errand->net, CLONE_NEWNET) == 0 ? 0 : -EPERM;
}

/* /proc/sys/net shows the namespace of who opens. */
static int read_ports(struct errand *errand)
{
    int fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t length = read(fd, errand->ports, sizeof errand->ports - 1);
    int rc = length >= 0 ? 0 : -errno;
    close(fd);
    errand->ports[length > 0 ? length : 0] = '\0';
    return rc;
}

/* In the child, which has our memory: system calls, and no more. */
static int run_errand(void *context)
{
    struct errand *errand = context;
    errand->error = enter(errand);
    if (errand->error == 0 && errand->wants_ports)
        errand->error = read_ports(errand);
    else if (errand->error == 0) {
        errand->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        errand->error = errand->netlink >= 0 ? 0 : -errno;
    }
    return 0;
}

/* Our signals wait meanwhile: the child would run our handlers in our memory. */
static int send_child(struct errand *errand)
{
    char *stack = malloc(STACK_SIZE);
    sigset_t all, before;
    if (stack == NULL)
        return -ENOMEM;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t child = clone(run_errand, stack + STACK_SIZE, CLONE_VM | CLONE_FILES | CLONE_VFORK, errand);
    int rc = child >= 0 ? 0 : -errno;
    while (child >= 0 && waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
        ;
    sigprocmask(SIG_SETMASK, &before, NULL);
    free(stack);
    return rc != 0 ? rc : errand->error;
}

/* ---- its door ---- */

/* Returns a descriptor or a negative errno. */
static int open_namespace(const struct net_namespace *where)
{
    char path[128];
    struct stat of;
    if (where->pid != 0)
        snprintf(path, sizeof path, "/proc/%d/ns/net", (int)where->pid);
    else
        snprintf(path, sizeof path, "/run/netns/%s", where->file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES ? -EPERM : errno == ENOENT ? -ESRCH : -errno;
    if (fstat(fd, &of) == 0 && of.st_ino == where->inode)
        return fd;
    close(fd);
    return -ESRCH;
}

static int visit(const struct net_namespace *where, struct errand *errand)
{
    if (where->inode == 0)
        return -EPERM;
    errand->net = open_namespace(where);
    if (errand->net < 0)
        return errand->net;
    errand->user = ioctl(errand->net, NS_GET_USERNS);
    int rc = send_child(errand);
    if (errand->user >= 0)
        close(errand->user);
    close(errand->net);
    return rc;
}

int netns_tables_ports(const struct net_namespace *where, struct port_range *ephemeral)
{
    struct errand errand = {.netlink = -1, .wants_ports = true};
    int rc = visit(where, &errand);
    if (rc != 0)
        return rc;
    return sscanf(errand.ports, "%hu %hu", &ephemeral->first, &ephemeral->last) == 2 ? 0 : -EBADMSG;
}

/* ---- its tables ---- */

static int each_of_family(const struct net_namespace *where, bool detailed, int family,
                          const struct port_range *only, on_socket *on_entry, void *context)
{
    struct errand errand = {.netlink = -1};
    int rc = visit(where, &errand);
    if (rc != 0)
        return rc;
    rc = sock_diag_each_by(errand.netlink, detailed, family, only, on_entry, context);
    close(errand.netlink);
    return rc;
}

/* What a file of its counts after the words; -1: not told. A listener is in use, and so is an orphan. */
static long count_in(const char *text, const char *line, const char *word)
{
    const char *at = strstr(text, line);
    const char *end = at != NULL ? strchrnul(at, '\n') : NULL;
    at = at != NULL ? strstr(at, word) : NULL;
    return at != NULL && at < end ? strtol(at + strlen(word), NULL, 10) : -1;
}

/* A dump goes through the table of all namespaces, however few sockets this one has: 0.3 ms, where these
 * files take 0.02. Timewait sockets are counted for both families together. */
static bool may_have(const struct net_namespace *where, int family)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/net/sockstat", (int)where->pid);
    if (where->pid == 0 || proc_file_read(path, text, sizeof text) < 0)
        return true;
    long used = count_in(text, "TCP: ", " inuse "), waiting = count_in(text, "TCP: ", " tw ");
    if (family == AF_INET6) {
        snprintf(path, sizeof path, "/proc/%d/net/sockstat6", (int)where->pid);
        used = proc_file_read(path, text, sizeof text) >= 0 ? count_in(text, "TCP6: ", " inuse ") : -1;
    }
    return used != 0 || waiting != 0;
}

static int each_entered(const struct net_namespace *where, bool detailed, const struct port_range *only,
                        on_socket *on_entry, void *context)
{
    int rc = 0;
    if (where->inode == 0)
        return -EPERM;
    if (may_have(where, AF_INET))
        rc = each_of_family(where, detailed, AF_INET, only, on_entry, context);
    if (rc == 0 && may_have(where, AF_INET6))
        rc = each_of_family(where, detailed, AF_INET6, only, on_entry, context);
    return rc == -ENOENT || rc == -EAFNOSUPPORT ? 0 : rc; /* a kernel without IPv6 */
}

static int each_read(const struct net_namespace *where, on_socket *on_entry, void *context)
{
    int rc = proc_net_tcp_each_of(where->pid, where->table, AF_INET, on_entry, context);
    if (rc != 0)
        return rc;
    rc = proc_net_tcp_each_of(where->pid, where->table, AF_INET6, on_entry, context);
    return rc == -ENOENT ? 0 : rc;
}

int netns_tables_each(const struct net_namespace *where, bool detailed, const struct port_range *only,
                      on_socket *on_entry, void *context, enum netns_sight *sight)
{
    *sight = NETNS_ENTERED;
    int rc = each_entered(where, detailed, only, on_entry, context);
    if (rc == -EPERM && where->table != 0) {
        *sight = NETNS_READ;
        rc = each_read(where, on_entry, context);
    }
    if (rc == -ESRCH || rc == -EPERM) {
        *sight = rc == -ESRCH ? NETNS_GONE : NETNS_CLOSED;
        rc = 0;
    }
    return rc;
}
