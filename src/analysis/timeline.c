#include "analysis/timeline.h"

#include "base/number_text.h"

#include <math.h>
#include <stdio.h>

/* The number stands between `before` and `after`, where there is one. */
static const struct stage_row {
    const char *name;
    const char *sentence;
    const char *before, *after;
} rows[] = {
    [STORY_SERVER_EMFILE] = {"server_emfile",
                             "first EMFILE: accept() fails, the server is out of descriptors", " (limit ",
                             ")"},
    [STORY_MACHINE_ENFILE] = {"machine_enfile", "first ENFILE: the whole machine is out of descriptors",
                              " (fs.file-max ", ")"},
    [STORY_QUEUE_FULL] = {"queue_full", "the accept queue is full", ": ",
                          " connections wait that nobody accepts"},
    [STORY_SYN_DROPPED] = {"syn_dropped", "first SYN dropped by the full accept queue", " (ListenDrops ",
                           ")"},
    [STORY_CONNECT_SLOW] = {"connect_slow", "connect() takes 1 s: the SYN is being sent again", " (", " ms)"},
    [STORY_CONNECT_TIMED_OUT] = {"connect_timed_out", "first connect() timed out: no SYN was answered",
                                 " (waited ", " ms)"},
    [STORY_REPLY_LOST] = {"reply_lost", "first reply lost: reset before it was read"},
};
_Static_assert(sizeof rows / sizeof rows[0] == STORY_STAGE_COUNT, "one row per stage");

bool story_note(struct story *story, enum story_stage stage, double t_s, int64_t number)
{
    struct story_event *event = &story->events[stage];
    bool first = !event->happened;
    if (first || t_s < event->t_s)
        *event = (struct story_event){true, t_s, number};
    return first;
}

bool story_has(const struct story *story, enum story_stage stage)
{
    return story->events[stage].happened;
}

double story_at(const struct story *story, enum story_stage stage)
{
    return story->events[stage].happened ? story->events[stage].t_s : INFINITY;
}

double story_since(const struct story *story, enum story_stage stage)
{
    return story_at(story, stage) - story->began_s;
}

double story_first_failure_s(const struct story *story)
{
    double first = INFINITY;
    for (int i = 0; i < STORY_STAGE_COUNT; i++)
        if (story_at(story, (enum story_stage)i) < first)
            first = story_at(story, (enum story_stage)i);
    return first;
}

int story_in_order(const struct story *story, enum story_stage stages[STORY_STAGE_COUNT])
{
    int count = 0;
    for (int i = 0; i < STORY_STAGE_COUNT; i++) {
        enum story_stage stage = (enum story_stage)i;
        if (!story_has(story, stage))
            continue;
        int place = count++;
        for (; place > 0 && story_at(story, stages[place - 1]) > story_at(story, stage); place--)
            stages[place] = stages[place - 1];
        stages[place] = stage;
    }
    return count;
}

const char *story_stage_name(enum story_stage stage)
{
    return rows[stage].name;
}

struct story_text story_line(const struct story *story, enum story_stage stage)
{
    const struct story_event *event = &story->events[stage];
    const struct stage_row *row = &rows[stage];
    struct story_text line = {""};
    if (!event->happened)
        return line;
    if (event->number > 0 && row->before != NULL)
        snprintf(line.text, sizeof line.text, "%.1f s: %s%s%s%s", story_since(story, stage), row->sentence,
                 row->before, grouped(event->number).text, row->after);
    else
        snprintf(line.text, sizeof line.text, "%.1f s: %s", story_since(story, stage), row->sentence);
    return line;
}
