#include "analysis/debt.h"

#include "base/number_text.h"

#include <stdio.h>

static int64_t at_least_0(int64_t count)
{
    return count > 0 ? count : 0;
}

/* What is given up leaves SYN_SENT as a ghost, or for CLOSE_WAIT when the answer comes after all. */
int64_t debt_abandoned(const struct histogram *seen)
{
    int64_t left = at_least_0(seen->abandoned - seen->ghosts - seen->of[STATE_CLOSE_WAIT]);
    return left < seen->of[STATE_SYN_SENT] ? left : seen->of[STATE_SYN_SENT];
}

struct debt debt_of(const struct histogram *seen)
{
    /* Accept queues hold the CLOSE_WAIT that were never accepted too. */
    int64_t waiting = at_least_0(seen->queued - seen->unowned);
    return (struct debt){
        .owed = at_least_0(seen->of[STATE_CLOSE_WAIT] - seen->unowned) + seen->ghosts + debt_abandoned(seen),
        .stuck = seen->unowned,
        .unclosed = at_least_0(seen->of[STATE_ESTABLISHED] - waiting),
    };
}

static struct debt_text one_owes(enum side side, const struct debt *debt)
{
    struct debt_text out;
    char stuck[64] = "";
    if (debt->stuck > 0)
        snprintf(stuck, sizeof stuck, "; %s more %s never accepted", grouped(debt->stuck).text,
                 debt->stuck == 1 ? "was" : "were");
    snprintf(out.text, sizeof out.text, "The %s owes %s close() call%s%s.", side_name(side),
             grouped(debt->owed).text, debt->owed == 1 ? "" : "s", stuck);
    return out;
}

static struct debt_text one_is_stuck(enum side side, const struct debt *debt)
{
    struct debt_text out;
    snprintf(out.text, sizeof out.text, "Nobody can close %s connection%s: the %s never accepted %s.",
             grouped(debt->stuck).text, debt->stuck == 1 ? "" : "s", side_name(side),
             debt->stuck == 1 ? "it" : "them");
    return out;
}

static struct debt_text one_is_open(enum side side, const struct debt *debt)
{
    struct debt_text out;
    snprintf(out.text, sizeof out.text, "The %s has not closed: it holds %s connection%s.", side_name(side),
             grouped(debt->unclosed).text, debt->unclosed == 1 ? "" : "s");
    return out;
}

struct debt_text debt_sentence(const struct histogram sides[SIDE_COUNT])
{
    const struct debt server = debt_of(&sides[SIDE_SERVER]), client = debt_of(&sides[SIDE_CLIENT]);
    struct debt_text out = {"Nobody owes a close()."};
    if (server.owed > 0 && client.owed > 0)
        snprintf(out.text, sizeof out.text, "Both sides owe a close(): the server %s, the client %s.",
                 grouped(server.owed).text, grouped(client.owed).text);
    else if (server.owed > 0 || client.owed > 0)
        out = server.owed > 0 ? one_owes(SIDE_SERVER, &server) : one_owes(SIDE_CLIENT, &client);
    else if (server.stuck > 0 || client.stuck > 0)
        out = server.stuck > 0 ? one_is_stuck(SIDE_SERVER, &server) : one_is_stuck(SIDE_CLIENT, &client);
    else if (server.unclosed > 0 && client.unclosed > 0)
        snprintf(out.text, sizeof out.text, "Neither side has closed: %s connection%s open.",
                 grouped(server.unclosed).text, server.unclosed == 1 ? " is" : "s are");
    else if (server.unclosed > 0 || client.unclosed > 0)
        out = server.unclosed > 0 ? one_is_open(SIDE_SERVER, &server) : one_is_open(SIDE_CLIENT, &client);
    return out;
}
