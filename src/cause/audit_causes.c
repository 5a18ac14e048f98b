#include "cause/audit_causes.h"

#include "cause/cause.h"

#include <stdio.h>
#include <string.h>

/* What the signature says of what the server leaves, in the audit's words. */
static enum audit_group group_of(const struct signature *signature)
{
    if (signature->at_fault == SIDE_SERVER && signature->state == STATE_FIN_WAIT2)
        return GROUP_SHUT_DOWN;
    if (signature->at_fault == SIDE_SERVER && signature->leaves_ghosts)
        return GROUP_GHOST;
    if (signature->at_fault == SIDE_SERVER && signature->is_stalled)
        return GROUP_STALLED;
    if (signature->at_fault != SIDE_SERVER || signature->state != STATE_CLOSE_WAIT)
        return GROUP_NONE;
    if (signature->owner == OWNER_NONE)
        return GROUP_NO_OWNER;
    if (signature->owner == OWNER_OTHER)
        return GROUP_OTHER_PROCESS;
    return signature->eof == EOF_UNREAD ? GROUP_EOF_UNREAD : GROUP_EOF_READ;
}

static void append(struct cause_names *names, const char *name)
{
    size_t length = strlen(names->text);
    snprintf(names->text + length, sizeof names->text - length, "%s%s", length > 0 ? ", " : "", name);
}

/* How many connections to others have come with those that are held. */
static int64_t outgoing(const struct audit_growth *growth)
{
    int64_t count = 0;
    for (int i = 0; i < growth->count; i++)
        count += growth->rows[i].kind == STOCK_TCP_OUTGOING ? growth->rows[i].count : 0;
    return count;
}

/* What else of it there is to be seen, where it was looked for. */
static bool fits(const struct fault_case *cause, enum audit_group group, const struct audit_result *result)
{
    enum { EACH = 2 }; /* descriptors at most that a connection takes */
    int64_t held = result->by_group[group];
    bool was_seen = result->ghost_sight == GHOSTS_SEEN && result->growth.rounds > 0;
    if (cause->descriptors_each > 1 && was_seen && outgoing(&result->growth) * 2 < held)
        return false;
    if (cause->signature.fails_accept && result->descriptors_left > result->count * EACH)
        return false;
    return !cause->signature.on_one_path || held * 10 < result->audited * 9;
}

static bool is_one_of(enum audit_group group, enum audit_group a, enum audit_group b)
{
    return group == a || group == b;
}

/* Where nobody knows whether EOF was read both readings fit; after a reset every server that does not hear of
 * it holds a descriptor of nothing, whatever the reason. */
static bool looks_like(const struct signature *signature, enum audit_group group, bool clients_reset)
{
    enum audit_group own = group_of(signature);
    if (group == GROUP_EOF_UNSURE)
        return is_one_of(own, GROUP_EOF_READ, GROUP_EOF_UNREAD);
    if (group == GROUP_GHOST)
        return clients_reset && (own == GROUP_GHOST || is_one_of(own, GROUP_EOF_READ, GROUP_EOF_UNREAD));
    return own == group;
}

struct cause_names causes_of_group(enum audit_group group, const struct audit_result *result,
                                   bool clients_reset)
{
    struct cause_names names = {""};
    for (size_t i = 0; group != GROUP_NONE && cause_at(i) != NULL; i++)
        if (looks_like(&cause_at(i)->signature, group, clients_reset) && fits(cause_at(i), group, result))
            append(&names, cause_at(i)->bug.name);
    return names;
}

struct cause_names causes_of_losses(bool by_reset)
{
    struct cause_names names = {""};
    for (size_t i = 0; cause_at(i) != NULL; i++) {
        const struct signature *signature = &cause_at(i)->signature;
        bool resets = signature->has_counter && signature->counter == COUNTER_ABORT_ON_CLOSE;
        if (signature->at_fault == SIDE_SERVER && signature->loses && resets == by_reset)
            append(&names, cause_at(i)->bug.name);
    }
    return names;
}

static bool has_leak_behind(const struct audit_growth *growth)
{
    for (int i = 0; i < growth->count; i++)
        if (growth->rows[i].kind == STOCK_TCP_OUTGOING && growth->rows[i].verdict == GROWTH_GOES_ON)
            return true;
    return false;
}

struct cause_names causes_of_growth(const struct audit_result *result)
{
    struct cause_names names = {""};
    bool is_clean = result->by_class[CLASS_HELD] + result->by_class[CLASS_NEVER_ACCEPTED] == 0;
    for (size_t i = 0; is_clean && has_leak_behind(&result->growth) && cause_at(i) != NULL; i++)
        if (cause_at(i)->signature.leaves_elsewhere)
            append(&names, cause_at(i)->bug.name);
    return names;
}
