/* unix_diag: the Unix stream sockets of this network namespace, and who is connected to whom
 * (NETLINK_SOCK_DIAG, unix_diag_req in man 7 sock_diag). */
#ifndef KERNEL_UNIX_DIAG_H
#define KERNEL_UNIX_DIAG_H

#include "kernel/unix_place.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unix_entry {
    uint64_t inode; /* 0: it waits to be accepted */
    uint64_t peer;  /* the inode of the other end; 0: that is closed, or waits to be accepted */
    bool listens;
    bool is_there; /* its name, or the file that it is, is the place's: it listens there, or was accepted from
                      there */
    bool has_sent_eof;     /* shutdown(SHUT_WR); or the other end is closed */
    bool has_received_eof; /* the other end has shut down, or is closed. Whether that was read is not known */
    uint32_t unread;       /* bytes; of one that listens the connections in its accept queue */
    uint32_t backlog;      /* of one that listens */
};

/* Called for each socket; anything but 0 ends it with that value. */
typedef int on_unix_socket(void *context, const struct unix_entry *entry);

/* All of them, and before them those that wait to be accepted at the place: a kernel does not dump a list of
 * these that is longer than some 8,000. Returns 0 or a negative errno: EINTR when the kernel said that the
 * dump was interrupted, EBADMSG when it was cut short; what was passed on then counts for nothing. */
int unix_diag_each(const struct unix_place *place, on_unix_socket *on_entry, void *context);

/* The other end of the socket with that inode, which is open. Returns 0 or a negative errno. */
int unix_diag_peer(uint64_t inode, uint64_t *peer);

/* Walks the messages of one received buffer: as sock_diag_parse(). */
int unix_diag_parse(const void *buffer, size_t length, const struct unix_place *place,
                    on_unix_socket *on_entry, void *context);

#endif
