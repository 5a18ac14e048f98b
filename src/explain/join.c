#include "explain/look.h"

#include "explain/runtime.h"
#include "kernel/descriptor_table.h"
#include "kernel/process.h"
#include "kernel/process_limits.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

/* ---- who waits for a socket ---- */

struct best_wait {
    struct fact_wait wait;
    int score; /* -1: there is none yet */
};

/* The kernel takes all but these out of the mask when EPOLLONESHOT has fired (EP_PRIVATE_BITS). */
#define EPOLL_FLAGS (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

static bool would_hear(enum fact_waiter kind, uint32_t events)
{
    switch (kind) {
    case WAITER_EPOLL:
        return (events & ~EPOLL_FLAGS & (EPOLLIN | EPOLLRDHUP | EPOLLRDNORM)) != 0;
    case WAITER_POLL:
    case WAITER_SELECT:
    case WAITER_THREAD:
        return (events & (POLLIN | POLLRDHUP | POLLRDNORM)) != 0;
    default:
        return false;
    }
}

/* Who would hear a FIN, and among them who is at rest, and then who came first. */
static void offer(struct best_wait *best, const struct fact_wait *wait)
{
    int score = 2 * would_hear(wait->kind, wait->events) + wait->at_rest;
    if (score > best->score)
        *best = (struct best_wait){*wait, score};
}

