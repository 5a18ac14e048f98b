/* system_call: the calls that a thread can wait in, by what it waits for: by their number, or where that may
 * not be known by the kernel function that the thread sleeps in (wchan, man 5 proc). */
#ifndef KERNEL_SYSTEM_CALL_H
#define KERNEL_SYSTEM_CALL_H

enum call_kind {
    IN_UNKNOWN,
    IN_NOTHING, /* it runs, or could */
    IN_EPOLL_WAIT,
    IN_POLL,
    IN_SELECT,
    IN_POLL_OR_SELECT, /* the kernel sleeps in the same function */
    IN_ACCEPT,
    IN_IO_URING,
    IN_READ, /* of a descriptor of any kind */
    IN_WRITE,
    IN_CONNECT,
    IN_SOCKET, /* reads, writes or connects a socket: which, is not known */
    IN_FUTEX,
    IN_SLEEP,
    IN_CHILD,
    IN_SIGNAL,
    IN_FILE, /* a lock, a disk, a path */
    IN_OTHER,
    CALL_KIND_COUNT,
};

struct system_call {
    long number; /* of this machine's own calls, not of 32-bit programs on it */
    const char *name;
    enum call_kind kind;
    int fd_at; /* which argument, from 0, is the descriptor that it waits for; -1: none is */
};

/* NULL: none of those that are known here. */
const struct system_call *system_call_of(long number);

/* What a thread waits for that sleeps in that function of the kernel, whose names differ by version:
 * IN_UNKNOWN where it is none of those that are known here. */
enum call_kind call_kind_of_wchan(const char *function);

#endif
