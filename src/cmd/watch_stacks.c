#include "cmd/watch_stacks.h"

#include "base/diag.h"
#include "cmd/command.h"
#include "view/json_events.h"
#include "view/stack_view.h"

#include <string.h>

enum {
    EPOLL_MOST = 20000, /* entries: read in some 25 ms, for which the set is locked */
    THREADS_MOST = 1000,
    MOST_MS = 2000,
    WIDTH = 98,
};

static int tell_unseen(pid_t pid, int error)
{
    diag_error("--stacks: the threads of process %d cannot be inspected: %s", (int)pid, strerror(error));
    return EXIT_MACHINE;
}

static void print_json(FILE *out, pid_t pid, const struct facts *facts, const struct stacks *stacks)
{
    struct json_writer json = {.out = out};
    json_event_open(&json, JSON_STACKS);
    json_integer(&json, "pid", pid);
    stacks_put_json(&json, facts, stacks);
    json_close(&json, '}');
    json_end_line(&json);
}

int watch_stacks_show(pid_t pid, FILE *text, FILE *json)
{
    const struct facts_request request = {.pid = pid, .max_epoll = EPOLL_MOST};
    const struct stacks_settings settings = {.threads_most = THREADS_MOST, .most_ms = MOST_MS};
    struct facts facts;
    struct stacks stacks;
    int rc = facts_take(&request, &facts);
    if (rc != 0)
        return tell_unseen(pid, -rc);
    rc = stacks_take(&facts, &settings, &stacks);
    if (rc == 0 && text != NULL)
        stacks_print_text(text, &facts, &stacks, 0, WIDTH);
    if (rc == 0 && json != NULL)
        print_json(json, pid, &facts, &stacks);
    if (rc == 0)
        stacks_free(&stacks);
    facts_free(&facts);
    return rc == 0 ? EXIT_AS_EXPECTED : tell_unseen(pid, -rc);
}
