/* parting_note: what is wrong at a line of code, for those who show it there: code hosts, editors. */
#ifndef VIEW_PARTING_NOTE_H
#define VIEW_PARTING_NOTE_H

#include "trace/parting.h"
#include "view/audit_view.h"

#include <stdbool.h>

/* A line of source. */
struct source_line {
    char uri[512]; /* relative to the folder that tcpstorm runs in, where it is below that; or absolute */
    int line;      /* 0: not known */
    const char *function; /* NULL: not known */
};

/* Where a call was made: the innermost of the program's own places that has a line. Returns whether there is
 * one. */
bool source_line_of(const struct traced_note *note, struct source_line *line);

/* One line to be annotated: connections that ended there and were not closed as they should be. */
struct parting_note {
    const struct audit_report *report;
    const struct parting_fork *fork;
    const struct parting_branch *branch;
    bool has_line;
    struct source_line line;
    char text[1200]; /* "4 of 1,000 connections ended with epoll_ctl(DEL) here: no close() follows. ..." */
};

/* Calls take() for each of a report that was traced, until it returns other than 0; returns that, or 0. Of a
 * server that closes there is none. */
int parting_each_note(const struct audit_report *report,
                      int (*take)(void *context, struct parting_note *note), void *context);

#endif
