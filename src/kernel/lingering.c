#include "kernel/lingering.h"

#include "base/array.h"
#include "kernel/socket_owner.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A socket whose owner is looked up after the look: /proc must not hold up the dump. */
struct held {
    uint64_t inode;
    int64_t heard_ms;
    pid_t pid; /* its owner; 0: not known */
    uint8_t side, state;
    bool unread, stalled, fin_with_data;
};

struct class_tally {
    struct lingering_class class;
    pid_t last_pid;
};

struct survey {
    const struct look_target *target;
    struct held *held;
    size_t held_count, held_room;
    struct class_tally *tallies;
    size_t tally_count, tally_room;
    int64_t seen;
};

static bool same_class(const struct lingering_class *a, const struct lingering_class *b)
{
    return a->side == b->side && a->state == b->state && a->unread == b->unread && a->stalled == b->stalled &&
           a->fin_with_data == b->fin_with_data && a->owned == b->owned && a->listed == b->listed &&
           strcmp(a->command, b->command) == 0;
}

static struct class_tally *tally_of(struct survey *survey, const struct lingering_class *class)
{
    for (size_t i = 0; i < survey->tally_count; i++)
        if (same_class(&survey->tallies[i].class, class))
            return &survey->tallies[i];
    if (ARRAY_RESERVE(survey->tallies, survey->tally_room, survey->tally_count + 1) != 0)
        return NULL;
    struct class_tally *tally = &survey->tallies[survey->tally_count++];
    *tally = (struct class_tally){.class = *class};
    tally->class.pid = 0;
    return tally;
}

/* `one` is a class of a single socket; those with an owner come in ascending order of its pid. */
static int add(struct survey *survey, const struct lingering_class *one)
{
    struct class_tally *tally = tally_of(survey, one);
    if (tally == NULL)
        return -ENOMEM;
    struct lingering_class *class = &tally->class;
    class->count++;
    if (class->oldest_ms < one->oldest_ms)
        class->oldest_ms = one->oldest_ms;
    if (one->pid == tally->last_pid)
        return 0;
    if (class->pid == 0)
        class->pid = one->pid;
    class->processes++;
    tally->last_pid = one->pid;
    return 0;
}

/* Where something is unread the FIN is: it is the last. */
static bool may_be_unseen(const struct socket_entry *entry)
{
    return entry->fin_with_data && entry->unread == 0;
}

static int add_unowned(struct survey *survey, const struct socket_entry *entry, enum side side)
{
    return add(survey, &(struct lingering_class){
                           .side = side,
                           .state = entry->state,
                           .unread = entry->unread > 0,
                           .stalled = entry->needs_window,
                           .fin_with_data = may_be_unseen(entry),
                           .oldest_ms = entry->heard_ms,
                       });
}

static int hold(struct survey *survey, const struct socket_entry *entry, enum side side)
{
    if (ARRAY_RESERVE(survey->held, survey->held_room, survey->held_count + 1) != 0)
        return -ENOMEM;
    survey->held[survey->held_count++] = (struct held){
        .inode = entry->inode,
        .heard_ms = entry->heard_ms,
        .side = (uint8_t)side,
        .state = (uint8_t)entry->state,
        .unread = entry->unread > 0,
        .stalled = entry->needs_window,
        .fin_with_data = may_be_unseen(entry),
    };
    return 0;
}

static int hold_listener(struct survey *survey, uint64_t inode, enum side side)
{
    const struct socket_entry alone = {.state = STATE_LISTEN, .inode = inode, .heard_ms = -1};
    return hold(survey, &alone, side);
}

static int survey_socket(void *context, const struct socket_entry *entry)
{
    struct survey *survey = context;
    look_target_pulse(survey->target, ++survey->seen);
    enum side side = look_target_side(survey->target, entry);
    if (side == SIDE_COUNT || entry->state == STATE_TIME_WAIT)
        return 0;
    if (entry->state == STATE_LISTEN) /* what is unread and unsent means something else there */
        return entry->inode == 0 ? 0 : hold_listener(survey, entry->inode, side);
    return entry->inode == 0 ? add_unowned(survey, entry, side) : hold(survey, entry, side);
}

static struct socket_owners *owners_wanted(const struct survey *survey)
{
    uint64_t *inodes = calloc(survey->held_count + 1, sizeof *inodes);
    if (inodes == NULL)
        return NULL;
    for (size_t i = 0; i < survey->held_count; i++)
        inodes[i] = survey->held[i].inode;
    struct socket_owners *owners = socket_owners_new(inodes, survey->held_count);
    free(inodes);
    return owners;
}

/* A process that is gone, or may not be read, leaves its sockets without a known owner, which is no error.
 * One that we failed to read is: whoever holds its sockets would be nobody. */
static bool is_no_error(int rc)
{
    return rc >= 0 || rc == -ESRCH || rc == -ENOENT || rc == -EACCES || rc == -EPERM;
}

