#include "explain/words.h"

#include "base/number_text.h"
#include "base/text.h"
#include "code/place_text.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

enum { SITE_WIDTH = 120 };

#define ADD(words, ...) TEXT_ADD((words)->text, __VA_ARGS__)

/* ---- threads ---- */

static void add_endpoint(struct words *words, const struct fact_endpoint *endpoint)
{
    ADD(words, "%s:%u", address_text(&endpoint->address).text, endpoint->port);
}

static const char *call_word(const struct fact_thread *thread)
{
    static const char *const names[CALL_COUNT] = {[CALL_EPOLL_WAIT] = "epoll_wait",
                                                  [CALL_POLL] = "poll",
                                                  [CALL_SELECT] = "select",
                                                  [CALL_ACCEPT] = "accept",
                                                  [CALL_IO_URING] = "io_uring_enter",
                                                  [CALL_RECV] = "recv",
                                                  [CALL_SEND] = "send",
                                                  [CALL_CONNECT] = "connect",
                                                  [CALL_FUTEX] = "futex",
                                                  [CALL_SLEEP] = "nanosleep",
                                                  [CALL_CHILD] = "wait",
                                                  [CALL_SIGNAL] = "sigwait"};
    if (thread->call_name[0] != '\0')
        return thread->call_name;
    return names[thread->call] != NULL ? names[thread->call] : "a system call";
}

/* "recvfrom(fd 12 -> 127.0.0.1:34157)" */
static void add_call(struct words *words, const struct fact_thread *thread, bool with_descriptor)
{
    bool has_fd = with_descriptor && thread->fd >= 0,
         has_peer = with_descriptor && thread->peer.address.family != 0;
    ADD(words, "%s(", call_word(thread));
    if (has_fd)
        ADD(words, "fd %d%s", thread->fd, has_peer ? " -> " : "");
    if (has_peer)
        add_endpoint(words, &thread->peer);
    ADD(words, ")");
}

static void add_doing(struct words *words, const struct fact_thread *thread)
{
    if (thread_is_busy(thread)) {
        ADD(words, " computes (%d%% busy)", thread->busy_percent);
        return;
    }
    ADD(words, " %s in ", thread->asleep_ms >= 0 ? "has been" : "is");
    add_call(words, thread, true);
    if (thread->call == CALL_FUTEX)
        ADD(words, ", waiting for a lock,");
    if (thread->asleep_ms >= 0)
        ADD(words, " for %s", life_time(thread->asleep_ms).text);
    if (thread->site != NULL)
        ADD(words, ", at %s", site_text(thread->site, SITE_WIDTH).text);
}

struct words words_of_thread(const struct fact_thread *thread)
{
    struct words words = {""};
    ADD(&words, "thread %d", (int)thread->tid);
    add_doing(&words, thread);
    return words;
}

struct words words_of_stacks(const struct facts *facts, const struct stack_group *group)
{
    const struct fact_thread *thread = &facts->threads[group->first];
    bool is_one = group->threads == 1, is_timed = group->least_ms >= 0;
    struct words words = {""};
    if (is_one)
        ADD(&words, "thread %d %s in ", (int)thread->tid, is_timed ? "has been" : "is");
    else
        ADD(&words, "%d threads %s in ", group->threads, is_timed ? "have been" : "are");
    add_call(&words, thread, is_one);
    if (is_timed)
        ADD(&words, " for %s", life_span((struct life_range){group->least_ms, group->most_ms}).text);
    ADD(&words, ", at %s", site_text(group->site, SITE_WIDTH).text);
    return words;
}

/* Of which process, where there are several. */
static void add_thread_of(struct words *words, const struct facts *facts, const struct fact_thread *thread)
{
    ADD(words, "thread %d", (int)thread->tid);
    if (facts->process_count > 1)
        ADD(words, " of process %d", (int)facts->processes[thread->process].pid);
    add_doing(words, thread);
}

/* ---- masks ---- */

