#include "../unit.h"

#include "analysis/attribution.h"

/* Each test changes what it is about. */
static struct lingering_class leaked(void)
{
    return (struct lingering_class){
        .side = SIDE_SERVER,
        .state = STATE_CLOSE_WAIT,
        .owned = true,
        .listed = true,
        .pid = 4711,
        .processes = 1,
        .command = "tcpstorm",
        .count = 1500,
        .oldest_ms = 29940,
    };
}

/* Alone: nothing is known of the other side. */
static struct lingering alone(const struct lingering_class *class)
{
    return (struct lingering){.count = 1, .total = class->count, .each = {*class}};
}

/* Beside ends of the other side: those in one state, with an owner or without, and those in another. */
static struct lingering opposite(const struct lingering_class *class, enum tcp_state state, bool owned)
{
    struct lingering all = alone(class);
    all.each[all.count++] = (struct lingering_class){.side = side_other(class->side),
                                                     .state = state,
                                                     .owned = owned,
                                                     .listed = owned,
                                                     .pid = owned ? 4712 : 0,
                                                     .processes = owned,
                                                     .count = class->count};
    return all;
}

static struct attribution_text sentence_of(const struct lingering_class *class)
{
    struct lingering all =
        opposite(class, class->state == STATE_FIN_WAIT2 ? STATE_CLOSE_WAIT : class->state, true);
    return attribution_of(class, &all);
}

static void assert_says(const struct lingering_class *class, const char *sentence)
{
    assert_string_equal(sentence_of(class).text, sentence);
}

static void assert_part(const struct lingering_class *class, const char *part)
{
    struct attribution_text sentence = sentence_of(class);
    assert_contains(sentence.text, part);
}

static void assert_no_part(const struct lingering_class *class, const char *part)
{
    struct attribution_text sentence = sentence_of(class);
    assert_lacks(sentence.text, part);
}

static void a_leak_is_told_whole(void **state)
{
    (void)state;
    struct lingering_class class = leaked();
    assert_says(&class, "1,500 CLOSE_WAIT on the server: held by tcpstorm pid 4711, the oldest for at least "
                        "29.9 s, everything read (Recv-Q 0); the client sent the first FIN; the server owes "
                        "the close().");
}

static void the_sides_change_places_on_the_client(void **state)
{
    (void)state;
    struct lingering_class class = leaked();
    class.side = SIDE_CLIENT;
    assert_part(&class, "CLOSE_WAIT on the client: ");
    assert_part(&class, "the server sent the first FIN; the client owes the close().");
}

static void an_eof_that_was_not_read_is_told(void **state)
{
    (void)state;
    struct lingering_class class = leaked();
    class.unread = true;
    assert_part(&class, ", EOF not read (Recv-Q 1 or more);");
    assert_no_part(&class, "everything read");
}

static void an_eof_that_may_have_been_stepped_over_is_not_told_as_read(void **state)
{
    (void)state;
    struct lingering_class class = leaked();
    class.fin_with_data = true;
    assert_part(&class, ", all data read (Recv-Q 0), but perhaps not EOF: the FIN came with the data;");
    assert_no_part(&class, "everything read");
}

static void several_processes_are_told_by_the_first_and_a_number(void **state)
{
    (void)state;
    struct lingering_class class = leaked();
    class.processes = 3;
    assert_part(&class, ": held by tcpstorm pid 4711 and 2 more, ");
}

static void another_process_is_told_by_its_name(void **state)
{
    (void)state;
    struct lingering_class class = leaked();
    class.listed = false;
    snprintf(class.command, sizeof class.command, "sleep");
    assert_part(&class, ": held by sleep pid 4711, not a worker of this run, ");
    assert_part(&class, "; that process owes the close().");
    class.processes = 62;
    assert_part(&class, ": held by sleep pid 4711 and 61 more, not workers of this run, ");
    assert_part(&class, "; those processes owe the close().");
}

static void an_owner_that_may_not_be_looked_into_is_none_that_is_named(void **state)
{
    (void)state;
    struct lingering_class class = leaked();
    class.pid = class.processes = 0;
    class.command[0] = '\0';
    assert_part(
        &class,
        ": their process was not found (it has closed them since, or this user may not inspect it), ");
    assert_no_part(&class, "pid");
}

