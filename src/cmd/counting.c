#include "cmd/counting.h"

#include "base/diag.h"
#include "cmd/command.h"
#include "events/socket_events.h"

#include <stddef.h>

enum { LOOKS_BY_AUTO = 0, EVENTS = 3 };

const char *const counting_witness_choices[] = {"auto", "netlink", "procfs", [EVENTS] = "events", NULL};

int counting_open(struct run_settings *settings)
{
    struct events_refusal why;
    if (settings->witness != EVENTS)
        return EXIT_AS_EXPECTED;
    settings->witness = LOOKS_BY_AUTO;
    settings->events = socket_events_open(&why);
    if (settings->events != NULL)
        return EXIT_AS_EXPECTED;
    diag_error("--witness events: %s; --witness auto works without them", why.text);
    return EXIT_MACHINE;
}

void counting_close(struct run_settings *settings)
{
    socket_events_close(settings->events);
    settings->events = NULL;
}
