#include "explain/look.h"
#include "explain/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- who waits ---- */

/* Marks the processes with a set that has it, or a thread in a call on it. A set that was inherited is of all
 * who have it. */
static void mark_waiters(const struct look *look, uint64_t inode, bool *waits)
{
    for (size_t i = look_first_membership(look, inode);
         i < look->membership_count && look->memberships[i].inode == inode; i++) {
        int set = look->memberships[i].set;
        for (size_t k = 0; k < look->set_count; k++)
            if ((int)k == set || look->sets[k].same_as == set)
                waits[look->sets[k].process] = true;
    }
    for (size_t i = look_first_call(look, inode); i < look->call_count && look->calls[i].inode == inode; i++)
        waits[look->calls[i].process] = true;
}

/* The place among the facts of the one process that is marked; -1: none is, or several are. */
static int only_one(const struct look *look, const bool *marks)
{
    int found = -1;
    for (size_t i = 0; i < look->process_count; i++) {
        if (!marks[i] || look->processes[i].fact_index < 0)
            continue;
        if (found >= 0)
            return -1;
        found = look->processes[i].fact_index;
    }
    return found;
}

/* ---- listeners ---- */

static bool is_any(const struct look *look, const bool *marks)
{
    for (size_t i = 0; i < look->process_count; i++)
        if (marks[i])
            return true;
    return false;
}

static void mark_servers(const struct look *look, uint64_t inode, bool *holds)
{
    size_t first, count = look_holdings_of(look, inode, &first);
    for (size_t i = first; i < first + count; i++) {
        int process = look->holdings[i].process, fact = look->processes[process].fact_index;
        holds[process] = fact >= 0 && !look->facts->processes[fact].is_keeper;
    }
}

static int server_of(const struct look *look, uint64_t inode, bool *marks)
{
    memset(marks, 0, look->process_count * sizeof *marks);
    mark_waiters(look, inode, marks);
    for (size_t i = 0; i < look->process_count; i++)
        marks[i] = marks[i] || (look->processes[i].accepting_thread >= 0 && look_holds(look, (int)i, inode));
    if (!is_any(look, marks))
        mark_servers(look, inode, marks);
    return only_one(look, marks);
}

/* ---- sockets that several hold ---- */

static void choose(const struct look *look, const struct holding *holding, struct fact_socket *fact)
{
    fact->process = look->processes[holding->process].fact_index;
    fact->fd = holding->fd;
    if (fact->listener >= 0)
        fact->listener = look_shared_listener_of(look, fact->listener, holding->process);
}

/* It has a listener, or was asked about. */
static bool may_serve(const struct look *look, int process)
{
    const struct look_process *of = &look->processes[process];
    return of->fact_index >= 0 && (of->is_asked || of->is_sibling);
}

/* What is needed to choose, for each process. */
struct choice {
    bool *marks;
    enum loop_state *loops; /* by their places among the facts */
};

static void choose_holder(const struct look *look, struct fact_socket *fact, const struct choice *choice)
{
    size_t first, count = look_holdings_of(look, fact->inode, &first);
    const struct holding *stuck = NULL;
    memset(choice->marks, 0, look->process_count * sizeof *choice->marks);
    mark_waiters(look, fact->inode, choice->marks);
    for (size_t i = first; i < first + count; i++) {
        const struct holding *holding = &look->holdings[i];
        if (!may_serve(look, holding->process))
            continue;
        if (choice->marks[holding->process]) {
            choose(look, holding, fact);
            return;
        }
        if (stuck == NULL && choice->loops[look->processes[holding->process].fact_index] == LOOP_STUCK)
            stuck = holding;
    }
    if (stuck != NULL)
        choose(look, stuck, fact);
}

int look_servers(struct look *look)
{
    struct facts *facts = look->facts;
    struct choice choice = {.marks = calloc(look->process_count + 1, sizeof *choice.marks),
                            .loops = calloc(look->process_count + 1, sizeof *choice.loops)};
    int rc = choice.marks != NULL && choice.loops != NULL ? 0 : -ENOMEM;
    for (int i = 0; i < facts->process_count && rc == 0; i++)
        choice.loops[i] = loop_state_of(facts, i);
    for (int i = 0; i < facts->listener_count && rc == 0; i++)
        facts->listeners[i].server = server_of(look, facts->listeners[i].inode, choice.marks);
    for (int i = 0; i < facts->socket_count && rc == 0; i++)
        if (facts->sockets[i].holder == HOLDER_PROCESS && facts->sockets[i].holders > 1 &&
            facts->sockets[i].state != STATE_ESTABLISHED)
            choose_holder(look, &facts->sockets[i], &choice);
    free(choice.marks);
    free(choice.loops);
    return rc;
}
