/* message_table: the fields of every message, and what each of them may be. */
#include "control/host_info.h"
#include "control/messages.h"
#include "kernel/free_ports.h"
#include "kernel/keepalive.h"

/* Sums stay far from overflow: a million workers may count MOST ends each, and 16 hosts LARGEST of anything.
 */
#define MOST    ((int64_t)1 << 40)
#define LARGEST ((int64_t)1 << 53)

#define PLACE(member) .at = offsetof(struct message, member), .size = sizeof((struct message *)0)->member
#define ELEMENTS(member)                                                                                     \
    .at = offsetof(struct message, member), .size = sizeof((struct message *)0)->member[0],                  \
    .most = sizeof((struct message *)0)->member / sizeof((struct message *)0)->member[0]
#define COUNTED_BY(member) .count_at = offsetof(struct message, member)

#define NUMBER(field, member, low, high)                                                                     \
    {                                                                                                        \
        .name = (field), .kind = FIELD_NUMBER, .min = (low), .max = (high), .least = 1, .most = 1,           \
        PLACE(member)                                                                                        \
    }
#define WORD(field, member, length)                                                                          \
    {                                                                                                        \
        .name = (field), .kind = FIELD_WORD, .max = (length), .least = 1, .most = 1, PLACE(member)           \
    }
#define ONE(field, of, member)                                                                               \
    {                                                                                                        \
        .name = (field), .kind = (of), .least = 1, .most = 1, PLACE(member)                                  \
    }
#define ADDRESSES(member, count)                                                                             \
    {                                                                                                        \
        .name = "ADDRESS", .kind = FIELD_ADDRESS, .least = 1, ELEMENTS(member), COUNTED_BY(count)            \
    }
#define COUNT(field, member)   NUMBER(field, member, 0, MOST)
#define TIME_US(field, member) NUMBER(field, member, 0, LARGEST)
#define FLAG(field, member)    NUMBER(field, member, 0, 1)
#define SERIAL(member)         NUMBER("SERIAL", member, 0, LARGEST)
#define ID(member)             NUMBER("ID", member, 0, INT32_MAX)
#define LANE(member)           NUMBER("LANE", member, 0, 65535)
#define PORT(field, member)    NUMBER(field, member, 0, 65535)
#define ERROR(member)          NUMBER("ERRNO", member, 0, 4095)
#define A_PID(member)          NUMBER("PID", member, 0, INT32_MAX)
#define LINE                                                                                                 \
    {                                                                                                        \
        .name = "LINE", .kind = FIELD_LINE, .least = 1, .most = MESSAGE_LINE_MAX, PLACE(carried.line)        \
    }
/* Of one side in MESSAGE_SEEN: see struct histogram. */
#define STATES(side)                                                                                         \
    {                                                                                                        \
        .name = "COUNT", .kind = FIELD_NUMBER, .max = MOST, .least = STATE_COUNT,                            \
        ELEMENTS(seen.sides[side].of)                                                                        \
    }
#define TALLIES(side)                                                                                        \
    COUNT("OWNED", seen.sides[side].owned), COUNT("UNREAD", seen.sides[side].unread),                        \
        COUNT("UNOWNED", seen.sides[side].unowned), COUNT("QUEUED", seen.sides[side].queued),                \
        COUNT("HALF", seen.sides[side].half_closed)

#define TO_WORKER    (1U << WAY_TO_WORKER)
#define FROM_WORKER  (1U << WAY_FROM_WORKER)
#define TO_WITNESS   (1U << WAY_TO_WITNESS)
#define FROM_WITNESS (1U << WAY_FROM_WITNESS)
#define TO_HOST      (1U << WAY_TO_HOST)
#define FROM_HOST    (1U << WAY_FROM_HOST)

