#include "explain/look.h"

#include <errno.h>

struct mptcp_search {
    struct look *look;
    enum table which;
};

/* One that nobody has accepted is told of as any other. */
static int take(void *context, const struct socket_life *socket)
{
    struct mptcp_search *search = context;
    struct look *look = search->look;
    uint64_t inode = socket->entry.inode;
    int rc = 0;
    if (inode == 0)
        return 0;
    if (search->which == FIRST_TABLE)
        rc = number_set_add(&look->mptcp_before, inode);
    else if (number_set_has(&look->mptcp_before, inode))
        rc = number_set_add(&look->mptcp, inode);
    return rc < 0 ? rc : 0;
}

int look_mptcp(struct look *look, enum table which)
{
    struct mptcp_search search = {look, which};
    number_set_free(which == FIRST_TABLE ? &look->mptcp_before : &look->mptcp);
    int rc = sock_diag_each_mptcp(AF_INET, STATE_SET(STATE_CLOSE_WAIT), take, &search);
    if (rc == 0)
        rc = sock_diag_each_mptcp(AF_INET6, STATE_SET(STATE_CLOSE_WAIT), take, &search);
    if (rc == -ENOMEM || rc == -EINTR)
        return rc;
    look->mptcp_error = rc < 0 ? -rc : look->mptcp_error;
    return 0;
}

/* The DATA_FIN came no later than the last segment, as far as that connection knows. Of others what TCP alone
 * says of an end is not the program's to act on: paths come and go. */
void look_take_mptcp(const struct look *look, struct fact_socket *fact)
{
    bool waits = fact->inode != 0 && fact->state != STATE_CLOSE && number_set_has(&look->mptcp, fact->inode);
    if (waits) {
        fact->is_mptcp = true;
        fact->state = STATE_CLOSE_WAIT;
        fact->is_fin_swallowed = false;
        fact->fin = (struct fact_age){fact->last_ack_recv_ms, FACT_NO_LIMIT};
    } else if (fact->is_mptcp && fact->state != STATE_ESTABLISHED) {
        fact->in_both = false;
    }
}

bool look_is_same_mptcp(const struct fact_socket *a, const struct fact_socket *b)
{
    return a->is_mptcp && b->is_mptcp && a->inode != 0 && a->inode == b->inode;
}
