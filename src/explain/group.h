/* group: the sockets that linger, those together of which the same can be said.
 *
 * A socket lingers that has been in CLOSE_WAIT for at least the grace, that has waited in an accept queue for
 * so long, or whose connection is gone while its descriptor is open (a ghost). It must be in both tables of
 * the look: a server that is only slow passes through. */
#ifndef EXPLAIN_GROUP_H
#define EXPLAIN_GROUP_H

#include "explain/facts.h"
#include "explain/loop.h"

/* How much of what came has been taken out of the socket. */
enum reading {
    READING_ALL,     /* all, and the FIN came later: unless it was read late, EOF has been read */
    READING_PERHAPS, /* all, but one recv() may have stepped over the FIN, or that is not known */
    READING_PART,    /* some, not the rest */
    READING_NOTHING,
    READING_UNKNOWN, /* something is unread */
    READING_COUNT,
};

struct group {
    enum tcp_state state;
    enum fact_holder holder;
    enum fact_way way;
    int listener; /* -1 */
    enum reading reading;
    enum fact_waiter waiter;
    uint32_t events; /* with the waiter, as in struct fact_wait */
    bool is_mask_known, at_rest;
    enum loop_state loop; /* of its holders; of an accept queue, of those that could accept */

    const int *members; /* indices of facts->sockets, those whose FIN is the oldest first */
    int count;
    int first_process; /* -1: nobody holds them */
    int processes;     /* different first holders */
};

struct groups {
    struct group *each; /* the largest first */
    int count;
    int *members;
    int lingering; /* sockets in all groups */
    int young;     /* in CLOSE_WAIT or in an accept queue for less than the grace, or perhaps so */
};

/* Returns 0 or -ENOMEM; groups_free() frees it. */
int groups_of(const struct facts *facts, int64_t grace_ms, struct groups *groups);
void groups_free(struct groups *groups);

enum reading reading_of(const struct fact_socket *socket);

/* Whether somebody must have read EOF: nothing else was to be read, or the answer went out before the FIN
 * came. That all is read does not prove it: a FIN is merged into data that is still unread, however much
 * earlier that came, and one recv() takes both and returns the data (tcp_try_coalesce() of the kernel). */
bool socket_proves_eof(const struct fact_socket *socket);

/* Whether a socket lingers, by these rules. */
bool socket_lingers(const struct fact_socket *socket, int64_t grace_ms);

#endif