struct words words_of_events(enum fact_waiter waiter, uint32_t events)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } epoll_bits[] = {{EPOLLIN, "EPOLLIN"},       {EPOLLPRI, "EPOLLPRI"},         {EPOLLOUT, "EPOLLOUT"},
                      {EPOLLRDHUP, "EPOLLRDHUP"}, {EPOLLONESHOT, "EPOLLONESHOT"}, {EPOLLET, "EPOLLET"}},
      poll_bits[] = {
          {POLLIN, "POLLIN"}, {POLLPRI, "POLLPRI"}, {POLLOUT, "POLLOUT"}, {POLLRDHUP, "POLLRDHUP"}};
    struct words words = {""};
    bool is_epoll = waiter == WAITER_EPOLL;
    size_t count =
        is_epoll ? sizeof epoll_bits / sizeof epoll_bits[0] : sizeof poll_bits / sizeof poll_bits[0];
    for (size_t i = 0; i < count; i++) {
        uint32_t bit = is_epoll ? epoll_bits[i].bit : poll_bits[i].bit;
        if ((events & bit) != 0)
            ADD(&words, "%s%s", words.text[0] != '\0' ? "|" : "",
                is_epoll ? epoll_bits[i].name : poll_bits[i].name);
    }
    if (words.text[0] == '\0')
        ADD(&words, "no events");
    return words;
}

/* ---- one group ---- */

static const struct fact_wait *wait_of(const struct evidence *evidence)
{
    return &evidence->facts->sockets[evidence->group->members[0]].wait;
}

static void add_set(struct words *words, enum fact_waiter waiter, int set_fd)
{
    switch (waiter) {
    case WAITER_EPOLL:
        if (set_fd >= 0)
            ADD(words, "epoll set %d", set_fd);
        else
            ADD(words, "an epoll set");
        break;
    case WAITER_POLL:
        ADD(words, "poll()");
        break;
    case WAITER_SELECT:
        ADD(words, "select()");
        break;
    default:
        ADD(words, "nothing");
    }
}

static void add_queue(struct words *words, const struct evidence *evidence)
{
    const struct group *group = evidence->group;
    ADD(words, ", never accepted");
    if (group->listener < 0)
        return;
    const struct fact_listener *listener = &evidence->facts->listeners[group->listener];
    if (listener->queue >= 0 && listener->backlog >= 0)
        ADD(words, ", %s in the accept queue of %s", grouped(listener->queue).text,
            grouped(listener->backlog).text);
}

static void add_reading(struct words *words, const struct group *group, const struct life *life)
{
    static const char *const names[READING_COUNT] = {
        [READING_ALL] = "all read",
        [READING_PERHAPS] = "all read, EOF perhaps with the data",
        [READING_PART] = "request read, the rest and EOF unread",
        [READING_NOTHING] = "never read",
        [READING_UNKNOWN] = "something is unread",
    };
    if (group->reading == READING_PART && life->unread.most == 1)
        ADD(words, ", request read, EOF unread");
    else if (group->reading == READING_NOTHING && life->bytes.most == 0)
        ADD(words, ", nothing was sent, EOF unread");
    else
        ADD(words, ", %s", names[group->reading]);
}

static void add_waiter(struct words *words, const struct evidence *evidence)
{
    const struct group *group = evidence->group;
    const struct fact_wait *wait = wait_of(evidence);
    switch (group->waiter) {
    case WAITER_NOBODY:
        ADD(words, "; nobody waits for them");
        break;
    case WAITER_EPOLL:
    case WAITER_POLL:
    case WAITER_SELECT:
        ADD(words, "; ");
        add_set(words, group->waiter, wait->set_fd);
        if (!group->is_mask_known)
            ADD(words, " has them");
        else if (is_deaf(evidence) || is_spent(evidence))
            ADD(words, " has them, but not for reading (%s)",
                words_of_events(group->waiter, group->events).text);
        else
            ADD(words, " %s report them (%s)", group->at_rest ? "can" : "would",
                words_of_events(group->waiter, group->events).text);
        if (!group->at_rest)
            ADD(words, ", but no thread is in epoll_wait() on it");
        break;
    case WAITER_THREAD:
        ADD(words, "; a thread is in a call on each");
        break;
    case WAITER_IO_URING:
        ADD(words, "; an io_uring waits for them");
        break;
    default:
        ADD(words, "; who waits for them could not be seen");
    }
}

