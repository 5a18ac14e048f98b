/* witness_process: the witness in a process of its own, because a look at millions of sockets takes seconds
 * and must not stall credits, signals or the news of a dead worker. */
#ifndef WORKER_WITNESS_PROCESS_H
#define WORKER_WITNESS_PROCESS_H

/* Answers looks, one after the other, until the controller says quit or is gone. Closes both descriptors.
 * Returns 0, or a negative errno. */
int witness_process_run(int from_controller, int to_controller);

#endif
