#include "explain/life.h"

#include "explain/behind.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SECOND_MS = 1000, MINUTE_S = 60, HOUR_S = 3600, DAY_S = 24 * HOUR_S };

static void widen(struct life_range *range, int64_t least, int64_t most)
{
    if (least < 0)
        return;
    if (range->least < 0 || least < range->least)
        range->least = least;
    if (most > range->most)
        range->most = most;
}

/* An upper bound that is not known adds nothing to what is told. */
static void widen_by_age(struct life_range *range, struct fact_age age)
{
    widen(range, age.least_ms, age.most_ms == FACT_NO_LIMIT ? age.least_ms : age.most_ms);
}

static bool is_same_peer(const struct group *group, const struct fact_endpoint *a,
                         const struct fact_endpoint *b)
{
    return address_equal(&a->address, &b->address) && (group->way != WAY_OUTGOING || a->port == b->port);
}

struct life life_of(const struct facts *facts, const struct group *group)
{
    struct life life = {.age_ms = {-1, -1},
                        .fin_ms = {-1, -1},
                        .quiet_ms = {-1, -1},
                        .bytes = {-1, -1},
                        .unread = {-1, -1},
                        .are_fins_exact = true};
    for (int i = 0; i < group->count; i++) {
        const struct fact_socket *socket = &facts->sockets[group->members[i]];
        if (i == 0)
            life.peer = socket->peer;
        life.other_peers += !is_same_peer(group, &life.peer, &socket->peer);
        widen(&life.unread, socket->unread, socket->unread);
        life.unsent += socket->unsent;
        if (!socket->has_info)
            continue;
        widen_by_age(&life.age_ms, socket->age);
        widen_by_age(&life.fin_ms, socket->fin);
        if (group_is_half_closed(group))
            widen(&life.quiet_ms, socket->quiet_ms, socket->quiet_ms);
        if (group_is_behind(group))
            widen(&life.quiet_ms, behind_quiet_ms(socket), behind_quiet_ms(socket));
        life.are_fins_exact = life.are_fins_exact && fact_age_is_exact(socket->fin);
        widen(&life.bytes, (int64_t)socket->bytes_received, (int64_t)socket->bytes_received);
        life.answered += socket->data_segs_out > 0;
        life.never_sent += socket->bytes_received == 0;
    }
    return life;
}

/* ---- in words ---- */

struct life_text life_time(int64_t ms)
{
    struct life_text text;
    int64_t s = (ms + SECOND_MS / 2) / SECOND_MS;
    if (ms < SECOND_MS)
        snprintf(text.text, sizeof text.text, "%" PRId64 " ms", ms < 0 ? 0 : ms);
    else if (ms < MINUTE_S * SECOND_MS - SECOND_MS / 20)
        snprintf(text.text, sizeof text.text, "%.1f s", (double)ms / SECOND_MS);
    else if (s < HOUR_S)
        snprintf(text.text, sizeof text.text, "%" PRId64 " min %" PRId64 " s", s / MINUTE_S, s % MINUTE_S);
    else if (s < DAY_S)
        snprintf(text.text, sizeof text.text, "%" PRId64 " h %" PRId64 " min", s / HOUR_S,
                 s % HOUR_S / MINUTE_S);
    else
        snprintf(text.text, sizeof text.text, "%" PRId64 " day%s %" PRId64 " h", s / DAY_S,
                 s / DAY_S == 1 ? "" : "s", s % DAY_S / HOUR_S);
    return text;
}

struct life_span_text life_span(struct life_range range)
{
    struct life_span_text span;
    struct life_text least = life_time(range.least), most = life_time(range.most);
    if (strcmp(least.text, most.text) == 0)
        snprintf(span.text, sizeof span.text, "%s", least.text);
    else
        snprintf(span.text, sizeof span.text, "%s to %s", least.text, most.text);
    return span;
}