static void no_process_has_what_was_never_accepted(void **state)
{
    (void)state;
    struct lingering_class class = {
        .side = SIDE_SERVER, .state = STATE_CLOSE_WAIT, .unread = true, .count = 129, .oldest_ms = 4200};
    assert_says(&class, "129 CLOSE_WAIT on the server: no process has them, the oldest for at least 4.2 s, "
                        "EOF not read (Recv-Q 1 or more); the client sent the first FIN; the server never "
                        "called accept(), so no process can close them.");
}

static void an_orphaned_fin_wait2_goes_by_itself(void **state)
{
    (void)state;
    struct lingering_class class = {
        .side = SIDE_CLIENT, .state = STATE_FIN_WAIT2, .count = 20, .oldest_ms = -1};
    assert_says(&class, "20 FIN_WAIT2 on the client: no process has them; the client sent the first FIN and "
                        "is done; the server owes the close(), but the kernel drops these after "
                        "net.ipv4.tcp_fin_timeout.");
}

static void a_fin_wait2_that_is_held_does_not(void **state)
{
    (void)state;
    struct lingering_class class = leaked();
    class.side = SIDE_CLIENT;
    class.state = STATE_FIN_WAIT2;
    assert_part(&class,
                "the client sent the first FIN and keeps the descriptor; the server owes the close()");
    assert_no_part(&class, "tcp_fin_timeout");
    assert_part(&class, "the oldest for at least 29.9 s");
    assert_no_part(&class, "Recv-Q");
}

/* Silence is no date of a state that no segment of the peer's has brought about. */
static void established_has_no_date(void **state)
{
    (void)state;
    struct lingering_class class = leaked();
    class.state = STATE_ESTABLISHED;
    class.unread = true;
    assert_says(&class, "1,500 ESTABLISHED on the server: held by tcpstorm pid 4711; no FIN has been sent or "
                        "received; either side may close.");
}

static void established_and_never_accepted_says_so(void **state)
{
    (void)state;
    struct lingering_class class = {
        .side = SIDE_SERVER, .state = STATE_ESTABLISHED, .count = 3, .oldest_ms = -1};
    assert_part(
        &class,
        "no process has them; nobody has sent a FIN, and the server has not called accept(); the server "
        "may still accept them.");
}

static void a_date_that_is_not_known_is_not_told(void **state)
{
    (void)state;
    struct lingering_class class = leaked();
    class.oldest_ms = -1;
    assert_no_part(&class, "oldest");
    class.oldest_ms = 0;
    assert_part(&class, "for at least 0.0 s");
}

/* ---- what the other side's ends are in ---- */

static struct lingering_class orphan(void)
{
    return (struct lingering_class){
        .side = SIDE_CLIENT, .state = STATE_FIN_WAIT2, .count = 1500, .oldest_ms = -1};
}

static void assert_acts(const struct lingering_class *class, const struct lingering *all, const char *words)
{
    assert_string_equal(who_acts(class, all).text, words);
    assert_contains(attribution_of(class, all).text, words);
}

static void nobody_owes_the_close_of_what_was_never_accepted(void **state)
{
    (void)state;
    struct lingering_class class = orphan();
    struct lingering all = opposite(&class, STATE_CLOSE_WAIT, false);
    assert_acts(
        &class, &all,
        "the server never called accept(), so no process can close its ends, but the kernel drops these "
        "after net.ipv4.tcp_fin_timeout");
    all.each[all.count] = all.each[1];
    all.each[all.count].owned = all.each[all.count].listed = true;
    all.count++;
    assert_acts(&class, &all,
                "the server owes the close(), except for those that it never accepted, but the kernel drops "
                "these after net.ipv4.tcp_fin_timeout");
}

static void whoever_holds_the_other_end_owes_its_close(void **state)
{
    (void)state;
    struct lingering_class class = orphan();
    struct lingering all = opposite(&class, STATE_CLOSE_WAIT, true);
    class.owned = class.listed = true;
    assert_acts(&class, &all, "the server owes the close()");
    all.each[1].listed = false;
    assert_acts(&class, &all, "whoever holds the server's ends owes the close()");
}

static void who_has_closed_and_was_not_heard_owes_nothing(void **state)
{
    (void)state;
    struct lingering_class class = leaked();
    class.side = SIDE_CLIENT;
    class.state = STATE_ESTABLISHED;
    struct lingering all = opposite(&class, STATE_FIN_WAIT1, false);
    assert_acts(&class, &all, "the client may close");
    assert_contains(attribution_of(&class, &all).text,
                    "; the server has closed, but its FIN has not arrived; ");
    class = orphan();
    all = opposite(&class, STATE_LAST_ACK, false);
    assert_contains(who_acts(&class, &all).text, "the server has closed, but its FIN has not arrived");
}

