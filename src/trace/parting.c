#include "trace/parting.h"

#include "base/array.h"
#include "base/hash.h"
#include "base/number_set.h"
#include "code/site_part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * A way is made of lanes, one for each process that has called: what a parent and its child do at the same
 * time has no order that means anything. In a lane each step stands where it was made first, and the lane's
 * last one, which may be there already, at its end too.
 */

enum {
    LANES = 8,      /* further processes share the last one */
    OWN_PLACES = 5, /* by which a stack is told */
};

struct step {
    const struct traced_note *note;
    uint64_t key; /* what a reader would tell it by */
    int lane;
};

struct way {
    struct step *steps; /* lane after lane */
    int count;
    uint64_t key; /* of its set of steps, and the last of each lane */
    const struct traced_note *last, *close;
};

struct group {
    struct way way;
    enum parting_end end;
    int64_t count;
    const struct traced_connection *example;
};

struct groups {
    struct group *each;
    size_t room;
    int count;
    struct number_set keys;
    int *at; /* beside the set: which group */
};

/* ---- a step ---- */

static uint64_t add_text(uint64_t hash, const char *text)
{
    return hash_add(hash, text != NULL ? text : "", text != NULL ? strlen(text) + 1 : 1);
}

static uint64_t add_place(uint64_t hash, const struct place *place)
{
    hash = add_text(hash, place->function);
    if (place->line > 0) {
        hash = add_text(hash, place->path != NULL ? place->path : place->file);
        return hash_add(hash, &place->line, sizeof place->line);
    }
    hash = add_text(hash, place->module);
    return place->function != NULL ? hash : hash_add(hash, &place->offset, sizeof place->offset);
}

/* The places that a reader is told, and some more. Those further out say little: which thread it was, and
 * code that is made at run time has no names, and is elsewhere each time. */
static uint64_t add_site(uint64_t hash, const struct site *site)
{
    const int most = site != NULL && site->own < 0 ? SITE_PART_PLACES : OWN_PLACES;
    int told = 0;
    for (int i = site_at(site); i >= 0 && i < site->count && told < most; i = site_next(site, i), told++)
        hash = add_place(hash, &site->places[i]);
    return hash;
}

static uint64_t key_of(const struct traced_note *note, int lane)
{
    uint64_t hash = add_text(HASH_OF_NOTHING, note->call->name);
    const int tells[] = {(int)note->result, note->result == RESULT_ERROR ? note->error : 0, note->detail,
                         lane};
    return add_site(hash_add(hash, tells, sizeof tells), note->site);
}

bool notes_are_alike(const struct traced_note *a, const struct traced_note *b)
{
    return key_of(a, 0) == key_of(b, 0);
}

bool note_is_idle(const struct traced_note *note)
{
    return note->result == RESULT_ERROR && (note->error == EAGAIN || note->error == EINTR);
}

/* What a process does with all of its descriptors says nothing of one of them. */
static bool is_a_step(const struct traced_note *note)
{
    const enum traced_act act = note->call->act;
    return act != TRACED_EXEC && act != TRACED_RING && act != TRACED_ATTACH && !note_is_idle(note);
}

bool note_ends_it(const struct traced_note *note)
{
    return note->call->act == TRACED_CLOSE || note->call->act == TRACED_EXIT;
}

/* ---- a way ---- */

static int lane_of(pid_t *pids, int *count, pid_t pid)
{
    for (int i = 0; i < *count; i++)
        if (pids[i] == pid)
            return i;
    if (*count == LANES)
        return LANES - 1;
    pids[*count] = pid;
    return (*count)++;
}

static int find_step(const struct way *way, int lane, uint64_t key)
{
    for (int i = 0; i < way->count; i++)
        if (way->steps[i].lane == lane && way->steps[i].key == key)
            return i;
    return -1;
}

/* Stable: there are few steps, and they come nearly sorted. */
static void sort_lanes(struct way *way)
{
    for (int i = 1; i < way->count; i++)
        for (int k = i; k > 0 && way->steps[k - 1].lane > way->steps[k].lane; k--) {
            struct step step = way->steps[k];
            way->steps[k] = way->steps[k - 1];
            way->steps[k - 1] = step;
        }
}

