#include "analysis/attribution.h"

#include "base/number_text.h"
#include "base/text.h"

#include <stdio.h>

/* A sentence's part, as it is told of the server's ends and of the client's. */
struct wording {
    const char *of[SIDE_COUNT];
};

#define WORDS(of_server, of_client)                                                                          \
    {                                                                                                        \
        {                                                                                                    \
            [SIDE_SERVER] = (of_server), [SIDE_CLIENT] = (of_client)                                         \
        }                                                                                                    \
    }
#define SAME(text) WORDS(text, text)

/* What a state says about the FINs, and who has to act; `unowned`: of ends without a process. */
struct reading {
    enum tcp_state state;
    struct {
        struct wording fins, acts;
    } unowned, owned;
};

/* Of a state in which it matters to neither whether a process has the end. */
#define EITHER_WAY(of_fins, of_acts)                                                                         \
    .unowned = {.fins = of_fins, .acts = of_acts}, .owned = {.fins = of_fins, .acts = of_acts}

static const struct reading readings[] = {
    {.state = STATE_CLOSE_WAIT,
     .unowned = {.fins = WORDS("the client sent the first FIN", "the server sent the first FIN"),
                 .acts = WORDS("the server never called accept(), so no process can close them",
                               "the client never called accept(), so no process can close them")},
     .owned = {.fins = WORDS("the client sent the first FIN", "the server sent the first FIN"),
               .acts = WORDS("the server owes the close()", "the client owes the close()")}},
    {.state = STATE_FIN_WAIT2,
     .unowned = {.fins = WORDS("the server sent the first FIN and is done",
                               "the client sent the first FIN and is done"),
                 .acts = WORDS("the client owes the close()", "the server owes the close()")},
     .owned = {.fins = WORDS("the server sent the first FIN and keeps the descriptor",
                             "the client sent the first FIN and keeps the descriptor"),
               .acts = WORDS("the client owes the close()", "the server owes the close()")}},
    {.state = STATE_FIN_WAIT1,
     EITHER_WAY(WORDS("the server's FIN is not acknowledged yet", "the client's FIN is not acknowledged yet"),
                WORDS("the client's kernel owes an ACK", "the server's kernel owes an ACK"))},
    {.state = STATE_LAST_ACK,
     EITHER_WAY(WORDS("the client sent the first FIN; the server's own is not acknowledged yet",
                      "the server sent the first FIN; the client's own is not acknowledged yet"),
                WORDS("the client's kernel owes an ACK", "the server's kernel owes an ACK"))},
    {.state = STATE_CLOSING,
     EITHER_WAY(SAME("both FINs have crossed"),
                WORDS("the client's kernel owes the last ACK", "the server's kernel owes the last ACK"))},
    {.state = STATE_ESTABLISHED,
     .unowned = {.fins = WORDS("nobody has sent a FIN, and the server has not called accept()",
                               "nobody has sent a FIN, and the client has not called accept()"),
                 .acts = WORDS("the server may still accept them", "the client may still accept them")},
     .owned = {.fins = SAME("no FIN has been sent or received"), .acts = SAME("either side may close")}},
    {.state = STATE_SYN_SENT,
     EITHER_WAY(SAME("the SYN was not answered"),
                WORDS("the client's kernel owes an answer, or the server a close()",
                      "the server's kernel owes an answer, or the client a close()"))},
    {.state = STATE_SYN_RECV,
     EITHER_WAY(SAME("the handshake is not complete"),
                WORDS("the client's kernel owes an ACK", "the server's kernel owes an ACK"))},
    {.state = STATE_LISTEN,
     EITHER_WAY(SAME("clients that connect wait for its accept(), and no other process can use the port"),
                SAME("whoever holds it owes the close()"))},
};

/* Ends of a side in a state: held by no process, by a process of this run, by another. */
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
                           : class->processes > 1       ? ", not workers of this run"
                                                        : ", not a worker of this run";
    if (!class->owned)
        text_add(out, size, "no process has them");
    else if (class->pid == 0)
        text_add(out, size,
                 "their process was not found (it has closed them since, or this user may not inspect it)");
    else if (class->processes > 1)
        text_add(out, size, "held by %s%spid %d and %d more%s%s%s", class->command, gap, (int)class->pid,
                 class->processes - 1, on, class->host, stranger);
    else
        text_add(out, size, "held by %s%spid %d%s%s%s", class->command, gap, (int)class->pid, on, class->host,
                 stranger);
}

static void put_since(const struct lingering_class *class, char *out, size_t size)
{
    int64_t since_ms = lingering_since_ms(class);
    out[0] = '\0';
    if (since_ms >= 0)
        snprintf(out, size, ", the oldest for at least %.1f s", (double)since_ms / 1000);
}

/* What both are about: a FIN that was sent and has not arrived; ends that the other side has no more. What is
 * NULL reads as it does of the state. */
struct special_case {
    struct wording fins, acts;
};

static const struct special_case nothing_special = {.fins = SAME(NULL)};

