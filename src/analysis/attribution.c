#include "analysis/attribution.h"

#include "base/number_text.h"

#include <stdio.h>
#include <string.h>

/* What a state says about the FINs, and who has to act. @ stands for the side itself, ~ for the other one;
 * the first of each two is of ends that no process has, the second of those that one has. */
struct reading {
    enum tcp_state state;
    const char *fins[2], *acts[2];
};

#define BOTH(text)                                                                                           \
    {                                                                                                        \
        text, text                                                                                           \
    }

static const struct reading readings[] = {
    {STATE_CLOSE_WAIT,
     BOTH("the ~ sent the first FIN"),
     {"the @ never called accept(), so no process can close them", "the @ owes the close()"}},
    {STATE_FIN_WAIT2,
     {"the @ sent the first FIN and is done", "the @ sent the first FIN and keeps the descriptor"},
     BOTH("the ~ owes the close()")},
    {STATE_FIN_WAIT1, BOTH("the @'s FIN is not acknowledged yet"), BOTH("the ~'s kernel owes an ACK")},
    {STATE_LAST_ACK, BOTH("the ~ sent the first FIN; the @'s own is not acknowledged yet"),
     BOTH("the ~'s kernel owes an ACK")},
    {STATE_CLOSING, BOTH("both FINs have crossed"), BOTH("the ~'s kernel owes the last ACK")},
    {STATE_ESTABLISHED,
     {"nobody has sent a FIN, and the @ has not called accept()", "no FIN has been sent or heard"},
     {"the @ may still accept them", "either side may close"}},
    {STATE_SYN_SENT, BOTH("the SYN was not answered"), BOTH("the ~'s kernel owes an answer")},
    {STATE_SYN_RECV, BOTH("the handshake is not complete"), BOTH("the ~'s kernel owes an ACK")},
};

/* Ends of a side in a state: those that no process has, a process of this run, another. */
struct ends {
    int64_t unowned, ours, strange;
};

static struct ends ends_in(const struct lingering *all, enum side side, enum tcp_state state)
{
    struct ends ends = {0};
    for (int i = 0; i < all->count; i++) {
        const struct lingering_class *class = &all->each[i];
        if (class->side == side && class->state == state)
            *(!class->owned                 ? &ends.unowned
              : lingering_is_strange(class) ? &ends.strange
                                            : &ends.ours) += class->count;
    }
    return ends;
}

static bool has_ends_in(const struct lingering *all, enum side side, enum tcp_state state)
{
    struct ends ends = ends_in(all, side, state);
    return ends.unowned + ends.ours + ends.strange > 0;
}

static bool has_ends(const struct lingering *all, enum side side)
{
    for (int i = 0; i < all->count; i++)
        if (all->each[i].side == side)
            return true;
    return false;
}

static void put_owner(const struct lingering_class *class, char *out, size_t size)
{
    const char *on = class->host[0] != '\0' ? " behind " : "", *gap = class->command[0] != '\0' ? " " : "";
    const char *stranger = !lingering_is_strange(class) ? ""
                           : class->processes > 1       ? ", no workers of this run"
                                                        : ", no worker of this run";
    if (!class->owned)
        snprintf(out, size, "no process has them");
    else if (class->pid == 0)
        snprintf(out, size, "held by a process that may not be looked into");
    else if (class->processes > 1)
        snprintf(out, size, "held by %s%spid %d and %d more%s%s%s", class->command, gap, (int)class->pid,
                 class->processes - 1, on, class->host, stranger);
    else
        snprintf(out, size, "held by %s%spid %d%s%s%s", class->command, gap, (int)class->pid, on, class->host,
                 stranger);
}

static void put_since(const struct lingering_class *class, char *out, size_t size)
{
    int64_t since_ms = lingering_since_ms(class);
    out[0] = '\0';
    if (since_ms >= 0)
        snprintf(out, size, ", the oldest for at least %.1f s", (double)since_ms / 1000);
}

/* With the sides' names. Returns how much of out is used. */
static size_t put_names(const struct lingering_class *class, const char *from, char *out, size_t size)
{
    size_t used = 0;
    for (out[0] = '\0'; *from != '\0' && used < size; from++) {
        const char letter[] = {*from, '\0'};
        used += (size_t)snprintf(out + used, size - used, "%s",
                                 *from == '@'   ? side_name(class->side)
                                 : *from == '~' ? side_name(side_other(class->side))
                                                : letter);
    }
    return used;
}

