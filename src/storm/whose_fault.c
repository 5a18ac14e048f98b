#include "storm/whose_fault.h"

#include "base/number_text.h"

#include <stdio.h>
#include <string.h>

/* What a state says about the two FINs. @ stands for the side itself, ~ for the other one. */
struct reading {
    enum tcp_state state;
    const char *owned, *unowned;
};

static const struct reading readings[] = {
    {STATE_CLOSE_WAIT, "the ~ sent the first FIN; the @ owes the close()",
     "the ~ sent the first FIN; the @ never called accept(), so no process can close them"},
    {STATE_FIN_WAIT2, "the @ sent the first FIN and keeps the descriptor; the ~ owes the close()",
     "the @ sent the first FIN and is done; the ~ owes the close(), but the kernel drops these after "
     "net.ipv4.tcp_fin_timeout"},
    {STATE_FIN_WAIT1, "the @'s FIN is not acknowledged yet", "the @'s FIN is not acknowledged yet"},
    {STATE_LAST_ACK, "the ~ sent the first FIN; the @'s own is not acknowledged yet",
     "the ~ sent the first FIN; the @'s own is not acknowledged yet"},
    {STATE_CLOSING, "both FINs have crossed; the last ACK is missing",
     "both FINs have crossed; the last ACK is missing"},
    {STATE_ESTABLISHED, "no FIN has been sent or heard; either side may close",
     "nobody has sent a FIN, and the @ has not called accept()"},
    {STATE_SYN_SENT, "the handshake was never answered", "the handshake was never answered"},
    {STATE_SYN_RECV, "the handshake is not complete", "the handshake is not complete"},
};

static void put_owner(const struct lingering_class *class, char *out, size_t size)
{
    const char *on = class->host[0] != '\0' ? " behind " : "";
    if (!class->owned)
        snprintf(out, size, "no process has them");
    else if (class->pid == 0)
        snprintf(out, size, "held by a process that may not be looked into");
    else if (class->processes > 1)
        snprintf(out, size, "held by %s pid %d and %d more%s%s", class->command, (int)class->pid,
                 class->processes - 1, on, class->host);
    else
        snprintf(out, size, "held by %s pid %d%s%s", class->command, (int)class->pid, on, class->host);
}

/* Heard last before so long: for those that the peer's FIN brought where they are, that is since when. */
static void put_since(const struct lingering_class *class, char *out, size_t size)
{
    bool is_since = class->state == STATE_CLOSE_WAIT || class->state == STATE_FIN_WAIT2;
    out[0] = '\0';
    if (is_since && class->oldest_ms >= 0)
        snprintf(out, size, ", the oldest for at least %.1f s", (double)class->oldest_ms / 1000);
}

static void put_reading(const struct lingering_class *class, char *out, size_t size)
{
    size_t used = 0;
    const char *from = "";
    for (size_t i = 0; i < sizeof readings / sizeof readings[0]; i++)
        if (readings[i].state == class->state)
            from = class->owned ? readings[i].owned : readings[i].unowned;
    for (out[0] = '\0'; *from != '\0' && used < size; from++) {
        const char letter[] = {*from, '\0'};
        used += (size_t)snprintf(out + used, size - used, "%s",
                                 *from == '@'   ? side_name(class->side)
                                 : *from == '~' ? side_name(side_other(class->side))
                                                : letter);
    }
}

struct fault_sentence whose_fault(const struct lingering_class *class)
{
    struct fault_sentence out;
    char owner[136], since[48], reading[200];
    const char *unread = class->state != STATE_CLOSE_WAIT ? ""
                         : class->unread                  ? ", EOF not read (Recv-Q 1 or more)"
                                                          : ", everything read (Recv-Q 0)";
    put_owner(class, owner, sizeof owner);
    put_since(class, since, sizeof since);
    put_reading(class, reading, sizeof reading);
    snprintf(out.text, sizeof out.text, "%s %s on the %s: %s%s%s; %s.", grouped(class->count).text,
             tcp_state_name(class->state), side_name(class->side), owner, since, unread, reading);
    return out;
}
