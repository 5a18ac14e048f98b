/* What became of the server's processes in a round, and of their descriptors. */
#include "audit/audit_state.h"
#include "audit/ghosts.h"
#include "audit/server_process.h"
#include "base/clock.h"

#include <errno.h>

enum {
    GHOST_PAUSE_US = 25000, /* between two readings of descriptors, twice as long each time */
    GHOST_PAUSE_MAX_US = 800000,
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

void audit_note_crash(struct audit *audit)
{
    struct audit_ending ending;
    if (audit_has_no_future(audit) || !server_life_has_crash(audit->life, &ending))
        return;
    audit->result->fate = FATE_CRASHED;
    audit->result->ending = ending;
}

void audit_note_fate(struct audit *audit)
{
    struct audit_result *result = audit->result;
    if (listens_as_before(audit)) {
        audit_note_crash(audit);
        return;
    }
    if (is_server_over(audit))
        result->fate = FATE_ENDED;
    else
        result->fate = server_life_is_known(audit->life) ? FATE_STOPPED : FATE_STOPPED_SOMEHOW;
}

/* ---- what the server does with descriptors of nothing ---- */

bool audit_is_not_for_us(int64_t rc)
{
    return rc == -EACCES || rc == -EPERM || rc == -ESRCH;
}

static int64_t read_ghosts(struct audit *audit)
{
    const struct server_processes none = {.count = 0};
    struct server_processes server = none;
    int64_t rc = server_processes_find(audit->look.listeners, audit->look.listener_count, &server);
    if (rc == 0)
        rc = ghosts_read(&audit->ghosts, &server, &audit->result->ghost_owner);
    server_processes_free(&server);
    return rc;
}

/* A client that hears the last FIN may be sooner than the server's close() that follows its shutdown(): it
 * has a grace period for that. After an RST it has had that already, and two readings are enough. */
static int64_t wait_for_ghosts(struct audit *audit)
{
    int64_t before = audit->round > 0 ? audit->result->ghosts_after[audit->round - 1] : 0;
    bool is_abort = audit_order_row(audit->settings->order)->act == ACT_ABORT;
    int64_t grace_us = is_abort ? 0 : audit->settings->grace_ms * 1000;
    int64_t until_us = monotonic_us() + grace_us, pause_us = GHOST_PAUSE_US, ghosts;
    ghosts_renew(&audit->ghosts);
    ghosts = read_ghosts(audit);
    do {
        if (ghosts < 0)
            break;
        audit_let_pass(audit, pause_us);
        pause_us = pause_us < GHOST_PAUSE_MAX_US ? 2 * pause_us : pause_us;
        ghosts = read_ghosts(audit);
    } while (ghosts > before && !audit_is_called_off(audit) && monotonic_us() < until_us);
    return ghosts;
}

void audit_note_ghosts(struct audit *audit)
{
    struct audit_result *result = audit->result;
    if (result->ghost_sight != GHOSTS_SEEN)
        return;
    int64_t ghosts = wait_for_ghosts(audit);
    if (ghosts >= 0)
        result->ghosts = result->ghosts_after[audit->round] = ghosts;
    else if (audit_is_not_for_us(ghosts))
        result->ghost_sight = GHOSTS_NOT_OURS;
    else
        audit_fail(audit, "the descriptors of the server's processes could not be read", (int)-ghosts);
}
