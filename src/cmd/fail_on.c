#include "cmd/fail_on.h"

#include "base/parse.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ITEM_SIZE = 64, YEAR_MS = 365 * 24 * 3600LL * 1000 };

/* CLOSE_WAIT and ghosts are judged together: with keep-alive the one becomes the other. */
static uint32_t leaks(void)
{
    uint32_t groups = 0;
    for (int group = 0; group < WATCH_GROUPS; group++)
        if (watch_groups[group].is_leak && group != GROUP_CLOSE_WAIT && group != GROUP_GHOSTS)
            groups |= GROUP_SET(group);
    return groups;
}

static int refuse_group(const char *name, char *why, size_t why_size)
{
    snprintf(why, why_size, "\"%s\" is not a group: the groups are ", name);
    for (int group = 0; group < WATCH_GROUPS; group++)
        text_add(why, why_size, "%s%s",
                 group == 0                 ? ""
                 : group + 1 < WATCH_GROUPS ? ", "
                                            : " and ",
                 watch_groups[group].name);
    return -EINVAL;
}

static int take_group(struct fail_on *fail_on, const char *name, char *why, size_t why_size)
{
    const uint32_t both = GROUP_SET(GROUP_CLOSE_WAIT) | GROUP_SET(GROUP_GHOSTS);
    enum watch_group group = watch_group_named(name);
    if (group == WATCH_GROUPS)
        return refuse_group(name, why, why_size);
    if (!fail_on->is_chosen)
        fail_on->growth = 0;
    fail_on->is_chosen = true;
    fail_on->growth |= GROUP_SET(group);
    if ((fail_on->growth & both) == both)
        fail_on->growth = (fail_on->growth & ~both) | GROUP_SET(GROUP_OWED);
    return 0;
}

/* What stands before the colon, and behind it; NULL: there is no colon. */
static int take_item(struct fail_on *fail_on, const char *name, const char *value, bool *takes_groups,
                     char *why, size_t why_size)
{
    bool is_group = *takes_groups && value == NULL && watch_group_named(name) != WATCH_GROUPS;
    if (is_group)
        return take_group(fail_on, name, why, why_size);
    *takes_groups = strcmp(name, "growth") == 0 && value != NULL;
    if (*takes_groups)
        return take_group(fail_on, value, why, why_size);
    if (strcmp(name, "nothing") == 0 && value == NULL)
        return 0;
    if (strcmp(name, "growth") == 0) {
        fail_on->growth = leaks();
        fail_on->is_chosen = false;
        return 0;
    }
    if (strcmp(name, "age") == 0 && value != NULL && parse_duration(value, 1, YEAR_MS, &fail_on->age_ms) == 0)
        return 0;
    if (strcmp(name, "eta") == 0 && value != NULL && parse_duration(value, 1, YEAR_MS, &fail_on->eta_ms) == 0)
        return 0;
    if (strcmp(name, "count") == 0 && value != NULL && parse_count(value, 1, INT32_MAX, &fail_on->count) == 0)
        return 0;
    snprintf(why, why_size,
             "must be growth, growth:GROUP, age:TIME, count:NUMBER, eta:TIME or nothing, or several of them "
             "separated by commas");
    return -EINVAL;
}

int fail_on_parse(const char *text, void *target, char *why, size_t why_size)
{
    bool takes_groups = false;
    for (const char *rest = text; rest != NULL;) {
        char item[ITEM_SIZE];
        const char *end = strchr(rest, ',');
        int length = end != NULL ? (int)(end - rest) : (int)strlen(rest);
        snprintf(item, sizeof item, "%.*s", length, rest);
        char *colon = strchr(item, ':');
        if (colon != NULL)
            *colon = '\0';
        int rc = take_item(target, item, colon != NULL ? colon + 1 : NULL, &takes_groups, why, why_size);
        if (rc != 0)
            return rc;
        rest = end != NULL ? end + 1 : NULL;
    }
    return 0;
}

bool fail_on_is_any(const struct fail_on *fail_on)
{
    return fail_on->growth != 0 || fail_on->age_ms > 0 || fail_on->count > 0 || fail_on->eta_ms > 0;
}

const char *fail_on_takes_time(const struct fail_on *fail_on)
{
    return fail_on->growth != 0 ? "growth" : fail_on->eta_ms > 0 ? "eta" : NULL;
}