static struct special_case case_of_established(const struct lingering *all, enum side other)
{
    bool some_closed = has_ends_in(all, other, STATE_FIN_WAIT1);
    if (some_closed && !has_ends_in(all, other, STATE_ESTABLISHED))
        return (struct special_case){.fins = WORDS("the client has closed, but its FIN has not arrived",
                                                   "the server has closed, but its FIN has not arrived"),
                                     .acts = WORDS("the server may close", "the client may close")};
    if (some_closed)
        return (struct special_case){.fins = SAME("no FIN has arrived"),
                                     .acts =
                                         WORDS("the client has closed some of them, the server may close",
                                               "the server has closed some of them, the client may close")};
    if (!has_ends(all, other))
        return (struct special_case){
            .fins = WORDS("the client has no such connections", "the server has no such connections"),
            .acts = WORDS("the server may close", "the client may close")};
    return nothing_special;
}

static struct special_case case_of_fin_wait2(const struct lingering *all, enum side other)
{
    struct ends waiting = ends_in(all, other, STATE_CLOSE_WAIT);
    if (waiting.strange > 0 && waiting.ours == 0)
        return (struct special_case){.acts = WORDS("whoever holds the client's ends owes the close()",
                                                   "whoever holds the server's ends owes the close()")};
    if (waiting.ours > 0 && waiting.unowned > 0)
        return (struct special_case){
            .acts = WORDS("the client owes the close(), except for those that it never accepted",
                          "the server owes the close(), except for those that it never accepted")};
    if (waiting.unowned > 0)
        return (struct special_case){
            .acts = WORDS("the client never called accept(), so no process can close its ends",
                          "the server never called accept(), so no process can close its ends")};
    if (waiting.ours == 0 && has_ends_in(all, other, STATE_LAST_ACK))
        return (struct special_case){.acts = WORDS("the client has closed, but its FIN has not arrived",
                                                   "the server has closed, but its FIN has not arrived")};
    if (!has_ends(all, other))
        return (struct special_case){.acts = WORDS("the client no longer has these connections",
                                                   "the server no longer has these connections")};
    return nothing_special;
}

/* Classes that were left out could be those of the other side. */
static struct special_case case_of(const struct lingering_class *class, const struct lingering *all)
{
    enum side other = side_other(class->side);
    if (class->stalled)
        return (struct special_case){.acts = WORDS("the client does not read", "the server does not read")};
    if (all->count == LINGERING_MAX)
        return nothing_special;
    if (class->state == STATE_ESTABLISHED && class->owned)
        return case_of_established(all, other);
    if (class->state == STATE_FIN_WAIT2)
        return case_of_fin_wait2(all, other);
    if (class->state == STATE_CLOSE_WAIT && !class->owned &&
        ends_in(all, class->side, STATE_LISTEN).strange > 0)
        return (struct special_case){
            .acts = SAME("the listening process never called accept(), so no process can close them")};
    if (class->state == STATE_CLOSE_WAIT && lingering_is_strange(class) && class->processes > 1)
        return (struct special_case){.acts = SAME("those processes owe the close()")};
    if (class->state == STATE_CLOSE_WAIT && lingering_is_strange(class))
        return (struct special_case){.acts = SAME("that process owes the close()")};
    return nothing_special;
}

struct parts {
    const char *fins, *acts;
};

static struct parts parts_of(const struct lingering_class *class, const struct lingering *all)
{
    struct parts parts = {"", ""};
    struct special_case special = case_of(class, all);
    for (size_t i = 0; i < sizeof readings / sizeof readings[0]; i++)
        if (readings[i].state == class->state)
            parts = class->owned ? (struct parts){readings[i].owned.fins.of[class->side],
                                                  readings[i].owned.acts.of[class->side]}
                                 : (struct parts){readings[i].unowned.fins.of[class->side],
                                                  readings[i].unowned.acts.of[class->side]};
    if (special.fins.of[class->side] != NULL)
        parts.fins = special.fins.of[class->side];
    if (special.acts.of[class->side] != NULL)
        parts.acts = special.acts.of[class->side];
    return parts;
}

struct attribution_text who_acts(const struct lingering_class *class, const struct lingering *all)
{
    struct attribution_text out = {""};
    bool is_timed = class->state == STATE_FIN_WAIT2 && !class->owned;
    TEXT_ADD(out.text, "%s%s", parts_of(class, all).acts,
             is_timed ? ", but the kernel drops these after net.ipv4.tcp_fin_timeout" : "");
    return out;
}

struct attribution_text attribution_of(const struct lingering_class *class, const struct lingering *all)
{
    struct attribution_text out = {""};
    char owner[160] = "", since[48];
    const char *stalled = class->stalled ? ", with data to send, but the peer's window is closed" : "";
    const char *unread = class->state != STATE_CLOSE_WAIT ? ""
                         : class->unread                  ? ", EOF not read (Recv-Q 1 or more)"
                         : class->fin_with_data ? ", all data read (Recv-Q 0), but perhaps not EOF: the FIN "
                                                  "came with the data"
                                                : ", everything read (Recv-Q 0)";
    put_owner(class, owner, sizeof owner);
    put_since(class, since, sizeof since);
    TEXT_ADD(out.text, "%s %s on the %s: %s%s%s%s; %s; %s.", grouped(class->count).text,
             tcp_state_name(class->state), side_name(class->side), owner, since, unread, stalled,
             parts_of(class, all).fins, who_acts(class, all).text);
    return out;
}
