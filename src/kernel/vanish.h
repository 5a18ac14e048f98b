/* vanish: ends a connection without a word to the other side, as a machine that loses power does. What still
 * comes for it finds nobody and is answered by an RST, as from that machine when it is up again. */
#ifndef KERNEL_VANISH_H
#define KERNEL_VANISH_H

/* close() under TCP_REPAIR (tcp_disconnect: no FIN, no RST). Releases the descriptor. Returns 0, or a
 * negative errno: then it was an ordinary close(). EPERM without CAP_NET_ADMIN in the network namespace. */
int vanish(int fd);

/* Whether this process may: 0, or the negative errno that vanish() would return. */
int vanish_probe(void);

#endif
