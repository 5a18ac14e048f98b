#include "explain/loop.h"

bool thread_rests(const struct fact_thread *thread)
{
    switch (thread->call) {
    case CALL_EPOLL_WAIT:
    case CALL_ACCEPT:
    case CALL_IO_URING:
        return true;
    case CALL_POLL:
    case CALL_SELECT:
        return thread->hears != HEARS_OUTGOING;
    default:
        return false;
    }
}

bool thread_is_outside(const struct fact_thread *thread)
{
    if (thread->call == CALL_UNKNOWN || thread->call == CALL_NONE || thread_rests(thread))
        return false;
    return thread->asleep_ms < 0 || thread->asleep_ms >= LOOP_STUCK_MS;
}

bool thread_is_busy(const struct fact_thread *thread)
{
    return thread->busy_percent >= LOOP_BUSY_PERCENT;
}

/* ---- who is it ---- */

enum rank { RANK_OUTSIDE, RANK_LOCK, RANK_BUSY, RANK_CLIENT, RANK_IDLE, RANK_NONE };

static bool serves_a_client(const struct fact_thread *thread)
{
    return thread->call == CALL_RECV && thread->way == WAY_ACCEPTED;
}

static enum rank rank_of(const struct fact_thread *thread)
{
    if (thread_rests(thread))
        return RANK_NONE;
    if (thread_is_busy(thread))
        return RANK_BUSY;
    if (!thread_is_outside(thread))
        return RANK_NONE;
    if (thread->call == CALL_FUTEX)
        return RANK_LOCK;
    if (thread->call == CALL_SIGNAL)
        return RANK_IDLE;
    return serves_a_client(thread) ? RANK_CLIENT : RANK_OUTSIDE;
}

static bool is_main(const struct facts *facts, const struct fact_thread *thread)
{
    return thread->tid == facts->processes[thread->process].pid;
}

struct loop_culprit loop_culprit_of(const struct facts *facts, int process)
{
    struct loop_culprit culprit = {.thread = -1};
    enum rank best = RANK_NONE;
    int threads = 0, of_rank[RANK_NONE + 1] = {0};
    for (int i = 0; i < facts->thread_count; i++) {
        const struct fact_thread *thread = &facts->threads[i];
        if (thread->process != process)
            continue;
        enum rank rank = rank_of(thread);
        threads++;
        of_rank[rank]++;
        if (rank < best || (rank == best && rank != RANK_NONE && is_main(facts, thread))) {
            best = rank;
            culprit.thread = i;
        }
    }
    culprit.is_sure = threads == 1 || (best == RANK_OUTSIDE && of_rank[best] == 1);
    return culprit;
}

/* A lock holds up a loop only where all else sleeps too: runtimes park idle threads on locks while others
 * run. */
static bool all_sleep(const struct facts *facts, int process)
{
    for (int i = 0; i < facts->thread_count; i++) {
        const struct fact_thread *thread = &facts->threads[i];
        if (thread->process == process && !thread_is_outside(thread))
            return false;
    }
    return true;
}

enum loop_state loop_state_of(const struct facts *facts, int process)
{
    if (process < 0)
        return LOOP_UNKNOWN;
    bool is_blind = facts->processes[process].unseen[UNSEEN_THREADS] != 0;
    for (int i = 0; i < facts->thread_count; i++) {
        const struct fact_thread *thread = &facts->threads[i];
        if (thread->process != process)
            continue;
        if (thread_rests(thread))
            return LOOP_RESTS;
        is_blind = is_blind || thread->call == CALL_UNKNOWN;
    }
    struct loop_culprit culprit = loop_culprit_of(facts, process);
    if (is_blind || culprit.thread < 0)
        return LOOP_UNKNOWN;
    const struct fact_thread *thread = &facts->threads[culprit.thread];
    if (thread->call == CALL_FUTEX && !thread_is_busy(thread) && !all_sleep(facts, process))
        return LOOP_UNKNOWN;
    return LOOP_STUCK;
}
