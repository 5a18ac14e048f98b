/* Which processes hold what a watch has seen. */
#include "base/array.h"
#include "kernel/process_limits.h"
#include "kernel/socket_owner.h"
#include "watch/watch_state.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { TURNS = 32 }; /* brief looks until a process is looked at in any case */

/* ---- whether they are the same ---- */

/* A descriptor that was closed, passed on or inherited shows in how many a process has. */
static bool check(struct process *process)
{
    struct process_facts now;
    struct process_command command;
    int rc = process_named_facts_of(process->pid, &now, &command);
    if (rc != 0 || now.started != process->facts.started) {
        process->has_ended = true;
        return true;
    }
    bool is_changed = now.descriptors != process->facts.descriptors || now.descriptors < 0;
    process->is_changed |= is_changed;
    process->facts = now;
    process->command = command;
    return is_changed;
}

static bool is_gone(pid_t pid)
{
    return kill(pid, 0) != 0 && errno == ESRCH;
}

/* Those of what a brief look shows, and not what it carries on. */
static void pick_holders(struct watch *watch)
{
    for (size_t i = 0; i < watch->seen_count; i++) {
        const struct seen *seen = &watch->seen[i];
        int place = seen->key != 0 && seen->pid != 0 && seen->state != STATE_LISTEN
                        ? watch_process_with(watch, seen->pid)
                        : -1;
        if (place >= 0)
            watch->processes[place].is_asked = true;
    }
}

/* What it had is somebody else's, or nobody's. */
static void disown_ended(struct watch *watch)
{
    for (size_t i = 0; i < watch->seen_count; i++) {
        struct seen *seen = &watch->seen[i];
        int place = seen->pid != 0 ? watch_process_with(watch, seen->pid) : -1;
        if (place < 0 || !watch->processes[place].has_ended)
            continue;
        struct known *known = seen->key != 0 ? watch_find_known(watch, seen->key) : NULL;
        if (known != NULL)
            known->pid = 0;
        seen->pid = 0;
        seen->sought = 0;
    }
}

bool watch_check_processes(struct watch *watch)
{
    bool has_any_ended = false, has_any_changed = false;
    for (int i = 0; i < watch->process_count; i++)
        watch->processes[i].is_asked = !watch->is_brief || ((uint32_t)i + watch->looks) % TURNS == 0;
    if (watch->is_brief)
        pick_holders(watch);
    for (int i = 0; i < watch->process_count; i++) {
        struct process *process = &watch->processes[i];
        if (process->is_asked)
            has_any_changed |= check(process);
        else
            process->has_ended = is_gone(process->pid);
        has_any_ended |= process->has_ended;
        process->is_asked = false;
    }
    if (has_any_ended)
        disown_ended(watch);
    return has_any_ended || has_any_changed;
}

/* Its pid may be another's by now. */
int watch_check_watched(const struct watch *watch)
{
    struct process_facts now;
    if (watch->settings.pid == 0)
        return 0;
    int rc = process_facts_of(watch->settings.pid, &now);
    return rc == 0 && now.started != watch->watched.started ? -ESRCH : rc;
}

/* ---- all of them ---- */

int watch_note_stray(struct watch *watch, pid_t pid, int fd, uint64_t inode)
{
    int rc = ARRAY_RESERVE(watch->strays, watch->stray_room, watch->stray_count + 1);
    if (rc == 0)
        watch->strays[watch->stray_count++] = (struct stray_socket){inode, pid, fd};
    return rc;
}

static int note_stray(void *context, pid_t pid, int fd, uint64_t inode)
{
    return watch_note_stray(context, pid, fd, inode);
}

static void note_owner(struct seen *seen, struct socket_owner owner)
{
    seen->pid = owner.pid;
    seen->fd = owner.pid != 0 ? owner.fd : -1;
    if (owner.pid != 0)
        seen->sought = 0;
    else if (seen->inode != 0 && seen->sought < SOUGHT)
        seen->sought++;
}

