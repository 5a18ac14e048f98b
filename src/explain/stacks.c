#include "explain/stacks.h"

#include "base/clock.h"
#include "code/place_text.h"
#include "explain/loop.h"
#include "kernel/thread_clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
                        const struct fact_thread *thread)
{
    const struct fact_thread *first = &facts->threads[group->first];
    return site_is_alike(group->site, thread->site) && first->call == thread->call &&
           strcmp(first->call_name, thread->call_name) == 0;
}

static void count_sleep(struct stack_group *group, int64_t asleep_ms)
{
    if (asleep_ms < 0)
        return;
    if (group->least_ms < 0 || asleep_ms < group->least_ms)
        group->least_ms = asleep_ms;
    if (asleep_ms > group->most_ms)
        group->most_ms = asleep_ms;
}

static void add_to_group(const struct facts *facts, struct stacks *stacks, const struct candidate *candidate)
{
    const struct fact_thread *thread = &facts->threads[candidate->thread];
    struct stack_group *group = stacks->groups, *end = group + stacks->group_count;
    while (group < end && !is_of_group(facts, group, thread))
        group++;
    if (group == end) {
        stacks->group_count++;
        *group = (struct stack_group){.site = thread->site,
                                      .interest = candidate->interest,
                                      .first = candidate->thread,
                                      .least_ms = -1,
                                      .most_ms = -1};
    }
    group->threads++;
    count_sleep(group, thread->asleep_ms);
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

static void note_unread(struct stacks *stacks, int error)
{
    enum stack_unread why = error == EAGAIN || error == ESRCH   ? STACK_MOVED
                            : error == EACCES || error == EPERM ? STACK_REFUSED
                                                                : STACK_UNKNOWN;
    stacks->unread[why]++;
    if (why == STACK_UNKNOWN && stacks->error == 0)
        stacks->error = error;
}

static int read_stack(struct facts *facts, struct stacks *stacks, const struct candidate *candidate)
{
    struct fact_thread *thread = &facts->threads[candidate->thread];
    pid_t pid = facts->processes[thread->process].pid;
    const struct site *site = code_site_asleep(stacks->code, pid, thread->tid);
    int error = site == NULL ? errno : still_sleeps(pid, thread) ? 0 : EAGAIN;
    if (error == ENOMEM)
        return -ENOMEM;
    if (error != 0) {
        note_unread(stacks, error);
        return 0;
    }
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
                              .groups = calloc((size_t)facts->thread_count + 1, sizeof *stacks->groups)};
    int rc = candidates != NULL && stacks->code != NULL && stacks->groups != NULL ? 0 : -ENOMEM;
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
    *stacks = (struct stacks){0};
}
