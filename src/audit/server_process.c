#include "audit/server_process.h"

#include "kernel/socket_owner.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- one process ---- */

/* What /proc/PID/stat says (man 5 proc). */
struct process_stat {
    char state;
    int parent;
    unsigned long long
        started;   /* clock ticks since boot: with the pid, it is this process and no later one */
    int exit_code; /* of a zombie, as wait() has it; 0 where that is not for us to know */
};

/* Returns 0 or a negative errno. */
static int read_stat(pid_t pid, struct process_stat *stat)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t length = read(fd, line, sizeof line - 1);
    int rc = length < 0 ? -errno : 0;
    close(fd);
    if (rc != 0)
        return rc;
    line[length] = '\0';
    const char *rest = strrchr(line, ')'); /* a name may have anything in it */
    if (rest == NULL || sscanf(rest + 1, " %c %d", &stat->state, &stat->parent) != 2)
        return -EBADMSG;
    char *word = strtok(line + (rest + 1 - line), " ");
    for (int i = 3; word != NULL; word = strtok(NULL, " "), i++) {
        if (i == 22)
            stat->started = strtoull(word, NULL, 10);
        if (i == 52)
            stat->exit_code = (int)strtol(word, NULL, 10);
    }
    return 0;
}

static bool is_no_process(int error)
{
    return error == -ENOENT || error == -ESRCH;
}

/* ---- the family ---- */

struct relation {
    pid_t pid, parent;
    bool listens, belongs;
};

struct ghosts {
    struct relation *each;
    int count, room;
    bool some_are_hidden;
};

static struct relation *add_relation(struct ghosts *ghosts)
{
    if (ghosts->count == ghosts->room) {
        int room = ghosts->room > 0 ? 2 * ghosts->room : 256;
        struct relation *grown = realloc(ghosts->each, (size_t)room * sizeof *grown);
        if (grown == NULL)
            return NULL;
        ghosts->each = grown;
        ghosts->room = room;
    }
    return &ghosts->each[ghosts->count++];
}

static bool is_listener(uint64_t inode, const uint64_t *listeners, int count)
{
    for (int i = 0; i < count; i++)
        if (listeners[i] == inode)
            return true;
    return false;
}

/* Returns whether it holds one, or a negative errno. */
static int holds_listener(pid_t pid, const uint64_t *listeners, int count)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    if (directory == NULL)
        return -errno;
    int rc = 0;
    const struct dirent *entry;
    while (rc == 0 && (errno = 0, entry = readdir(directory)) != NULL) {
        uint64_t inode = 0;
        if (isdigit((unsigned char)entry->d_name[0]))
            rc = socket_inode_of(dirfd(directory), entry->d_name, &inode);
        if (rc == 0 && inode != 0)
            rc = is_listener(inode, listeners, count);
    }
    if (rc == 0 && entry == NULL)
        rc = -errno;
    closedir(directory);
    return rc;
}

/* Returns 0, also for one that has ended or is hidden, or a negative errno. */
static int count_in(struct ghosts *ghosts, pid_t pid, const uint64_t *listeners, int listener_count)
{
    struct process_stat stat = {0};
    int listens = holds_listener(pid, listeners, listener_count);
    int rc = read_stat(pid, &stat);
    ghosts->some_are_hidden |= listens == -EACCES || listens == -EPERM || rc == -EACCES;
    if (listens < 0 && listens != -EACCES && listens != -EPERM && !is_no_process(listens))
        return listens;
    if (rc != 0)
        return is_no_process(rc) || rc == -EACCES ? 0 : rc;
    struct relation *relation = add_relation(ghosts);
    if (relation == NULL)
        return -ENOMEM;
    *relation = (struct relation){
        .pid = pid, .parent = stat.parent, .listens = listens > 0, .belongs = listens > 0 && pid != 1};
    return 0;
}

static int note_ghosts(struct ghosts *ghosts, const uint64_t *listeners, int listener_count)
{
    DIR *proc = opendir("/proc");
    if (proc == NULL)
        return -errno;
    const struct dirent *entry;
    int rc = 0;
    while (rc == 0 && (errno = 0, entry = readdir(proc)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && pid != getpid())
            rc = count_in(ghosts, pid, listeners, listener_count);
    }
    if (rc == 0 && entry == NULL)
        rc = -errno;
    closedir(proc);
    return rc;
}

static bool has_parent_that_belongs(const struct ghosts *ghosts, const struct relation *child)
{
    for (int i = 0; i < ghosts->count; i++)
        if (ghosts->each[i].pid == child->parent)
            return ghosts->each[i].belongs;
    return false;
}

static void find_descendants(struct ghosts *ghosts)
{
    bool found;
    do {
        found = false;
        for (int i = 0; i < ghosts->count; i++) {
            struct relation *relation = &ghosts->each[i];
            if (!relation->belongs && has_parent_that_belongs(ghosts, relation))
                found = relation->belongs = true;
        }
    } while (found);
}

/* What cannot be read is not known to be elsewhere. */
static bool is_in_another_namespace(pid_t pid, pid_t listening)
{
    char path[64], of_pid[64] = "", of_listening[64] = "";
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    bool is_known = readlink(path, of_pid, sizeof of_pid - 1) > 0;
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)listening);
    is_known = is_known && readlink(path, of_listening, sizeof of_listening - 1) > 0;
    return is_known && strcmp(of_pid, of_listening) != 0;
}

static bool is_kin(const struct relation *relation, pid_t listening)
{
    return relation->belongs && !relation->listens && !is_in_another_namespace(relation->pid, listening);
}

