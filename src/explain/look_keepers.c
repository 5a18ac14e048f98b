#include "explain/look.h"

#include <errno.h>
#include <stdlib.h>

/* Who accepts, by what can be seen: whoever holds connections of a listener, or waits for one. */
static void mark_servers(const struct look *look, bool *serves)
{
    const struct facts *facts = look->facts;
    for (int i = 0; i < facts->socket_count; i++) {
        size_t first, count = look_holdings_of(look, facts->sockets[i].inode, &first);
        for (size_t k = first; k < first + count && facts->sockets[i].listener >= 0; k++)
            serves[look->holdings[k].process] = true;
    }
    for (size_t i = 0; i < look->call_count; i++)
        if (look_is_listener(look, look->calls[i].inode))
            serves[look->calls[i].process] = true;
    for (size_t i = 0; i < look->process_count; i++)
        if (look->processes[i].accepting_thread >= 0)
            serves[i] = true;
}

/* A set that was inherited is of all who have it. */
static void mark_waiters(const struct look *look, bool *serves)
{
    for (size_t i = 0; i < look->membership_count; i++) {
        int set = look->memberships[i].set;
        if (!look_is_listener(look, look->memberships[i].inode))
            continue;
        for (size_t k = 0; k < look->set_count; k++)
            if ((int)k == set || look->sets[k].same_as == set)
                serves[look->sets[k].process] = true;
    }
}

/* No heir, and still there. */
static bool may_serve(const struct look_process *process)
{
    return process->fact_index >= 0 && (process->is_asked || process->is_sibling);
}

/* Where nobody serves it, nobody is its keeper: that is what is to be told. */
int look_keepers(const struct look *look)
{
    struct facts *facts = look->facts;
    bool *serves = calloc(look->process_count + 1, sizeof *serves), is_served = false;
    if (serves == NULL)
        return -ENOMEM;
    mark_servers(look, serves);
    mark_waiters(look, serves);
    for (size_t i = 0; i < look->process_count; i++)
        is_served = is_served || (serves[i] && may_serve(&look->processes[i]));
    for (size_t i = 0; i < look->process_count; i++)
        if (may_serve(&look->processes[i]))
            facts->processes[look->processes[i].fact_index].is_keeper = is_served && !serves[i];
    free(serves);
    return 0;
}
