#include "cause/audit_causes.h"

#include "cause/cause.h"

#include <stdio.h>
#include <string.h>

/* What the signature says of sockets that linger in CLOSE_WAIT, in the audit's words. */
static enum audit_group group_of(const struct signature *signature)
{
    if (signature->at_fault != SIDE_SERVER || signature->state != STATE_CLOSE_WAIT)
        return GROUP_NONE;
    if (signature->owner == OWNER_NONE)
        return GROUP_NO_OWNER;
    if (signature->owner == OWNER_OTHER)
        return GROUP_OTHER_PROCESS;
    return signature->eof == EOF_UNREAD ? GROUP_EOF_UNREAD : GROUP_EOF_READ;
}

/* Where nobody knows whether EOF was read both readings fit. */
static bool is_in_group(const struct signature *signature, enum audit_group group)
{
    enum audit_group of_signature = group_of(signature);
    if (group == GROUP_EOF_UNSURE)
        return of_signature == GROUP_EOF_READ || of_signature == GROUP_EOF_UNREAD;
    return of_signature == group;
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

struct cause_names causes_of_group(enum audit_group group, const struct audit_result *result)
{
    struct cause_names names = {""};
    for (size_t i = 0; group != GROUP_NONE && cause_at(i) != NULL; i++)
        if (is_in_group(&cause_at(i)->signature, group) && fits(cause_at(i), group, result))
            append(&names, cause_at(i)->bug.name);
    return names;
}

struct cause_names causes_of_resets(void)
{
    struct cause_names names = {""};
    for (size_t i = 0; cause_at(i) != NULL; i++)
        if (cause_at(i)->signature.at_fault == SIDE_SERVER && cause_at(i)->signature.state == STATE_GONE)
            append(&names, cause_at(i)->bug.name);
    return names;
}
