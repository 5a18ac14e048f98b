/* The opener: starts probes, as the rate says or as the listener's accept queue has room for. */
#include "audit/audit_state.h"
#include "base/clock.h"

enum {
    AT_ONCE = 256,                /* connect() calls at most that wait for an answer */
    UNKNOWN_ROOM = 4,             /* in an accept queue whose length cannot be seen: less than any backlog */
    PAUSE_FROM_AFAR_US = 20000,   /* between so many, where not even that can be seen */
    PAUSE_MAX_US = 50000,         /* until the queue is looked at again where it had no room, at most */
    PATIENCE_UNKNOWN_US = 250000, /* then one more, where it is not known whether there is room */
};

int64_t audit_last_of_round(const struct audit *audit)
{
    return audit->round_first + audit->round_conns;
}

static int64_t connecting(struct audit *audit)
{
    return audit_crowd(audit)->in_phase[PROBE_CONNECTING];
}

/* For how many more there is room where few are to be served at a time. */
static int64_t at_a_time(struct audit *audit)
{
    const int64_t *in_phase = audit_crowd(audit)->in_phase;
    return audit->at_once - in_phase[PROBE_CONNECTING] - in_phase[PROBE_TALKING];
}

static void open_some(struct audit *audit, int64_t count, int64_t now_us)
{
    for (; count > 0 && audit->started < audit_last_of_round(audit); count--)
        probe_start(&audit->probes[audit->started++], audit_crowd(audit));
    audit->opened_us = audit->room_us = now_us;
    audit->opener_pause_us = AUDIT_PAUSE_MIN_US;
}

static void open_by_the_clock(struct audit *audit, int64_t now_us)
{
    int64_t rate = audit->settings->rate, begun = audit->started - audit->round_first;
    int64_t due = (now_us - audit->round_began_us) * rate / 1000000 + 1;
    open_some(audit, due - begun, now_us);
    int64_t next_us = audit->round_began_us + (due > begun ? due : begun) * 1000000 / rate;
    audit_start_timer(audit, audit->opener, next_us > now_us ? next_us - now_us : AUDIT_PAUSE_MIN_US);
}

static int look_at_listeners(struct audit *audit)
{
    int rc = -EINTR;
    for (int i = 0; i < AUDIT_LOOKS_TRIED && rc != 0; i++)
        rc = server_side_look_at_listeners(audit->witness, audit->settings, &audit->look);
    return rc;
}

/* For how many more connections the server has room now. */
static int64_t room_now(struct audit *audit, int64_t now_us)
{
    const struct audit_look *look = &audit->look;
    int64_t on_their_way = connecting(audit), room;
    int rc = look_at_listeners(audit);
    if (rc != 0)
        audit_fail(audit, "the kernel's socket tables could not be read", -rc);
    if (rc != 0)
        return 0;
    if (look->listener_count == 0) /* from afar the handshake is all that can be seen */
        room = now_us - audit->opened_us >= PAUSE_FROM_AFAR_US ? UNKNOWN_ROOM : 0;
    else if (look->room < 0)
        room = look->queued < UNKNOWN_ROOM                      ? UNKNOWN_ROOM - look->queued
               : now_us - audit->room_us >= PATIENCE_UNKNOWN_US ? on_their_way + 1
                                                                : 0;
    else
        room = look->room;
    room -= on_their_way;
    if (audit->at_once > 0 && room > at_a_time(audit))
        room = at_a_time(audit);
    return room < AT_ONCE - on_their_way ? room : AT_ONCE - on_their_way;
}

static void give_up_the_rest(struct audit *audit)
{
    while (audit->started < audit_last_of_round(audit))
        probe_give_up(&audit->probes[audit->started++], audit_crowd(audit));
}

static void open_as_there_is_room(struct audit *audit, int64_t now_us)
{
    int64_t room = room_now(audit, now_us);
    if (room > 0) {
        open_some(audit, room, now_us);
    } else if (now_us - audit->room_us > audit->settings->connect_timeout_ms * 1000 &&
               connecting(audit) == 0) {
        give_up_the_rest(audit);
        return;
    }
    audit_start_timer(audit, audit->opener, audit->opener_pause_us);
    if (audit->opener_pause_us < PAUSE_MAX_US)
        audit->opener_pause_us *= 2;
}

void audit_on_open(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct audit *audit = context;
    int64_t now_us = monotonic_us();
    if (audit->started == audit_last_of_round(audit))
        return;
    if (audit->settings->rate > 0)
        open_by_the_clock(audit, now_us);
    else
        open_as_there_is_room(audit, now_us);
}