static void add_ages(struct words *words, const struct life *life)
{
    struct life_text least = life_time(life->fin_ms.least), most = life_time(life->fin_ms.most);
    if (life->quiet_ms.least >= 0)
        ADD(words, ", no data has moved for %s", life_span(life->quiet_ms).text);
    else if (life->fin_ms.least >= 0 && life->are_fins_exact)
        ADD(words, ", FIN %s ago", life_span(life->fin_ms).text);
    else if (life->fin_ms.least >= 0 && strcmp(least.text, most.text) != 0)
        ADD(words, ", FIN between %s and %s ago", least.text, most.text);
    else if (life->fin_ms.least >= 0)
        ADD(words, ", FIN at least %s ago", least.text);
    else if (life->age_ms.least >= 0)
        ADD(words, ", opened %s ago", life_span(life->age_ms).text);
}

static bool is_of_process(const struct evidence *evidence, const char *name)
{
    const struct facts *facts = evidence->facts;
    int first = evidence->group->first_process;
    for (int i = 0; i < facts->process_count; i++)
        if ((first < 0 || i == first) && strcmp(facts->processes[i].group.name.text, name) == 0)
            return true;
    return false;
}

struct words words_of_maker(const struct evidence *evidence)
{
    const struct facts *facts = evidence->facts;
    const struct group *group = evidence->group;
    struct words words = {""};
    uint64_t cgroup = facts->sockets[group->members[0]].cgroup;
    for (int i = 1; i < group->count; i++)
        if (facts->sockets[group->members[i]].cgroup != cgroup)
            return words;
    struct cgroup_name name = facts_group_name(facts, cgroup);
    if (!is_of_process(evidence, name.text))
        ADD(&words, "%s", name.text);
    return words;
}

struct words words_of_group(const struct evidence *evidence)
{
    const struct group *group = evidence->group;
    struct life life = life_of(evidence->facts, group);
    struct words words = {""};
    ADD(&words, "%s %s%s", grouped(group->count).text,
        group->state == STATE_CLOSE ? "ghosts" : tcp_state_name(group->state),
        group->way == WAY_OUTGOING ? ", outgoing" : "");
    if (group->holder == HOLDER_QUEUE)
        add_queue(&words, evidence);
    else if (group->is_mptcp)
        ADD(&words, ", MPTCP");
    else if (group->holder == HOLDER_CALL)
        ADD(&words, ", closed by the program");
    else if (group_is_half_closed(group))
        ADD(&words, ", half-closed by the program");
    else if (group->state != STATE_CLOSE && !group_is_behind(group))
        add_reading(&words, group, &life);
    if (group->processes > 1)
        ADD(&words, ", in %d processes", group->processes);
    add_ages(&words, &life);
    struct words maker = words_of_maker(evidence);
    if (maker.text[0] != '\0')
        ADD(&words, ", made in %s", maker.text);
    if (group->holder == HOLDER_PROCESS && group->state != STATE_CLOSE)
        add_waiter(&words, evidence);
    return words;
}

/* ---- what stands in braces ---- */

static void add_thread(struct words *words, const struct evidence *evidence)
{
    if (evidence->culprit.thread < 0)
        ADD(words, "its threads are elsewhere");
    else
        add_thread_of(words, evidence->facts, &evidence->facts->threads[evidence->culprit.thread]);
}

/* How many wait outside, and where: the next thing to look at. */
static void add_outside(struct words *words, const struct evidence *evidence)
{
    if (evidence->culprit.thread < 0)
        return;
    const struct fact_thread *thread = &evidence->facts->threads[evidence->culprit.thread];
    if (!thread_is_outside(thread))
        return;
    if (evidence->culprit_count == 1) {
        ADD(words, " Its thread %s.", words_of_thread(thread).text + strlen("thread "));
        return;
    }
    ADD(words, " %d threads are in %s()", evidence->culprit_count, call_word(thread));
    if (thread->peer.address.family != 0) {
        ADD(words, " -> ");
        add_endpoint(words, &thread->peer);
    }
    if (thread->site != NULL)
        ADD(words, ", one of them at %s", site_text(thread->site, SITE_WIDTH).text);
    ADD(words, ".");
}

