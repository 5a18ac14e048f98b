/* Which processes hold what a watch has seen. */
#include "base/array.h"
#include "kernel/socket_owner.h"
#include "watch/watch_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A descriptor that was closed, passed on or inherited shows in how many a process has. */
static bool has_changed(const struct process *process)
{
    struct process_facts now;
    return process_facts_of(process->pid, &now) != 0 || now.started != process->facts.started ||
           now.descriptors != process->facts.descriptors || now.descriptors < 0;
}

bool watch_have_processes_changed(const struct watch *watch)
{
    for (int i = 0; i < watch->process_count; i++)
        if (has_changed(&watch->processes[i]))
            return true;
    return false;
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

static int note_stray(void *context, pid_t pid, int fd, uint64_t inode)
{
    struct watch *watch = context;
    int rc = ARRAY_RESERVE(watch->strays, watch->stray_room, watch->stray_count + 1);
    if (rc == 0)
        watch->strays[watch->stray_count++] = (struct stray_socket){inode, pid, fd};
    return rc;
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
        watch->seen[i].pid = watch->seen[i].inode != 0 ? socket_owner_of(owners, watch->seen[i].inode) : 0;
    watch->refused = socket_owners_refused(owners);
    socket_owners_free(owners);
    return rc < 0 ? rc : watch_check_watched(watch);
}

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

/* One that has ended has no name. */
static int read_process(struct process *process, pid_t pid)
{
    *process = (struct process){.pid = pid};
    int rc = process_facts_of(pid, &process->facts);
    if (rc != 0)
        return rc == -ESRCH ? 0 : rc;
    process->command = process_command(pid);
    if (process->command.text[0] == '\0' && process_facts_of(pid, &process->facts) == 0)
        process->command.text[0] = '?';
    return 0;
}

static int insert_process(struct watch *watch, int place, pid_t pid)
{
    if (ARRAY_RESERVE(watch->processes, watch->process_room, watch->process_count + 1) != 0)
        return -ENOMEM;
    struct process *at = &watch->processes[place];
    memmove(at + 1, at, (size_t)(watch->process_count - place) * sizeof *at);
    watch->process_count++;
    return read_process(at, pid);
}

int watch_name_owners(struct watch *watch)
{
    pid_t last = 0;
    watch->process_count = 0;
    for (size_t i = 0; i < watch->seen_count; i++) {
        pid_t pid = watch->seen[i].pid;
        int place = pid != 0 && pid != last ? place_of(watch, pid) : 0;
        bool is_new = pid != 0 && pid != last && !is_at(watch, place, pid);
        int rc = is_new ? insert_process(watch, place, pid) : 0;
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
    }
    return 0;
}
