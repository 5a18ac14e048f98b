#include "audit/growth.h"

#include "kernel/process.h"

#include <stdlib.h>
#include <string.h>

enum {
    LEAST = 3,        /* fewer are no growth: a log file, a worker's pipe */
    LEAST_SHARE = 20, /* likewise less than one in so many connections */
    ROUNDS_TO_TELL = 2,
    CHECK_MIN = 20,                  /* connections of a check round, */
    CHECK_WANTED = 8,                /* or so many that this growth is to be expected of a leak; */
    AT_ONCE_MAX = 16,                /* at a time */
    PEERS_MAX = GROWTH_ROWS_MAX / 2, /* rows; then those of other peers share one */
};

const char *growth_verdict_name(enum growth_verdict verdict)
{
    static const char *const names[] = {[GROWTH_UNDECIDED] = "undecided",
                                        [GROWTH_STOPS] = "stops",
                                        [GROWTH_PASSES] = "passes",
                                        [GROWTH_OF_OTHERS] = "of_others",
                                        [GROWTH_GOES_ON] = "goes_on"};
    return names[verdict];
}

/* ---- readings ---- */

static void count_kinds(const struct stock *stock, int64_t counts[STOCK_KIND_COUNT])
{
    memset(counts, 0, STOCK_KIND_COUNT * sizeof counts[0]);
    for (size_t i = 0; i < stock->count; i++)
        counts[stock->each[i].kind]++;
}

void growth_begin(struct growth *growth, struct stock *stock)
{
    growth_free(growth);
    growth->first = *stock;
    *stock = (struct stock){0};
}

int growth_add_to_first(struct growth *growth, const struct stock *more)
{
    return stock_merge(&growth->first, more);
}

/* What the next reading is held against. */
static const struct stock *last_of(const struct growth *growth)
{
    return growth->last.processes != NULL ? &growth->last : &growth->first;
}

/* Descriptors without an inode of their own look new in every process that is forked: they are what it begins
 * with. */
static bool is_inherited(const struct growth *growth, const struct stock *stock,
                         const struct stock_thing *thing)
{
    if (!stock_is_numbered(thing))
        return false;
    for (int i = 0; i < stock->process_count; i++)
        if (stock->processes[i].pid == thing->pid)
            return !stock_has_process(last_of(growth), &stock->processes[i]);
    return false;
}

void growth_read(struct growth *growth, struct stock *stock, int round)
{
    const struct stock *previous = growth_newest(growth);
    for (size_t i = 0; i < stock->count; i++) {
        struct stock_thing *thing = &stock->each[i];
        const struct stock_thing *at_last = stock_find(last_of(growth), thing->identity);
        const struct stock_thing *just_now = stock_find(previous, thing->identity);
        thing->since = at_last != NULL ? at_last->since : is_inherited(growth, stock, thing) ? 0 : round;
        thing->is_confirmed = just_now != NULL && just_now->kind == thing->kind;
    }
    stock_free(&growth->reading);
    growth->reading = *stock;
    *stock = (struct stock){0};
}

void growth_end_round(struct growth *growth)
{
    if (growth->reading.processes == NULL)
        return;
    stock_free(&growth->last);
    growth->last = growth->reading;
    growth->reading = (struct stock){0};
}

void growth_free(struct growth *growth)
{
    stock_free(&growth->first);
    stock_free(&growth->last);
    stock_free(&growth->reading);
    *growth = (struct growth){.first = {0}};
}

const struct stock *growth_newest(const struct growth *growth)
{
    return growth->reading.processes != NULL ? &growth->reading : last_of(growth);
}

static bool is_new(const struct stock_thing *thing)
{
    return thing->since > 0 && thing->is_confirmed;
}

int64_t growth_ghosts(const struct growth *growth, pid_t *owner)
{
    const struct stock *stock = growth_newest(growth);
    int64_t count = 0;
    *owner = 0;
    for (size_t i = 0; i < stock->count; i++) {
        if (stock->each[i].kind != STOCK_GHOST || !stock->each[i].is_front || !is_new(&stock->each[i]))
            continue;
        *owner = count == 0 ? stock->each[i].pid : *owner;
        count++;
    }
    return count;
}

/* ---- rows ---- */

static bool is_of_row(const struct growth_row *row, const struct stock_thing *thing)
{
    if (row->kind != thing->kind || strcmp(row->protocol, thing->protocol) != 0)
        return false;
    if (thing->kind == STOCK_TCP_OUTGOING)
        return row->port == thing->peer_port && address_equal(&row->peer, &thing->peer);
    return thing->kind != STOCK_TCP_ACCEPTED || row->port == thing->port;
}

