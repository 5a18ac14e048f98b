#include "trace/call_text.h"

#include "base/text.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

const char *call_name(const struct traced_note *note)
{
    static const struct {
        const char *call, *written;
    } names[] = {{"recvfrom", "recv"}, {"sendto", "send"}, {"accept4", "accept"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(note->call->name, names[i].call) == 0)
            return names[i].written;
    return note->call->name;
}

const char *call_detail(const struct traced_note *note)
{
    static const char *const watches[] = {
        [EPOLL_CTL_ADD] = "ADD", [EPOLL_CTL_DEL] = "DEL", [EPOLL_CTL_MOD] = "MOD"};
    static const char *const halves[] = {
        [SHUT_RD] = "SHUT_RD", [SHUT_WR] = "SHUT_WR", [SHUT_RDWR] = "SHUT_RDWR"};
    if (note->call->act == TRACED_WATCH && note->detail >= EPOLL_CTL_ADD && note->detail <= EPOLL_CTL_MOD)
        return watches[note->detail];
    if (note->call->act == TRACED_SHUTDOWN && note->detail >= SHUT_RD && note->detail <= SHUT_RDWR)
        return halves[note->detail];
    if (strstr(note->call->name, "msg") != NULL && note->detail == SCM_RIGHTS)
        return "SCM_RIGHTS";
    return NULL;
}

struct call_text call_text(const struct traced_note *note)
{
    struct call_text text = {""};
    const char *detail = call_detail(note);
    TEXT_ADD(text.text, "%s(%s)", call_name(note), detail != NULL ? detail : "");
    if (note->result == RESULT_ERROR)
        TEXT_ADD(text.text, " = -1 (%s)", strerror(note->error));
    else if (note->call->act == TRACED_READ && note->result == RESULT_ZERO)
        TEXT_ADD(text.text, " = 0");
    else if (note->call->act == TRACED_READ && note->result == RESULT_SOME)
        TEXT_ADD(text.text, " > 0");
    else if (note->call->act == TRACED_READ && note->call->needs_result)
        TEXT_ADD(text.text, ", which has not returned");
    return text;
}