/* What both are about: a FIN that was sent and has not arrived; ends that the other side has no more. */
struct special_case {
    const char *fins, *acts;
};

static struct special_case case_of_established(const struct lingering *all, enum side other)
{
    bool some_closed = has_ends_in(all, other, STATE_FIN_WAIT1);
    if (some_closed && !has_ends_in(all, other, STATE_ESTABLISHED))
        return (struct special_case){"the ~ has closed, but its FIN has not arrived", "the @ may close"};
    if (some_closed)
        return (struct special_case){"no FIN has arrived", "the ~ has closed some of them, the @ may close"};
    if (!has_ends(all, other))
        return (struct special_case){"the ~ has no such connections", "the @ may close"};
    return (struct special_case){NULL, NULL};
}

static struct special_case case_of_fin_wait2(const struct lingering *all, enum side other)
{
    struct ends waiting = ends_in(all, other, STATE_CLOSE_WAIT);
    if (waiting.strange > 0 && waiting.ours == 0)
        return (struct special_case){NULL, "whoever holds the ~'s ends owes the close()"};
    if (waiting.ours > 0 && waiting.unowned > 0)
        return (struct special_case){NULL, "the ~ owes the close(), except for those that it never accepted"};
    if (waiting.unowned > 0)
        return (struct special_case){NULL, "the ~ never called accept(), so no process can close its ends"};
    if (waiting.ours == 0 && has_ends_in(all, other, STATE_LAST_ACK))
        return (struct special_case){NULL, "the ~ has closed, but its FIN has not arrived"};
    if (!has_ends(all, other))
        return (struct special_case){NULL, "the ~ has no such connections any more"};
    return (struct special_case){NULL, NULL};
}

/* Classes that were left out could be those of the other side. */
static struct special_case case_of(const struct lingering_class *class, const struct lingering *all)
{
    enum side other = side_other(class->side);
    if (all->count == LINGERING_MAX)
        return (struct special_case){NULL, NULL};
    if (class->state == STATE_ESTABLISHED && class->owned)
        return case_of_established(all, other);
    if (class->state == STATE_FIN_WAIT2)
        return case_of_fin_wait2(all, other);
    if (class->state == STATE_CLOSE_WAIT && lingering_is_strange(class))
        return (struct special_case){NULL, class->processes > 1 ? "those processes owe the close()"
                                                                : "that process owes the close()"};
    return (struct special_case){NULL, NULL};
}

static const struct reading *reading_of(enum tcp_state state)
{
    static const struct reading none = {STATE_GONE, BOTH(""), BOTH("")};
    for (size_t i = 0; i < sizeof readings / sizeof readings[0]; i++)
        if (readings[i].state == state)
            return &readings[i];
    return &none;
}

struct attribution_text who_acts(const struct lingering_class *class, const struct lingering *all)
{
    struct attribution_text out = {""};
    const char *special = case_of(class, all).acts;
    size_t used = put_names(class, special != NULL ? special : reading_of(class->state)->acts[class->owned],
                            out.text, sizeof out.text);
    if (class->state == STATE_FIN_WAIT2 && !class->owned)
        snprintf(out.text + used, sizeof out.text - used,
                 ", but the kernel drops these after net.ipv4.tcp_fin_timeout");
    return out;
}

struct attribution_text attribution_of(const struct lingering_class *class, const struct lingering *all)
{
    struct attribution_text out;
    char owner[160], since[48], fins[100];
    const char *special = case_of(class, all).fins;
    const char *unread = class->state != STATE_CLOSE_WAIT ? ""
                         : class->unread                  ? ", EOF not read (Recv-Q 1 or more)"
                                                          : ", everything read (Recv-Q 0)";
    put_owner(class, owner, sizeof owner);
    put_since(class, since, sizeof since);
    put_names(class, special != NULL ? special : reading_of(class->state)->fins[class->owned], fins,
              sizeof fins);
    snprintf(out.text, sizeof out.text, "%s %s on the %s: %s%s%s; %s; %.250s.", grouped(class->count).text,
             tcp_state_name(class->state), side_name(class->side), owner, since, unread, fins,
             who_acts(class, all).text);
    return out;
}
