#include "model/script.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const trigger_names[] = {
    [TRIGGER_NOW] = "now", [TRIGGER_LIFE] = "life", [TRIGGER_DATA] = "data", [TRIGGER_EOF] = "eof"};
enum { TRIGGER_COUNT = sizeof trigger_names / sizeof trigger_names[0] };

/* What the other side hears of an act; false: nothing. */
static bool is_heard_as(enum act act, enum trigger *trigger)
{
    bool writes = act == ACT_WRITE || act == ACT_FINISH;
    *trigger = writes ? TRIGGER_DATA : TRIGGER_EOF;
    return writes || act == ACT_CLOSE || act == ACT_SHUTDOWN || act == ACT_ABORT;
}

/* By the last thing before that step which the side did or could hear. */
static enum trigger trigger_of(const struct close_order *order, int step, enum side side)
{
    for (int before = step - 1; before > 0; before--) {
        const struct order_step *at = order_step_at(order, before);
        enum trigger trigger;
        if (order_step_is_by(at, side))
            return TRIGGER_NOW;
        if (is_heard_as(at->act, &trigger))
            return trigger;
    }
    return TRIGGER_LIFE;
}

struct script script_of(const struct close_order *order, enum side side)
{
    struct script script = {0};
    for (int step = 1; step < order_step_count(order); step++) {
        const struct order_step *at = order_step_at(order, step);
        if (order_step_is_by(at, side))
            script.steps[script.count++] = (struct script_step){trigger_of(order, step, side), at->act};
    }
    return script;
}

struct script_text script_text(const struct script *script)
{
    struct script_text out = {""};
    for (int i = 0; i < script->count; i++)
        TEXT_ADD(out.text, "%s%s@%s", i > 0 ? " " : "", act_name(script->steps[i].act),
                 trigger_names[script->steps[i].when]);
    if (script->count == 0)
        TEXT_ADD(out.text, "-");
    return out;
}

bool script_ends(const struct script *script)
{
    return script->count > 0 && act_releases(script->steps[script->count - 1].act);
}

bool script_has(const struct script *script, enum act act)
{
    for (int i = 0; i < script->count; i++)
        if (script->steps[i].act == act)
            return true;
    return false;
}

int script_add_word(struct script *script, const char *word)
{
    char name[16];
    size_t length = strcspn(word, "@");
    snprintf(name, sizeof name, "%.*s", (int)length, word);
    enum act act = act_parse(name);
    if (!act_is_on_ends(act) || word[length] != '@' || script->count == SCRIPT_STEPS_MAX)
        return -EINVAL;
    for (int i = 0; i < TRIGGER_COUNT; i++) {
        if (strcmp(trigger_names[i], word + length + 1) != 0)
            continue;
        script->steps[script->count++] = (struct script_step){(enum trigger)i, act};
        return 0;
    }
    return -EINVAL;
}
