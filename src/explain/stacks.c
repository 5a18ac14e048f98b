#include "explain/stacks.h"

#include "base/clock.h"
#include "code/place_text.h"
#include "explain/loop.h"
#include "kernel/thread_call.h"
#include "kernel/thread_clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 3 };

/* ---- which first ---- */

/* The peer of the connection that it is in a call on has closed. */
static bool is_on_leak(const struct facts *facts, const struct fact_thread *thread)
{
    if (thread->inode == 0)
        return false;
    for (int i = 0; i < facts->socket_count; i++) {
        const struct fact_socket *socket = &facts->sockets[i];
        if (socket->inode == thread->inode)
            return socket->state == STATE_CLOSE_WAIT || socket->state == STATE_CLOSE;
    }
    return false;
}

struct candidate {
    int thread; /* index */
    enum stack_interest interest;
};

static void mark_culprits(const struct facts *facts, struct candidate *candidates)
{
    for (int i = 0; i < facts->process_count; i++) {
        if (loop_state_of(facts, i) != LOOP_STUCK)
            continue;
        int thread = loop_culprit_of(facts, i).thread;
        if (thread >= 0)
            candidates[thread].interest = STACK_OF_LOOP;
    }
}

static int by_interest(const void *a, const void *b)
{
    const struct candidate *one = a, *other = b;
    int by = (int)one->interest - (int)other->interest;
    return by != 0 ? by : one->thread - other->thread;
}

/* Their own memory. NULL: out of it. */
static struct candidate *candidates_of(const struct facts *facts)
{
    struct candidate *candidates = calloc((size_t)facts->thread_count + 1, sizeof *candidates);
    if (candidates == NULL)
        return NULL;
    for (int i = 0; i < facts->thread_count; i++) {
        const struct fact_thread *thread = &facts->threads[i];
        candidates[i] = (struct candidate){i, is_on_leak(facts, thread)   ? STACK_OF_LEAK
                                              : thread_is_outside(thread) ? STACK_OF_OUTSIDE
                                                                          : STACK_OF_OTHER};
    }
    mark_culprits(facts, candidates);
    qsort(candidates, (size_t)facts->thread_count, sizeof *candidates, by_interest);
    return candidates;
}

/* ---- groups ---- */

static bool is_of_group(const struct facts *facts, const struct stack_group *group,
                        const struct fact_thread *thread, const struct site *site)
{
    const struct fact_thread *first = &facts->threads[group->first];
    return site_is_alike(group->site, site) && first->call == thread->call &&
           strcmp(first->call_name, thread->call_name) == 0;
}

/* Unless the time of one of them is not known. */
static void count_sleep(struct stack_group *group, int64_t asleep_ms)
{
    bool is_first = group->threads == 1;
    if (asleep_ms < 0 || (!is_first && group->least_ms < 0)) {
        group->least_ms = group->most_ms = -1;
        return;
    }
    if (is_first || asleep_ms < group->least_ms)
        group->least_ms = asleep_ms;
    if (is_first || asleep_ms > group->most_ms)
        group->most_ms = asleep_ms;
}

static void add_to_group(const struct facts *facts, struct stacks *stacks, const struct candidate *candidate)
{
    const struct fact_thread *thread = &facts->threads[candidate->thread];
    const struct site *site = stacks->sites[candidate->thread];
    struct stack_group *group = stacks->groups, *end = group + stacks->group_count;
    while (group < end && !is_of_group(facts, group, thread, site))
        group++;
    if (group == end) {
        stacks->group_count++;
        *group =
            (struct stack_group){.site = site, .interest = candidate->interest, .first = candidate->thread};
    }
    group->threads++;
    count_sleep(group, thread->site != NULL ? thread->asleep_ms : -1);
}

static int by_size(const void *a, const void *b)
{
    const struct stack_group *one = a, *other = b;
    if (one->interest != other->interest)
        return (int)one->interest - (int)other->interest;
    return one->threads != other->threads ? other->threads - one->threads : one->first - other->first;
}

