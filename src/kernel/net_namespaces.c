#include "kernel/net_namespaces.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/text.h"
#include "kernel/cgroup.h"
#include "kernel/proc_net_tcp.h"
#include "kernel/process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    SETTLED = 3,         /* findings: a process that is started may move right after, ... */
    YOUNG_US = 10000000, /* ... and change its name and control group */
    MAGIC_NSFS = 0x6e736673,
};

static const char names_folder[] = "/run/netns";

/* A process, and where it is. */
struct net_member {
    pid_t pid;
    uint8_t findings;         /* at which it was seen, up to SETTLED */
    bool is_open;             /* it may be looked into */
    struct net_namespace *in; /* NULL: it has ended, and nobody has waited for it yet */
};

/* ---- where a process is ---- */

static uint64_t inode_of(pid_t pid)
{
    char path[64];
    struct stat of;
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    return stat(path, &of) == 0 ? of.st_ino : 0;
}

static struct net_namespace *find(const struct net_namespaces *namespaces, uint64_t table, uint64_t inode)
{
    for (size_t i = 0; i < namespaces->count; i++) {
        struct net_namespace *one = namespaces->each[i];
        if ((table != 0 && one->table == table) || (inode != 0 && one->inode == inode))
            return one;
    }
    return NULL;
}

const struct net_namespace *net_namespaces_with(const struct net_namespaces *namespaces, uint64_t table)
{
    return find(namespaces, table, 0);
}

static struct net_namespace *add(struct net_namespaces *namespaces, uint64_t table, uint64_t inode)
{
    if (ARRAY_RESERVE(namespaces->each, namespaces->room, namespaces->count + 1) != 0)
        return NULL;
    struct net_namespace *one = calloc(1, sizeof *one);
    if (one == NULL)
        return NULL;
    *one = (struct net_namespace){.serial = ++namespaces->serials, .table = table, .inode = inode};
    namespaces->each[namespaces->count++] = one;
    namespaces->came_count++;
    return one;
}

int net_namespace_of(pid_t pid, struct net_namespace *namespace)
{
    *namespace = (struct net_namespace){.pid = pid, .table = proc_net_tcp_inode(pid), .inode = inode_of(pid)};
    namespace->is_own = namespace->table != 0 && namespace->table == proc_net_tcp_inode(getpid());
    return namespace->table != 0 ? 0 : -ESRCH;
}

/* Fills in where it is. Returns 0 or -ENOMEM. */
static int place(struct net_namespaces *namespaces, struct net_member *member)
{
    uint64_t table = proc_net_tcp_inode(member->pid);
    struct net_namespace *in = find(namespaces, table, 0);
    uint64_t inode = table != 0 ? inode_of(member->pid) : 0;
    if (in == NULL && table != 0 && (in = find(namespaces, 0, inode)) == NULL)
        in = add(namespaces, table, inode);
    member->in = in;
    member->is_open = inode != 0;
    if (in == NULL)
        return table != 0 ? -ENOMEM : 0;
    in->table = table;
    in->inode = inode != 0 ? inode : in->inode;
    return 0;
}

/* ---- all processes ---- */

static int by_pid(const void *a, const void *b)
{
    const struct net_member *one = a, *other = b;
    return (one->pid > other->pid) - (one->pid < other->pid);
}

static int add_member(struct net_namespaces *namespaces, pid_t pid, struct net_member **all, size_t *count,
                      size_t *room, bool thorough)
{
    const struct net_member wanted = {.pid = pid};
    const struct net_member *before =
        namespaces->member_count > 0
            ? bsearch(&wanted, namespaces->members, namespaces->member_count, sizeof wanted, by_pid)
            : NULL;
    if (ARRAY_RESERVE(*all, *room, *count + 1) != 0)
        return -ENOMEM;
    struct net_member *member = &(*all)[(*count)++];
    *member = before != NULL ? *before : wanted;
    if (before != NULL && before->findings == SETTLED && !thorough)
        return 0;
    member->findings += member->findings < SETTLED;
    return place(namespaces, member);
}

