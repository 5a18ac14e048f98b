/* Whose a socket is, as administrators call it: the service, container or pod of the process that holds it.
 * Where no process was found it is that of the group in which the socket was made, which the kernel tells of
 * each; of one without a descriptor on a server's port, that of the listener. */
#include "base/array.h"
#include "watch/watch_state.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SEVERAL = UINT32_MAX };

/* ---- names, each once ---- */

/* Returns its number, from 1; 0 for none; -1 without memory. */
static int64_t number_of(struct watch_services *services, const char *name)
{
    if (name[0] == '\0')
        return 0;
    for (size_t i = 0; i < services->name_count; i++)
        if (strcmp(services->names[i], name) == 0)
            return (int64_t)i + 1;
    char *copy = strdup(name);
    if (copy == NULL || ARRAY_RESERVE(services->names, services->name_room, services->name_count + 1) != 0) {
        free(copy);
        return -1;
    }
    services->names[services->name_count++] = copy;
    return (int64_t)services->name_count;
}

const char *watch_service_name(const struct watch *watch, uint32_t service)
{
    return service > 0 && service <= watch->services.name_count ? watch->services.names[service - 1] : NULL;
}

/* ---- of a control group ---- */

/* What has no name that is known is called by its path; the root of all is nobody's. */
static int64_t name_group(struct watch_services *services, uint64_t cgroup)
{
    int rc = cgroup_table_learn(&services->groups, cgroup);
    if (rc != 0)
        return -1;
    struct cgroup_name name = cgroup_table_name(&services->groups, cgroup);
    const char *path = cgroup_table_path(&services->groups, cgroup);
    if (name.kind == CGROUP_NONE && path != NULL && path[0] != '\0') {
        size_t length = strlen(path);
        const char *end = length < sizeof name.text ? path : path + length + 1 - sizeof name.text;
        size_t i = 0;
        for (; end[i] != '\0'; i++)
            name.text[i] = isgraph((unsigned char)end[i]) ? end[i] : '?';
        name.text[i] = '\0';
    }
    return number_of(services, name.text);
}

/* Where it is, or belongs. */
static size_t place_of_group(const struct watch_services *services, uint64_t cgroup)
{
    size_t low = 0, high = services->group_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (services->of_groups[middle].cgroup < cgroup)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int note_group(struct watch_services *services, uint64_t cgroup, uint32_t *service)
{
    *service = 0;
    if (cgroup == 0)
        return 0;
    size_t at = place_of_group(services, cgroup);
    if (at < services->group_count && services->of_groups[at].cgroup == cgroup) {
        *service = services->of_groups[at].service;
        return 0;
    }
    int64_t number = name_group(services, cgroup);
    if (number < 0 ||
        ARRAY_RESERVE(services->of_groups, services->group_room, services->group_count + 1) != 0)
        return -ENOMEM;
    struct service_of_group *group = &services->of_groups[at];
    memmove(group + 1, group, (services->group_count++ - at) * sizeof *group);
    *group = (struct service_of_group){cgroup, (uint32_t)number};
    *service = (uint32_t)number;
    return 0;
}

/* ---- of a process ---- */

static const struct service_of_process *known_process(const struct watch_services *services,
                                                      const struct process *process)
{
    size_t low = 0, high = services->process_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (services->of_processes[middle].pid < process->pid)
            low = middle + 1;
        else
            high = middle;
    }
    const struct service_of_process *found = &services->of_processes[low];
    bool is_it = low < services->process_count && found->pid == process->pid &&
                 found->started == process->facts.started;
    return is_it ? found : NULL;
}

/* A process may be moved to another group: all are read anew now and then. */
static int find_processes(struct watch *watch, bool anew)
{
    struct watch_services *services = &watch->services;
    struct service_of_process *fresh = calloc((size_t)watch->process_count + 1, sizeof *fresh);
    if (fresh == NULL)
        return -ENOMEM;
    for (int i = 0; i < watch->process_count; i++) {
        const struct process *process = &watch->processes[i];
        const struct service_of_process *known = anew ? NULL : known_process(services, process);
        int64_t number = known != NULL ? (int64_t)known->service
                                       : number_of(services, process_cgroup(process->pid).name.text);
        if (number < 0) {
            free(fresh);
            return -ENOMEM;
        }
        fresh[i] = (struct service_of_process){process->pid, process->facts.started, (uint32_t)number};
    }
    free(services->of_processes);
    services->of_processes = fresh;
    services->process_count = (size_t)watch->process_count;
    return 0;
}

/* ---- of each socket ---- */

static void note_listener(const struct seen *seen)
{
    uint32_t *of_port = &seen->place->services[seen->local_port];
    if (seen->service != 0 && *of_port == 0)
        *of_port = seen->service;
    else if (seen->service != 0 && *of_port != seen->service)
        *of_port = SEVERAL;
}

static int find_own(struct watch *watch, struct seen *seen, uint64_t *last_cgroup, uint32_t *last_service)
{
    seen->service = seen->process >= 0 ? watch->services.of_processes[seen->process].service : 0;
    if (seen->service != 0)
        return 0;
    if (seen->cgroup != *last_cgroup) {
        int rc = note_group(&watch->services, seen->cgroup, last_service);
        if (rc != 0)
            return rc;
        *last_cgroup = seen->cgroup;
    }
    seen->service = *last_service;
    return 0;
}

int watch_find_services(struct watch *watch, bool anew)
{
    uint64_t last_cgroup = 0;
    uint32_t last_service = 0;
    int rc = find_processes(watch, anew);
    for (size_t i = 0; i < watch->seen_count; i++)
        watch->seen[i].place->services[watch->seen[i].local_port] = 0;
    for (size_t i = 0; rc == 0 && i < watch->seen_count; i++) {
        rc = find_own(watch, &watch->seen[i], &last_cgroup, &last_service);
        if (watch->seen[i].state == STATE_LISTEN)
            note_listener(&watch->seen[i]);
    }
    for (size_t i = 0; rc == 0 && i < watch->seen_count; i++) {
        struct seen *seen = &watch->seen[i];
        uint32_t of_port = seen->place->services[seen->local_port];
        if (seen->service == 0 && seen->inode == 0 && of_port != SEVERAL)
            seen->service = of_port;
    }
    return rc;
}

void watch_free_services(struct watch *watch)
{
    struct watch_services *services = &watch->services;
    for (size_t i = 0; i < services->name_count; i++)
        free(services->names[i]);
    free(services->names);
    free(services->of_groups);
    free(services->of_processes);
    cgroup_table_free(&services->groups);
}
