/* min_ttl: makes a listener deaf without privileges. A socket may ask for segments that have come from its
 * neighbour alone, those with a time to live of 255 (RFC 5082; IP_MINTTL, IPV6_MINHOPCOUNT). Others are
 * dropped before TCP sees them: a SYN, which leaves with 64 by default, is not answered. */
#ifndef KERNEL_MIN_TTL_H
#define KERNEL_MIN_TTL_H

/* Of a socket of IPv4 or IPv6. Unlike packet_drop_begin() any user may. Returns 0 or a negative errno. */
int min_ttl_begin(int fd);

#endif
