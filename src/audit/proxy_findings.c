#include "audit/proxy_findings.h"

#include "kernel/process.h"
#include "kernel/socket_owner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *proxy_manner_name(enum proxy_manner manner)
{
    static const char *const names[] = {[MANNER_CLOSE] = "close",
                                        [MANNER_HALF_CLOSE] = "half_close",
                                        [MANNER_ABORT] = "abort",
                                        [MANNER_STAYS] = "stays"};
    return names[manner];
}

const char *proxy_side_name(enum proxy_side side)
{
    return side == PROXY_FRONT ? "front" : "back";
}

const char *proxy_heard_name(enum proxy_heard heard)
{
    static const char *const names[] = {
        [HEARD_NOTHING] = "nothing", [HEARD_FIN] = "fin", [HEARD_RST] = "rst"};
    return names[heard];
}

const char *proxy_pair_class_name(enum proxy_pair_class class)
{
    static const char *const names[] = {
        [PAIR_PASSED] = "passed",         [PAIR_REFUSED] = "refused",
        [PAIR_UNANSWERED] = "unanswered", [PAIR_ENDED_EARLY] = "ended_early",
        [PAIR_NO_BACKEND] = "no_backend", [PAIR_FAILED] = "failed",
        [PAIR_UNKNOWN] = "unknown",
    };
    return names[class];
}

const char *proxy_hold_name(enum proxy_hold hold)
{
    static const char *const names[] = {
        [HOLD_NONE] = "none",   [HOLD_SOCKET] = "socket",       [HOLD_NEVER_ACCEPTED] = "never_accepted",
        [HOLD_GHOST] = "ghost", [HOLD_FROM_AFAR] = "from_afar",
    };
    return names[hold];
}

const char *proxy_outcome_name(enum proxy_outcome outcome)
{
    static const char *const names[] = {
        [PROXY_LETS_GO] = "lets_go",   [PROXY_LEAKS] = "leaks",           [PROXY_LOSES] = "loses_data",
        [PROXY_ENDED] = "proxy_ended", [PROXY_NO_VERDICT] = "no_verdict", [PROXY_INTERRUPTED] = "interrupted",
    };
    return names[outcome];
}

/* ---- look by look ---- */

void proxy_findings_take_open(struct proxy_pair_result *results, int64_t count,
                              const struct link_sight *const sights[PROXY_SIDES])
{
    for (int64_t i = 0; i < count; i++)
        for (int side = 0; side < PROXY_SIDES; side++) {
            struct proxy_leg *leg = &results[i].leg[side];
            leg->was_seen |= sights[side][i].seen;
            if (leg->inode == 0)
                leg->inode = sights[side][i].inode;
        }
}

static bool has_first_gone(const struct proxy_pair_result *pair, enum proxy_side side)
{
    return (pair->manner[side] == MANNER_CLOSE || pair->manner[side] == MANNER_ABORT) &&
           pair->manner[proxy_side_other(side)] == MANNER_STAYS;
}

/* The end that is left could wait for ever, and no later byte can be of use: on a plain TCP connection nobody
 * else can go on with it. */
static void note_one_sided(struct proxy_pair_result *pair, const struct link_sight *const sight[PROXY_SIDES])
{
    for (int side = 0; side < PROXY_SIDES; side++) {
        enum proxy_side other = proxy_side_other((enum proxy_side)side);
        bool lets_go = pair->leg[side].was_seen && !link_sight_is_held(sight[side]);
        bool keeps =
            sight[other]->seen && sight[other]->state == STATE_ESTABLISHED && sight[other]->inode != 0;
        if (!has_first_gone(pair, (enum proxy_side)side) || pair->leg[other].heard != HEARD_NOTHING ||
            !lets_go || !keeps)
            continue;
        pair->is_one_sided = true;
        pair->kept_on = other;
    }
}

void proxy_findings_take_ended(struct proxy_pair_result *results, int64_t count,
                               const struct link_sight *const sights[PROXY_SIDES], bool is_http)
{
    for (int64_t i = 0; i < count; i++) {
        if (results[i].class != PAIR_PASSED)
            continue;
        for (int side = 0; side < PROXY_SIDES; side++) {
            results[i].leg[side].state = sights[side][i].seen ? sights[side][i].state : STATE_GONE;
            results[i].leg[side].has_descriptor = sights[side][i].seen && sights[side][i].inode != 0;
        }
        const struct link_sight *const both[] = {&sights[PROXY_FRONT][i], &sights[PROXY_BACK][i]};
        if (!is_http)
            note_one_sided(&results[i], both);
    }
}

int64_t proxy_findings_pooled(const struct proxy_pair *pairs, int64_t count,
                              const struct link_sight *const sights[PROXY_SIDES])
{
    int64_t pooled = 0;
    for (int64_t i = 0; i < count; i++)
        pooled += pairs[i].end[PROXY_BACK].fd >= 0 && sights[PROXY_BACK][i].seen &&
                  sights[PROXY_BACK][i].state == STATE_ESTABLISHED && sights[PROXY_BACK][i].inode != 0 &&
                  pairs[i].result->leg[PROXY_BACK].heard == HEARD_NOTHING &&
                  !link_sight_is_held(&sights[PROXY_FRONT][i]);
    return pooled;
}