/* Returns 0 or -ENOMEM. */
static int way_make(struct way *way, const struct traced_connection *connection, enum parting_end end)
{
    pid_t pids[LANES];
    int lanes = 0, last_of[LANES];
    *way = (struct way){.steps = calloc((size_t)connection->count + LANES, sizeof *way->steps)};
    if (way->steps == NULL)
        return -ENOMEM;
    for (int i = 0; i < connection->count; i++) {
        const struct traced_note *note = &connection->notes[i];
        if (!is_a_step(note))
            continue;
        int lane = lane_of(pids, &lanes, note->pid);
        uint64_t key = key_of(note, lane);
        int at = find_step(way, lane, key);
        if (at < 0) {
            at = way->count++;
            way->steps[at] = (struct step){.note = note, .key = key, .lane = lane};
            way->key += key;
        }
        last_of[lane] = at;
        way->last = note;
        way->close = note_ends_it(note) ? note : way->close;
    }
    for (int lane = 0, firsts = way->count; lane < lanes; lane++) {
        struct step last = way->steps[last_of[lane]];
        bool is_at_end = true;
        for (int i = last_of[lane] + 1; i < firsts; i++)
            is_at_end &= way->steps[i].lane != lane;
        if (!is_at_end)
            way->steps[way->count++] = last;
        way->key += hash_add(last.key, "last", 4);
    }
    way->key = hash_add(way->key, &end, sizeof end);
    way->key += way->key == 0; /* a set has no 0 */
    sort_lanes(way);
    return 0;
}

/* ---- groups ---- */

static void groups_free(struct groups *groups)
{
    for (int i = 0; i < groups->count; i++)
        free(groups->each[i].way.steps);
    free(groups->each);
    free(groups->at);
    number_set_free(&groups->keys);
}

/* Takes the way. Returns 0 or -ENOMEM. */
static int groups_add(struct groups *groups, struct way *way, const struct parting_sample *sample)
{
    int is_new = number_set_add(&groups->keys, way->key);
    size_t slot = is_new < 0 ? NO_SLOT : number_set_slot(&groups->keys, way->key);
    if (is_new == 0) {
        groups->each[groups->at[slot]].count++;
        free(way->steps);
        return 0;
    }
    if (is_new < 0 || ARRAY_RESERVE(groups->each, groups->room, groups->count + 1) != 0) {
        free(way->steps);
        return -ENOMEM;
    }
    groups->at[slot] = groups->count;
    groups->each[groups->count++] =
        (struct group){.way = *way, .end = sample->end, .count = 1, .example = sample->connection};
    return 0;
}

static int compare_groups(const void *a, const void *b)
{
    const struct group *one = a, *other = b;
    return one->count != other->count      ? (one->count < other->count ? 1 : -1)
           : one->way.key < other->way.key ? -1
                                           : one->way.key > other->way.key;
}

/* Returns 0 or -ENOMEM. */
static int groups_make(struct groups *groups, const struct parting_sample *samples, int64_t count)
{
    int rc = number_set_reserve(&groups->keys, (size_t)count + 1);
    if (rc == 0)
        groups->at = calloc(groups->keys.slot_count, sizeof *groups->at);
    if (rc != 0 || groups->at == NULL)
        return -ENOMEM;
    for (int64_t i = 0; i < count && rc == 0; i++) {
        struct way way;
        if (samples[i].connection == NULL || samples[i].end >= PARTING_UNACCEPTED)
            continue;
        rc = way_make(&way, samples[i].connection, samples[i].end);
        rc = rc == 0 ? groups_add(groups, &way, &samples[i]) : rc;
    }
    if (groups->count > 0)
        qsort(groups->each, (size_t)groups->count, sizeof *groups->each, compare_groups);
    return rc;
}

/* ---- two ways next to each other ---- */

/* Where two ways part: in the first lane that differs, behind so many steps of it. */
struct difference {
    int lane; /* LANES: they are the same */
    int steps;
    int common; /* steps that they have in common before that, and in it */
};

static int lane_begin(const struct way *way, int lane)
{
    int at = 0;
    while (at < way->count && way->steps[at].lane < lane)
        at++;
    return at;
}

static struct difference compare_ways(const struct way *a, const struct way *b)
{
    struct difference difference = {.lane = 0};
    for (; difference.lane < LANES; difference.lane++) {
        int at = lane_begin(a, difference.lane), a_end = lane_begin(a, difference.lane + 1);
        int to = lane_begin(b, difference.lane), b_end = lane_begin(b, difference.lane + 1);
        difference.steps = 0;
        while (at < a_end && to < b_end && a->steps[at].key == b->steps[to].key)
            at++, to++, difference.steps++;
        difference.common += difference.steps;
        if (at < a_end || to < b_end)
            break;
    }
    return difference;
}

/* The last call that they have in common. */
static const struct traced_note *common_end(const struct way *way, const struct difference *difference)
{
    int at = lane_begin(way, difference->lane) + difference->steps;
    if (difference->lane >= LANES)
        return way->last;
    return at > 0 ? way->steps[at - 1].note : NULL;
}

