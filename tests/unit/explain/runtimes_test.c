/* Go, node and Java, as /proc had them while a server of each leaked 20 connections: its threads' calls and
 * the entries of its epoll set, through the parsers to the rule. */
#include "../unit.h"
#include "made_facts.h"

#include "explain/explanation.h"
#include "kernel/epoll_set.h"
#include "kernel/thread_call.h"

#include <sys/syscall.h>

enum { LEAKED = 20, TEXTS = 24 };

/* The number of a call is this machine's, the rest as x86-64 had it. */
struct recorded_thread {
    long number; /* -1: it runs */
    const char *arguments;
    int64_t asleep_ms;
};

struct recorded_runtime {
    enum fact_runtime runtime;
    const char *set_entry; /* of each connection; NULL: it was in no set */
    uint32_t unread;
    struct recorded_thread threads[TEXTS];
    const char *rule;
    const char *causes[RULE_CAUSES];
    const char *dump; /* the command that tells more */
};

#define IDLE "0x7f0b5c041690 0x189 0x0 0x0 0x0 0xffffffff 0x7f0b60460d30 0x7f0b62de1f16"

static const struct recorded_runtime recorded[] = {
    /* net: a goroutine for each, which has read its request and waits for a channel */
    {RUNTIME_GO,
     "tfd:       24 events: 8000201d data:     7f4474820ed8  pos:0 ino:9d774f0 sdev:9",
     1,
     {{SYS_epoll_pwait, "0x5 0x7fff776aadc8 0x80 0xffffffff 0x0 0x0 0x7fff776aad70 0x465020", 3400},
      {SYS_futex, "0x5b3fb8 0x80 0x0 0x7f444d5edd38 0x0 0x0 0x7f444d5edd00 0x464e03", 3600},
      {SYS_futex, "0xc00003c948 0x80 0x0 0x0 0x0 0x0 0x7f444cdeccf8 0x464e03", 10300},
      {SYS_futex, "0xc00003cd48 0x80 0x0 0x0 0x0 0x0 0x7f4447ffec30 0x464e03", 3600},
      {SYS_futex, "0x5e2438 0x80 0x0 0x0 0x0 0x0 0x7f44477fdd78 0x464e03", 10300}},
     "no-longer-read",
     {"bounded-pool", "paused-read", "lost-reference"},
     "goroutine"},
    /* likewise, and it has read EOF */
    {RUNTIME_GO,
     "tfd:       24 events: 8000201d data:     7f4474820ed8  pos:0 ino:9d774f0 sdev:9",
     0,
     {{SYS_epoll_pwait, "0x5 0x7fff776aadc8 0x80 0xffffffff 0x0 0x0 0x7fff776aad70 0x465020", 3400},
      {SYS_futex, "0x5b3fb8 0x80 0x0 0x7f444d5edd38 0x0 0x0 0x7f444d5edd00 0x464e03", 3600}},
     "ignore-eof",
     {"ignore-eof"},
     "goroutine"},
    /* net.createServer({allowHalfOpen: true}) without end(): libuv has read EOF, and taken it out of its set
     */
    {RUNTIME_NODE,
     NULL,
     0,
     {{SYS_epoll_pwait, "0xe 0x7ffe0b46a140 0x400 0xffffffff 0x0 0x8 0x7ffe0b4693e0 0x7f4b98f26cae", 3100},
      {SYS_epoll_pwait, "0x9 0x7f4b98e19cf0 0x400 0xffffffff 0x0 0x8 0x7f4b98e18f90 0x7f4b98f26cae", 9300},
      {SYS_futex, "0x10cf9630 0x189 0x0 0x0 0x0 0xffffffff 0x7f4b93ffec70 0x7f4b98ea3f16", 9300},
      {SYS_futex, "0x10cf9630 0x189 0x0 0x0 0x0 0xffffffff 0x7f4b937fdc70 0x7f4b98ea3f16", 9300},
      {SYS_futex, "0x5660460 0x189 0x0 0x0 0x0 0xffffffff 0x7f4b9937ad20 0x7f4b98ea3f16", 9000}},
     "ignore-eof",
     {"ignore-eof"},
     "node inspect"},
    /* a thread for each, which has read EOF and ended without close() */
    {RUNTIME_JVM,
     NULL,
     0,
     {{SYS_futex, "0x7f0b617ff990 0x109 0x4f3e 0x0 0x0 0xffffffff 0x7ffcce776070 0x7f0b62de1f16", 11500},
      {SYS_accept, "0x4 0x7f0b617fddb0 0x7f0b617fdda8 0xc 0x0 0x69e96a4f8 0x7f0b617fdd60 0x7f0b62e6672f",
       3200},
      {SYS_futex, IDLE, 5900},
      {SYS_futex, IDLE, 11300},
      {SYS_futex, "0x7f0b5c0c8c40 0x89 0x0 0x7f0b2defdd60 0x0 0xffffffff 0x7f0b2defdc50 0x7f0b62de1f16", 482},
      {SYS_futex, "0x7f0b5c015438 0x89 0x0 0x7f0b2dcaad00 0x0 0xffffffff 0x7f0b2dcaabf0 0x7f0b62de1f16", 900},
      {-1, NULL, 0}},
     "ignore-eof",
     {"ignore-eof"},
     "jstack"},
};

