#include "trace/gathering.h"

#include "kernel/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

struct gathering {
    struct tracing *tracing;
    struct trace_report *report;
    struct known_connection **known; /* by the places in the report */
    const struct traced_process *process;
};

/* ---- the connections, in the order in which they were met ---- */

static int by_birth(const void *one, const void *other)
{
    const struct known_connection *a = *(struct known_connection *const *)one,
                                  *b = *(struct known_connection *const *)other;
    return (a->born > b->born) - (a->born < b->born);
}

static int list_known(struct gathering *gathering)
{
    const struct call_history *history = &gathering->tracing->history;
    size_t count = 0;
    gathering->known = malloc((history->count + 1) * sizeof(struct known_connection *));
    if (gathering->known == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < history->bucket_count; i++)
        for (struct known_connection *each = history->buckets[i]; each != NULL; each = each->next)
            gathering->known[count++] = each;
    qsort(gathering->known, count, sizeof(struct known_connection *), by_birth);
    return 0;
}

/* There is room for the calls that have not returned. */
static int copy_connection(struct known_connection *known, struct traced_connection *into)
{
    *into = known->is;
    into->notes = malloc(((size_t)(known->is.count + known->unreturned) + 1) * sizeof *into->notes);
    if (into->notes == NULL) {
        into->count = 0;
        return -ENOMEM;
    }
    if (known->is.count > 0)
        memcpy(into->notes, known->is.notes, (size_t)known->is.count * sizeof *into->notes);
    return 0;
}

static int copy_connections(struct gathering *gathering)
{
    struct trace_report *report = gathering->report;
    size_t count = gathering->tracing->history.count;
    int rc = 0;
    report->connections = calloc(count + 1, sizeof *report->connections);
    if (report->connections == NULL)
        return -ENOMEM;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        gathering->known[i]->place = (int)i;
        rc = copy_connection(gathering->known[i], &report->connections[report->count++]);
    }
    return rc;
}

/* ---- calls that have not returned ---- */

static int count_unreturned(void *context, struct tracee *tracee)
{
    (void)context;
    for (int i = 0; i < tracee->pending_count; i++)
        tracee->pending[i].connection->unreturned++;
    return 0;
}

static int add_unreturned(void *context, struct tracee *tracee)
{
    const struct gathering *gathering = context;
    for (int i = 0; i < tracee->pending_count; i++) {
        const struct pending_note *pending = &tracee->pending[i];
        struct traced_connection *into = &gathering->report->connections[pending->connection->place];
        into->notes[into->count] = pending->note;
        into->notes[into->count++].times = 1;
        pending->connection->unreturned = 0;
    }
    return 0;
}

/* ---- who has them ---- */

/* It came with a message, not with its birth. */
static bool has_received(const struct traced_connection *connection, pid_t pid)
{
    for (int i = 0; i < connection->count; i++)
        if (connection->notes[i].call->number == SYS_recvmsg && connection->notes[i].detail != 0 &&
            connection->notes[i].pid == pid)
            return true;
    return false;
}

static int add_holder(void *context, int fd, uint64_t inode)
{
    const struct gathering *gathering = context;
    const struct traced_process *process = gathering->process;
    const struct known_connection *known = tracing_connection(gathering->tracing, inode);
    (void)fd;
    if (known == NULL)
        return 0;
    struct traced_connection *into = &gathering->report->connections[known->place];
    if (into->holder_count > 0 && into->holders[into->holder_count - 1].pid == process->pid)
        return 0; /* another descriptor of it */
    struct traced_holder *more =
        realloc(into->holders, ((size_t)into->holder_count + 1) * sizeof *more); /* they are few */
    if (more == NULL)
        return -ENOMEM;
    into->holders = more;
    bool was_open = known->born < process->forked && !has_received(into, process->pid);
    into->holders[into->holder_count++] =
        (struct traced_holder){.pid = process->pid, .forked_at = was_open ? process->forked_at : NULL};
    into->is_open = true;
    return 0;
}

static int save_face(void *context, struct tracee *tracee)
{
    const struct gathering *gathering = context;
    tracing_save_face(gathering->tracing, tracee);
    return 0;
}

static int add_process(void *context, const struct traced_process *process)
{
    struct gathering *gathering = context;
    gathering->process = process;
    int rc = process_each_socket(process->face, add_holder, gathering);
    gathering->report->hidden += rc == -EACCES;
    return rc == -ESRCH || rc == -EACCES ? 0 : rc;
}

int trace_report_gather(struct tracing *tracing, struct trace_report *report)
{
    struct gathering gathering = {.tracing = tracing, .report = report};
    *report = (struct trace_report){
        .calls = tracing->calls,
        .rings = tracing->rings,
        .foreign = tracing->foreign,
        .set_user = tracing->set_user,
        .attaches = tracing->attaches,
        .unknown_sockets = tracing->unknown_sockets,
    };
    int rc = tracing->error != 0 ? tracing->error : list_known(&gathering);
    if (rc == 0) {
        tracees_each(&tracing->tracees, count_unreturned, NULL);
        rc = copy_connections(&gathering);
    }
    if (rc == 0) {
        tracees_each(&tracing->tracees, add_unreturned, &gathering);
        tracees_each(&tracing->tracees, save_face, &gathering);
        rc = tracees_each_process(&tracing->tracees, add_process, &gathering);
    }
    free(gathering.known);
    if (rc != 0)
        trace_report_free(report);
    return rc;
}