/* ---- forks ---- */

/* What a branch is built from, beside each fork. */
struct fork_plan {
    const struct way *way; /* of its first group that was not closed */
    struct difference difference;
};

static bool is_odd(const struct group *group)
{
    return group->end != PARTING_CLOSED;
}

static bool same_steps(const struct parting_branch *a, const struct parting_branch *b)
{
    bool same =
        a->end == b->end && a->step_count == b->step_count && (a->close == NULL) == (b->close == NULL);
    for (int i = 0; same && i < a->step_count; i++)
        same = notes_are_alike(a->steps[i], b->steps[i]);
    return same;
}

/* Returns 0 or -ENOMEM. */
static int add_branch(struct parting_fork *fork, const struct group *group,
                      const struct difference *difference)
{
    struct parting_branch branch = {.end = group->end,
                                    .count = group->count,
                                    .example = group->example,
                                    .last = group->way.last,
                                    .close = group->way.close,
                                    .steps = calloc((size_t)group->way.count + 1, sizeof *branch.steps)};
    struct parting_branch *branches =
        realloc(fork->branches, ((size_t)fork->count + 1) * sizeof *fork->branches);
    fork->branches = branches != NULL ? branches : fork->branches;
    if (branches == NULL || branch.steps == NULL) {
        free(branch.steps);
        return -ENOMEM;
    }
    int from = lane_begin(&group->way, difference->lane) + difference->steps;
    for (int i = from; i < group->way.count; i++)
        branch.steps[branch.step_count++] = group->way.steps[i].note;
    for (int i = 0; i < fork->count; i++)
        if (same_steps(&branches[i], &branch)) {
            branches[i].count += branch.count;
            free(branch.steps);
            return 0;
        }
    branches[fork->count++] = branch;
    fork->has_closed |= group->end == PARTING_CLOSED;
    return 0;
}

/* The group of closed ones that went with it furthest. */
static const struct group *partner_of(const struct groups *groups, const struct way *way,
                                      struct difference *difference)
{
    const struct group *best = NULL;
    for (int i = 0; i < groups->count; i++) {
        struct difference other = compare_ways(&groups->each[i].way, way);
        if (is_odd(&groups->each[i]) || (best != NULL && other.common <= difference->common))
            continue;
        best = &groups->each[i];
        *difference = other;
    }
    return best;
}

/* Which fork has the same way up to there; parting->count: none yet. */
static int fork_of(const struct parting *parting, const struct fork_plan *plans, const struct way *way,
                   const struct difference *difference)
{
    int at = 0;
    for (; at < parting->count; at++) {
        struct difference with = compare_ways(plans[at].way, way);
        bool is_same =
            plans[at].difference.lane == difference->lane && plans[at].difference.steps == difference->steps;
        bool goes_there = with.lane > difference->lane ||
                          (with.lane == difference->lane && with.steps >= difference->steps);
        if (is_same && goes_there)
            break;
    }
    return at;
}

/* Returns 0 or -ENOMEM. */
static int add_closed(struct parting_fork *fork, const struct groups *groups, const struct fork_plan *plan)
{
    int rc = 0;
    for (int i = 0; i < groups->count && rc == 0; i++) {
        struct difference with = compare_ways(&groups->each[i].way, plan->way);
        if (!is_odd(&groups->each[i]) && with.lane == plan->difference.lane &&
            with.steps == plan->difference.steps)
            rc = add_branch(fork, &groups->each[i], &with);
    }
    return rc;
}

/* Returns 0 or -ENOMEM. */
static int add_odd(struct parting *parting, struct fork_plan *plans, const struct groups *groups,
                   const struct group *group)
{
    struct difference difference = {.lane = 0};
    bool has_partner = partner_of(groups, &group->way, &difference) != NULL;
    int at = fork_of(parting, plans, &group->way, &difference), rc = 0;
    struct parting_fork *fork = &parting->forks[at];
    if (at == parting->count) {
        plans[at] = (struct fork_plan){.way = &group->way, .difference = difference};
        *fork = (struct parting_fork){.is_same = has_partner && difference.lane == LANES,
                                      .after = has_partner ? common_end(&group->way, &difference) : NULL};
        parting->count++;
        rc = has_partner ? add_closed(fork, groups, &plans[at]) : 0;
    }
    return rc == 0 ? add_branch(fork, group, &difference) : rc;
}