/* Of those whose peers have no row of their own. */
static struct growth_row *row_of_many_peers(struct audit_growth *found, const struct stock_thing *thing)
{
    for (int i = 0; i < found->count; i++)
        if (found->rows[i].kind == STOCK_TCP_OUTGOING && found->rows[i].port == 0)
            return &found->rows[i];
    struct growth_row *row = &found->rows[found->count++];
    *row = (struct growth_row){.kind = STOCK_TCP_OUTGOING, .pid = thing->pid};
    return row;
}

static struct growth_row *row_of(struct audit_growth *found, const struct stock_thing *thing)
{
    for (int i = 0; i < found->count; i++)
        if (is_of_row(&found->rows[i], thing))
            return &found->rows[i];
    if (found->count == GROWTH_ROWS_MAX)
        return NULL;
    if (thing->kind == STOCK_TCP_OUTGOING && found->count >= PEERS_MAX)
        return row_of_many_peers(found, thing);
    struct growth_row *row = &found->rows[found->count++];
    *row = (struct growth_row){.kind = thing->kind, .pid = thing->pid};
    memcpy(row->protocol, thing->protocol, sizeof row->protocol);
    if (thing->kind == STOCK_TCP_OUTGOING) {
        row->peer = thing->peer;
        row->port = thing->peer_port;
    } else if (thing->kind == STOCK_TCP_ACCEPTED) {
        row->port = thing->port;
    }
    return row;
}

static bool is_in_tables(const struct stock_thing *thing)
{
    return thing->kind == STOCK_TCP_LISTENS || thing->kind == STOCK_TCP_ACCEPTED ||
           thing->kind == STOCK_TCP_OUTGOING;
}

static void count_in(struct growth_row *row, const struct stock_thing *thing)
{
    row->count++;
    row->of_round[thing->since - 1]++;
    row->by_state[thing->state] += is_in_tables(thing);
    row->unread += thing->unread > 0;
    row->unsent += thing->unsent > 0;
    row->has_more_holders |= thing->pid != row->pid;
}

static int by_count(const void *a, const void *b)
{
    const struct growth_row *one = a, *other = b;
    return (one->count < other->count) - (one->count > other->count);
}

static void make_rows(const struct stock *stock, struct audit_growth *found)
{
    found->count = 0;
    for (size_t i = 0; i < stock->count; i++) {
        const struct stock_thing *thing = &stock->each[i];
        if (!is_new(thing) || thing->is_front)
            continue;
        struct growth_row *row = row_of(found, thing);
        if (row != NULL)
            count_in(row, thing);
    }
    qsort(found->rows, (size_t)found->count, sizeof found->rows[0], by_count);
}

/* ---- verdicts ---- */

static int64_t sum(const int64_t *counts, int from, int to)
{
    int64_t total = 0;
    for (int i = from; i < to; i++)
        total += counts[i];
    return total;
}

static int64_t least(int64_t conns)
{
    return conns / LEAST_SHARE > LEAST ? conns / LEAST_SHARE : LEAST;
}

static bool is_growth(const struct audit_growth *found, const struct growth_row *row)
{
    return row->count >= LEAST &&
           sum(row->of_round, 0, found->rounds) >= least(sum(found->conns, 0, found->rounds));
}

/* Of what the rounds before let expect of `round`, so many quarters were added. */
static bool adds_at_most(const struct audit_growth *found, const struct growth_row *row, int round,
                         int quarters)
{
    int64_t conns = sum(found->conns, 0, found->rounds), added = sum(row->of_round, 0, found->rounds);
    if (round < found->rounds) { /* what the first one left is all that is to be compared with */
        conns = found->conns[0];
        added = row->of_round[0];
    }
    return row->of_round[round] * conns * 4 <= added * found->conns[round] * quarters;
}

static bool stops(const struct audit_growth *found, const struct growth_row *row)
{
    int last = found->rounds + found->check_rounds - 1;
    return last > 0 && row->of_round[0] > 0 && adds_at_most(found, row, last, 1);
}

/* What the rounds have left is less than half of what the check rounds add for as many connections. */
static bool passes(const struct audit_growth *found, const struct growth_row *row)
{
    int from = found->rounds, to = found->rounds + found->check_rounds;
    int64_t left = sum(row->of_round, 0, from), conns = sum(found->conns, 0, from);
    int64_t added = sum(row->of_round, from, to), check_conns = sum(found->conns, from, to);
    return left * check_conns * 2 < added * conns;
}

