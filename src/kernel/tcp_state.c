#include "kernel/tcp_state.h"

#include <ctype.h>
#include <string.h>

struct state_row {
    const char *name;
    const char *column;
    const char *word;
    const char *alias; /* another spelling that squeezing alone does not reach */
};

static const struct state_row states[] = {
    [STATE_GONE] = {"gone", "gone", "gone", NULL},
    [STATE_ESTABLISHED] = {"ESTABLISHED", "established", "established", "estab"},
    [STATE_SYN_SENT] = {"SYN_SENT", "syn_sent", "syn-sent", NULL},
    [STATE_SYN_RECV] = {"SYN_RECV", "syn_recv", "syn-recv", "synreceived"},
    [STATE_FIN_WAIT1] = {"FIN_WAIT1", "fin_wait1", "fin-wait-1", NULL},
    [STATE_FIN_WAIT2] = {"FIN_WAIT2", "fin_wait2", "fin-wait-2", NULL},
    [STATE_TIME_WAIT] = {"TIME_WAIT", "time_wait", "time-wait", NULL},
    [STATE_CLOSE] = {"CLOSE", "close", "close", "closed"},
    [STATE_CLOSE_WAIT] = {"CLOSE_WAIT", "close_wait", "close-wait", NULL},
    [STATE_LAST_ACK] = {"LAST_ACK", "last_ack", "last-ack", NULL},
    [STATE_LISTEN] = {"LISTEN", "listen", "listen", "listening"},
    [STATE_CLOSING] = {"CLOSING", "closing", "closing", NULL},
};
_Static_assert(sizeof states / sizeof states[0] == STATE_COUNT, "one row per state");

static const enum tcp_state life_order[] = {
    STATE_LISTEN,     STATE_SYN_SENT, STATE_SYN_RECV, STATE_ESTABLISHED, STATE_FIN_WAIT1, STATE_FIN_WAIT2,
    STATE_CLOSE_WAIT, STATE_CLOSING,  STATE_LAST_ACK, STATE_TIME_WAIT,   STATE_CLOSE,
};
_Static_assert(sizeof life_order / sizeof life_order[0] == LIFE_ORDER_COUNT, "every state once, gone apart");

const char *tcp_state_name(enum tcp_state state)
{
    return states[state].name;
}

const char *tcp_state_column(enum tcp_state state)
{
    return states[state].column;
}

const char *tcp_state_word(enum tcp_state state)
{
    return states[state].word;
}

enum tcp_state tcp_state_in_life_order(size_t i)
{
    return life_order[i];
}

/* Lower case, without what parts words: all spellings of one state become the same. */
static void squeeze(const char *name, char *out, size_t size)
{
    size_t n = 0;
    for (; *name != '\0' && n + 1 < size; name++)
        if (strchr("_- ", *name) == NULL)
            out[n++] = (char)tolower((unsigned char)*name);
    out[n] = '\0';
}

bool tcp_state_parse(const char *name, enum tcp_state *state)
{
    char wanted[24], known[24];
    squeeze(name, wanted, sizeof wanted);
    for (int i = STATE_ESTABLISHED; i < STATE_COUNT; i++) {
        squeeze(states[i].name, known, sizeof known);
        if (strcmp(wanted, known) == 0 || (states[i].alias != NULL && strcmp(wanted, states[i].alias) == 0)) {
            *state = (enum tcp_state)i;
            return true;
        }
    }
    return false;
}