/* Where nothing is to be compared: how they were closed. */
static int add_all_closed(struct parting *parting, const struct groups *groups)
{
    int rc = 0;
    parting->count = groups->count > 0;
    for (int i = 0; i < groups->count && rc == 0; i++) {
        const struct way *way = &groups->each[i].way;
        struct difference whole = {.lane = way->count > 0 ? way->steps[way->count - 1].lane : 0};
        int begin = lane_begin(way, whole.lane);
        whole.steps = way->count > begin ? way->count - begin - 1 : 0;
        rc = add_branch(&parting->forks[0], &groups->each[i], &whole);
    }
    return rc;
}

static int make_forks(struct parting *parting, const struct groups *groups)
{
    struct fork_plan *plans = calloc((size_t)groups->count + 1, sizeof *plans);
    int rc = 0;
    bool has_odd = false;
    parting->forks = calloc((size_t)groups->count + 1, sizeof *parting->forks);
    if (parting->forks == NULL || plans == NULL)
        rc = -ENOMEM;
    for (int i = 0; i < groups->count && rc == 0; i++)
        if (is_odd(&groups->each[i])) {
            has_odd = true;
            rc = add_odd(parting, plans, groups, &groups->each[i]);
        }
    if (rc == 0 && !has_odd)
        rc = add_all_closed(parting, groups);
    free(plans);
    return rc;
}

/* ---- all of it ---- */

static const struct traced_note *accept_of(const struct traced_connection *connection)
{
    for (int i = 0; connection != NULL && i < connection->count; i++)
        if (connection->notes[i].call->act == TRACED_ACCEPT)
            return &connection->notes[i];
    return NULL;
}

/* At the same line, whoever called it. */
static bool is_same_place(const struct traced_note *a, const struct traced_note *b)
{
    return a == b || strcmp(site_part_text(a->site, 1, 0).text, site_part_text(b->site, 1, 0).text) == 0;
}

/* The majority's, by Boyer and Moore: where there is none any of them. */
static void find_accept(struct parting *parting, const struct parting_sample *samples, int64_t count)
{
    int64_t lead = 0;
    for (int64_t i = 0; i < count; i++) {
        const struct traced_note *accept = accept_of(samples[i].connection);
        if (accept == NULL)
            continue;
        if (lead == 0)
            parting->accepted = accept;
        lead += is_same_place(parting->accepted, accept) ? 1 : -1;
    }
    for (int64_t i = 0; i < count; i++) {
        const struct traced_note *accept = accept_of(samples[i].connection);
        parting->accepted_elsewhere += accept != NULL && !is_same_place(parting->accepted, accept);
    }
}

static bool is_of_same_own_line(const struct traced_note *a, const struct traced_note *b)
{
    const struct site *one = a->site, *other = b->site;
    if (one == NULL || other == NULL || one->own < 0 || other->own < 0)
        return false;
    const struct place *mine = &one->places[one->own], *its = &other->places[other->own];
    return mine->line > 0 && mine->line == its->line && mine->path != NULL && its->path != NULL &&
           strcmp(mine->path, its->path) == 0;
}

/* A library that reads, closes and accepts by itself is called by one line of the program's: that of its
 * loop. */
static void find_own_before(struct parting_fork *fork, const struct traced_note *accepted)
{
    const struct traced_connection *held = NULL;
    for (int i = 0; i < fork->count && held == NULL; i++)
        if (fork->branches[i].end != PARTING_CLOSED)
            held = fork->branches[i].example;
    if (held == NULL || fork->after == NULL || accepted == NULL ||
        !is_of_same_own_line(fork->after, accepted))
        return;
    for (int i = 0; i < held->count; i++) {
        const struct site *site = held->notes[i].site;
        if (site != NULL && site->own >= 0 && !is_of_same_own_line(&held->notes[i], accepted))
            fork->own_before = &held->notes[i];
    }
}

int parting_find(const struct parting_sample *samples, int64_t count, struct parting *parting)
{
    struct groups groups = {.count = 0};
    *parting = (struct parting){.count = 0};
    for (int64_t i = 0; i < count; i++) {
        parting->by_end[samples[i].end]++;
        parting->unseen[samples[i].end] += samples[i].connection == NULL;
    }
    find_accept(parting, samples, count);
    int rc = groups_make(&groups, samples, count);
    if (rc == 0)
        rc = make_forks(parting, &groups);
    for (int i = 0; i < parting->count && rc == 0; i++)
        find_own_before(&parting->forks[i], parting->accepted);
    groups_free(&groups);
    return rc;
}

void parting_free(struct parting *parting)
{
    for (int i = 0; i < parting->count; i++) {
        for (int k = 0; k < parting->forks[i].count; k++)
            free(parting->forks[i].branches[k].steps);
        free(parting->forks[i].branches);
    }
    free(parting->forks);
    *parting = (struct parting){.count = 0};
}
