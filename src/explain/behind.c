#include "explain/behind.h"

int64_t behind_quiet_ms(const struct fact_socket *socket)
{
    int64_t received = socket->last_data_recv_ms, sent = socket->last_data_sent_ms;
    if (!socket->has_info)
        return -1;
    return received < sent ? received : sent;
}

/* The last word was ours and has no answer, or what has come is unread. */
static bool is_unheard(const struct fact_socket *socket)
{
    bool is_unanswered = socket->data_segs_out > 0 &&
                         (socket->data_segs_in == 0 || socket->last_data_sent_ms < socket->last_data_recv_ms);
    return socket->unread > 0 || is_unanswered;
}

/* Of that process: "nobody waits" counts only where it waits for other things meanwhile. */
static bool may_be_forgotten(const struct facts *facts, const struct fact_socket *socket, int process)
{
    return socket->process == process && socket->holder == HOLDER_PROCESS && socket->holders == 1 &&
           socket->way == WAY_OUTGOING && socket->state == STATE_ESTABLISHED && socket->in_both &&
           !socket->is_mptcp && socket->unsent == 0 && socket->wait.kind == WAITER_NOBODY &&
           facts->processes[process].unseen[UNSEEN_EPOLL] == 0 && is_unheard(socket) &&
           behind_quiet_ms(socket) >= BEHIND_QUIET_MS;
}

static bool has_listener(const struct facts *facts, int process)
{
    return facts->listener_count > 0 && !facts->processes[process].is_heir;
}

/* A connection that the process has accepted and not closed. */
static bool is_front(const struct fact_socket *socket, int process)
{
    return socket->process == process && socket->way != WAY_OUTGOING && socket->state != STATE_CLOSE;
}

static int count_threads(const struct facts *facts, int process)
{
    int count = 0;
    for (int i = 0; i < facts->thread_count; i++)
        count += facts->threads[i].process == process;
    return count;
}

static bool are_forgotten(const struct facts *facts, int process)
{
    int behind = 0, front = 0;
    for (int i = 0; i < facts->socket_count; i++) {
        behind += may_be_forgotten(facts, &facts->sockets[i], process);
        front += is_front(&facts->sockets[i], process);
    }
    return behind >= BEHIND_LEAST && 2 * front < behind && count_threads(facts, process) < behind &&
           facts->processes[process].unseen[UNSEEN_THREADS] == 0;
}

void behind_find(const struct facts *facts, const enum loop_state *loops, bool *is_forgotten)
{
    for (int process = 0; process < facts->process_count; process++) {
        if (loops[process] != LOOP_RESTS || !has_listener(facts, process) || !are_forgotten(facts, process))
            continue;
        for (int i = 0; i < facts->socket_count; i++)
            is_forgotten[i] |= may_be_forgotten(facts, &facts->sockets[i], process);
    }
}