size_t look_first_membership(const struct look *look, uint64_t inode)
{
    size_t low = 0, high = look->membership_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (look->memberships[middle].inode < inode)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t look_first_call(const struct look *look, uint64_t inode)
{
    size_t low = 0, high = look->call_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (look->calls[middle].inode < inode)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The place of a thread among the facts; -1: it has ended since. */
static int fact_thread_of(const struct look *look, int thread)
{
    return thread >= 0 ? look->threads[thread].fact_index : -1;
}

static void offer_waiters(const struct look *look, uint64_t inode, struct best_wait *best)
{
    for (size_t i = look_first_membership(look, inode);
         i < look->membership_count && look->memberships[i].inode == inode; i++) {
        const struct membership *membership = &look->memberships[i];
        const struct epoll_set *set = &look->sets[membership->set];
        offer(best, &(struct fact_wait){
                        .kind = WAITER_EPOLL,
                        .events = membership->events,
                        .is_mask_known = membership->is_mask_known,
                        .set_fd = set->fd,
                        .at_rest = set->at_rest,
                        .thread = set->at_rest ? fact_thread_of(look, set->thread) : -1,
                    });
    }
    for (size_t i = look_first_call(look, inode); i < look->call_count && look->calls[i].inode == inode;
         i++) {
        const struct call_on *call = &look->calls[i];
        offer(best, &(struct fact_wait){
                        .kind = call->kind,
                        .events = call->events,
                        .is_mask_known = true,
                        .set_fd = -1,
                        .at_rest = true,
                        .thread = fact_thread_of(look, call->thread),
                    });
    }
}

/* A request that reads ends with the FIN: no ring waits for a socket in CLOSE_WAIT. */
static bool may_be_waited_for_unseen(const struct look_process *process, enum tcp_state state)
{
    bool ring = process->has_ring && state != STATE_CLOSE_WAIT && state != STATE_CLOSE;
    return process->is_blind_to_calls || process->is_blind_to_sets || ring;
}

static struct fact_wait wait_for(const struct look *look, uint64_t inode, enum tcp_state state)
{
    struct best_wait best = {{.kind = WAITER_NOBODY, .set_fd = -1, .thread = -1}, -1};
    if (inode == 0)
        return best.wait;
    offer_waiters(look, inode, &best);
    size_t first, count = look_holdings_of(look, inode, &first);
    for (size_t i = first; i < first + count && best.score < 0; i++)
        if (may_be_waited_for_unseen(&look->processes[look->holdings[i].process], state))
            best.wait.kind = WAITER_UNKNOWN;
    return best.wait;
}

/* ---- sockets ---- */

static void take_first_holder(const struct look *look, const struct holding *holding,
                              struct fact_socket *fact)
{
    const struct look_process *process = &look->processes[holding->process];
    fact->holder = process->is_asked || process->is_sibling ? HOLDER_PROCESS : HOLDER_HEIR;
    fact->process = process->fact_index;
    fact->fd = holding->fd;
    if (fact->listener >= 0)
        fact->listener = look_shared_listener_of(look, fact->listener, holding->process);
}

static void take_holder(const struct look *look, struct fact_socket *fact)
{
    size_t first, count = look_holdings_of(look, fact->inode, &first);
    int last = -1;
    for (size_t i = first; i < first + count; i++) {
        const struct holding *holding = &look->holdings[i];
        if (holding->process == last || look->processes[holding->process].fact_index < 0)
            continue;
        last = holding->process;
        if (fact->holders++ == 0)
            take_first_holder(look, holding, fact);
    }
    if (fact->holders > 0)
        return;
    fact->process = fact->fd = -1;
    if (fact->inode != 0)
        fact->holder = HOLDER_HIDDEN;
    else
        fact->holder = fact->state == STATE_CLOSE_WAIT || fact->state == STATE_ESTABLISHED ? HOLDER_QUEUE
                                                                                           : HOLDER_KERNEL;
    if (fact->holder == HOLDER_QUEUE && fact->listener >= 0)
        fact->listener = look_fullest_listener_of(look, fact->listener);
}

/* What was accepted after the descriptors had been read is not hidden, nor a ghost whose process ended. */
static bool is_too_young(const struct fact_socket *fact)
{
    return fact->holder == HOLDER_HIDDEN && (!fact->in_both || fact->state == STATE_CLOSE);
}

/* Who asks about a port does not ask about other ports of the same processes. */
static bool is_of_other_port(const struct look *look, const struct fact_socket *fact)
{
    return look->request->pid == 0 && fact->way == WAY_ACCEPTED && fact->listener < 0;
}

/* Without the states of MPTCP it is not known whether its peer has ended its half. */
static void note_mptcp(struct look *look, const struct fact_socket *fact)
{
    size_t first, count = look_holdings_of(look, fact->inode, &first);
    for (size_t i = first; i < first + count && fact->is_mptcp && look->mptcp_error != 0; i++)
        look->processes[look->holdings[i].process].unseen[UNSEEN_MPTCP] = look->mptcp_error;
}

/* Of the TCP connections of one of MPTCP, which are neighbours, the one that heard its peer last counts. */
static void add_socket(struct facts *facts, const struct fact_socket *fact)
{
    struct fact_socket *last = facts->socket_count > 0 ? &facts->sockets[facts->socket_count - 1] : NULL;
    if (last == NULL || !look_is_same_mptcp(last, fact))
        facts->sockets[facts->socket_count++] = *fact;
    else if (fact->last_ack_recv_ms < last->last_ack_recv_ms)
        *last = *fact;
}

static int join_sockets(struct look *look)
{
    struct facts *facts = look->facts;
    size_t room = look->socket_count + look->ghost_count;
    facts->sockets = calloc(room > 0 ? room : 1, sizeof *facts->sockets);
    if (facts->sockets == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < look->socket_count + look->ghost_count; i++) {
        struct fact_socket fact = i < look->socket_count ? look_fact_socket(look, &look->sockets[i])
                                                         : look->ghosts[i - look->socket_count];
        look_take_mptcp(look, &fact);
        take_holder(look, &fact);
        note_mptcp(look, &fact);
        fact.wait = wait_for(look, fact.inode, fact.state);
        if (is_of_other_port(look, &fact))
            facts->of_other_ports += fact.holder == HOLDER_PROCESS;
        else if (!is_too_young(&fact))
            add_socket(facts, &fact);
    }
    return 0;
}

static int count_hidden(const struct facts *facts)
{
    int hidden = 0;
    for (int i = 0; i < facts->socket_count; i++)
        hidden += facts->sockets[i].holder == HOLDER_HIDDEN;
    return hidden;
}

/* As many as threads are in calls on what was closed may be those that nobody has. */
static void find_closed_in_calls(struct facts *facts)
{
    int hidden = count_hidden(facts), calls = 0, process = -1;
    for (int i = 0; i < facts->thread_count; i++) {
        if (!facts->threads[i].is_on_closed)
            continue;
        process = calls++ == 0 || process == facts->threads[i].process ? facts->threads[i].process : -1;
    }
    for (int i = 0; i < facts->socket_count && hidden <= calls; i++)
        if (facts->sockets[i].holder == HOLDER_HIDDEN) {
            facts->sockets[i].holder = HOLDER_CALL;
            facts->sockets[i].process = process;
            facts->sockets[i].wait =
                (struct fact_wait){.kind = WAITER_THREAD, .set_fd = -1, .at_rest = true, .thread = -1};
        }
}

/* As many as wait in Unix sockets may be those that nobody has. */
static int find_in_flight(struct look *look)
{
    int64_t waiting = 0;
    int hidden = count_hidden(look->facts);
    if (hidden == 0)
        return 0;
    int rc = look_in_flight(look, &waiting);
    for (int i = 0; i < look->facts->socket_count && rc == 0 && waiting >= hidden; i++)
        if (look->facts->sockets[i].holder == HOLDER_HIDDEN)
            look->facts->sockets[i].holder = HOLDER_IN_FLIGHT;
    return rc;
}

/* ---- threads ---- */

static unsigned hears_of(const struct look *look, uint64_t inode)
{
    if (look_is_listener(look, inode))
        return HEARS_LISTENER;
    const struct socket_life *socket = look_socket(look, inode);
    if (socket == NULL)
        return HEARS_OTHER;
    return look_fact_socket(look, socket).way == WAY_OUTGOING ? HEARS_OUTGOING : HEARS_ACCEPTED;
}

static void sets_hear(struct look *look)
{
    for (size_t i = 0; i < look->set_count; i++)
        look->sets[i].hears |= look->sets[i].is_unread ? HEARS_UNKNOWN : 0;
    for (size_t i = 0; i < look->membership_count; i++) {
        struct epoll_set *set = &look->sets[look->memberships[i].set];
        if (look->memberships[i].inode != 0 || look_nested_set(look, &look->memberships[i]) < 0)
            set->hears |= hears_of(look, look->memberships[i].inode);
    }
    look_nest_sets(look);
}

static struct fact_endpoint peer_of(const struct look *look, uint64_t inode)
{
    const struct socket_life *socket = look_socket(look, inode);
    if (socket == NULL)
        return (struct fact_endpoint){0};
    return (struct fact_endpoint){address_unmapped(&socket->entry.remote), socket->entry.remote_port};
}

static void thread_hears_set(const struct look *look, struct fact_thread *fact)
{
    for (size_t i = 0; i < look->set_count; i++)
        if (look->sets[i].process == fact->process && look->sets[i].fd == fact->fd)
            fact->hears = look->sets[i].hears;
    if (fact->hears == 0)
        fact->hears = fact->fd >= 0 ? HEARS_OTHER : HEARS_UNKNOWN;
}

/* poll() and select(): what each thread's last set holds, and the peer where that is one connection. */
static void threads_hear_calls(struct look *look)
{
    for (size_t i = 0; i < look->call_count; i++) {
        const struct call_on *call = &look->calls[i];
        struct look_thread *thread = &look->threads[call->thread];
        if (call->reading != SECOND_READING || (call->kind != WAITER_POLL && call->kind != WAITER_SELECT))
            continue;
        thread->fact.hears |= hears_of(look, call->inode);
        thread->sockets_in_call += call->inode != 0;
        if (call->inode != 0)
            thread->fact.inode = call->inode;
    }
}

static void finish_thread(const struct look *look, struct look_thread *thread)
{
    struct fact_thread *fact = &thread->fact;
    bool is_poll = fact->call == CALL_POLL || fact->call == CALL_SELECT;
    if (is_poll && thread->sockets_in_call != 1)
        fact->inode = 0;
    if (is_poll && (thread->is_set_unknown || fact->hears == 0))
        fact->hears = thread->is_set_unknown ? HEARS_UNKNOWN : HEARS_OTHER;
    if (fact->call == CALL_EPOLL_WAIT)
        thread_hears_set(look, fact);
    else if (!is_poll)
        fact->hears = 0;
    fact->peer = peer_of(look, fact->inode);
    const struct socket_life *socket = look_socket(look, fact->inode);
    fact->way = socket != NULL ? look_fact_socket(look, socket).way : WAY_UNKNOWN;
}

static int join_threads(struct look *look)
{
    struct facts *facts = look->facts;
    facts->threads = calloc(look->thread_count > 0 ? look->thread_count : 1, sizeof *facts->threads);
    if (facts->threads == NULL)
        return -ENOMEM;
    sets_hear(look);
    threads_hear_calls(look);
    for (size_t i = 0; i < look->thread_count; i++) {
        struct look_thread *thread = &look->threads[i];
        int process = look->processes[thread->process].fact_index;
        thread->is_there = thread->is_there && process >= 0;
        thread->fact_index = thread->is_there ? facts->thread_count : -1;
        if (!thread->is_there)
            continue;
        finish_thread(look, thread);
        thread->fact.process = process;
        facts->threads[facts->thread_count++] = thread->fact;
    }
    return 0;
}

/* ---- listeners and processes ---- */

/* accept() on a listener whose number may not be known is on one of the process's. */
static struct fact_wait listener_wait(const struct look *look, uint64_t inode)
{
    struct fact_wait wait = wait_for(look, inode, STATE_LISTEN);
    size_t first, count = look_holdings_of(look, inode, &first);
    for (size_t i = first; i < first + count && !wait.at_rest; i++) {
        int thread = look->processes[look->holdings[i].process].accepting_thread;
        if (thread >= 0)
            wait = (struct fact_wait){.kind = WAITER_THREAD,
                                      .events = POLLIN,
                                      .is_mask_known = true,
                                      .set_fd = -1,
                                      .at_rest = true,
                                      .thread = fact_thread_of(look, thread)};
    }
    return wait;
}

static int processes_with(const struct look *look, uint64_t inode)
{
    size_t first, count = look_holdings_of(look, inode, &first);
    int processes = 0;
    for (size_t i = first; i < first + count; i++)
        processes += i == first || look->holdings[i].process != look->holdings[i - 1].process;
    return processes;
}

static int join_listeners(struct look *look)
{
    struct facts *facts = look->facts;
    facts->listeners = calloc(look->listener_count > 0 ? look->listener_count : 1, sizeof *facts->listeners);
    if (facts->listeners == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < look->listener_count; i++) {
        const struct socket_life *listener = &look->listeners[i];
        facts->listeners[facts->listener_count++] = (struct fact_listener){
            .cookie = listener->cookie,
            .inode = listener->entry.inode,
            .at = {address_unmapped(&listener->entry.local), listener->entry.local_port},
            .queue = listener->entry.unread,
            .backlog = listener->entry.backlog,
            .processes = processes_with(look, listener->entry.inode),
            .wait = listener_wait(look, listener->entry.inode),
            .server = -1,
        };
    }
    return 0;
}

static int64_t up_ms(pid_t pid)
{
    struct process_facts facts;
    struct timespec now;
    int64_t ticks = sysconf(_SC_CLK_TCK);
    if (process_facts_of(pid, &facts) != 0 || ticks <= 0 || clock_gettime(CLOCK_BOOTTIME, &now) != 0)
        return -1;
    int64_t started_ms = (int64_t)facts.started * 1000 / ticks;
    int64_t up = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - started_ms;
    return up > 0 ? up : 0;
}

static struct fact_process fact_process_of(const struct look_process *process)
{
    struct process_limits limits;
    struct process_facts now;
    struct process_command command = process_command(process->pid);
    struct fact_process fact = {
        .pid = process->pid,
        .is_heir = !process->is_asked && !process->is_sibling,
        .runtime = runtime_of(process->pid),
        .group = process_cgroup(process->pid),
        .descriptors = process->is_seen ? (int64_t)process->descriptor_count : -1,
        .descriptor_table = descriptor_table_size(process->pid),
        .descriptors_before = -1,
        .before_ms = -1,
        .ghosts = process->ghosts,
        .in_flight = process->in_flight,
        .stale_epoll = process->stale_epoll,
        .up_ms = up_ms(process->pid),
    };
    memcpy(fact.command, command.text, sizeof fact.command);
    memcpy(fact.unseen, process->unseen, sizeof fact.unseen);
    int rc = process_limits_read(process->pid, &limits);
    fact.descriptor_limit = rc == 0 ? limits.descriptors_soft : -1;
    fact.unseen[UNSEEN_LIMITS] = rc < 0 ? -rc : 0;
    if (!process->is_seen && process_facts_of(process->pid, &now) == 0)
        fact.descriptors = now.descriptors;
    return fact;
}

static int join_processes(struct look *look)
{
    struct facts *facts = look->facts;
    facts->processes = calloc(look->process_count > 0 ? look->process_count : 1, sizeof *facts->processes);
    if (facts->processes == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < look->process_count; i++)
        if (look->processes[i].fact_index >= 0)
            facts->processes[facts->process_count++] = fact_process_of(&look->processes[i]);
    return look_keepers(look);
}

static bool is_group_of_process(const struct facts *facts, uint64_t cgroup)
{
    for (int i = 0; i < facts->process_count; i++)
        if (facts->processes[i].group.id == cgroup)
            return true;
    return false;
}

/* An accepted socket is in its listener's group, wherever its process has gone since. */
static int learn_groups(struct look *look)
{
    struct facts *facts = look->facts;
    uint64_t last = 0;
    int rc = 0;
    for (int i = 0; i < facts->socket_count && rc == 0; i++) {
        uint64_t cgroup = facts->sockets[i].cgroup;
        if (cgroup != last && !is_group_of_process(facts, cgroup))
            rc = cgroup_table_learn(&facts->groups, cgroup);
        last = cgroup;
    }
    return rc;
}

static int by_call_inode(const void *a, const void *b)
{
    const struct call_on *one = a, *other = b;
    return (one->inode > other->inode) - (one->inode < other->inode);
}

int look_join(struct look *look)
{
    if (look->call_count > 0)
        qsort(look->calls, look->call_count, sizeof *look->calls, by_call_inode);
    int rc = join_threads(look);
    if (rc == 0)
        rc = join_listeners(look);
    if (rc == 0)
        rc = join_sockets(look);
    if (rc == 0) {
        find_closed_in_calls(look->facts);
        rc = find_in_flight(look);
    }
    if (rc == 0)
        rc = join_processes(look);
    if (rc == 0)
        rc = look_servers(look);
    return rc == 0 ? learn_groups(look) : rc;
}
