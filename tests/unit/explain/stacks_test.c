#include "../unit.h"
#include "made_facts.h"

#include "code/place_text.h"
#include "explain/explanation.h"
#include "explain/stacks.h"
#include "kernel/thread_clock.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

/* The threads of this very process: they can be looked at as any other's. */
enum { THREADS = 6 };

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static pid_t tids[THREADS];
static pthread_t threads[THREADS];
static bool are_started;
static int spins; /* thread 0 does while it is set */

__attribute__((noinline)) static void wait_for_lock(void)
{
    pthread_mutex_lock(&held);
    pthread_mutex_unlock(&held);
}

static void *run(void *context)
{
    int i = (int)(intptr_t)context;
    __atomic_store_n(&tids[i], (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    while (i == 0 && __atomic_load_n(&spins, __ATOMIC_SEQ_CST) != 0)
        ;
    wait_for_lock();
    return NULL;
}

static bool sleeps(pid_t tid)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    return strstr(text, ") S ") != NULL;
}

static void start_threads(bool first_spins)
{
    spins = first_spins;
    pthread_mutex_lock(&held);
    for (int i = 0; i < THREADS; i++) {
        tids[i] = 0;
        are_started = true;
        assert_int_equal(pthread_create(&threads[i], NULL, run, (void *)(intptr_t)i), 0);
    }
    for (int i = 0; i < THREADS; i++)
        while (__atomic_load_n(&tids[i], __ATOMIC_SEQ_CST) == 0 ||
               (!(i == 0 && first_spins) && !sleeps(tids[i])))
            usleep(1000);
}

/* After each test, whether or not it failed: others need the lock. */
static int end_threads(void **state)
{
    (void)state;
    if (!are_started)
        return 0;
    are_started = false;
    __atomic_store_n(&spins, 0, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&held);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

static struct made made;

/* As a look would have them. */
static void make_facts(void)
{
    made_server(&made);
    made.processes[0].pid = getpid();
    made.facts.thread_count = 0;
    for (int i = 0; i < THREADS; i++) {
        struct fact_thread *thread = made_thread(&made, CALL_FUTEX, 1000 + i);
        struct thread_usage usage;
        thread->tid = tids[i];
        strcpy(thread->call_name, "futex");
        thread->turns = thread_usage_read(getpid(), tids[i], &usage) == 0 ? usage.turns : -1;
    }
}

static const struct stacks_settings settings = {.threads_most = 100, .most_ms = 60000};

static void threads_at_one_place_are_one_group(void **state)
{
    (void)state;
    struct stacks stacks;
    start_threads(false);
    make_facts();
    assert_int_equal(stacks_take(&made.facts, &settings, &stacks), 0);
    assert_int_equal(stacks.read, THREADS);
    assert_int_equal(stacks.group_count, 1);
    assert_int_equal(stacks.groups[0].threads, THREADS);
    assert_int_equal(stacks.groups[0].interest, STACK_OF_LOOP); /* one of them */
    struct words words = words_of_stacks(&made.facts, &stacks.groups[0]);
    assert_contains(words.text, "6 threads have been in futex() for 1.0 s, at ");
    assert_string_equal(words_of_unread_stacks(&stacks).text, "");
    if (code_names_lines())
        assert_contains(words.text, " in wait_for_lock < run");
    stacks_free(&stacks);
}

/* What is known of its call is of an earlier sleep: its time is. Thread 0 runs, 1 has run and is in the same
 * call again, 2 is in another one. */
static void a_thread_that_has_run_is_told_without_its_time(void **state)
{
    (void)state;
    struct stacks stacks;
    start_threads(true);
    make_facts();
    bool is_counted = made.threads[1].turns >= 0; /* where the kernel does */
    for (int i = 1; i <= 2; i++)
        made.threads[i].turns += is_counted ? 1 : 0;
    strcpy(made.threads[2].call_name, "recvfrom");
    made.threads[2].call = CALL_RECV;
    assert_int_equal(stacks_take(&made.facts, &settings, &stacks), 0);
    assert_null(stacks.sites[0]);
    assert_null(made.threads[0].site);
    if (is_counted) {
        assert_int_equal(stacks.read, THREADS - 2);
        assert_int_equal(stacks.unread[STACK_MOVED], 2);
        assert_non_null(stacks.sites[1]);
        assert_null(made.threads[1].site);
        assert_null(stacks.sites[2]);
        assert_contains(words_of_stacks(&made.facts, &stacks.groups[0]).text,
                        "4 threads are in futex(), at ");
        assert_contains(words_of_unread_stacks(&stacks).text,
                        "Not read: 2 threads that ran, or went on to another call.");
    }
    stacks_free(&stacks);
}

/* One that keeps the loop from turning, then one on a connection that lingers, then one that waits outside.
 */
static void those_that_matter_are_read_first(void **state)
{
    (void)state;
    struct stacks stacks;
    start_threads(false);
    make_facts();
    for (int i = 0; i < THREADS; i++)
        made.threads[i].call = CALL_EPOLL_WAIT;
    made.threads[5].call = CALL_RECV;
    made.threads[4].call = CALL_RECV;
    made.threads[4].inode = 1000;
    made.threads[4].asleep_ms = 10;
    made_add(&made, made_close_wait(0));
    const struct stacks_settings two = {.threads_most = 2, .most_ms = 60000};
    assert_int_equal(stacks_take(&made.facts, &two, &stacks), 0);
    assert_int_equal(stacks.read, 2);
    assert_int_equal(stacks.unread[STACK_BEYOND], THREADS - 2);
    assert_non_null(made.threads[4].site);
    assert_non_null(made.threads[5].site);
    assert_int_equal(stacks.groups[0].interest, STACK_OF_LEAK);
    assert_contains(words_of_unread_stacks(&stacks).text, "Not read: 4 threads that were too many");
    stacks_free(&stacks);
}

static void no_time_and_an_interrupt_end_it(void **state)
{
    (void)state;
    struct stacks stacks;
    const volatile sig_atomic_t stop = 1;
    const struct stacks_settings none = {.threads_most = 100, .most_ms = -1},
                                 stopped = {.threads_most = 100, .most_ms = 60000, .stop = &stop};
    start_threads(false);
    make_facts();
    assert_int_equal(stacks_take(&made.facts, &none, &stacks), 0);
    assert_int_equal(stacks.unread[STACK_BEYOND], THREADS);
    stacks_free(&stacks);
    assert_int_equal(stacks_take(&made.facts, &stopped, &stacks), 0);
    assert_int_equal(stacks.unread[STACK_BEYOND], THREADS);
    stacks_free(&stacks);
}

/* The sentence of a stuck loop has its file and line. */
static void a_stuck_loop_is_told_with_its_place(void **state)
{
    (void)state;
    const struct place places[] = {
        {.function = "query", .file = "db.c", .path = "/s/db.c", .line = 41, .is_own = true},
        {.function = "on_request", .file = "db.c", .path = "/s/db.c", .line = 50, .is_own = true},
    };
    struct code *code = code_new();
    assert_non_null(code);
    made_server(&made);
    struct fact_thread *loop = &made.threads[0];
    loop->call = CALL_RECV;
    strcpy(loop->call_name, "recvfrom");
    loop->fd = 12;
    loop->asleep_ms = 3100;
    loop->peer = endpoint("127.0.0.1", 34157);
    loop->site = code_intern(code, places, 2, false);
    assert_non_null(loop->site);
    assert_string_equal(
        words_of_thread(loop).text,
        "thread 100 has been in recvfrom(fd 12 -> 127.0.0.1:34157) for 3.1 s, at db.c:41 in query "
        "< on_request");
    code_free(code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(threads_at_one_place_are_one_group, end_threads),
        cmocka_unit_test_teardown(a_thread_that_has_run_is_told_without_its_time, end_threads),
        cmocka_unit_test_teardown(those_that_matter_are_read_first, end_threads),
        cmocka_unit_test_teardown(no_time_and_an_interrupt_end_it, end_threads),
        cmocka_unit_test_teardown(a_stuck_loop_is_told_with_its_place, end_threads),
    };
    return cmocka_run_group_tests_name("stacks", tests, NULL, NULL);
}