static void ends_without_another_side_say_so(void **state)
{
    (void)state;
    struct lingering_class class = leaked();
    class.state = STATE_ESTABLISHED;
    struct lingering all = alone(&class);
    assert_acts(&class, &all, "the server may close");
    assert_contains(attribution_of(&class, &all).text, "; the client has no such connections; ");
    class = orphan();
    all = alone(&class);
    assert_contains(who_acts(&class, &all).text, "the server no longer has these connections");
}

/* Those that were left out may be the other side's. */
static void a_list_that_is_full_proves_no_absence(void **state)
{
    (void)state;
    struct lingering_class class = leaked();
    class.state = STATE_ESTABLISHED;
    struct lingering all = {.count = LINGERING_MAX};
    for (int i = 0; i < LINGERING_MAX; i++)
        all.each[i] = class;
    assert_acts(&class, &all, "either side may close");
}

/* TIME_WAIT and LISTEN do not linger (lingering.h). */
static void every_state_that_lingers_has_a_reading(void **state)
{
    (void)state;
    for (int side = 0; side < SIDE_COUNT; side++)
        for (int i = STATE_GONE + 1; i < STATE_COUNT; i++) {
            struct lingering_class class = leaked();
            if (i == STATE_TIME_WAIT || i == STATE_LISTEN || i == STATE_CLOSE)
                continue;
            class.side = (enum side)side;
            class.state = (enum tcp_state)i;
            for (int owned = 0; owned < 2; owned++) {
                class.owned = owned;
                struct attribution_text sentence = sentence_of(&class);
                assert_lacks(sentence.text, "; .");
                assert_lacks(sentence.text, "@");
                assert_lacks(sentence.text, "~");
                assert_int_equal(sentence.text[strlen(sentence.text) - 1], '.');
            }
        }
}

static void the_longest_sentence_is_told_whole(void **state)
{
    (void)state;
    for (int i = STATE_GONE + 1; i < STATE_COUNT; i++)
        for (int owned = 0; owned < 2; owned++) {
            struct lingering_class class = leaked();
            class.state = (enum tcp_state)i;
            class.owned = owned;
            class.unread = true;
            class.pid = 4194304;
            class.processes = 1000000;
            memset(class.command, 'w', sizeof class.command - 1);
            class.count = 100000000;
            class.oldest_ms = 366LL * 24 * 3600 * 1000;
            struct attribution_text sentence = sentence_of(&class);
            assert_int_equal(sentence.text[strlen(sentence.text) - 1], '.');
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leak_is_told_whole),
        cmocka_unit_test(the_sides_change_places_on_the_client),
        cmocka_unit_test(an_eof_that_was_not_read_is_told),
        cmocka_unit_test(an_eof_that_may_have_been_stepped_over_is_not_told_as_read),
        cmocka_unit_test(several_processes_are_told_by_the_first_and_a_number),
        cmocka_unit_test(another_process_is_told_by_its_name),
        cmocka_unit_test(an_owner_that_may_not_be_looked_into_is_none_that_is_named),
        cmocka_unit_test(no_process_has_what_was_never_accepted),
        cmocka_unit_test(an_orphaned_fin_wait2_goes_by_itself),
        cmocka_unit_test(a_fin_wait2_that_is_held_does_not),
        cmocka_unit_test(established_has_no_date),
        cmocka_unit_test(established_and_never_accepted_says_so),
        cmocka_unit_test(a_date_that_is_not_known_is_not_told),
        cmocka_unit_test(nobody_owes_the_close_of_what_was_never_accepted),
        cmocka_unit_test(whoever_holds_the_other_end_owes_its_close),
        cmocka_unit_test(who_has_closed_and_was_not_heard_owes_nothing),
        cmocka_unit_test(ends_without_another_side_say_so),
        cmocka_unit_test(a_list_that_is_full_proves_no_absence),
        cmocka_unit_test(every_state_that_lingers_has_a_reading),
        cmocka_unit_test(the_longest_sentence_is_told_whole),
    };
    return cmocka_run_group_tests_name("attribution", tests, NULL, NULL);
}
