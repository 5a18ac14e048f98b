#include "analysis/timeline.h"

#include "base/number_text.h"
#include "base/text.h"

#include <math.h>

/* The number stands between `before` and `after`, where there is one. */
static const struct stage_row {
    const char *name;
    const char *sentence;
    const char *before, *after;
} rows[] = {
    [STAGE_SERVER_EMFILE] = {"server_emfile",
                             "first EMFILE: accept() fails, the server is out of descriptors", " (limit ",
                             ")"},
    [STAGE_MACHINE_ENFILE] = {"machine_enfile", "first ENFILE: the whole machine is out of descriptors",
                              " (fs.file-max ", ")"},
    [STAGE_QUEUE_FULL] = {"queue_full", "the accept queue is full", ": ",
                          " connections wait, and nobody accepts them"},
    [STAGE_SYN_DROPPED] = {"syn_dropped", "first SYN dropped by the full accept queue", " (ListenDrops ",
                           ")"},
    [STAGE_CONNECT_SLOW] = {"connect_slow", "connect() takes 1 s: the SYN is being sent again", " (", " ms)"},
    [STAGE_CONNECT_TIMED_OUT] = {"connect_timed_out", "first connect() timed out: no SYN was answered",
                                 " (waited ", " ms)"},
    [STAGE_PORTS_USED_UP] = {"ports_used_up",
                             "first EADDRNOTAVAIL: connect() fails, the client has no port left"},
    [STAGE_REPLY_LOST] = {"reply_lost", "first reply lost: its connection ended before it was read"},
};
_Static_assert(sizeof rows / sizeof rows[0] == STAGE_COUNT, "one row per stage");

bool timeline_note(struct timeline *timeline, enum timeline_stage stage, double t_s, int64_t number)
{
    struct timeline_event *event = &timeline->events[stage];
    bool first = !event->happened;
    if (first || t_s < event->t_s)
        *event = (struct timeline_event){true, t_s, number};
    return first;
}

bool timeline_has(const struct timeline *timeline, enum timeline_stage stage)
{
    return timeline->events[stage].happened;
}

double timeline_at(const struct timeline *timeline, enum timeline_stage stage)
{
    return timeline->events[stage].happened ? timeline->events[stage].t_s : INFINITY;
}

double timeline_since(const struct timeline *timeline, enum timeline_stage stage)
{
    /* Of whole microseconds, as the CSV has both: half a tenth is then rounded as whoever reads that does. */
    return (rint(timeline_at(timeline, stage) * 1e6) - rint(timeline->began_s * 1e6)) / 1e6;
}

double timeline_first_failure_s(const struct timeline *timeline)
{
    double first = INFINITY;
    for (int i = 0; i < STAGE_COUNT; i++)
        if (timeline_at(timeline, (enum timeline_stage)i) < first)
            first = timeline_at(timeline, (enum timeline_stage)i);
    return first;
}

int timeline_in_order(const struct timeline *timeline, enum timeline_stage stages[STAGE_COUNT])
{
    int count = 0;
    for (int i = 0; i < STAGE_COUNT; i++) {
        enum timeline_stage stage = (enum timeline_stage)i;
        if (!timeline_has(timeline, stage))
            continue;
        int place = count++;
        for (; place > 0 && timeline_at(timeline, stages[place - 1]) > timeline_at(timeline, stage); place--)
            stages[place] = stages[place - 1];
        stages[place] = stage;
    }
    return count;
}

const char *timeline_stage_name(enum timeline_stage stage)
{
    return rows[stage].name;
}

struct timeline_text timeline_line(const struct timeline *timeline, enum timeline_stage stage)
{
    const struct timeline_event *event = &timeline->events[stage];
    const struct stage_row *row = &rows[stage];
    struct timeline_text line = {""};
    if (!event->happened)
        return line;
    if (event->number > 0 && row->before != NULL)
        TEXT_ADD(line.text, "%.1f s: %s%s%s%s", timeline_since(timeline, stage), row->sentence, row->before,
                 grouped(event->number).text, row->after);
    else
        TEXT_ADD(line.text, "%.1f s: %s", timeline_since(timeline, stage), row->sentence);
    return line;
}
