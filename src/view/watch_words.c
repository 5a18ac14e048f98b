/* What of a watch is told in sentences. */
#include "base/number_text.h"
#include "base/text.h"
#include "view/watch_view.h"

#include <stdio.h>

/* Who holds it; of what waits to be accepted, who listens. */
static void put_who(char *who, size_t size, const struct watch_row *row)
{
    if (row->processes == 1)
        snprintf(who, size, "%s pid %d", row->command, (int)row->pid);
    else if (row->processes > 1)
        snprintf(who, size, "%s%s%d processes", row->command, row->command[0] != '\0' ? ", " : "",
                 row->processes);
    else if (row->listener > 0)
        snprintf(who, size, "%s pid %d listens", row->listener_command, (int)row->listener);
    else
        snprintf(who, size, "no process");
}

/* Of which service, and where. */
static void add_whose(struct watch_growth_text *to, const struct watch_row *row)
{
    if (row->service != NULL)
        TEXT_ADD(to->text, " of %s", row->service);
    if (row->netns != NULL)
        TEXT_ADD(to->text, " in network namespace %s", row->netns);
}

struct watch_growth_text watch_row_words(const struct watch_row *row, enum watch_set set)
{
    const char *side = row->key.side == SIDE_SERVER ? "server" : "client";
    struct watch_growth_text out;
    char who[64];
    put_who(who, sizeof who, row);
    if (row->key.side == WATCH_SIDE_UNKNOWN)
        snprintf(out.text, sizeof out.text, "%s", who);
    else if (set == WATCH_SERVICES)
        snprintf(out.text, sizeof out.text, "all ports of %s", who);
    else if (set == WATCH_PROGRAMS)
        snprintf(out.text, sizeof out.text, "all %s ports of %s", side, who);
    else
        snprintf(out.text, sizeof out.text, "%s%s port %u (%s)", side,
                 row->key.side == SIDE_SERVER ? "" : " of", row->key.port, who);
    add_whose(&out, row);
    return out;
}

/* The subject of a sentence, with its preposition. */
static struct watch_growth_text subject_of(const struct watch_growth *growing)
{
    const struct watch_row *row = growing->row;
    const char *title = watch_groups[growing->group].title;
    struct watch_growth_text out;
    if (row->key.side == WATCH_SIDE_UNKNOWN)
        snprintf(out.text, sizeof out.text, "the number of ghosts of");
    else if (growing->group == GROUP_OWED)
        snprintf(out.text, sizeof out.text, "%s on",
                 row->of[STATE_GONE] > 0 ? "the sum of CLOSE_WAIT and ghosts" : "CLOSE_WAIT");
    else if (growing->group == GROUP_IDLE)
        snprintf(out.text, sizeof out.text, "the number of ESTABLISHED without data for %s on",
                 duration_text(growing->idle_ms).text);
    else
        snprintf(out.text, sizeof out.text, "the number of %s on", title);
    return out;
}

struct watch_growth_text watch_growth_words(const struct watch_growth *growing)
{
    const struct watch_row *row = growing->row;
    struct watch_growth_text out = subject_of(growing);
    TEXT_ADD(out.text, " %s %s", watch_row_words(row, growing->set).text, trend_words(&growing->trend).text);
    if (growing->group == GROUP_OWED && row->of[STATE_GONE] > 0)
        TEXT_ADD(out.text, "; now %s CLOSE_WAIT, %s (descriptors whose socket is in no table)",
                 grouped(row->of[STATE_CLOSE_WAIT]).text, counted(row->of[STATE_GONE], "ghost").text);
    if (growing->group != GROUP_OWED) {
        struct watch_churn churn = watch_row_churn(row, growing->group);
        TEXT_ADD(out.text, "; of %s that came, %s left", grouped(churn.came).text, grouped(churn.left).text);
    }
    return out;
}

struct watch_growth_text watch_outlook_words(const struct watch_outlook *outlook)
{
    const struct watch_row *row = outlook->row;
    struct watch_growth_text out = {""};
    char who[64];
    put_who(who, sizeof who, row);
    bool is_queue = outlook->group == GROUP_ACCEPT_QUEUE;
    TEXT_ADD(out.text, "%s %s:%u %s, %s", row->service != NULL ? row->service : who,
             row->key.side == SIDE_CLIENT ? "to " : "", row->key.port,
             exhaustion_rate_words(&outlook->forecast).text,
             is_queue ? "accept queue full" : "descriptors gone");
    TEXT_ADD(out.text, outlook->room > 0 ? " in %s" : " now", exhaustion_time_words(&outlook->forecast).text);
    if (outlook->then_queue_s >= 0)
        TEXT_ADD(out.text, ", then the accept queue within %.1f s", outlook->then_queue_s);
    return out;
}