const struct message_row message_rows[MESSAGE_COUNT] = {
    [MESSAGE_HELLO] = {"hello",
                       FROM_WORKER | FROM_WITNESS | FROM_HOST,
                       {NUMBER("PROTOCOL", hello.protocol, 0, LARGEST),
                        WORD("VERSION", hello.version, 63),
                        {.name = "MORE", .kind = FIELD_MORE, .most = MESSAGE_LINE_MAX}}},
    [MESSAGE_QUIT] = {"quit", TO_WORKER | TO_WITNESS | TO_HOST, {{0}}},
    [MESSAGE_PING] = {"ping", TO_WORKER | TO_WITNESS, {SERIAL(serial)}},
    [MESSAGE_PONG] = {"pong", FROM_WORKER | FROM_WITNESS, {SERIAL(serial)}},

    [MESSAGE_LISTEN] = {"listen",
                        TO_WORKER,
                        {LANE(listen.lane), ONE("ADDRESS", FIELD_ADDRESS, listen.address),
                         PORT("PORT", listen.port), NUMBER("BACKLOG", listen.backlog, 0, INT32_MAX),
                         COUNT("QUOTA", listen.quota), ONE("OPENING", FIELD_OPENING, listen.opening)}},
    [MESSAGE_CONNECT] = {"connect",
                         TO_WORKER,
                         {LANE(connect.lane), ONE("ADDRESS", FIELD_ADDRESS, connect.address),
                          PORT("PORT", connect.port), COUNT("QUOTA", connect.quota),
                          ONE("OPENING", FIELD_OPENING, connect.opening),
                          FLAG("RECONNECTS", connect.reconnects)}},
    [MESSAGE_KEEPALIVE] = {"keepalive",
                           TO_WORKER,
                           {NUMBER("IDLE_S", keepalive.idle_s, 1, KEEPALIVE_IDLE_MAX_S)}},
    [MESSAGE_CREDIT] = {"credit", TO_WORKER, {LANE(credit.lane), COUNT("TOTAL", credit.total)}},
    [MESSAGE_ACT] = {"act",
                     TO_WORKER,
                     {SERIAL(act.serial), ONE("ACT", FIELD_ACT, act.act),
                      ONE("DIRECTION", FIELD_DIRECTION, act.backwards), COUNT("SPARE", act.spare)}},
    [MESSAGE_ASK_GHOSTS] = {"ghosts", TO_WORKER, {SERIAL(serial)}},
    [MESSAGE_SCRIPT] = {"script",
                        TO_WORKER,
                        {TIME_US("LIFE_US", script.life_us),
                         COUNT("LEAKED", script.leaked),
                         COUNT("OF", script.of),
                         {.name = "STEP",
                          .kind = FIELD_STEP,
                          ELEMENTS(script.script.steps),
                          COUNTED_BY(script.script.count)}}},
    [MESSAGE_NOFILE] = {"nofile", TO_WORKER, {COUNT("N", nofile.most)}},
    [MESSAGE_ARRIVE] = {"arrive",
                        TO_WORKER,
                        {SERIAL(arrive.serial), COUNT("TOTAL", arrive.total),
                         NUMBER("RATE", arrive.rate_milli, 1, MOST),
                         TIME_US("TIMEOUT_US", arrive.timeout_us)}},
    [MESSAGE_STOP] = {"stop", TO_WORKER, {SERIAL(serial)}},

    [MESSAGE_LISTENING] = {"listening", FROM_WORKER, {LANE(lane)}},
    [MESSAGE_OPENED] = {"opened",
                        FROM_WORKER,
                        {LANE(opened.lane), COUNT("STARTED", opened.started),
                         COUNT("CONNECTED", opened.connected), COUNT("FDS", opened.fds),
                         COUNT("ERRORS", opened.errors)}},
    [MESSAGE_ACCEPTED] = {"accepted",
                          FROM_WORKER,
                          {LANE(accepted.lane), COUNT("TOTAL", accepted.total), COUNT("FDS", accepted.fds),
                           COUNT("ERRORS", accepted.errors)}},
    [MESSAGE_ARRIVED] = {"arrived",
                         FROM_WORKER,
                         {COUNT("STARTED", tally.flow.begun), COUNT("CONNECTED", tally.flow.connected),
                          COUNT("FDS", tally.fds), COUNT("ERRORS", tally.flow.errors),
                          COUNT("LATE", tally.flow.late), TIME_US("WORST_US", tally.flow.worst_us),
                          TIME_US("OLDEST_US", tally.flow.oldest_us), COUNT("TIMEOUTS", tally.flow.timeouts),
                          COUNT("LEAKED", tally.flow.leaked), COUNT("LOST", tally.flow.lost),
                          TIME_US("SPAN_US", tally.flow.span_us), COUNT("REUSED", tally.flow.reused),
                          TIME_US("SLOWEST_US", tally.flow.slowest_us),
                          COUNT("ABANDONED", tally.flow.abandoned), ERROR(tally.flow.error)}},
    [MESSAGE_SERVING] = {"serving",
                         FROM_WORKER,
                         {COUNT("BEGUN", tally.flow.begun), COUNT("FDS", tally.fds),
                          COUNT("ERRORS", tally.flow.errors), ERROR(tally.flow.error),
                          COUNT("LEAKED", tally.flow.leaked), COUNT("LOST", tally.flow.lost),
                          COUNT("ELSEWHERE", tally.flow.elsewhere)}},
    [MESSAGE_ACTED] = {"acted",
                       FROM_WORKER,
                       {SERIAL(acted.serial), COUNT("DONE", acted.done), COUNT("FAILED", acted.failed),
                        ERROR(acted.error), COUNT("FDS", acted.fds)}},
    [MESSAGE_DONE] = {"done",
                      FROM_WORKER,
                      {SERIAL(acted.serial), COUNT("DONE", acted.done), COUNT("FAILED", acted.failed),
                       ERROR(acted.error), COUNT("FDS", acted.fds)}},
    [MESSAGE_GHOSTS] = {"ghosts", FROM_WORKER, {SERIAL(ghosts.serial), COUNT("COUNT", ghosts.count)}},
    [MESSAGE_STOPPED] = {"stopped", FROM_WORKER, {SERIAL(serial)}},
    [MESSAGE_FAULT] = {"fault",
                       FROM_WORKER,
                       {WORD("CALL", fault.call, 31), ERROR(fault.error), PORT("PORT", fault.port)}},

    [MESSAGE_BACKEND] = {"backend", TO_WITNESS, {WORD("NAME", backend.name, 31)}},
    [MESSAGE_TARGET] = {"target",
                        TO_WITNESS,
                        {PORT("FIRST_PORT", target.first_port), PORT("LAST_PORT", target.last_port),
                         ADDRESSES(target.addresses, target.count)}},
    [MESSAGE_PID] = {"pid", TO_WITNESS, {A_PID(pid)}},
    [MESSAGE_NICE] = {"nice", TO_WITNESS, {NUMBER("N", nice.increment, 0, 19)}},
    [MESSAGE_LOOK] = {"look", TO_WITNESS, {SERIAL(serial)}},
    [MESSAGE_OWNERS] = {"owners", TO_WITNESS, {SERIAL(serial)}},

    [MESSAGE_SEEN] = {"seen",
                      FROM_WITNESS,
                      {SERIAL(seen.serial), TIME_US("TOOK_US", seen.took_us), STATES(SIDE_SERVER),
                       STATES(SIDE_CLIENT), TALLIES(SIDE_SERVER), TALLIES(SIDE_CLIENT)}},
    [MESSAGE_UNSEEN] = {"unseen",
                        FROM_WITNESS,
                        {SERIAL(unseen.serial), TIME_US("TOOK_US", unseen.took_us), ERROR(unseen.error)}},
    [MESSAGE_LOOKING] = {"looking", FROM_WITNESS, {{0}}},
    [MESSAGE_CLASS] = {"class",
                       FROM_WITNESS,
                       {SERIAL(class.serial), NUMBER("SIDE", class.of.side, 0, SIDE_COUNT - 1),
                        NUMBER("STATE", class.of.state, 0, STATE_COUNT - 1), FLAG("UNREAD", class.of.unread),
                        FLAG("STALLED", class.of.stalled), FLAG("FIN_WITH_DATA", class.of.fin_with_data),
                        FLAG("OWNED", class.of.owned), FLAG("LISTED", class.of.listed), A_PID(class.of.pid),
                        NUMBER("PROCESSES", class.of.processes, 0, INT32_MAX), COUNT("COUNT", class.of.count),
                        NUMBER("OLDEST_MS", class.of.oldest_ms, -1, LARGEST),
                        WORD("COMMAND", class.command, 15)}},
    [MESSAGE_OWNED] = {"owned",
                       FROM_WITNESS,
                       {SERIAL(owned.serial), COUNT("TOTAL", owned.total), ERROR(owned.error)}},

    [MESSAGE_TO] = {"to", TO_HOST, {ID(carried.id), LINE}},
    [MESSAGE_START] = {"start",
                       TO_HOST,
                       {ID(start.id),
                        {.name = "WORD",
                         .kind = FIELD_WORD,
                         .max = 31,
                         .least = 1,
                         .most = PROCESS_WORDS_MAX,
                         .at = offsetof(struct message, start.words),
                         .size = sizeof(const char *),
                         COUNTED_BY(start.count)}}},
    [MESSAGE_KILL] = {"kill", TO_HOST, {ID(kill.id)}},
    [MESSAGE_PORTS] = {"ports",
                       TO_HOST,
                       {PORT("FROM", ports.first), PORT("LAST", ports.last),
                        NUMBER("COUNT", ports.lanes, 1, 65536), ADDRESSES(ports.addresses, ports.count)}},
    [MESSAGE_COUNTERS] = {"counters", TO_HOST, {{0}}},
    [MESSAGE_HOST_PING] = {"ping", TO_HOST, {{0}}},

    [MESSAGE_FROM] = {"from", FROM_HOST, {ID(carried.id), LINE}},
    [MESSAGE_LIMITS] = {"limits",
                        FROM_HOST,
                        {{.name = "NAME=NUMBER",
                          .kind = FIELD_LIMIT,
                          .least = 1,
                          .most = HOST_INFO_LIMITS,
                          .at = offsetof(struct message, limits)}}},
    [MESSAGE_IDENTITY] = {"identity",
                          FROM_HOST,
                          {WORD("IDENTITY", identity.identity, 127),
                           {.name = "KERNEL", .kind = FIELD_WORDS, .most = 8, PLACE(identity.kernel)}}},
    [MESSAGE_STARTED] = {"started", FROM_HOST, {ID(started.id), A_PID(started.pid), ERROR(started.error)}},
    [MESSAGE_ENDED] = {"ended", FROM_HOST, {ID(ended.id), NUMBER("STATUS", ended.wait_status, 0, 65535)}},
    [MESSAGE_ROOM] = {"room",
                      FROM_HOST,
                      {NUMBER("RC", room.rc, -4095, PORTS_CROWDED), PORT("FIRST", room.first_port)}},
    [MESSAGE_COUNTED] = {"counted",
                         FROM_HOST,
                         {{.name = "VALUE",
                           .kind = FIELD_NUMBER,
                           .max = LARGEST,
                           .least = COUNTER_COUNT,
                           ELEMENTS(counted.counters.value)},
                          COUNT("TIMEWAIT", counted.time_wait)}},
    [MESSAGE_HOST_PONG] = {"pong", FROM_HOST, {{0}}},

    [MESSAGE_CARRIED] = {"", 1U << WAY_CARRIED, {LINE}},
};