/* The first, and how many there are. */
static void add_closed_calls(struct words *words, const struct evidence *evidence)
{
    const struct facts *facts = evidence->facts;
    const struct fact_thread *first = NULL;
    int others = -1;
    for (int i = 0; i < facts->thread_count; i++) {
        if (!facts->threads[i].is_on_closed)
            continue;
        first = first == NULL ? &facts->threads[i] : first;
        others++;
    }
    if (first == NULL)
        return;
    add_thread_of(words, facts, first);
    if (others > 0)
        ADD(words, ", and %d other%s", others, plural(others));
}

static void add_busy(struct words *words, const struct evidence *evidence)
{
    const struct facts *facts = evidence->facts;
    const struct fact_thread *busiest = NULL;
    for (int i = 0; i < facts->thread_count; i++) {
        const struct fact_thread *thread = &facts->threads[i];
        if (thread->process == evidence->group->first_process && thread_is_busy(thread) &&
            (busiest == NULL || thread->busy_percent > busiest->busy_percent))
            busiest = thread;
    }
    if (busiest != NULL)
        ADD(words, "thread %d is %d%% busy", (int)busiest->tid, busiest->busy_percent);
}

static void add_heirs(struct words *words, const struct evidence *evidence)
{
    int process = evidence->group->first_process;
    if (process < 0) {
        ADD(words, "another process");
        return;
    }
    const struct fact_process *heir = &evidence->facts->processes[process];
    ADD(words, "%s (pid %d)", heir->command, (int)heir->pid);
    int others = evidence->group->processes - 1;
    if (others > 0)
        ADD(words, " and %d other%s", others, plural(others));
}

static void add_descriptors(struct words *words, const struct evidence *evidence)
{
    const struct facts *facts = evidence->facts;
    int process = evidence->group->first_process >= 0 ? evidence->group->first_process : 0;
    if (process < facts->process_count)
        ADD(words, "%s of %s descriptors", grouped(facts->processes[process].descriptors).text,
            grouped(facts->processes[process].descriptor_limit).text);
}

static void add_used_up(struct words *words, const struct evidence *evidence)
{
    if (descriptors_are_used_up(evidence)) {
        add_descriptors(words, evidence);
        ADD(words, " are in use");
    } else {
        ADD(words, "the descriptor limit may have been reached when they came");
    }
}

static void add_listener_mask(struct words *words, const struct evidence *evidence)
{
    if (evidence->group->listener < 0)
        return;
    const struct fact_wait *wait = &evidence->facts->listeners[evidence->group->listener].wait;
    ADD(words, "%s", words_of_events(wait->kind, wait->events).text);
}

static void add_listener_set(struct words *words, const struct evidence *evidence)
{
    if (evidence->group->listener < 0)
        return;
    const struct fact_wait *wait = &evidence->facts->listeners[evidence->group->listener].wait;
    add_set(words, wait->kind, wait->set_fd);
}

static void add_own_set(struct words *words, const struct evidence *evidence)
{
    add_set(words, evidence->group->waiter, wait_of(evidence)->set_fd);
}

static void add_own_mask(struct words *words, const struct evidence *evidence)
{
    if (evidence->group->is_mask_known)
        ADD(words, "%s", words_of_events(evidence->group->waiter, evidence->group->events).text);
    else
        ADD(words, "its mask was not read");
}

static void add_peer(struct words *words, const struct evidence *evidence)
{
    struct life life = life_of(evidence->facts, evidence->group);
    add_endpoint(words, &life.peer);
    if (life.other_peers > 0)
        ADD(words, " (and others)");
}

static void add_backend(struct words *words, const struct evidence *evidence)
{
    const struct facts *facts = evidence->facts;
    for (int i = 0; i < facts->socket_count; i++)
        if (facts->sockets[i].way == WAY_OUTGOING && facts->sockets[i].state == STATE_ESTABLISHED) {
            add_endpoint(words, &facts->sockets[i].peer);
            return;
        }
    ADD(words, "the backend");
}

static void add_unsent(struct words *words, const struct evidence *evidence)
{
    ADD(words, "%s", counted(life_of(evidence->facts, evidence->group).unsent, "byte").text);
}

