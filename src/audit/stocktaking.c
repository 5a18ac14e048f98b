/* When stock is taken of the server's processes: before the first connection and after each round; and the
 * rounds that are played to check what grew. */
#include "audit/audit_state.h"
#include "audit/unix_side.h"
#include "base/clock.h"
#include "kernel/process.h"

#include <errno.h>
#include <string.h>

enum {
    PAUSE_US = 25000, /* between two readings of descriptors, twice as long each time */
    PAUSE_MAX_US = 800000,
};

bool audit_is_not_for_us(int64_t rc)
{
    return rc == -EACCES || rc == -EPERM || rc == -ESRCH;
}

static void note_failure(struct audit *audit, int rc)
{
    if (audit_is_not_for_us(rc))
        audit->result->ghost_sight = GHOSTS_NOT_OURS;
    else
        audit_fail(audit, "the descriptors of the server's processes could not be read", -rc);
}

static void note_unseen(struct audit_result *result, const struct server_processes *server)
{
    if (server->unseen <= result->unseen_kin)
        return;
    result->unseen_kin = server->unseen;
    result->unseen_kin_pid = server->unseen_pid;
    memcpy(result->unseen_kin_command, process_command(server->unseen_pid).text,
           sizeof result->unseen_kin_command);
}

/* Returns as stock_take(). */
static int take_stock(const struct audit *audit, const struct server_processes *server, struct stock *stock)
{
    int rc = stock_take(server, audit->witness, audit->settings->port, growth_newest(&audit->growth), stock);
    if (rc == 0 && audit_is_unix(audit->settings)) {
        rc = -EINTR;
        for (int i = 0; i < AUDIT_LOOKS_TRIED && rc == -EINTR; i++)
            rc = unix_side_mark(audit->settings, audit->probes, audit->started, stock);
    }
    if (rc != 0)
        stock_free(stock);
    else
        note_unseen(audit->result, server);
    return rc;
}

/* ---- before ---- */

static void note_room(struct audit_result *result, const struct server_processes *server)
{
    for (int i = 0; i < server->count; i++) {
        int64_t left = process_descriptors_left(server->each[i]);
        if (left >= 0 && (result->descriptors_left < 0 || left < result->descriptors_left))
            result->descriptors_left = left;
    }
}

int audit_take_first_stock(struct audit *audit, const struct server_processes *server)
{
    struct stock stock;
    int rc = take_stock(audit, server, &stock);
    if (rc == 0)
        growth_begin(&audit->growth, &stock);
    if (rc == 0)
        note_room(audit->result, server);
    return rc;
}

/* ---- after a round ---- */

static int read_stock(struct audit *audit)
{
    struct server_processes server;
    struct stock stock;
    int rc = server_processes_find(audit->look.listeners, audit->look.listener_count, &server);
    if (rc == 0)
        rc = audit_add_holders(audit, &server);
    if (rc == 0)
        rc = take_stock(audit, &server, &stock);
    if (rc == 0)
        growth_read(&audit->growth, &stock, audit->round + 1);
    server_processes_free(&server);
    return rc;
}

/* Whether the server has clients that are still there, or whose ends it holds: what it keeps for them is no
 * leak beside that one. */
static bool has_clients(const struct audit_result *result)
{
    for (int64_t i = 0; i < result->count; i++)
        if (result->connections[i].class == CLASS_HELD || result->connections[i].class == CLASS_UNKNOWN)
            return true;
    return false;
}

/* Whether there is more than before that is to be a leak if it stays. */
static bool has_grown(const struct audit *audit)
{
    const struct audit_result *result = audit->result;
    bool is_check = audit->round >= audit->settings->repeat;
    int64_t ghosts_before = audit->round == 0 ? 0
                            : is_check        ? result->ghosts
                                              : result->ghosts_after[audit->round - 1];
    pid_t owner;
    return growth_ghosts(&audit->growth, &owner) > ghosts_before ||
           (growth_is_open(&result->growth) && !has_clients(audit->result));
}

/* A client that hears the last FIN may be sooner than the server's close() that follows its shutdown(), and
 * than what the server closes behind it: it has a grace period for that. After an RST it has had that
 * already, and two readings are enough. */
static int settle(struct audit *audit)
{
    bool is_abort = audit_order_row(audit->settings->order)->act == ACT_ABORT;
    int64_t grace_us = is_abort ? 0 : audit->settings->grace_ms * 1000;
    int64_t until_us = monotonic_us() + grace_us, pause_us = PAUSE_US;
    int rc = read_stock(audit);
    do {
        if (rc != 0)
            break;
        audit_let_pass(audit, pause_us);
        pause_us = pause_us < PAUSE_MAX_US ? 2 * pause_us : pause_us;
        rc = read_stock(audit);
        if (rc == 0)
            growth_conclude(&audit->growth, &audit->result->growth);
    } while (rc == 0 && has_grown(audit) && !audit_is_called_off(audit) && monotonic_us() < until_us);
    growth_end_round(&audit->growth);
    return rc;
}

static int64_t count_connected(const struct audit *audit)
{
    int64_t count = 0;
    for (int64_t i = audit->round_first; i < audit->started; i++)
        count += audit->probes[i].connected_us > 0;
    return count;
}

void audit_take_stock(struct audit *audit)
{
    struct audit_result *result = audit->result;
    if (result->ghost_sight != GHOSTS_SEEN)
        return;
    result->growth.rounds = audit->round + 1;
    result->growth.conns[audit->round] = count_connected(audit);
    int rc = settle(audit);
    if (rc != 0)
        note_failure(audit, rc);
    else
        result->ghosts = result->ghosts_after[audit->round] =
            growth_ghosts(&audit->growth, &result->ghost_owner);
}

/* ---- to check ---- */

/* Whether all the connections of a check round came through. */
static bool is_told(const struct audit *audit)
{
    for (int64_t i = audit->round_first; i < audit->started; i++)
        if (audit->probes[i].connected_us == 0 || audit->probes[i].end == END_FAILED)
            return false;
    return audit->started == audit->round_first + audit->round_conns;
}

static bool play_check_round(struct audit *audit, int64_t conns)
{
    struct audit_growth *growth = &audit->result->growth;
    audit_play(audit, conns);
    audit_note_fate(audit);
    if (audit_is_called_off(audit) || audit_has_no_future(audit) || !is_told(audit))
        return false;
    growth->conns[audit->round] = count_connected(audit);
    growth->check_rounds++;
    int rc = settle(audit);
    if (rc != 0)
        note_failure(audit, rc);
    audit->round++;
    return rc == 0;
}

void audit_check_growth(struct audit *audit)
{
    struct audit_growth *growth = &audit->result->growth;
    int64_t conns = growth_check_conns(growth);
    if (audit_is_called_off(audit) || !growth_is_open(growth) || conns == 0 || has_clients(audit->result))
        return;
    audit->at_once = growth_check_at_once(growth);
    for (int i = 0; i < CHECK_ROUNDS && growth_is_open(growth); i++)
        if (!play_check_round(audit, conns))
            return;
}