static int read_owners(struct survey *survey, struct socket_owners *owners, const pid_t *pids, int pid_count)
{
    for (int i = 0; i < pid_count; i++) {
        int rc = socket_owners_read_pid(owners, pids[i]);
        if (!is_no_error(rc))
            return rc;
        look_target_pulse(survey->target,
                          0); /* a process may hold as many sockets as a look has met by then */
    }
    int rc = socket_owners_read_others(owners, pids, pid_count);
    return is_no_error(rc) ? 0 : rc;
}

static int find_owners(struct survey *survey, const pid_t *pids, int pid_count)
{
    struct socket_owners *owners = owners_wanted(survey);
    if (owners == NULL)
        return -ENOMEM;
    int rc = read_owners(survey, owners, pids, pid_count);
    for (size_t i = 0; rc == 0 && i < survey->held_count; i++)
        survey->held[i].pid = socket_owner_of(owners, survey->held[i].inode);
    socket_owners_free(owners);
    return rc;
}

static int by_pid(const void *a, const void *b)
{
    const struct held *one = a, *other = b;
    return (one->pid > other->pid) - (one->pid < other->pid);
}

static int add_held(struct survey *survey, const pid_t *pids, int pid_count)
{
    struct lingering_class one = {.owned = true};
    int rc = 0;
    if (survey->held_count > 0)
        qsort(survey->held, survey->held_count, sizeof *survey->held, by_pid);
    for (size_t i = 0; rc == 0 && i < survey->held_count; i++) {
        const struct held *held = &survey->held[i];
        if (held->pid != one.pid) {
            one.pid = held->pid;
            one.listed = pid_is_among(one.pid, pids, pid_count);
            memcpy(one.command, process_command(one.pid).text, sizeof one.command);
        }
        if (held->state == STATE_LISTEN && one.listed) /* as it should be */
            continue;
        one.side = (enum side)held->side;
        one.state = (enum tcp_state)held->state;
        one.unread = held->unread;
        one.stalled = held->stalled;
        one.fin_with_data = held->fin_with_data;
        one.oldest_ms = held->heard_ms;
        rc = add(survey, &one);
    }
    return rc;
}

static int largest_first(const void *a, const void *b)
{
    const struct lingering_class *one = a, *other = b;
    if (one->count != other->count)
        return one->count < other->count ? 1 : -1;
    if (one->state != other->state)
        return one->state < other->state ? -1 : 1;
    return strcmp(one->command, other->command);
}

static int by_side(const void *a, const void *b)
{
    const struct lingering_class *one = a, *other = b;
    if (one->side != other->side)
        return one->side < other->side ? -1 : 1;
    return largest_first(a, b);
}

/* A tally starts with its class, so that tallies sort as classes do. */
static void deliver(struct survey *survey, struct lingering *out)
{
    _Static_assert(offsetof(struct class_tally, class) == 0, "tallies are compared as classes");
    if (survey->tally_count > 0)
        qsort(survey->tallies, survey->tally_count, sizeof *survey->tallies, largest_first);
    for (size_t i = 0; i < survey->tally_count; i++) {
        out->total += survey->tallies[i].class.count;
        if (out->count < LINGERING_MAX)
            out->each[out->count++] = survey->tallies[i].class;
    }
    qsort(out->each, (size_t)out->count, sizeof out->each[0], by_side);
}

int64_t lingering_since_ms(const struct lingering_class *class)
{
    bool begins_with_a_segment = class->state == STATE_CLOSE_WAIT || class->state == STATE_FIN_WAIT2;
    return begins_with_a_segment ? class->oldest_ms : -1;
}

bool lingering_is_strange(const struct lingering_class *class)
{
    return class->owned && class->pid != 0 && !class->listed;
}

void lingering_add(struct lingering *lingering, const struct lingering_class *class)
{
    struct lingering_class *same = NULL;
    for (int i = 0; i < lingering->count; i++)
        if (same_class(&lingering->each[i], class))
            same = &lingering->each[i];
    if (same != NULL) {
        same->count += class->count;
        same->processes += class->processes;
        same->oldest_ms = same->oldest_ms > class->oldest_ms ? same->oldest_ms : class->oldest_ms;
        if (strcmp(same->host, class->host) != 0)
            same->host[0] = '\0';
    } else if (lingering->count < LINGERING_MAX) {
        lingering->each[lingering->count++] = *class;
    }
    qsort(lingering->each, (size_t)lingering->count, sizeof lingering->each[0], by_side);
}

int lingering_look(const struct witness_backend *backend, const struct look_target *target, const pid_t *pids,
                   int pid_count, struct lingering *out)
{
    struct survey survey = {.target = target};
    *out = (struct lingering){.count = 0};
    int rc = backend->each_detailed(target->address.family, &target->ports, survey_socket, &survey);
    if (rc == 0)
        rc = find_owners(&survey, pids, pid_count);
    if (rc == 0)
        rc = add_held(&survey, pids, pid_count);
    if (rc == 0)
        deliver(&survey, out);
    free(survey.held);
    free(survey.tallies);
    return rc;
}
