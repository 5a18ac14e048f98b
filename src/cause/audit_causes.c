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

static void append(struct cause_names *names, const char *name)
{
    size_t length = strlen(names->text);
    snprintf(names->text + length, sizeof names->text - length, "%s%s", length > 0 ? ", " : "", name);
}

struct cause_names causes_of_group(enum audit_group group)
{
    struct cause_names names = {""};
    for (size_t i = 0; group != GROUP_NONE && cause_at(i) != NULL; i++)
        if (group_of(&cause_at(i)->signature) == group)
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
