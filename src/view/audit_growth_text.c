/* audit_growth_text: what the server's processes hold more of than before, in sentences and as JSON. */
#include "base/json_writer.h"
#include "base/number_text.h"
#include "base/text.h"
#include "view/audit_view.h"

enum { SENTENCES_MAX = 5 };

struct phrase {
    char text[200];
};

/* "connections to 127.0.0.1:9000". */
static struct phrase things_of(const struct growth_row *row)
{
    static const char *const names[] = {
        [STOCK_TCP_LISTENS] = "listening sockets",
        [STOCK_TCP_ACCEPTED] = "accepted connections on port",
        [STOCK_TCP_OUTGOING] = "connections to",
        [STOCK_GHOST] = "descriptors of connections that have ended",
        [STOCK_SOCKET] = "sockets of",
        [STOCK_PIPE] = "pipes",
        [STOCK_EPOLL] = "epoll descriptors",
        [STOCK_EVENTFD] = "eventfd descriptors",
        [STOCK_TIMERFD] = "timerfd descriptors",
        [STOCK_KERNEL_OBJECT] = "descriptors of other kernel objects",
        [STOCK_FILE] = "open files",
    };
    struct phrase phrase = {""};
    if (row->kind == STOCK_TCP_OUTGOING && row->port == 0)
        TEXT_ADD(phrase.text, "%s other peers", names[row->kind]);
    else if (row->kind == STOCK_TCP_OUTGOING)
        TEXT_ADD(phrase.text, "%s %s:%u", names[row->kind], address_text(&row->peer).text, row->port);
    else if (row->kind == STOCK_TCP_ACCEPTED)
        TEXT_ADD(phrase.text, "%s %u", names[row->kind], row->port);
    else
        TEXT_ADD(phrase.text, "%s%s%s", names[row->kind], row->protocol[0] != '\0' ? " " : "", row->protocol);
    return phrase;
}

/* " (100 CLOSE_WAIT, 20 ESTABLISHED; 100 with unread data)". */
static struct phrase states_of(const struct growth_row *row)
{
    struct phrase phrase = {""};
    const char *between = " (";
    for (int state = 0; state < STATE_COUNT; state++) {
        if (row->by_state[state] == 0)
            continue;
        TEXT_ADD(phrase.text, "%s%s %s", between, grouped(row->by_state[state]).text,
                 tcp_state_name((enum tcp_state)state));
        between = ", ";
    }
    if (row->unread > 0)
        TEXT_ADD(phrase.text, "%s%s with Recv-Q >= 1", between, grouped(row->unread).text);
    if (row->unsent > 0)
        TEXT_ADD(phrase.text, ", %s with Send-Q >= 1", grouped(row->unsent).text);
    if (phrase.text[0] != '\0')
        TEXT_ADD(phrase.text, ")");
    return phrase;
}

static int64_t conns_of(const struct audit_growth *growth)
{
    int64_t conns = 0;
    for (int i = 0; i < growth->rounds + growth->check_rounds; i++)
        conns += growth->conns[i];
    return conns;
}

static const char *meaning_of(const struct growth_row *row, bool holds_front)
{
    static const char *const meanings[] = {
        [GROWTH_UNDECIDED] = ": a pool, or a leak on some paths; more rounds tell (--repeat)",
        [GROWTH_STOPS] =
            (", and later connections added none: a pool or something that is opened once, not a leak"),
        [GROWTH_PASSES] = ", but those of the first connections are gone: slow, not a leak",
        [GROWTH_OF_OTHERS] = "; but other clients came meanwhile, and these may be theirs",
        [GROWTH_GOES_ON] = "; each round added its share, and none of them is gone",
    };
    return holds_front && row->verdict == GROWTH_UNDECIDED ? "" : meanings[row->verdict];
}

