#include "explain/facts.h"

#include <stdlib.h>
#include <string.h>

struct cgroup_name facts_group_name(const struct facts *facts, uint64_t cgroup)
{
    for (int i = 0; i < facts->process_count && cgroup != 0; i++)
        if (facts->processes[i].group.id == cgroup && facts->processes[i].group.is_named_by_id)
            return facts->processes[i].group.name;
    return cgroup_table_name(&facts->groups, cgroup);
}

void facts_free(struct facts *facts)
{
    free(facts->processes);
    free(facts->listeners);
    free(facts->sockets);
    free(facts->threads);
    free(facts->ended);
    cgroup_table_free(&facts->groups);
    memset(facts, 0, sizeof *facts);
}