/* ---- reading ---- */

static bool is_stopped(const struct stacks_settings *settings, int64_t until_us)
{
    return monotonic_us() > until_us || (settings->stop != NULL && *settings->stop != 0);
}

/* It has slept since the look: what is known of its call is of the same sleep. */
static bool still_sleeps(pid_t pid, const struct fact_thread *thread)
{
    struct thread_usage usage;
    return thread->turns < 0 ||
           (thread_usage_read(pid, thread->tid, &usage) == 0 && usage.turns == thread->turns);
}

/* It sleeps in the call of the look again, as loops do. */
static bool is_back(pid_t pid, const struct fact_thread *thread)
{
    struct thread_call call;
    return thread_call_read_exactly(pid, thread->tid, &call) == 1 && call.fd == thread->fd &&
           strncmp(call.name, thread->call_name, sizeof thread->call_name - 1) == 0;
}

static void note_unread(struct stacks *stacks, int error)
{
    enum stack_unread why = error == EAGAIN || error == ESRCH   ? STACK_MOVED
                            : error == EACCES || error == EPERM ? STACK_REFUSED
                                                                : STACK_UNKNOWN;
    stacks->unread[why]++;
    if (why == STACK_UNKNOWN && stacks->error == 0)
        stacks->error = error;
}

/* NULL with errno. A thread that wakes again and again may be asleep the next time. */
static const struct site *site_of(struct stacks *stacks, pid_t pid, pid_t tid)
{
    const struct site *site = NULL;
    for (int i = 0; i < TRIES && site == NULL; i++) {
        site = code_site_asleep(stacks->code, pid, tid);
        if (site == NULL && errno != EAGAIN)
            break;
    }
    return site;
}

static int read_stack(struct facts *facts, struct stacks *stacks, const struct candidate *candidate)
{
    struct fact_thread *thread = &facts->threads[candidate->thread];
    pid_t pid = facts->processes[thread->process].pid;
    const struct site *site = site_of(stacks, pid, thread->tid);
    if (site == NULL && errno == ENOMEM)
        return -ENOMEM;
    if (site == NULL) {
        note_unread(stacks, errno);
        return 0;
    }
    bool sleeps = still_sleeps(pid, thread);
    if (!sleeps && !is_back(pid, thread)) {
        note_unread(stacks, EAGAIN);
        return 0;
    }
    stacks->sites[candidate->thread] = site;
    if (sleeps)
        thread->site = site;
    stacks->read++;
    add_to_group(facts, stacks, candidate);
    return 0;
}

int stacks_take(struct facts *facts, const struct stacks_settings *settings, struct stacks *stacks)
{
    int64_t until_us = monotonic_us() + settings->most_ms * 1000;
    struct candidate *candidates = candidates_of(facts);
    *stacks = (struct stacks){.code = code_new(),
                              .sites = calloc((size_t)facts->thread_count + 1, sizeof *stacks->sites),
                              .groups = calloc((size_t)facts->thread_count + 1, sizeof *stacks->groups)};
    int rc = candidates != NULL && stacks->code != NULL && stacks->sites != NULL && stacks->groups != NULL
                 ? 0
                 : -ENOMEM;
    for (int i = 0; rc == 0 && i < facts->thread_count; i++) {
        if (i >= settings->threads_most || is_stopped(settings, until_us)) {
            stacks->unread[STACK_BEYOND] = facts->thread_count - i;
            break;
        }
        rc = read_stack(facts, stacks, &candidates[i]);
    }
    free(candidates);
    for (int i = 0; rc != 0 && i < facts->thread_count; i++)
        facts->threads[i].site = NULL;
    if (rc != 0)
        stacks_free(stacks);
    else
        qsort(stacks->groups, (size_t)stacks->group_count, sizeof *stacks->groups, by_size);
    return rc;
}

void stacks_free(struct stacks *stacks)
{
    code_free(stacks->code);
    free(stacks->groups);
    free(stacks->sites);
    *stacks = (struct stacks){0};
}
