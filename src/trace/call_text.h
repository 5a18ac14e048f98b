/* call_text: a call on a connection, as people read it. */
#ifndef TRACE_CALL_TEXT_H
#define TRACE_CALL_TEXT_H

#include "trace/trace_report.h"

struct call_text {
    char text[80];
};

/* "close()", "epoll_ctl(DEL)", "recv() = 0", "recv(), which has not returned". */
struct call_text call_text(const struct traced_note *note);

/* Its name as programs write it: "recv", where the system call is recvfrom. */
const char *call_name(const struct traced_note *note);

/* What else is said of the call: "DEL", "SHUT_WR"; NULL: nothing. */
const char *call_detail(const struct traced_note *note);

#endif