static enum proxy_hold hold_of(const struct proxy_leg *leg, const struct link_sight *sight,
                               const struct unlisted_sockets *ghosts)
{
    if (link_sight_is_held(sight))
        return sight->inode != 0 ? HOLD_SOCKET : HOLD_NEVER_ACCEPTED;
    if (leg->is_reused)
        return HOLD_NONE;
    if (leg->inode != 0 && ghosts != NULL && unlisted_sockets_have(ghosts, leg->inode))
        return HOLD_GHOST;
    if (!leg->was_seen && sight->own_seen && sight->own_state == STATE_FIN_WAIT2)
        return HOLD_FROM_AFAR;
    return HOLD_NONE;
}

int64_t proxy_findings_take_held(struct proxy_pair_result *results, int64_t count,
                                 const struct link_sight *const sights[PROXY_SIDES],
                                 const struct unlisted_sockets *ghosts)
{
    int64_t held = 0;
    for (int64_t i = 0; i < count; i++)
        for (int side = 0; side < PROXY_SIDES; side++) {
            struct proxy_leg *leg = &results[i].leg[side];
            /* what it does with a client for whom it has no backend has its own timeouts */
            leg->hold = results[i].class == PAIR_PASSED ? hold_of(leg, &sights[side][i], ghosts) : HOLD_NONE;
            leg->held_state = sights[side][i].seen ? sights[side][i].state : STATE_GONE;
            leg->unread = sights[side][i].unread;
            leg->fin_with_data = sights[side][i].fin_with_data;
            if (leg->hold == HOLD_SOCKET)
                leg->inode = sights[side][i].inode;
            held += leg->hold != HOLD_NONE;
        }
    return held;
}

/* ---- whose they are ---- */

/* It is asked for once: what it is the owner of may be gone by the next time. */
static bool needs_owner(const struct proxy_pair_result *pair, enum proxy_side side)
{
    const struct proxy_leg *leg = &pair->leg[side];
    bool is_kept = pair->is_one_sided && pair->kept_on == side;
    return leg->owner == 0 && leg->inode != 0 &&
           (is_kept || leg->hold == HOLD_SOCKET || leg->hold == HOLD_GHOST);
}

static struct socket_owners *index_of_needed(const struct proxy_pair_result *pairs, int64_t count)
{
    uint64_t *inodes = calloc((size_t)count * PROXY_SIDES + 1, sizeof *inodes);
    size_t wanted = 0;
    for (int64_t i = 0; inodes != NULL && i < count; i++)
        for (int side = 0; side < PROXY_SIDES; side++)
            if (needs_owner(&pairs[i], (enum proxy_side)side))
                inodes[wanted++] = pairs[i].leg[side].inode;
    struct socket_owners *owners = inodes != NULL ? socket_owners_new(inodes, wanted) : NULL;
    free(inodes);
    return owners;
}

int proxy_findings_find_owners(struct proxy_pair_result *pairs, int64_t count,
                               const struct server_processes *proxy)
{
    struct socket_owners *owners = index_of_needed(pairs, count);
    if (owners == NULL)
        return -ENOMEM;
    for (int i = 0; i < proxy->count; i++)
        socket_owners_read_pid(owners, proxy->each[i]);
    int rc = socket_owners_read_others(owners, proxy->each, proxy->count);
    struct process_command command = {""};
    pid_t named = 0; /* whose name that is: most have the same owner */
    for (int64_t i = 0; i < count; i++)
        for (int side = 0; side < PROXY_SIDES; side++) {
            struct proxy_leg *leg = &pairs[i].leg[side];
            pid_t owner =
                needs_owner(&pairs[i], (enum proxy_side)side) ? socket_owner_of(owners, leg->inode) : 0;
            if (owner == 0)
                continue;
            if (owner != named)
                command = process_command(owner);
            named = leg->owner = owner;
            memcpy(leg->command, command.text, sizeof leg->command);
        }
    socket_owners_free(owners);
    return rc < 0 ? rc : 0;
}

/* ---- what was lost ---- */

static enum proxy_side first_of(const struct proxy_pair_result *pair)
{
    return pair->manner[PROXY_FRONT] != MANNER_STAYS ? PROXY_FRONT : PROXY_BACK;
}

static bool ends_with_fin(enum proxy_manner manner)
{
    return manner == MANNER_CLOSE || manner == MANNER_HALF_CLOSE;
}

/* All that our end on that side has sent came out at the other one. */
static bool has_arrived(const struct proxy_pair_result *pair, enum proxy_side from)
{
    return pair->leg[proxy_side_other(from)].received >= pair->leg[from].sent;
}

/* The second one has answered a half-close, and not taken the answer back with an RST. */
static bool answers_half_close(const struct proxy_pair_result *pair)
{
    enum proxy_side first = first_of(pair), second = proxy_side_other(first);
    return pair->class == PAIR_PASSED && pair->manner[first] == MANNER_HALF_CLOSE &&
           pair->manner[second] != MANNER_ABORT && pair->leg[second].sent > 0;
}

