/* wait_set: what a thread of another process that is in poll() or select() waits for, read out of its memory
 * (process_vm_readv, man 2; man 2 poll, man 2 select). While the thread sleeps there its sets do not change;
 * whoever reads them must see afterwards that it has slept all the time (kernel/thread_clock.h). */
#ifndef KERNEL_WAIT_SET_H
#define KERNEL_WAIT_SET_H

#include "kernel/thread_call.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Called for each descriptor with what it is waited for (POLLIN...; of select() POLLIN, POLLOUT and POLLPRI
 * for its three sets); anything but 0 ends the reading with that value. */
typedef int on_waited(void *context, int fd, uint32_t events);

/* Reads an array of poll(). An entry below 0 is no descriptor (man 2 poll). Returns 0, or what the callback
 * ended it with. */
int poll_set_parse(const struct pollfd *array, size_t count, on_waited *each, void *context);

enum { SELECT_IN, SELECT_OUT, SELECT_EXCEPT, SELECT_SETS };

/* The words of a set that select() looks at. */
size_t select_set_words(int descriptors);

/* Reads the sets of select(), each NULL or of select_set_words(descriptors) words. */
int select_set_parse(const unsigned long *const sets[SELECT_SETS], int descriptors, on_waited *each,
                     void *context);

/* Reads what a call of that process with arguments, IN_POLL or IN_SELECT, waits for. Returns 0, what the
 * callback ended it with, or a negative errno: ESRCH, the process has ended; EACCES, we may not attach to it;
 * EFAULT, its memory is not so; E2BIG, more than a million descriptors; ENOMEM. */
int wait_set_read(pid_t pid, const struct thread_call *call, on_waited *each, void *context);

#endif
