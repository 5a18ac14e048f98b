#include "trace/live_trace.h"

#include "base/array.h"
#include "base/clock.h"
#include "kernel/process.h"
#include "kernel/witness.h"
#include "trace/call_events.h"
#include "trace/live_call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    WAIT_MS = 10, /* the rings are read as often */
    SETTLE_MS = 5,
    MOST_UNRETURNED = 8, /* calls on one connection */
    LOOKS = 5,           /* tries, while the kernel's table changes too fast */
};

struct live_trace {
    pid_t pid;
    struct call_events events;
    struct live_calls calls;
};

/* ---- its beginning ---- */

struct pid_list {
    pid_t *each;
    size_t count, room;
};

static int add_pid(void *context, pid_t pid)
{
    struct pid_list *list = context;
    if (ARRAY_RESERVE(list->each, list->room, list->count + 1) < 0)
        return -ENOMEM;
    list->each[list->count++] = pid;
    return 0;
}

static int follow(struct live_trace *trace)
{
    long numbers[LIVE_CALLS], returning[LIVE_CALLS];
    struct pid_list pids = {0};
    int count = live_call_numbers(numbers), returning_count = live_call_returning(returning);
    int rc = process_shares_network(trace->pid);
    if (rc == 0)
        rc = add_pid(&pids, trace->pid);
    if (rc == 0)
        rc = process_each_descendant(trace->pid, add_pid, &pids);
    if (rc == 0)
        rc = call_events_open(&trace->events, pids.each, (int)pids.count, numbers, count, returning,
                              returning_count);
    free(pids.each);
    return rc;
}

static int64_t now_ns(void)
{
    return monotonic_us() * 1000;
}

/* What a thread begins while this reads is heard of as well, and later. */
static void take_waiting(struct live_trace *trace)
{
    for (size_t i = 0; i < trace->events.thread_count; i++)
        live_call_take_waiting(&trace->calls, trace->events.threads[i].pid, trace->events.threads[i].tid);
}

struct live_trace *live_trace_start(pid_t pid)
{
    struct live_trace *trace = calloc(1, sizeof *trace);
    int rc = trace == NULL || (trace->calls.code = code_new()) == NULL ? -ENOMEM : 0;
    if (rc == 0) {
        trace->pid = pid;
        trace->calls.from_ns = now_ns();
        rc = follow(trace);
    }
    if (rc == 0) {
        take_waiting(trace);
        return trace;
    }
    live_trace_free(trace);
    errno = -rc;
    return NULL;
}

void live_trace_free(struct live_trace *trace)
{
    if (trace == NULL)
        return;
    call_events_close(&trace->events);
    live_calls_clear(&trace->calls);
    free(trace);
}

int live_trace_run(struct live_trace *trace, int64_t ms, const volatile sig_atomic_t *is_over)
{
    int64_t until_us = monotonic_us() + ms * 1000;
    int rc = 0;
    while (rc >= 0 && monotonic_us() < until_us && !*is_over) {
        struct process_stat stat;
        call_events_wait(&trace->events, WAIT_MS);
        rc = call_events_read(&trace->events, live_call_hear, &trace->calls);
        rc = trace->calls.error != 0 ? trace->calls.error : rc;
        if (rc == 0 && (process_stat_of(trace->pid, &stat) == -ESRCH || process_has_ended(&stat)))
            rc = -ESRCH;
    }
    return rc < 0 ? rc : 0;
}

/* ---- what the kernel says of the connections ---- */

struct table {
    int64_t at_ns;
    struct number_set all, left; /* inodes; left: by the peer (CLOSE_WAIT) */
    struct number_set held; /* of sockets that the program has a descriptor of; of the second look only */
};

static void table_free(struct table *table)
{
    number_set_free(&table->all);
    number_set_free(&table->left);
    number_set_free(&table->held);
}

static int take_held(void *context, int fd, uint64_t inode)
{
    (void)fd;
    return number_set_add(context, inode) < 0 ? -ENOMEM : 0;
}