static bool is_answered(const struct proxy_pair_result *pair)
{
    enum proxy_side second = proxy_side_other(first_of(pair));
    return answers_half_close(pair) && pair->leg[second].sent == PROXY_BLOCK && has_arrived(pair, second);
}

/* What the first one sends must arrive, unless its RST takes it back. What the second one sends to a
 * half-closed first one need not, of a proxy that takes a half-close for the end: but half of it is no such
 * thing, nor is nothing now and all of it another time. */
static void note_losses(struct proxy_pair_result *pair, const bool keeps_half_open[PROXY_SIDES], bool is_http)
{
    enum proxy_side first = first_of(pair), second = proxy_side_other(first);
    if (pair->class != PAIR_PASSED)
        return;
    bool is_due = ends_with_fin(pair->manner[first]) || (is_http && pair->manner[first] == MANNER_STAYS);
    pair->is_lost[first] = is_due && !has_arrived(pair, first);
    pair->is_lost[second] = answers_half_close(pair) && !has_arrived(pair, second) &&
                            (keeps_half_open[first] || pair->leg[first].received > 0);
}

/* ---- all of them ---- */

static void add_to_cell(struct proxy_cell *cell, const struct proxy_pair_result *pair)
{
    enum proxy_side first = first_of(pair);
    cell->count++;
    for (int side = 0; side < PROXY_SIDES; side++)
        cell->held[side] += pair->leg[side].hold != HOLD_NONE;
    if (pair->class != PAIR_PASSED)
        return;
    cell->passed++;
    for (int side = 0; side < PROXY_SIDES; side++) {
        cell->heard[side][pair->leg[side].heard]++;
        cell->early[side] += pair->leg[side].heard_early;
    }
    cell->answered += is_answered(pair);
    cell->replied += pair->leg[PROXY_BACK].sent == PROXY_BLOCK && has_arrived(pair, PROXY_BACK);
    cell->lost += pair->is_lost[first] || pair->is_lost[proxy_side_other(first)];
    cell->one_sided += pair->is_one_sided;
}

static bool is_held(const struct proxy_pair_result *pair)
{
    return pair->leg[PROXY_FRONT].hold != HOLD_NONE || pair->leg[PROXY_BACK].hold != HOLD_NONE;
}

static void sum_up(struct proxy_result *result, int64_t with_others)
{
    for (int64_t i = 0; i < with_others; i++) {
        const struct proxy_pair_result *pair = &result->pairs[i];
        result->held += is_held(pair);
        for (int side = 0; side < PROXY_SIDES; side++)
            result->by_hold[pair->leg[side].hold]++;
        result->lost += pair->is_lost[PROXY_FRONT] || pair->is_lost[PROXY_BACK];
        result->one_sided += pair->is_one_sided;
        bool is_seen = pair->leg[PROXY_FRONT].was_seen && pair->leg[PROXY_BACK].was_seen;
        result->is_here |= is_seen;
        result->unseen += pair->class == PAIR_PASSED && !is_seen;
        result->reused += pair->leg[PROXY_BACK].is_reused;
    }
}

void proxy_findings_conclude(struct proxy_result *result, int64_t with_others, bool is_http)
{
    bool keeps_half_open[PROXY_SIDES] = {false, false};
    for (int64_t i = 0; i < result->count; i++)
        if (is_answered(&result->pairs[i]))
            keeps_half_open[first_of(&result->pairs[i])] = true;
    for (int64_t i = 0; i < with_others; i++)
        note_losses(&result->pairs[i], keeps_half_open, is_http);
    for (int64_t i = 0; i < result->count; i++) {
        const struct proxy_pair_result *pair = &result->pairs[i];
        result->by_class[pair->class]++;
        add_to_cell(&result->cells[pair->manner[PROXY_FRONT]][pair->manner[PROXY_BACK]], pair);
    }
    sum_up(result, with_others);
}

static bool is_enough(const struct proxy_result *result)
{
    for (int client = 0; client < MANNER_COUNT; client++)
        for (int backend = 0; backend < MANNER_COUNT; backend++) {
            const struct proxy_cell *cell = &result->cells[client][backend];
            if (cell->passed == 0 || cell->passed * 10 < cell->count * 9)
                return false;
        }
    return true;
}

enum proxy_outcome proxy_outcome_of(const struct proxy_result *result)
{
    if (result->interrupted)
        return PROXY_INTERRUPTED;
    if (result->failure != NULL)
        return PROXY_NO_VERDICT;
    if (result->fate == FATE_ENDED || result->fate == FATE_CRASHED)
        return PROXY_ENDED;
    if (result->by_class[PAIR_PASSED] == 0) /* whatever it is, it is no proxy to there */
        return PROXY_NO_VERDICT;
    if (result->held > 0 || result->one_sided > 0)
        return PROXY_LEAKS;
    if (result->lost > 0)
        return PROXY_LOSES;
    bool has_seen_all = result->ghost_sight == GHOSTS_SEEN && result->unseen == 0;
    return is_enough(result) && has_seen_all ? PROXY_LETS_GO : PROXY_NO_VERDICT;
}
