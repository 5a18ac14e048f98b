/* What became of the server's processes in a round. */
#include "audit/audit_state.h"
#include "audit/server_process.h"
#include "base/clock.h"

enum {
    ENDING_US = 1000000, /* for a process that has lost its listening socket */
    ENDING_PAUSE_US = 20000,
};

/* ---- what became of the server's processes ---- */

static bool listens_as_before(const struct audit *audit)
{
    for (int i = 0; i < audit->listener_count_before; i++)
        for (int k = 0; k < audit->look.listener_count; k++)
            if (audit->listeners_before[i] == audit->look.listeners[k])
                return true;
    return audit->listener_count_before == 0;
}

/* A process that ends loses its sockets first: a moment later it is gone. */
static bool is_server_over(struct audit *audit)
{
    int64_t until_us = monotonic_us() + ENDING_US;
    while (!server_life_is_over(audit->life, &audit->result->ending)) {
        if (!server_life_is_known(audit->life) || monotonic_us() > until_us || audit_is_called_off(audit))
            return false;
        audit_let_pass(audit, ENDING_PAUSE_US);
    }
    return true;
}

bool audit_has_no_future(const struct audit *audit)
{
    return audit->result->fate == FATE_ENDED || audit->result->fate == FATE_CRASHED;
}

static void note_crash(struct audit *audit)
{
    struct audit_ending ending;
    if (audit_has_no_future(audit) || !server_life_has_crash(audit->life, &ending))
        return;
    audit->result->fate = FATE_CRASHED;
    audit->result->ending = ending;
}

void audit_note_late_end(struct audit *audit, bool is_out_of_sight)
{
    note_crash(audit);
    if (is_out_of_sight && !audit_has_no_future(audit) && is_server_over(audit))
        audit->result->fate = FATE_ENDED;
}

void audit_note_fate(struct audit *audit)
{
    struct audit_result *result = audit->result;
    if (listens_as_before(audit)) {
        note_crash(audit);
        return;
    }
    if (is_server_over(audit))
        result->fate = FATE_ENDED;
    else
        result->fate = server_life_is_known(audit->life) ? FATE_STOPPED : FATE_STOPPED_SOMEHOW;
}
