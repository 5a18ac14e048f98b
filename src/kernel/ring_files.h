/* ring_files: the files that an io_uring holds by itself, its registered files or direct descriptors: they
 * need no number in /proc/PID/fd (io_uring_show_fdinfo() in io_uring/fdinfo.c of the kernel, man 2
 * io_uring_register). Linux 6.18 tells inodes; older kernels print the last part of a name ("TCP"), and leave
 * the list out while the ring is at work. */
#ifndef KERNEL_RING_FILES_H
#define KERNEL_RING_FILES_H

#include <stdint.h>
#include <sys/types.h>

enum ring_line {
    RING_OTHER,   /* no file, or one that is no socket */
    RING_SOCKET,  /* a socket, with its inode */
    RING_UNNAMED, /* a file that the kernel does not tell from others */
};

enum ring_part { RING_BEFORE_FILES, RING_IN_FILES, RING_AFTER_FILES };

/* Zero-initialised: before the first line. */
struct ring_files {
    enum ring_part part;
    int64_t places; /* in its table (UserFiles), used or not */
    int64_t shown;  /* places that were listed */
};

/* Reads a line of a ring's fdinfo; they come in order. */
enum ring_line ring_files_parse(struct ring_files *ring, const char *line, uint64_t *inode);

/* Called for each socket; anything but 0 ends the reading with that value. */
typedef int on_ring_socket(void *context, uint64_t inode);

/* Reads the ring that is descriptor `fd` of that process. Returns 0, what the callback ended it with, or a
 * negative errno as in kernel/proc_file.h; EOPNOTSUPP: it may have files that the kernel did not tell. */
int ring_files_read(pid_t pid, int fd, on_ring_socket *each, void *context);

#endif
