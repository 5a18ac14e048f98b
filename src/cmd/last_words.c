#include "cmd/last_words.h"

#include "base/diag.h"
#include "base/memory.h"
#include "cmd/command.h"
#include "cmd/outputs.h"
#include "control/spawn.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_controller;
static char loop_text[256]; /* what libevent said last */

static void leave_without_memory(void)
{
    if (has_controller)
        _exit(PROCESS_OUT_OF_MEMORY);
    diag_error("out of memory");
    outputs_hurry(); /* the loop that would hear a signal does not turn any more */
    exit(outputs_finish(EXIT_MACHINE));
}

/* libevent's text is for its own makers, but for the error's words at its end. */
static const char *loop_error(void)
{
    const char *last = strrchr(loop_text, ':');
    return last != NULL && last[1] == ' ' ? last + 2 : loop_text;
}

static void leave_without_loop(void)
{
    if (has_controller)
        _exit(PROCESS_LOOP_FAILED);
    diag_error("the event loop cannot go on: %s", loop_error());
    outputs_hurry();
    exit(outputs_finish(EXIT_MACHINE));
}

/* After these a descriptor is not heard any more, or nothing is. libevent hands the error on, but where a
 * stream of its own wanted to hear or to write there is nobody who gets it. */
static bool is_deaf_after(const char *text)
{
    static const char *const starts[] = {"Epoll ", "epoll_wait", "epoll_pwait", "poll"};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (strncmp(text, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

/* Other warnings are of something that libevent then does in another way. */
static void on_loop_log(int severity, const char *text)
{
    if (severity < EVENT_LOG_WARN)
        return;
    snprintf(loop_text, sizeof loop_text, "%s", text);
    if (is_deaf_after(text))
        leave_without_loop();
}

static void on_loop_fatal(int error)
{
    (void)error;
    leave_without_loop();
}

void last_words_prepare(void)
{
    memory_on_exhausted(leave_without_memory);
    event_set_mem_functions(memory_get, memory_resize, free);
    event_set_log_callback(on_loop_log);
    event_set_fatal_callback(on_loop_fatal);
}

void last_words_by_status(void)
{
    has_controller = true;
}
