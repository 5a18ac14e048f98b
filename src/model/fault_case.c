#include "model/fault_case.h"

#include "base/number_text.h"
#include "base/text.h"

static const char *const eof_texts[] = {
    [EOF_ANY] = "",
    [EOF_UNREAD] = ", EOF unread",
    [EOF_READ] = ", EOF read",
};

static const char *const owner_texts[][SIDE_COUNT] = {
    [OWNER_ANY] = {"", ""},
    [OWNER_AT_FAULT] = {", held by the server itself", ", held by the client itself"},
    [OWNER_OTHER] = {", held by another process", ", held by another process"},
    [OWNER_NONE] = {", held by no process", ", held by no process"},
};

static const char *const ghost_texts[SIDE_COUNT] = {
    [SIDE_SERVER] = ", the server holds descriptors of connections that are gone",
    [SIDE_CLIENT] = ", the client holds descriptors of connections that are gone",
};

static const char *const elsewhere_texts[SIDE_COUNT] = {
    [SIDE_SERVER] = " on its port, the server holds connections to another",
    [SIDE_CLIENT] = " to that port, the client holds connections to another"};

static const char *const alone_texts[SIDE_COUNT] = {
    [SIDE_SERVER] = " and the client has none of them", [SIDE_CLIENT] = " and the server has none of them"};

static const char *const lost_texts[SIDE_COUNT] = {
    [SIDE_SERVER] = ", replies are lost", [SIDE_CLIENT] = ", requests are lost"};

struct signature_text signature_text(const struct signature *signature)
{
    struct signature_text out = {""};
    enum side side = signature->at_fault;
    bool lingers = signature->state != STATE_GONE;
    TEXT_ADD(out.text, "%s %s%s%s%s%s%s%s%s%s%s%s%s%s%s%s", lingers ? side_name(side) : "no socket",
             lingers ? tcp_state_name(signature->state) : "lingers", eof_texts[signature->eof],
             signature->is_stalled ? ", its Send-Q full before a closed window" : "",
             signature->is_alone ? alone_texts[side] : "", owner_texts[signature->owner][side],
             signature->listener_is_others ? ", their listener held by another" : "",
             signature->fades ? ", later CLOSE_WAIT, EOF unread, or the descriptor alone" : "",
             signature->leaves_elsewhere ? elsewhere_texts[side] : "",
             signature->leaves_ghosts ? ghost_texts[side] : "", signature->has_counter ? ", " : "",
             signature->has_counter ? kernel_counter_name(signature->counter) : "",
             signature->has_counter ? " moves" : "", signature->loses ? lost_texts[side] : "",
             signature->fails_accept ? ", accept() fails" : "",
             signature->fails_connect ? ", connect() fails" : "");
    if (signature->delays_ms > 0)
        TEXT_ADD(out.text, ", replies take %s and more", duration_text(signature->delays_ms).text);
    return out;
}