static int read_members(struct net_namespaces *namespaces, bool thorough)
{
    DIR *proc = opendir("/proc");
    if (proc == NULL)
        return -errno;
    struct net_member *all = NULL;
    size_t count = 0, room = 0;
    const struct dirent *entry;
    int rc = 0;
    while (rc == 0 && (errno = 0, entry = readdir(proc)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        rc = pid > 0 ? add_member(namespaces, pid, &all, &count, &room, thorough) : 0;
    }
    rc = rc == 0 && errno != 0 ? -errno : rc;
    closedir(proc);
    if (rc != 0) {
        free(all);
        return rc;
    }
    if (count > 0)
        qsort(all, count, sizeof *all, by_pid);
    free(namespaces->members);
    namespaces->members = all;
    namespaces->member_count = count;
    namespaces->member_room = room;
    return 0;
}

/* ---- those that have a name ---- */

static void set_file(struct net_namespace *one, const char *file)
{
    if (strlen(file) < sizeof one->file)
        strcpy(one->file, file);
}

/* Whether a namespace is at that path, or only the empty file that one is to be mounted on. */
static bool is_namespace(const char *path, uint64_t *inode)
{
    struct statfs fs;
    struct stat of;
    bool is_one = statfs(path, &fs) == 0 && fs.f_type == MAGIC_NSFS && stat(path, &of) == 0;
    *inode = is_one ? of.st_ino : 0;
    return is_one;
}

/* Where the number of one that processes are in is hidden, it may be any of those that have a name. */
static bool has_hidden(const struct net_namespaces *namespaces)
{
    for (size_t i = 0; i < namespaces->count; i++)
        if (namespaces->each[i]->inode == 0)
            return true;
    return false;
}

static int read_names(struct net_namespaces *namespaces)
{
    DIR *folder = opendir(names_folder);
    const struct dirent *entry;
    const bool adds = !has_hidden(namespaces);
    int rc = 0;
    for (size_t i = 0; i < namespaces->count; i++)
        namespaces->each[i]->file[0] = '\0';
    while (folder != NULL && rc == 0 && (entry = readdir(folder)) != NULL) {
        char path[sizeof names_folder + 1 + sizeof entry->d_name];
        uint64_t inode;
        snprintf(path, sizeof path, "%s/%s", names_folder, entry->d_name);
        if (!is_namespace(path, &inode))
            continue;
        struct net_namespace *one = find(namespaces, 0, inode);
        if (one == NULL && adds && (one = add(namespaces, 0, inode)) == NULL)
            rc = -ENOMEM;
        if (one != NULL)
            set_file(one, entry->d_name);
    }
    if (folder != NULL)
        closedir(folder);
    return rc;
}

/* ---- what they are called ---- */

static void add_visible(struct net_namespace *one, const char *text)
{
    for (; *text != '\0'; text++)
        TEXT_ADD(one->name, "%c", isgraph((unsigned char)*text) ? *text : '?');
}

/* What no person gave it: by CNI plug-ins, and by Podman. */
static bool is_made_up(const char *file)
{
    return strncmp(file, "cni-", strlen("cni-")) == 0 || strncmp(file, "netns-", strlen("netns-")) == 0;
}

/* The containers of a pod share one. A unit may have several. */
static void set_name(struct net_namespace *one)
{
    struct cgroup_name group = one->pid != 0 ? process_cgroup(one->pid).name : (struct cgroup_name){0};
    const char *pod = strstr(group.text, "pod ");
    one->name[0] = '\0';
    if (one->file[0] != '\0' && !is_made_up(one->file))
        add_visible(one, one->file);
    else if (group.kind == CGROUP_POD && pod != NULL)
        TEXT_ADD(one->name, "%s", pod);
    else if (group.kind == CGROUP_CONTAINER)
        TEXT_ADD(one->name, "%s", group.text);
    else if (one->pid == 0)
        add_visible(one, one->file);
    else
        TEXT_ADD(one->name, "%s%s%s %d", group.text, group.text[0] != '\0' ? ", " : "",
                 process_command(one->pid).text, (int)one->pid);
}

/* Those that may be looked into first: where there is none, any. */
static void take_first_members(struct net_namespaces *namespaces)
{
    for (size_t i = 0; i < namespaces->count; i++)
        namespaces->each[i]->pid = 0;
    for (int closed = 0; closed <= 1; closed++)
        for (size_t i = 0; i < namespaces->member_count; i++) {
            const struct net_member *member = &namespaces->members[i];
            if (member->in != NULL && member->in->pid == 0 && (member->is_open || closed == 1))
                member->in->pid = member->pid;
        }
}

static void set_names(struct net_namespaces *namespaces, bool thorough)
{
    const uint64_t own = proc_net_tcp_inode(getpid());
    const int64_t now_us = monotonic_us();
    for (size_t i = 0; i < namespaces->count; i++) {
        struct net_namespace *one = namespaces->each[i];
        one->is_own = own != 0 && one->table == own;
        if (one->found_us == 0)
            one->found_us = now_us;
        if (thorough || now_us - one->found_us < YOUNG_US || one->pid != one->named_for)
            set_name(one);
        one->named_for = one->pid;
    }
}

/* ---- what has gone ---- */

static int drop_gone(struct net_namespaces *namespaces)
{
    size_t kept = 0;
    int rc = ARRAY_RESERVE(namespaces->gone, namespaces->gone_room, namespaces->count);
    for (size_t i = 0; i < namespaces->count && rc == 0; i++) {
        struct net_namespace *one = namespaces->each[i];
        if (one->pid == 0)
            one->table = 0;
        if (one->pid != 0 || one->file[0] != '\0')
            namespaces->each[kept++] = one;
        else
            namespaces->gone[namespaces->gone_count++] = one;
    }
    namespaces->count = rc == 0 ? kept : namespaces->count;
    return rc;
}

static void forget_gone(struct net_namespaces *namespaces)
{
    for (size_t i = 0; i < namespaces->gone_count; i++)
        free(namespaces->gone[i]);
    namespaces->gone_count = 0;
}

int net_namespaces_find(struct net_namespaces *namespaces, bool thorough)
{
    forget_gone(namespaces);
    namespaces->came_count = 0;
    int rc = read_members(namespaces, thorough);
    if (rc == 0) {
        take_first_members(namespaces);
        rc = read_names(namespaces);
    }
    rc = rc == 0 ? drop_gone(namespaces) : rc;
    if (rc == 0)
        set_names(namespaces, thorough);
    return rc;
}

void net_namespaces_free(struct net_namespaces *namespaces)
{
    forget_gone(namespaces);
    for (size_t i = 0; i < namespaces->count; i++)
        free(namespaces->each[i]);
    free(namespaces->each);
    free(namespaces->gone);
    free(namespaces->members);
    *namespaces = (struct net_namespaces){.count = 0};
}
