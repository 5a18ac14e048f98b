/* packet_drop: makes a socket deaf. Every segment that it would receive is dropped before TCP sees it, by a
 * packet filter of one instruction; what it sends goes out as ever. This is how a state that lasts for
 * microseconds can be kept. */
#ifndef KERNEL_PACKET_DROP_H
#define KERNEL_PACKET_DROP_H

/* SO_ATTACH_FILTER, one system call; of a listener it holds for the connections that it would have made too.
 * Returns 0 or a negative errno: EPERM where the kernel lets only the root of a network namespace do this. */
int packet_drop_begin(int fd);

/* SO_DETACH_FILTER. Returns 0 or a negative errno. */
int packet_drop_end(int fd);

/* Whether this process may: 0, or the negative errno that packet_drop_begin() would return. */
int packet_drop_probe(void);

#endif
