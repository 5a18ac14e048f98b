/* passed_descriptors: those that a message of sendmsg() or recvmsg() hands to another process (SCM_RIGHTS,
 * man 7 unix), read out of the memory of the process that makes the call. */
#ifndef TRACE_PASSED_DESCRIPTORS_H
#define TRACE_PASSED_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { PASSED_MAX = 253 }; /* the kernel's SCM_MAX_FD */

/* `message`: the address of a struct msghdr. Returns how many, the sender's or the receiver's numbers. */
int passed_descriptors(pid_t tid, uint64_t message, int fds[PASSED_MAX]);

/* Whether a recvmsg() has room for any. */
bool passed_descriptors_have_room(pid_t tid, uint64_t message);

#endif
