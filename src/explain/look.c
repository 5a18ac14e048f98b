#include "explain/look.h"

#include "base/clock.h"
#include "explain/look_window.h"
#include "kernel/netns.h"
#include "kernel/process.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* Between two readings of the threads: enough ticks to tell one that spins, and a loop that turns is seen at
 * rest in one of them. */
enum { GAP_MS = 200 };

bool look_is_stopped(const struct look *look)
{
    return look->request->stop != NULL && *look->request->stop != 0;
}

bool look_is_listener(const struct look *look, uint64_t inode)
{
    for (size_t i = 0; i < look->listener_count; i++)
        if (inode != 0 && look->listeners[i].entry.inode == inode)
            return true;
    return false;
}

static int wait_for_gap(const struct look *look)
{
    int64_t left_us = look->first_table_us + GAP_MS * INT64_C(1000) - monotonic_us();
    struct timespec left = {.tv_sec = 0, .tv_nsec = left_us > 0 ? left_us * 1000 : 0};
    nanosleep(&left, NULL); /* a signal ends it early, which shows in *stop */
    return look_is_stopped(look) ? -EINTR : 0;
}

/* ENOENT, EACCES of one process are its own; a dump that the kernel calls interrupted is taken again. */
static int take_table(struct look *look, enum table which)
{
    enum { TRIES = 5 };
    int rc = -EINTR;
    for (int i = 0; i < TRIES && rc == -EINTR && !look_is_stopped(look); i++)
        rc = look_table(look, which);
    return rc;
}

/* Who is there, and what they hold. */
static int take_stock(struct look *look)
{
    int rc = take_table(look, FIRST_TABLE);
    return rc == 0 ? look_holders(look) : rc;
}

/* Half of a process that ended is nothing to judge by. */
static int leave_out_ended(struct look *look)
{
    int count = 0;
    for (size_t i = 0; i < look->process_count; i++) {
        struct process_facts facts;
        bool has_ended = process_facts_of(look->processes[i].pid, &facts) == -ESRCH;
        if (has_ended && look->processes[i].pid == look->request->pid)
            return -ESRCH;
        look->processes[i].fact_index = has_ended ? -1 : count++;
    }
    return 0;
}

static int take_look(struct look *look)
{
    int rc = cpu_clocks_open(&look->clocks);
    if (rc == 0)
        rc = take_stock(look);
    if (rc == 0)
        rc = look_find_sets(look);
    if (rc == 0)
        rc = look_threads(look, FIRST_READING);
    if (rc == 0)
        rc = look_sets(look);
    if (rc == 0)
        rc = wait_for_gap(look);
    if (rc == 0)
        rc = look_threads(look, SECOND_READING);
    if (rc == 0)
        rc = take_table(look, SECOND_TABLE);
    if (rc == 0)
        rc = look_ghosts(look);
    if (rc == 0)
        rc = leave_out_ended(look);
    if (rc == 0)
        rc = look_join(look);
    look->facts->gap_ms = (look->second_table_us - look->first_table_us) / 1000;
    return rc;
}

void look_free(struct look *look)
{
    look_processes_free(look);
    number_set_free(&look->own);
    number_set_free(&look->listed);
    number_set_free(&look->mptcp_before);
    number_set_free(&look->mptcp);
    free(look->listeners);
    free(look->earlier);
    free(look->sockets);
    free(look->ports);
    free(look->ghosts);
    free(look->sets);
    free(look->memberships);
    free(look->threads);
    free(look->calls);
    cpu_clocks_close(&look->clocks);
}

/* Cut short by *stop, a window still ends in a look. */
static int take_window(const struct facts_request *request, struct facts *facts)
{
    struct facts unused = {0};
    struct facts_request to_the_end = *request;
    struct look before = {.request = request, .facts = &unused};
    struct look look = {.request = &to_the_end, .facts = facts};
    struct window window;
    to_the_end.stop = NULL;
    int rc = take_stock(&before);
    if (rc == 0) {
        rc = window_watch(&window, &before);
        if (rc == 0)
            rc = take_look(&look);
        if (rc == 0)
            rc = window_join(&window, &look);
        window_free(&window);
    }
    look_free(&look);
    look_free(&before);
    return rc;
}

static int take_one_look(const struct facts_request *request, struct facts *facts)
{
    struct look look = {.request = request, .facts = facts};
    int rc = take_look(&look);
    look_free(&look);
    return rc;
}

/* A process in another network namespace is looked at from there: this process ends with its report. */
static int go_where_it_is(pid_t pid, bool *is_elsewhere)
{
    if (pid == 0 || process_shares_network(pid) != -EXDEV)
        return 0;
    int rc = netns_join(pid);
    *is_elsewhere = rc == 0;
    return rc == 0 || rc == -ESRCH ? rc : -EXDEV;
}

int facts_take(const struct facts_request *request, struct facts *facts)
{
    int64_t began_us = monotonic_us();
    *facts = (struct facts){.opened = -1, .aborts_on_close = -1, .events_lost = -1};
    bool is_elsewhere = false;
    int rc = go_where_it_is(request->pid, &is_elsewhere);
    if (rc == 0)
        rc = request->window_ms > 0 ? take_window(request, facts) : take_one_look(request, facts);
    facts->is_elsewhere = is_elsewhere;
    facts->took_ms = (monotonic_us() - began_us) / 1000;
    if (rc != 0)
        facts_free(facts);
    return rc;
}
