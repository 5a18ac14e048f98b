/* unix_side: the look of server_side.h at a server of Unix sockets. These have no states of TCP and no ports:
 * an end is found by its inode, and by that of its peer. What a socket has heard and said gives it the state
 * that an end of TCP would have; one that both ends have closed is in no table. */
#ifndef AUDIT_UNIX_SIDE_H
#define AUDIT_UNIX_SIDE_H

#include "audit/server_side.h"
#include "audit/stock.h"

/* As server_side_look(); and as server_side_look_at_listeners(), where `probes` are none. */
int unix_side_look(const struct audit_settings *settings, const struct probe *probes, int64_t count,
                   struct audit_look *look);

/* In the stock of the server's processes: its ends of connections to the place are looked for by their own
 * (is_front), and those whose client has gone, as far as the probes tell, are ghosts. Returns as
 * unix_diag_each(). */
int unix_side_mark(const struct audit_settings *settings, const struct probe *probes, int64_t count,
                   struct stock *stock);

#endif
