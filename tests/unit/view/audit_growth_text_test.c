#include "../unit.h"

#include "base/json_writer.h"
#include "view/audit_view.h"

#include <stdlib.h>
#include <sys/socket.h>

static struct audit_growth growth_of(enum stock_kind kind, enum growth_verdict verdict)
{
    struct audit_growth growth = {
        .rounds = 1, .check_rounds = 2, .conns = {100, 20, 20}, .count = 1, .before[STOCK_PIPE] = 4};
    struct growth_row *row = &growth.rows[0];
    *row = (struct growth_row){.kind = kind,
                               .port = 9000,
                               .peer = {.family = AF_INET, .bytes = {127, 0, 0, 1}},
                               .count = 140,
                               .of_round = {100, 20, 20},
                               .pid = 812,
                               .command = "proxy",
                               .verdict = verdict};
    if (kind == STOCK_TCP_OUTGOING) {
        row->by_state[STATE_CLOSE_WAIT] = 130;
        row->by_state[STATE_ESTABLISHED] = 10;
        row->unread = 130;
    }
    return growth;
}

struct said {
    char text[2048];
};

static struct said said_of(const struct audit_growth *growth, bool holds_front)
{
    struct said said = {""};
    audit_say_growth(said.text, sizeof said.text, growth, holds_front);
    return said;
}

static void a_leak_is_said_with_its_peer_its_states_and_its_owner(void **state)
{
    (void)state;
    struct audit_growth growth = growth_of(STOCK_TCP_OUTGOING, GROWTH_GOES_ON);
    struct said said = said_of(&growth, false);
    assert_contains(said.text, "Grew with the connections: holds 140 more connections to 127.0.0.1:9000 than "
                               "before (10 ESTABLISHED, 130 CLOSE_WAIT, 130 with Recv-Q >= 1), of 140 "
                               "connections; owner proxy pid 812; each round added its share");
    assert_contains(said.text, "To tell, 2 rounds more were played, with 20 connections");
}

static void each_verdict_has_words_of_its_own(void **state)
{
    (void)state;
    static const struct {
        enum growth_verdict verdict;
        const char *words;
    } cases[] = {{GROWTH_UNDECIDED, "a pool, or a leak on some paths"},
                 {GROWTH_STOPS, "later connections added none"},
                 {GROWTH_PASSES, "slow, not a leak"},
                 {GROWTH_OF_OTHERS, "other clients came meanwhile"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct audit_growth growth = growth_of(STOCK_PIPE, cases[i].verdict);
        struct said said = said_of(&growth, false);
        assert_contains(said.text, "Holds 140 more pipes than before; owner proxy pid 812");
        assert_contains(said.text, cases[i].words);
        assert_lacks(said.text, "Grew with");
    }
    struct audit_growth growth = growth_of(STOCK_PIPE, GROWTH_UNDECIDED);
    assert_lacks(said_of(&growth, true).text, "a pool"); /* the leak in front is enough */
}

static void what_has_gone_is_taken_off(void **state)
{
    (void)state;
    struct audit_growth growth = growth_of(STOCK_FILE, GROWTH_GOES_ON);
    growth.rows[0].gone = 40;
    assert_contains(said_of(&growth, false).text, "holds 100 more open files than before");
}

static void the_json_has_each_row(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct json_writer w = {.out = out};
    struct audit_growth growth = growth_of(STOCK_TCP_OUTGOING, GROWTH_GOES_ON);
    json_open(&w, NULL, '{');
    audit_put_stock(&w, &growth);
    json_close(&w, '}');
    fclose(out);
    assert_contains(text, "\"before\":{\"pipe\":4}");
    assert_contains(text, "\"conns\":[100,20,20],\"check_rounds\":2");
    assert_contains(text, "\"kind\":\"tcp_outgoing\",\"peer\":\"127.0.0.1\",\"port\":9000,\"count\":140");
    assert_contains(text, "\"rounds\":[100,20,20]");
    assert_contains(text, "\"states\":{\"ESTABLISHED\":10,\"CLOSE_WAIT\":130},\"recv_q\":130,\"send_q\":0");
    assert_contains(text, "\"pid\":812,\"command\":\"proxy\",\"growth\":\"goes_on\"");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leak_is_said_with_its_peer_its_states_and_its_owner),
        cmocka_unit_test(each_verdict_has_words_of_its_own),
        cmocka_unit_test(what_has_gone_is_taken_off),
        cmocka_unit_test(the_json_has_each_row),
    };
    return cmocka_run_group_tests_name("audit_growth_text", tests, NULL, NULL);
}
