/* node_hook: how programs of node tell their own lines. A stack of theirs shows the interpreter; a script
 * that node loads first (NODE_OPTIONS) knows the lines of JavaScript. It has net.Socket's write(), end(),
 * destroy(), pause() and resume() tell, before they do what they do, by a write() to a descriptor that does
 * not exist: the tracer is stopped at that anyway, and reads it. To all others it is a call that fails. */
#ifndef TRACE_NODE_HOOK_H
#define TRACE_NODE_HOOK_H

#include "code/code.h"

#include <sys/types.h>

enum { NODE_HOOK_DESCRIPTOR = 0x7fff7afe };

struct node_hook {
    char path[256]; /* of the script; "": there is none */
};

/* Makes the file, which all may read. Where that cannot be, programs of node are as others. */
void node_hook_make(struct node_hook *hook);
void node_hook_remove(struct node_hook *hook);

/* In the process that will be the program: has node load it. */
void node_hook_set(const struct node_hook *hook);

struct node_call {
    const char *name; /* "socket.end": of traced_call_named() */
    int fd;           /* the socket's */
    const struct site *site;
};

/* What was told with these bytes of the memory of a process. Returns whether it was: of the program's own
 * JavaScript. */
bool node_hook_read(struct code *code, pid_t tid, uint64_t address, uint64_t size, struct node_call *call);

#endif