static struct made made;

static enum fact_call call_of(enum call_kind kind)
{
    switch (kind) {
    case IN_EPOLL_WAIT:
        return CALL_EPOLL_WAIT;
    case IN_ACCEPT:
        return CALL_ACCEPT;
    case IN_FUTEX:
        return CALL_FUTEX;
    case IN_NOTHING:
        return CALL_NONE;
    default:
        return CALL_UNKNOWN;
    }
}

static void add_thread(const struct recorded_thread *recorded_one)
{
    struct thread_call call;
    char text[256] = "running\n";
    if (recorded_one->number >= 0)
        snprintf(text, sizeof text, "%ld %s\n", recorded_one->number, recorded_one->arguments);
    assert_true(thread_call_parse(text, &call));
    enum fact_call kind = call_of(call.kind);
    assert_int_not_equal(kind, CALL_UNKNOWN);
    struct fact_thread *thread = made_thread(&made, kind, recorded_one->asleep_ms);
    thread->fd = call.fd;
    thread->hears = kind == CALL_EPOLL_WAIT ? HEARS_LISTENER | HEARS_ACCEPTED : 0;
}

static struct fact_wait wait_of(const char *entry_text)
{
    struct fact_wait wait = {.kind = WAITER_NOBODY, .set_fd = -1, .thread = -1};
    struct epoll_entry entry;
    if (entry_text == NULL)
        return wait;
    assert_true(epoll_entry_parse(entry_text, &entry));
    return (struct fact_wait){.kind = WAITER_EPOLL,
                              .events = entry.events,
                              .is_mask_known = true,
                              .set_fd = 5,
                              .at_rest = true,
                              .thread = 0};
}

static void make_process(const struct recorded_runtime *one, int leaked)
{
    made_server(&made);
    made.processes[0].runtime = one->runtime;
    made.facts.thread_count = 0;
    for (int i = 0; i < TEXTS && (one->threads[i].arguments != NULL || one->threads[i].number < 0); i++)
        add_thread(&one->threads[i]);
    for (int i = 0; i < LEAKED; i++) {
        struct fact_socket *socket = made_add(&made, i < leaked ? made_close_wait(i) : made_open(i));
        socket->unread = i < leaked ? one->unread : 0;
        socket->wait = wait_of(one->set_entry);
    }
}

static void leaks_are_told_rightly(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(recorded); i++) {
        const struct recorded_runtime *one = &recorded[i];
        struct explanation explanation;
        make_process(one, LEAKED);
        assert_int_equal(explanation_of(&made.facts, EXPLAIN_GRACE_MS, &explanation), 0);
        assert_int_equal(explanation.finding_count, 1);
        const struct finding *finding = &explanation.findings[0];
        assert_string_equal(finding->rule->name, one->rule);
        for (int cause = 0; cause < RULE_CAUSES; cause++) {
            if (one->causes[cause] == NULL)
                assert_null(finding->rule->causes[cause]);
            else
                assert_string_equal(finding->rule->causes[cause], one->causes[cause]);
        }
        /* The runtime reads for its program: never is it said that the program has. */
        if (one->unread == 0)
            assert_contains(finding->verdict.text, "The program, or the runtime under it");
        assert_contains(words_of_dump(&made.processes[0]).text, one->dump);
        explanation_free(&explanation);
    }
}

static void their_clean_twins_are_accused_of_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(recorded); i++) {
        struct explanation explanation;
        make_process(&recorded[i], 0);
        assert_int_equal(explanation_of(&made.facts, EXPLAIN_GRACE_MS, &explanation), 0);
        assert_int_equal(explanation.finding_count, 0);
        explanation_free(&explanation);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaks_are_told_rightly),
        cmocka_unit_test(their_clean_twins_are_accused_of_nothing),
    };
    return cmocka_run_group_tests_name("runtimes", tests, NULL, NULL);
}
