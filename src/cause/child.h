/* child: a process that a behaviour starts and that does not outlive it. */
#ifndef CAUSE_CHILD_H
#define CAUSE_CHILD_H

#include <sys/types.h>

/* Forks. In the child standard input, output and error are /dev/null, since ours may be the stream to a
 * controller, and `run` is called, which must not return; the child dies when we do. Every other descriptor
 * is there too, as after any fork(). Returns the child's pid, or a negative errno. */
pid_t child_start(void (*run)(const void *context), const void *context);

/* Likewise a helper program, which does nothing for a day. Returns when it runs: what is close-on-exec is not
 * there any more. */
pid_t child_start_helper(void);

/* Kills it and waits until it is gone, and with it its descriptors. 0 or less: nothing. */
void child_end(pid_t pid);

#endif
