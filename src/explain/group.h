/* group: the sockets that linger, those together of which the same can be said.
 *
 * A socket lingers that has been in CLOSE_WAIT for at least the grace, that has waited in an accept queue for
 * so long, that its program has closed while one of its threads was in a call on it, or whose connection is
 * gone while its descriptor is open (a ghost); or one that a server has opened and forgotten
 * (explain/behind). It must be in both tables of the look: a server that is only slow passes through.
 *
 * Or it is half-closed: the program has sent its FIN by shutdown() and keeps the descriptor, so that no timer
 * of the kernel ends it (tcp_fin_timeout runs after close() alone). Servers do that for a while on purpose,
 * to let the client read the answer (the lingering close of Apache and of nginx: at most 30 s), and who waits
 * for the rest of an answer may do it for as long as that takes. So it lingers only when nothing has moved
 * for HALF_CLOSED_MS, or for HALF_CLOSED_UNHEARD_MS where nobody waits for the peer. */
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

enum {
    HALF_CLOSED_MS = 60000, /* as long as the kernel itself waits after close(), preset */
    HALF_CLOSED_UNHEARD_MS = 5000,
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
    bool is_mptcp;
    enum fact_error error; /* of ghosts */
    enum loop_state loop;  /* of its holders; of an accept queue, of those that could accept */

    const int *members; /* indices of facts->sockets, those whose FIN is the oldest first */
    int count;
    int first_process; /* -1: nobody holds them */
    int processes;     /* different first holders */
};

struct groups {
    struct group *each; /* the largest first */
    int count;
    int *members;
    int lingering;   /* sockets in all groups */
    int young;       /* in CLOSE_WAIT or in an accept queue for less than the grace, or perhaps so */
    int half_closed; /* in FIN_WAIT2 with a descriptor, and not lingering */
};

/* Returns 0 or -ENOMEM; groups_free() frees it. */
int groups_of(const struct facts *facts, int64_t grace_ms, struct groups *groups);
void groups_free(struct groups *groups);

enum reading reading_of(const struct fact_socket *socket);

/* Whether somebody must have read EOF: nothing else was to be read, or the answer went out before the FIN
 * came. That all is read does not prove it: a FIN is merged into data that is still unread, however much
 * earlier that came, and one recv() takes both and returns the data (tcp_try_coalesce() of the kernel). */
bool socket_proves_eof(const struct fact_socket *socket);

/* Whether the program has ended its half and keeps the descriptor: it waits for the peer's FIN, or still has
 * data to send before its own. */
bool socket_is_half_closed(const struct fact_socket *socket);
bool group_is_half_closed(const struct group *group);

/* Whether they are open connections to another that nobody hears (explain/behind). */
bool group_is_behind(const struct group *group);

/* Whether a socket lingers, by these rules; a half-closed one does not here, for that takes more to tell. */
bool socket_lingers(const struct fact_socket *socket, int64_t grace_ms);

#endif