/* Of each process that the calls have told of, and of those that were silent. */
static int read_held(const struct live_trace *trace, struct table *table)
{
    struct pid_list pids = {0};
    int rc = add_pid(&pids, trace->pid);
    if (rc == 0)
        rc = process_each_descendant(trace->pid, add_pid, &pids);
    for (const struct live_process *each = trace->calls.processes.first; each != NULL && rc == 0;
         each = each->next)
        rc = add_pid(&pids, each->pid);
    for (size_t i = 0; i < pids.count && rc == 0; i++) {
        rc = process_each_socket(pids.each[i], take_held, &table->held);
        rc = rc == -ESRCH || rc == -EACCES ? 0 : rc;
    }
    free(pids.each);
    return rc;
}

static int take_socket(void *context, const struct socket_entry *entry)
{
    struct table *table = context;
    if (entry->inode == 0)
        return 0;
    if (number_set_add(&table->all, entry->inode) < 0 ||
        (entry->state == STATE_CLOSE_WAIT && number_set_add(&table->left, entry->inode) < 0))
        return -ENOMEM;
    return 0;
}

static int read_table(struct table *table)
{
    int rc = 0;
    const struct witness_backend *witness = witness_choose(0, &rc);
    for (int tries = 0; witness != NULL && tries < LOOKS; tries++) {
        table_free(table);
        *table = (struct table){.at_ns = now_ns()};
        rc = witness->each(AF_INET, NULL, take_socket, table);
        if (rc == 0)
            rc = witness->each(AF_INET6, NULL, take_socket, table);
        if (rc != -EINTR)
            break;
    }
    return rc;
}

/* ---- what became of them ---- */

/* Both looks in between, what the kernel says of it counts, not what calls were seen. */
static enum parting_end end_of(const struct live_connection *connection, const struct table *before,
                               const struct table *after, struct live_result *result)
{
    uint64_t inode = connection->inode;
    bool is_there = number_set_has(&after->all, inode), was_there = number_set_has(&before->all, inode);
    bool was_left = number_set_has(&before->left, inode), is_left = number_set_has(&after->left, inode);
    bool is_held = number_set_has(&after->held, inode), is_quiet = connection->noted_ns < before->at_ns;
    /* the peer has reset it: it has left the table, and its descriptor is there */
    bool is_ghost = is_held && !is_there && !was_there;
    if (is_quiet && ((was_left && is_left) || is_ghost)) {
        result->lingering++;
        return PARTING_HELD;
    }
    if (is_held || is_there)
        result->open++;
    else if (connection->descriptors == 0 || inode != 0)
        result->closed++;
    else
        result->unknown++;
    return is_held || is_there || (connection->descriptors > 0 && inode == 0) ? PARTING_OTHER
                                                                              : PARTING_CLOSED;
}

/* Those of the program that were accepted before, and that nobody has accepted here. */
static int count_earlier(const struct live_trace *trace, const struct table *before,
                         const struct table *after, struct live_result *result)
{
    struct number_set followed = {0};
    int rc = 0;
    for (size_t i = 0; i < trace->calls.count && rc == 0; i++)
        if (trace->calls.connections[i]->inode != 0)
            rc = number_set_add(&followed, trace->calls.connections[i]->inode) < 0 ? -ENOMEM : 0;
    for (size_t i = 0; i < after->left.slot_count && rc == 0; i++) {
        uint64_t inode = after->left.slots[i];
        result->earlier += inode != 0 && number_set_has(&before->left, inode) &&
                           number_set_has(&after->held, inode) && !number_set_has(&followed, inode);
    }
    number_set_free(&followed);
    return rc;
}

/* ---- the report ---- */

static int copy_notes(const struct live_connection *connection, struct traced_connection *into)
{
    const struct traced_connection *is = &connection->known->is;
    *into = *is;
    into->inode = connection->inode;
    into->is_open = connection->descriptors > 0;
    into->notes = malloc(((size_t)is->count + MOST_UNRETURNED) * sizeof *into->notes);
    if (into->notes == NULL)
        return -ENOMEM;
    if (is->count > 0)
        memcpy(into->notes, is->notes, (size_t)is->count * sizeof *is->notes);
    return 0;
}