static void say_row(char *text, size_t size, const struct audit_growth *growth, const struct growth_row *row,
                    bool holds_front)
{
    bool is_leak = row->verdict == GROWTH_GOES_ON;
    text_add(text, size, "%s %s more %s than before%s",
             is_leak ? "Grew with the connections: holds" : "Holds", grouped(row->count - row->gone).text,
             things_of(row).text, states_of(row).text);
    if (is_leak)
        text_add(text, size, ", of %s", counted(conns_of(growth), "connection").text);
    text_add(text, size, "; owner %s pid %d%s%s.\n", row->command[0] != '\0' ? row->command : "a process",
             (int)row->pid, row->has_more_holders ? " and others" : "", meaning_of(row, holds_front));
}

void audit_say_growth(char *text, size_t size, const struct audit_growth *growth, bool holds_front)
{
    for (int i = 0; i < growth->count && i < SENTENCES_MAX; i++)
        say_row(text, size, growth, &growth->rows[i], holds_front);
    if (growth->count > SENTENCES_MAX)
        text_add(text, size, "%s of descriptors grew too (see --json).\n",
                 counted(growth->count - SENTENCES_MAX, "other kind").text);
    if (growth->check_rounds > 0)
        text_add(text, size, "To tell, %d %s played, with %s, a few at a time.\n", growth->check_rounds,
                 growth->check_rounds == 1 ? "round more was" : "rounds more were",
                 counted(growth->conns[growth->rounds], "connection").text);
}

/* ---- JSON ---- */

static void put_kinds(struct json_writer *w, const char *name, const int64_t counts[STOCK_KIND_COUNT])
{
    json_open(w, name, '{');
    for (int kind = 0; kind < STOCK_KIND_COUNT; kind++)
        if (counts[kind] > 0)
            json_integer(w, stock_kind_name((enum stock_kind)kind), counts[kind]);
    json_close(w, '}');
}

static void put_place(struct json_writer *w, const struct growth_row *row)
{
    if (row->protocol[0] != '\0')
        json_string(w, "protocol", row->protocol);
    if (row->kind == STOCK_TCP_OUTGOING && row->port != 0)
        json_string(w, "peer", address_text(&row->peer).text);
    if (row->kind == STOCK_TCP_OUTGOING || row->kind == STOCK_TCP_ACCEPTED)
        json_integer(w, "port", row->port);
}

static void put_states(struct json_writer *w, const struct growth_row *row)
{
    json_open(w, "states", '{');
    for (int state = 0; state < STATE_COUNT; state++)
        if (row->by_state[state] > 0)
            json_integer(w, tcp_state_name((enum tcp_state)state), row->by_state[state]);
    json_close(w, '}');
    json_integer(w, "recv_q", row->unread);
    json_integer(w, "send_q", row->unsent);
}

static void put_row(struct json_writer *w, const struct audit_growth *growth, const struct growth_row *row)
{
    json_open(w, NULL, '{');
    json_string(w, "kind", stock_kind_name(row->kind));
    put_place(w, row);
    json_integer(w, "count", row->count);
    json_integer(w, "gone", row->gone);
    json_open(w, "rounds", '[');
    for (int i = 0; i < growth->rounds + growth->check_rounds; i++)
        json_integer(w, NULL, row->of_round[i]);
    json_close(w, ']');
    if (row->kind == STOCK_TCP_ACCEPTED || row->kind == STOCK_TCP_OUTGOING)
        put_states(w, row);
    json_integer(w, "pid", row->pid);
    json_string(w, "command", row->command);
    json_string(w, "growth", growth_verdict_name(row->verdict));
    json_close(w, '}');
}

void audit_put_stock(struct json_writer *w, const struct audit_growth *growth)
{
    json_open(w, "stock", '{');
    put_kinds(w, "before", growth->before);
    put_kinds(w, "after", growth->after);
    json_open(w, "conns", '[');
    for (int i = 0; i < growth->rounds + growth->check_rounds; i++)
        json_integer(w, NULL, growth->conns[i]);
    json_close(w, ']');
    json_integer(w, "check_rounds", growth->check_rounds);
    json_integer(w, "others", growth->others);
    json_open(w, "grew", '[');
    for (int i = 0; i < growth->count; i++)
        put_row(w, growth, &growth->rows[i]);
    json_close(w, ']');
    json_close(w, '}');
}
