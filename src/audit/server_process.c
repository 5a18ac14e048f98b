#include "audit/server_process.h"

#include "base/array.h"
#include "base/number_set.h"
#include "kernel/process.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the family ---- */

struct relation {
    pid_t pid, parent;
    bool listens, belongs;
    bool is_hidden; /* its descriptors are */
};

struct relations {
    struct relation *each;
    size_t count, room;
    bool some_are_hidden;
};

/* Ends the reading at the first one. */
static int is_listener(void *context, int fd, uint64_t inode)
{
    (void)fd;
    return number_set_has(context, inode);
}

/* Returns 0, also for one that has ended or is hidden, or a negative errno. */
static int count_in(struct relations *relations, pid_t pid, struct number_set *listeners)
{
    struct process_stat stat;
    int listens = process_each_socket(pid, is_listener, listeners);
    int rc = process_stat_of(pid, &stat);
    relations->some_are_hidden |= listens == -EACCES || rc == -EACCES;
    if (listens < 0 && listens != -EACCES && listens != -ESRCH)
        return listens;
    if (rc != 0)
        return rc == -ESRCH || rc == -EACCES ? 0 : rc;
    if (ARRAY_RESERVE(relations->each, relations->room, relations->count + 1) != 0)
        return -ENOMEM;
    relations->each[relations->count++] = (struct relation){
        .pid = pid,
        .parent = stat.parent,
        .listens = listens > 0,
        .belongs = listens > 0 && pid != 1,
        .is_hidden = listens == -EACCES && stat.state != 'Z',
    };
    return 0;
}

static int note_relations(struct relations *relations, struct number_set *listeners)
{
    DIR *proc = opendir("/proc");
    if (proc == NULL)
        return -errno;
    const struct dirent *entry;
    int rc = 0;
    while (rc == 0 && (errno = 0, entry = readdir(proc)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && pid != getpid())
            rc = count_in(relations, pid, listeners);
    }
    if (rc == 0 && entry == NULL)
        rc = -errno;
    closedir(proc);
    return rc;
}

static bool has_parent_that_belongs(const struct relations *relations, const struct relation *child)
{
    for (size_t i = 0; i < relations->count; i++)
        if (relations->each[i].pid == child->parent)
            return relations->each[i].belongs;
    return false;
}

static void find_descendants(struct relations *relations)
{
    bool found;
    do {
        found = false;
        for (size_t i = 0; i < relations->count; i++) {
            struct relation *relation = &relations->each[i];
            if (!relation->belongs && has_parent_that_belongs(relations, relation))
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

static int list_family(const struct relations *relations, struct server_processes *found)
{
    found->each = calloc(relations->count + 1, sizeof *found->each);
    if (found->each == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < relations->count; i++)
        if (relations->each[i].listens)
            found->each[found->listening++] = relations->each[i].pid;
    found->count = found->listening;
    for (size_t i = 0; i < relations->count; i++)
        if (is_kin(&relations->each[i], found->each[0]))
            found->each[found->count++] = relations->each[i].pid;
    return found->listening > 0 ? 0 : relations->some_are_hidden ? -EACCES : -ESRCH;
}

/* ---- who was not seen ---- */

static const struct relation *relation_of(const struct relations *relations, pid_t pid)
{
    for (size_t i = 0; i < relations->count; i++)
        if (relations->each[i].pid == pid)
            return &relations->each[i];
    return NULL;
}

/* Process 1 is everybody's parent, and one outside of our PID namespace, 0, nobody's. */
static bool is_hidden_parent(const struct relations *relations, pid_t pid)
{
    const struct relation *parent = relation_of(relations, pid);
    return pid > 1 && (parent == NULL || parent->is_hidden);
}

static bool has_child_that_listens(const struct relations *relations, pid_t pid)
{
    for (size_t i = 0; i < relations->count; i++)
        if (relations->each[i].listens && relations->each[i].parent == pid)
            return true;
    return false;
}

/* The parent of one that listens, or another child of such a parent that is hidden itself. */
static bool is_unseen_kin(const struct relations *relations, const struct relation *one)
{
    if (one->pid > 1 && has_child_that_listens(relations, one->pid))
        return true;
    return is_hidden_parent(relations, one->parent) && has_child_that_listens(relations, one->parent);
}

static int note_held(void *context, int fd, uint64_t inode)
{
    (void)fd;
    struct number_set *found = context;
    int rc = number_set_add(found, inode);
    return rc < 0 ? rc : 0;
}

/* So many of the listening sockets nobody has who was seen (with SO_REUSEPORT there may be several). */
static int count_unseen_listeners(const struct server_processes *found, const uint64_t *listeners, int count)
{
    struct number_set held = {0};
    int rc = 0, unseen = 0;
    for (int i = 0; i < found->listening && rc >= 0; i++) {
        rc = process_each_socket(found->each[i], note_held, &held);
        rc = rc == -ESRCH || rc == -EACCES ? 0 : rc;
    }
    for (int i = 0; i < count && rc >= 0; i++)
        unseen += !number_set_has(&held, listeners[i]);
    number_set_free(&held);
    return rc < 0 ? rc : unseen;
}

static int count_unseen(const struct relations *relations, const uint64_t *listeners, int listener_count,
                        struct server_processes *found)
{
    for (size_t i = 0; i < relations->count && relations->some_are_hidden; i++) {
        const struct relation *one = &relations->each[i];
        if (!one->is_hidden || one->belongs || !is_unseen_kin(relations, one))
            continue;
        found->unseen++;
        if (found->unseen_pid == 0 || has_child_that_listens(relations, one->pid))
            found->unseen_pid = one->pid;
    }
    if (found->unseen > 0 || !relations->some_are_hidden || listener_count < 2)
        return 0;
    int rc = count_unseen_listeners(found, listeners, listener_count);
    found->unseen = rc > 0 ? rc : 0;
    return rc < 0 ? rc : 0;
}

int server_processes_find(const uint64_t *listeners, int listener_count, struct server_processes *found)
{
    struct relations relations = {.count = 0};
    struct number_set inodes = {0};
    *found = (struct server_processes){.count = 0};
    int rc = listener_count > 0 ? 0 : -ESRCH;
    for (int i = 0; i < listener_count && rc >= 0; i++)
        rc = number_set_add(&inodes, listeners[i]);
    if (rc >= 0)
        rc = note_relations(&relations, &inodes);
    if (rc == 0) {
        find_descendants(&relations);
        rc = list_family(&relations, found);
        if (rc == 0)
            rc = count_unseen(&relations, listeners, listener_count, found);
    }
    free(relations.each);
    number_set_free(&inodes);
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
    uint64_t started;
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
        if (process_stat_of(processes->each[i], &stat) != 0)
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

enum { ENDING_WAITS = 20, ENDING_WAIT_MS = 5 };

static bool is_being_taken_apart(const struct process_stat *stat)
{
    return stat->is_ending && stat->state != 'Z' && stat->state != 'X';
}

/* What cannot be read lives. How one has ended is known when it is a zombie, which may take a moment. */
static bool is_over(const struct member *member, struct process_stat *stat)
{
    int rc = process_stat_of(member->pid, stat);
    for (int i = 0; i < ENDING_WAITS && rc == 0 && is_being_taken_apart(stat); i++) {
        poll(NULL, 0, ENDING_WAIT_MS);
        rc = process_stat_of(member->pid, stat);
    }
    if (rc == 0 && stat->started != member->started)
        stat->state = 'X';
    return rc == -ESRCH || (rc == 0 && process_has_ended(stat));
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