static int add_holder(struct traced_connection *into, const struct live_process *process,
                      const struct live_connection *connection)
{
    if (into->holder_count > 0 && into->holders[into->holder_count - 1].pid == process->pid)
        return 0;
    struct traced_holder *more = realloc(into->holders, ((size_t)into->holder_count + 1) * sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    into->holders = more;
    bool was_open = connection->known->born < process->forked;
    into->holders[into->holder_count++] =
        (struct traced_holder){.pid = process->pid, .forked_at = was_open ? process->forked_at : NULL};
    return 0;
}

static struct traced_connection *report_of(struct live_result *result,
                                           const struct live_connection *connection)
{
    return &result->report.connections[connection->known->is.inode - 1]; /* its number */
}

static int add_holders(const struct live_trace *trace, struct live_result *result)
{
    for (const struct live_process *process = trace->calls.processes.first; process != NULL;
         process = process->next)
        for (size_t fd = 0; fd < process->room; fd++) {
            const struct live_connection *connection = process->connections[fd];
            if (connection != NULL && add_holder(report_of(result, connection), process, connection) < 0)
                return -ENOMEM;
        }
    return 0;
}

/* A call that has not returned. */
static void add_unreturned(const struct live_thread *thread, struct live_result *result)
{
    const struct live_connection *connection = thread->reads;
    if (connection == NULL || thread->call == NULL)
        return;
    struct traced_connection *into = report_of(result, connection);
    if (into->count >= connection->known->is.count + MOST_UNRETURNED)
        return;
    into->notes[into->count++] = (struct traced_note){
        .call = thread->call, .pid = thread->process->pid, .times = 1, .site = thread->site};
}

static int make_report(struct live_trace *trace, const struct table *before, const struct table *after,
                       struct live_result *result)
{
    struct live_calls *calls = &trace->calls;
    struct trace_report *report = &result->report;
    report->connections = calloc(calls->count + 1, sizeof *report->connections);
    result->samples = calloc(calls->count + 1, sizeof *result->samples);
    if (report->connections == NULL || result->samples == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < calls->count; i++) {
        if (copy_notes(calls->connections[i], &report->connections[i]) < 0)
            return -ENOMEM;
        report->count++;
        result->samples[i] = (struct parting_sample){&report->connections[i],
                                                     end_of(calls->connections[i], before, after, result)};
    }
    for (int i = 0; i < THREAD_BUCKETS; i++)
        for (const struct live_thread *thread = calls->processes.threads[i]; thread != NULL;
             thread = thread->next)
            add_unreturned(thread, result);
    report->calls = calls->calls;
    report->rings = calls->rings;
    report->foreign = calls->foreign;
    result->lost = trace->events.lost;
    result->unplaced = calls->unplaced;
    int rc = add_holders(trace, result);
    if (rc == 0)
        rc = count_earlier(trace, before, after, result);
    if (rc == 0) {
        report->code = calls->code; /* the sites are the report's from now on */
        calls->code = NULL;
    }
    return rc;
}

int live_trace_end(struct live_trace *trace, int64_t lingering_ms, struct live_result *result)
{
    struct table before = {0}, after = {0};
    const volatile sig_atomic_t never = 0;
    *result = (struct live_result){.lingering_ms = lingering_ms};
    int rc = live_trace_run(trace, SETTLE_MS, &never);
    bool has_ended = rc == -ESRCH;
    rc = has_ended ? 0 : rc;
    live_call_find_inodes(&trace->calls);
    if (rc == 0)
        rc = read_table(&before);
    if (rc == 0 && !has_ended)
        rc = live_trace_run(trace, lingering_ms, &never);
    if (rc == 0 || rc == -ESRCH)
        rc = read_table(&after);
    if (rc == 0)
        rc = read_held(trace, &after);
    if (rc == 0)
        rc = live_trace_run(trace, SETTLE_MS, &never); /* what was before that look is in no ring any more */
    if (rc == 0 || rc == -ESRCH)
        rc = make_report(trace, &before, &after, result);
    table_free(&before);
    table_free(&after);
    if (rc < 0)
        live_result_free(result);
    return rc;
}

void live_result_free(struct live_result *result)
{
    free(result->samples);
    trace_report_free(&result->report);
    *result = (struct live_result){.lost = 0};
}