/* With each of the last two check rounds. */
static bool goes_on(const struct audit_growth *found, const struct growth_row *row)
{
    int rounds = found->rounds + found->check_rounds;
    if (found->check_rounds < ROUNDS_TO_TELL)
        return false;
    for (int i = rounds - ROUNDS_TO_TELL; i < rounds; i++)
        if (row->of_round[i] < LEAST || adds_at_most(found, row, i, 2))
            return false;
    return true;
}

static enum growth_verdict verdict_of(const struct audit_growth *found, const struct growth_row *row)
{
    if (found->check_rounds > 0 && passes(found, row))
        return GROWTH_PASSES;
    if (stops(found, row))
        return GROWTH_STOPS;
    if (found->others * 2 >= row->count)
        return GROWTH_OF_OTHERS;
    return is_growth(found, row) && goes_on(found, row) ? GROWTH_GOES_ON : GROWTH_UNDECIDED;
}

/* What was there before the first connection and is not any more: what is new may have taken its place. */
static void count_gone(const struct growth *growth, struct audit_growth *found)
{
    for (size_t i = 0; i < growth->first.count; i++) {
        const struct stock_thing *thing = &growth->first.each[i];
        if (stock_find(growth_newest(growth), thing->identity) != NULL)
            continue;
        for (int k = 0; k < found->count; k++)
            found->rows[k].gone += is_of_row(&found->rows[k], thing);
    }
}

/* Those that are worth a word. */
static void keep_growth(struct audit_growth *found)
{
    int kept = 0;
    for (int i = 0; i < found->count; i++) {
        const struct growth_row *row = &found->rows[i];
        if (row->count - row->gone >= LEAST && row->gone * 2 <= row->count)
            found->rows[kept++] = *row;
    }
    found->count = kept;
}

/* Connections to the audited port: of our own the server has closed all, where growth is judged. */
static int64_t count_fronts(const struct stock *stock)
{
    int64_t count = 0;
    for (size_t i = 0; i < stock->count; i++)
        count += stock->each[i].is_front && stock->each[i].kind != STOCK_GHOST;
    return count;
}

void growth_conclude(const struct growth *growth, struct audit_growth *found)
{
    count_kinds(&growth->first, found->before);
    count_kinds(growth_newest(growth), found->after);
    make_rows(growth_newest(growth), found);
    count_gone(growth, found);
    keep_growth(found);
    found->others = count_fronts(growth_newest(growth)) - count_fronts(&growth->first);
    for (int i = 0; i < found->count; i++) {
        struct growth_row *row = &found->rows[i];
        row->verdict = verdict_of(found, row);
        memcpy(row->command, process_command(row->pid).text, sizeof row->command);
    }
}

static bool is_open(const struct audit_growth *found, const struct growth_row *row)
{
    int last = found->rounds + found->check_rounds - 1;
    return row->of_round[last] > 0 && row->verdict == GROWTH_UNDECIDED && is_growth(found, row);
}

bool growth_is_open(const struct audit_growth *found)
{
    for (int i = 0; i < found->count; i++)
        if (is_open(found, &found->rows[i]))
            return true;
    return false;
}

_Static_assert((int)CHECK_WANTED *(int)LEAST_SHARE <= (int)CHECK_CONNS_MAX &&
                   (int)CHECK_MIN <= (int)CHECK_CONNS_MAX,
               "what grows least is one in LEAST_SHARE connections");

/* For the row that grew least among those that are to be told of. */
int64_t growth_check_conns(const struct audit_growth *found)
{
    int64_t conns = sum(found->conns, 0, found->rounds), most = found->conns[0], wanted = CHECK_MIN;
    for (int i = 0; i < found->count; i++) {
        const struct growth_row *row = &found->rows[i];
        int64_t needed =
            is_open(found, row) ? CHECK_WANTED * conns / sum(row->of_round, 0, found->rounds) : 0;
        wanted = needed > wanted ? needed : wanted;
    }
    wanted = wanted < most ? wanted : most;
    return wanted >= LEAST ? wanted : 0;
}

int64_t growth_check_at_once(const struct audit_growth *found)
{
    int64_t grown = INT64_MAX;
    for (int i = 0; i < found->count; i++)
        if (is_open(found, &found->rows[i]) && found->rows[i].count < grown)
            grown = found->rows[i].count;
    return grown / 2 < AT_ONCE_MAX ? grown / 2 : AT_ONCE_MAX;
}

bool growth_is_leak(const struct audit_growth *found)
{
    for (int i = 0; i < found->count; i++)
        if (found->rows[i].verdict == GROWTH_GOES_ON)
            return true;
    return false;
}