int watch_ask_for_owners(struct watch *watch)
{
    uint64_t *inodes = calloc(watch->seen_count + 1, sizeof *inodes);
    if (inodes == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < watch->seen_count; i++)
        inodes[i] = watch->seen[i].inode;
    struct socket_owners *owners = socket_owners_new(inodes, watch->seen_count);
    free(inodes);
    if (owners == NULL)
        return -ENOMEM;
    watch->stray_count = 0;
    socket_owners_hear_others(owners, note_stray, watch);
    int rc = watch->settings.pid != 0 ? socket_owners_read_pid(owners, watch->settings.pid)
                                      : socket_owners_read_others(owners, NULL, 0);
    for (size_t i = 0; i < watch->seen_count; i++)
        note_owner(&watch->seen[i], socket_owner_at(owners, watch->seen[i].inode));
    watch->refused = socket_owners_refused(owners);
    socket_owners_free(owners);
    return rc < 0 ? rc : watch_check_watched(watch);
}

/* ---- their names ---- */

/* The place of that pid among the processes, or where it belongs. */
static int place_of(const struct watch *watch, pid_t pid)
{
    int low = 0, high = watch->process_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (watch->processes[middle].pid < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct watch *watch, int place, pid_t pid)
{
    return place < watch->process_count && watch->processes[place].pid == pid;
}

int watch_process_with(const struct watch *watch, pid_t pid)
{
    int place = place_of(watch, pid);
    return is_at(watch, place, pid) ? place : -1;
}

static const struct process *process_before(const struct watch *watch, pid_t pid)
{
    int low = 0, high = watch->before_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (watch->processes_before[middle].pid < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < watch->before_count && watch->processes_before[low].pid == pid
               ? &watch->processes_before[low]
               : NULL;
}

/* What it may have is read anew with the owners: it changes hardly ever. */
static int64_t descriptors_most(const struct watch *watch, const struct process *process)
{
    struct process_limits limits;
    const struct process *before = watch->reads_limits ? NULL : process_before(watch, process->pid);
    if (before != NULL && before->facts.started == process->facts.started)
        return before->descriptors_most;
    return process_limits_read(process->pid, &limits) == 0 ? limits.descriptors_soft : -1;
}

/* One that has ended has no name. */
static int read_process(const struct watch *watch, struct process *process, pid_t pid)
{
    *process = (struct process){.pid = pid, .descriptors_most = -1, .fd_most = -1};
    int rc = process_named_facts_of(pid, &process->facts, &process->command);
    if (rc != 0)
        return rc == -ESRCH ? 0 : rc;
    process->descriptors_most = descriptors_most(watch, process);
    if (process->command.text[0] == '\0')
        process->command.text[0] = '?';
    return 0;
}

static int insert_process(struct watch *watch, int place, pid_t pid, bool anew)
{
    if (ARRAY_RESERVE(watch->processes, watch->process_room, watch->process_count + 1) != 0)
        return -ENOMEM;
    struct process *at = &watch->processes[place];
    memmove(at + 1, at, (size_t)(watch->process_count - place) * sizeof *at);
    watch->process_count++;
    const struct process *before = anew ? NULL : process_before(watch, pid);
    if (before == NULL || before->has_ended)
        return read_process(watch, at, pid);
    *at = *before;
    return 0;
}

int watch_name_owners(struct watch *watch, bool anew)
{
    pid_t last = 0;
    struct process *before = watch->processes;
    size_t before_room = watch->process_room;
    watch->processes = watch->processes_before;
    watch->process_room = watch->before_room;
    watch->processes_before = before;
    watch->before_room = before_room;
    watch->before_count = watch->process_count;
    watch->process_count = 0;
    for (size_t i = 0; i < watch->seen_count; i++) {
        pid_t pid = watch->seen[i].pid;
        int place = pid != 0 && pid != last ? place_of(watch, pid) : 0;
        bool is_new = pid != 0 && pid != last && !is_at(watch, place, pid);
        int rc = is_new ? insert_process(watch, place, pid, anew) : 0;
        if (rc != 0)
            return rc;
        last = pid;
    }
    for (size_t i = 0; i < watch->seen_count; i++) {
        struct seen *seen = &watch->seen[i];
        int place = seen->pid != 0 ? place_of(watch, seen->pid) : -1;
        bool is_there = place >= 0 && watch->processes[place].command.text[0] != '\0';
        seen->process = is_there ? place : -1;
        seen->pid = is_there ? seen->pid : 0;
        if (is_there && seen->fd > watch->processes[place].fd_most)
            watch->processes[place].fd_most = seen->fd;
    }
    return 0;
}
