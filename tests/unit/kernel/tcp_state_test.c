#include "../unit.h"

#include "kernel/tcp_state.h"

static enum tcp_state parsed(const char *name)
{
    enum tcp_state state = STATE_GONE;
    assert_true(tcp_state_parse(name, &state));
    return state;
}

static void assert_no_state(const char *name)
{
    enum tcp_state state = STATE_CLOSING;
    if (tcp_state_parse(name, &state))
        fail_msg("\"%s\" is taken for %s", name, tcp_state_name(state));
    assert_int_equal(state, STATE_CLOSING);
}

static void every_state_reads_back_from_its_name(void **state)
{
    (void)state;
    for (int i = STATE_ESTABLISHED; i < STATE_COUNT; i++)
        assert_int_equal(parsed(tcp_state_name((enum tcp_state)i)), i);
}

static void every_state_reads_back_from_its_column(void **state)
{
    (void)state;
    for (int i = STATE_ESTABLISHED; i < STATE_COUNT; i++)
        assert_int_equal(parsed(tcp_state_column((enum tcp_state)i)), i);
}

static void names_are_spelled_as_the_output_promises(void **state)
{
    (void)state;
    assert_string_equal(tcp_state_name(STATE_FIN_WAIT2), "FIN_WAIT2");
    assert_string_equal(tcp_state_name(STATE_SYN_RECV), "SYN_RECV");
    assert_string_equal(tcp_state_name(STATE_CLOSE_WAIT), "CLOSE_WAIT");
    assert_string_equal(tcp_state_name(STATE_GONE), "gone");
}

static void the_spellings_of_ss_are_taken(void **state)
{
    (void)state;
    assert_int_equal(parsed("ESTAB"), STATE_ESTABLISHED);
    assert_int_equal(parsed("SYN-SENT"), STATE_SYN_SENT);
    assert_int_equal(parsed("SYN-RECV"), STATE_SYN_RECV);
    assert_int_equal(parsed("FIN-WAIT-1"), STATE_FIN_WAIT1);
    assert_int_equal(parsed("FIN-WAIT-2"), STATE_FIN_WAIT2);
    assert_int_equal(parsed("TIME-WAIT"), STATE_TIME_WAIT);
    assert_int_equal(parsed("CLOSE-WAIT"), STATE_CLOSE_WAIT);
    assert_int_equal(parsed("LAST-ACK"), STATE_LAST_ACK);
    assert_int_equal(parsed("LISTEN"), STATE_LISTEN);
    assert_int_equal(parsed("CLOSING"), STATE_CLOSING);
}

static void the_spellings_of_the_rfc_are_taken(void **state)
{
    (void)state;
    assert_int_equal(parsed("SYN-RECEIVED"), STATE_SYN_RECV);
    assert_int_equal(parsed("CLOSED"), STATE_CLOSE);
    assert_int_equal(parsed("ESTABLISHED"), STATE_ESTABLISHED);
}

static void the_spellings_of_programs_are_taken(void **state)
{
    (void)state;
    assert_int_equal(parsed("FinWait2"), STATE_FIN_WAIT2);
    assert_int_equal(parsed("fin_wait_2"), STATE_FIN_WAIT2);
    assert_int_equal(parsed("SYN_RECEIVED"), STATE_SYN_RECV);
    assert_int_equal(parsed("TimeWait"), STATE_TIME_WAIT);
    assert_int_equal(parsed("Listening"), STATE_LISTEN);
}

static void case_does_not_matter(void **state)
{
    (void)state;
    assert_int_equal(parsed("close_wait"), STATE_CLOSE_WAIT);
    assert_int_equal(parsed("Close_Wait"), STATE_CLOSE_WAIT);
    assert_int_equal(parsed("CLOSE_WAIT"), STATE_CLOSE_WAIT);
}

static void other_words_are_no_states(void **state)
{
    (void)state;
    static const char *const junk[] = {"foo",  "FIN_WAIT",   "FIN_WAIT3", "WAIT",
                                       "TIME", "ESTABLISHE", "1",         "12"};
    for (size_t i = 0; i < COUNT_OF(junk); i++)
        assert_no_state(junk[i]);
}

static void nothing_is_no_state(void **state)
{
    (void)state;
    assert_no_state("");
    assert_no_state("_");
}

static void a_state_with_junk_around_it_is_no_state(void **state)
{
    (void)state;
    assert_no_state("LISTENx");
    assert_no_state("!!LISTEN");
    assert_no_state("LISTEN,CLOSE");
}

static void a_long_word_that_starts_like_a_state_is_no_state(void **state)
{
    (void)state;
    assert_no_state("ESTABLISHEDESTABLISHEDESTABLISHEDESTABLISHED");
}

static void life_order_holds_every_state_once(void **state)
{
    (void)state;
    uint32_t seen = 0;
    for (size_t i = 0; i < LIFE_ORDER_COUNT; i++) {
        assert_false(state_set_has(seen, tcp_state_in_life_order(i)));
        seen |= STATE_SET(tcp_state_in_life_order(i));
    }
    assert_int_equal(seen, 0xffe);
}

static void columns_follow_the_csv_schema(void **state)
{
    (void)state;
    static const char *const schema[] = {"listen",    "syn_sent",  "syn_recv",   "established",
                                         "fin_wait1", "fin_wait2", "close_wait", "closing",
                                         "last_ack",  "time_wait", "close"};
    assert_int_equal(COUNT_OF(schema), LIFE_ORDER_COUNT);
    for (size_t i = 0; i < LIFE_ORDER_COUNT; i++)
        assert_string_equal(tcp_state_column(tcp_state_in_life_order(i)), schema[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_reads_back_from_its_name),
        cmocka_unit_test(every_state_reads_back_from_its_column),
        cmocka_unit_test(names_are_spelled_as_the_output_promises),
        cmocka_unit_test(the_spellings_of_ss_are_taken),
        cmocka_unit_test(the_spellings_of_the_rfc_are_taken),
        cmocka_unit_test(the_spellings_of_programs_are_taken),
        cmocka_unit_test(case_does_not_matter),
        cmocka_unit_test(other_words_are_no_states),
        cmocka_unit_test(nothing_is_no_state),
        cmocka_unit_test(a_state_with_junk_around_it_is_no_state),
        cmocka_unit_test(a_long_word_that_starts_like_a_state_is_no_state),
        cmocka_unit_test(life_order_holds_every_state_once),
        cmocka_unit_test(columns_follow_the_csv_schema),
    };
    return cmocka_run_group_tests_name("tcp_state", tests, NULL, NULL);
}
