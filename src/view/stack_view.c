#include "view/stack_view.h"

#include "base/number_text.h"
#include "base/wrap.h"
#include "code/place_text.h"
#include "explain/words.h"

enum {
    GROUPS_MOST = 12, /* that have a line of their own */
    TIDS_MOST = 20,   /* of a group */
    STEP = 2,
};

/* ---- for people ---- */

static void print_others(FILE *out, const struct stacks *stacks, int indent)
{
    int threads = 0, groups = stacks->group_count - GROUPS_MOST;
    for (int i = GROUPS_MOST; i < stacks->group_count; i++)
        threads += stacks->groups[i].threads;
    if (groups > 0)
        fprintf(out, "%*sand %d more thread%s at %d place%s: --json has them\n", indent, "", threads,
                plural(threads), groups, plural(groups));
}

/* What a thread's stack does not tell of a program. */
static const char *const not_seen[] = {
    [RUNTIME_GO] = "Waiting goroutines are in no thread, so they are not seen here.",
    [RUNTIME_JVM] = "Java functions have no names here.",
    [RUNTIME_NODE] =
        "JavaScript functions have no names here, and code that waits for an event is in no thread.",
    [RUNTIME_PYTHON] = NULL,
};

static void print_not_seen(FILE *out, const struct facts *facts, int indent, int width)
{
    for (size_t runtime = 0; runtime < sizeof not_seen / sizeof not_seen[0]; runtime++)
        for (int i = 0; i < facts->process_count; i++)
            if (not_seen[runtime] != NULL && facts->processes[i].runtime == runtime) {
                wrap_print(out, not_seen[runtime], indent, width);
                break;
            }
}

void stacks_print_text(FILE *out, const struct facts *facts, const struct stacks *stacks, int indent,
                       int width)
{
    if (stacks->group_count > 0)
        wrap_print(out, "Where its threads are:", indent, width);
    for (int i = 0; i < stacks->group_count && i < GROUPS_MOST; i++)
        wrap_print(out, words_of_stacks(facts, &stacks->groups[i]).text, indent + STEP, width);
    print_others(out, stacks, indent + STEP);
    if (stacks->read > 0)
        print_not_seen(out, facts, indent, width);
    struct words unread = words_of_unread_stacks(stacks);
    if (unread.text[0] != '\0')
        wrap_print(out, unread.text, indent, width);
    if (!code_names_lines())
        wrap_print(out, "This build shows no lines of C: it was built without libdw.", indent, width);
}

/* ---- for scripts ---- */

static void put_tids(struct json_writer *json, const struct facts *facts, const struct stacks *stacks,
                     const struct stack_group *group)
{
    const struct fact_thread *first = &facts->threads[group->first];
    int told = 0;
    json_open(json, "tids", '[');
    for (int i = 0; i < facts->thread_count && told < TIDS_MOST; i++) {
        const struct fact_thread *thread = &facts->threads[i];
        if (stacks->sites[i] == NULL || thread->call != first->call ||
            !site_is_alike(stacks->sites[i], group->site))
            continue;
        json_integer(json, NULL, thread->tid);
        told++;
    }
    json_close(json, ']');
}

static void put_group(struct json_writer *json, const struct facts *facts, const struct stacks *stacks,
                      const struct stack_group *group)
{
    static const char *const interests[] = {[STACK_OF_LOOP] = "loop",
                                            [STACK_OF_LEAK] = "leak",
                                            [STACK_OF_OUTSIDE] = "outside",
                                            [STACK_OF_OTHER] = "other"};
    const struct fact_thread *first = &facts->threads[group->first];
    json_open(json, NULL, '{');
    json_string(json, "interest", interests[group->interest]);
    json_integer(json, "threads", group->threads);
    put_tids(json, facts, stacks, group);
    json_integer(json, "pid", facts->processes[first->process].pid);
    json_string(json, "call", first->call_name);
    if (group->least_ms >= 0) {
        json_integer(json, "asleep_least_ms", group->least_ms);
        json_integer(json, "asleep_most_ms", group->most_ms);
    }
    json_string(json, "what", words_of_stacks(facts, group).text);
    site_put_json(json, "stack", group->site);
    json_close(json, '}');
}

void stacks_put_json(struct json_writer *json, const struct facts *facts, const struct stacks *stacks)
{
    static const char *const whys[STACK_UNREAD_COUNT] = {[STACK_MOVED] = "moved",
                                                         [STACK_REFUSED] = "refused",
                                                         [STACK_UNKNOWN] = "unknown",
                                                         [STACK_BEYOND] = "beyond"};
    json_open(json, "stacks", '[');
    for (int i = 0; i < stacks->group_count; i++)
        put_group(json, facts, stacks, &stacks->groups[i]);
    json_close(json, ']');
    json_integer(json, "stacks_read", stacks->read);
    json_open(json, "stacks_unread", '{');
    for (int i = 0; i < STACK_UNREAD_COUNT; i++)
        json_integer(json, whys[i], stacks->unread[i]);
    json_close(json, '}');
    json_boolean(json, "names_lines", code_names_lines());
}