static void add_share(struct words *words, const struct evidence *evidence)
{
    ADD(words, "%d of %s", evidence->share.lingering, counted(evidence->share.all, "connection").text);
}

/* Where a window has shown that it is a part only. */
static void add_share_that_stays(struct words *words, const struct evidence *evidence)
{
    if (few_leak(evidence))
        ADD(words, " %d of %s %s: on one path only.", evidence->share.lingering,
            counted(evidence->share.all, "connection").text,
            one_or_many(evidence->share.lingering, "stays", "stay"));
}

static void add_matched(struct words *words, const struct evidence *evidence)
{
    int threads = threads_match_outside(evidence) ? evidence->pairs.outside : evidence->pairs.threads,
        sockets = evidence->group->count;
    ADD(words, "%d thread%s, for %d socket%s,", threads, plural(threads), sockets, plural(sockets));
}

/* The oldest. */
static void add_fin(struct words *words, const struct evidence *evidence)
{
    struct life life = life_of(evidence->facts, evidence->group);
    ADD(words, "%s%s", life.are_fins_exact ? "" : "at least ",
        life_time(life.are_fins_exact ? life.fin_ms.most : life.fin_ms.least).text);
}

/* The least of them. */
static void add_quiet(struct words *words, const struct evidence *evidence)
{
    ADD(words, "%s", life_time(life_of(evidence->facts, evidence->group).quiet_ms.least).text);
}

/* Of connections that nobody hears. */
static void add_unheard(struct words *words, const struct evidence *evidence)
{
    bool has_come = life_of(evidence->facts, evidence->group).unread.most > 0;
    ADD(words, "%s", has_come ? "data has arrived that is unread" : "a request was sent");
}

static void add_refused(struct words *words, const struct evidence *evidence)
{
    int refused = evidence->facts->refused;
    if (refused > 0)
        ADD(words, "this user may not inspect %s process%s", grouped(refused).text, refused == 1 ? "" : "es");
    else
        ADD(words, "it has ended since");
}

static const struct {
    const char *name;
    void (*add)(struct words *words, const struct evidence *evidence);
} blanks[] = {
    {"{thread}", add_thread},
    {"{outside}", add_outside},
    {"{closed-calls}", add_closed_calls},
    {"{busy}", add_busy},
    {"{heirs}", add_heirs},
    {"{descriptors}", add_descriptors},
    {"{used-up}", add_used_up},
    {"{listener-mask}", add_listener_mask},
    {"{listener-set}", add_listener_set},
    {"{set}", add_own_set},
    {"{mask}", add_own_mask},
    {"{peer}", add_peer},
    {"{backend}", add_backend},
    {"{unsent}", add_unsent},
    {"{share}", add_share},
    {"{share-that-stays}", add_share_that_stays},
    {"{matched}", add_matched},
    {"{fin}", add_fin},
    {"{quiet}", add_quiet},
    {"{unheard}", add_unheard},
    {"{refused}", add_refused},
};

static void add_aborts(struct words *words, const struct facts *facts)
{
    ADD(words, "TCPAbortOnClose rose by %s while %s ended", grouped(facts->aborts_on_close).text,
        grouped(facts->ended_count).text);
}

static void fill(struct words *words, const char *name, size_t length, const struct facts *facts,
                 const struct evidence *evidence)
{
    if (strncmp(name, "{aborts}", length) == 0) {
        add_aborts(words, facts);
        return;
    }
    for (size_t i = 0; evidence != NULL && i < sizeof blanks / sizeof blanks[0]; i++)
        if (strlen(blanks[i].name) == length && strncmp(blanks[i].name, name, length) == 0)
            blanks[i].add(words, evidence);
}

struct words words_filled(const char *sentence, const struct facts *facts, const struct evidence *evidence)
{
    struct words words = {""};
    while (*sentence != '\0') {
        size_t plain = strcspn(sentence, "{");
        ADD(&words, "%.*s", (int)plain, sentence);
        sentence += plain;
        if (*sentence != '{')
            continue;
        size_t length = strcspn(sentence, "}") + 1;
        fill(&words, sentence, length, facts, evidence);
        sentence += length;
    }
    return words;
}