static int list_family(const struct ghosts *ghosts, struct server_processes *found)
{
    found->each = calloc((size_t)ghosts->count + 1, sizeof *found->each);
    if (found->each == NULL)
        return -ENOMEM;
    for (int i = 0; i < ghosts->count; i++)
        if (ghosts->each[i].listens)
            found->each[found->listening++] = ghosts->each[i].pid;
    found->count = found->listening;
    for (int i = 0; i < ghosts->count; i++)
        if (is_kin(&ghosts->each[i], found->each[0]))
            found->each[found->count++] = ghosts->each[i].pid;
    return found->listening > 0 ? 0 : ghosts->some_are_hidden ? -EACCES : -ESRCH;
}

int server_processes_find(const uint64_t *listeners, int listener_count, struct server_processes *found)
{
    struct ghosts ghosts = {.count = 0};
    *found = (struct server_processes){.count = 0};
    int rc = listener_count > 0 ? note_ghosts(&ghosts, listeners, listener_count) : -ESRCH;
    if (rc == 0) {
        find_descendants(&ghosts);
        rc = list_family(&ghosts, found);
    }
    free(ghosts.each);
    if (rc != 0)
        server_processes_free(found);
    return rc;
}

void server_processes_free(struct server_processes *processes)
{
    free(processes->each);
    *processes = (struct server_processes){.count = 0};
}

/* ---- whether they live ---- */

struct member {
    pid_t pid;
    unsigned long long started;
    char command[16];
    int pidfd; /* -1: none */
};

struct server_life {
    int count;
    struct member each[];
};

/* A pid in /proc may be another one for system calls, where /proc is of another pid namespace: the descriptor
 * tells which of them it is (pidfd_open, fdinfo in man 2 pidfd_open). */
static int open_pidfd(pid_t pid)
{
    char path[64], line[128];
    int shown = -1, fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return -1;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(path, "re");
    while (file != NULL && shown < 0 && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Pid: %d", &shown) != 1)
            shown = -1;
    if (file != NULL)
        fclose(file);
    if (shown == (int)pid)
        return fd;
    close(fd);
    return -1;
}

struct server_life *server_life_new(const struct server_processes *processes)
{
    struct server_life *life = calloc(1, sizeof *life + (size_t)processes->listening * sizeof life->each[0]);
    for (int i = 0; life != NULL && i < processes->listening; i++) {
        struct process_stat stat = {0};
        if (read_stat(processes->each[i], &stat) != 0)
            continue;
        struct member *member = &life->each[life->count++];
        *member = (struct member){
            .pid = processes->each[i], .started = stat.started, .pidfd = open_pidfd(processes->each[i])};
        memcpy(member->command, process_command(member->pid).text, sizeof member->command);
    }
    return life;
}

void server_life_free(struct server_life *life)
{
    for (int i = 0; life != NULL && i < life->count; i++)
        if (life->each[i].pidfd >= 0)
            close(life->each[i].pidfd);
    free(life);
}

bool server_life_is_known(const struct server_life *life)
{
    return life->count > 0;
}

/* The first version of what PIDFD_GET_INFO fills in (linux/pidfd.h since 6.13, the exit code since 6.15). */
struct exit_info {
    uint64_t mask, cgroup;
    uint32_t ids[11];
    int32_t exit_code;
};
#define GET_EXIT_INFO _IOWR(0xff, 11, struct exit_info)
enum { WITH_EXIT_CODE = 1 << 3 };

static void note_status(const struct member *member, const struct process_stat *zombie,
                        struct audit_ending *ending)
{
    struct exit_info info = {.mask = WITH_EXIT_CODE};
    if (member->pidfd >= 0 && ioctl(member->pidfd, GET_EXIT_INFO, &info) == 0 &&
        (info.mask & WITH_EXIT_CODE) != 0) {
        ending->is_status_known = true;
        ending->status = info.exit_code;
    } else if (zombie->state == 'Z' && (zombie->exit_code != 0 || geteuid() == 0)) {
        ending->is_status_known = true;
        ending->status = zombie->exit_code;
    }
}

/* What cannot be read lives. */
static bool is_over(const struct member *member, struct process_stat *stat)
{
    int rc = read_stat(member->pid, stat);
    if (rc == 0 && stat->started != member->started)
        stat->state = 'X';
    return is_no_process(rc) || (rc == 0 && (stat->state == 'Z' || stat->state == 'X'));
}

static struct audit_ending ending_of(const struct member *member, const struct process_stat *stat)
{
    struct audit_ending ending = {.pid = member->pid};
    memcpy(ending.command, member->command, sizeof ending.command);
    note_status(member, stat, &ending);
    return ending;
}

bool server_life_is_over(const struct server_life *life, struct audit_ending *ending)
{
    for (int i = life->count - 1; i >= 0; i--) {
        struct process_stat stat = {0};
        if (!is_over(&life->each[i], &stat))
            return false;
        *ending = ending_of(&life->each[i], &stat);
    }
    return life->count > 0;
}

bool server_life_has_crash(const struct server_life *life, struct audit_ending *ending)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
    for (int i = 0; i < life->count; i++) {
        struct process_stat stat = {0};
        if (!is_over(&life->each[i], &stat))
            continue;
        *ending = ending_of(&life->each[i], &stat);
        for (size_t k = 0; ending->is_status_known && k < sizeof faults / sizeof faults[0]; k++)
            if (WIFSIGNALED(ending->status) && WTERMSIG(ending->status) == faults[k])
                return true;
    }
    return false;
}
