#include "../unit.h"

#include "audit/growth.h"

#include <stdlib.h>

/* A process whose things are made up; each round has 100 connections, a check round 20. */
struct bench {
    struct growth growth;
    struct audit_growth found;
};

static void add(struct stock *stock, uint64_t identity, enum stock_kind kind)
{
    stock->each[stock->count++] = (struct stock_thing){.identity = identity,
                                                       .kind = kind,
                                                       .pid = 1,
                                                       .state = STATE_ESTABLISHED,
                                                       .peer = {.family = 2},
                                                       .peer_port = 9000};
}

/* All of the numbers from `from` up to `to` that are there. */
static struct stock stock_of(uint64_t from, uint64_t to, enum stock_kind kind)
{
    struct stock stock = {.each = calloc(to - from + 1, sizeof *stock.each),
                          .processes = calloc(1, sizeof *stock.processes),
                          .process_count = 1};
    assert_non_null(stock.each);
    assert_non_null(stock.processes);
    stock.processes[0].pid = 1;
    for (uint64_t i = from; i < to; i++)
        add(&stock, i, kind);
    return stock;
}

/* A round at the end of which the things from `from` up to `to` are there, in two readings. */
static void play(struct bench *bench, int round, int64_t conns, uint64_t from, uint64_t to)
{
    for (int i = 0; i < 2; i++) {
        struct stock stock = stock_of(from, to, STOCK_TCP_OUTGOING);
        growth_read(&bench->growth, &stock, round);
    }
    bench->found.conns[round - 1] = conns;
}

static void conclude(struct bench *bench, int rounds, int check_rounds)
{
    bench->found.rounds = rounds;
    bench->found.check_rounds = check_rounds;
    growth_conclude(&bench->growth, &bench->found);
    growth_end_round(&bench->growth);
}

static void begin(struct bench *bench)
{
    struct stock none = stock_of(1, 11, STOCK_TCP_OUTGOING);
    *bench = (struct bench){.found = {.rounds = 0}};
    growth_begin(&bench->growth, &none);
}

enum { NO_ROW = -1 };

struct round {
    int64_t conns;
    uint64_t from, to;
};

static int verdict_after(const struct round *rounds, int count, int check_rounds)
{
    struct bench bench;
    begin(&bench);
    for (int i = 0; i < count; i++) {
        play(&bench, i + 1, rounds[i].conns, rounds[i].from, rounds[i].to);
        conclude(&bench, i < count - check_rounds ? i + 1 : count - check_rounds,
                 i < count - check_rounds ? 0 : i + 1 - (count - check_rounds));
    }
    int verdict = bench.found.count > 0 ? (int)bench.found.rows[0].verdict : NO_ROW;
    growth_free(&bench.growth);
    return verdict;
}

static void what_goes_on_in_both_check_rounds_is_a_leak(void **state)
{
    (void)state;
    static const struct round each[] = {{100, 1, 111}, {20, 1, 131}, {20, 1, 151}};
    static const struct round every_fifth[] = {{100, 1, 31}, {40, 1, 39}, {40, 1, 47}};
    assert_int_equal(verdict_after(each, 3, 2), GROWTH_GOES_ON);
    assert_int_equal(verdict_after(every_fifth, 3, 2), GROWTH_GOES_ON);
}

static void a_pool_stops_however_large_it_is(void **state)
{
    (void)state;
    static const struct round bounded[] = {{100, 1, 19}, {100, 1, 19}};
    static const struct round as_large_as_the_round[] = {{100, 1, 111}, {20, 1, 111}, {20, 1, 112}};
    assert_int_equal(verdict_after(bounded, 2, 0), GROWTH_STOPS);
    assert_int_equal(verdict_after(as_large_as_the_round, 3, 2), GROWTH_STOPS);
}

static void one_round_does_not_tell(void **state)
{
    (void)state;
    static const struct round one[] = {{100, 1, 111}};
    assert_int_equal(verdict_after(one, 1, 0), GROWTH_UNDECIDED);
}

static void what_is_gone_at_the_end_was_slow(void **state)
{
    (void)state;
    static const struct round rounds[] = {{100, 1, 111}, {20, 61, 131}, {20, 112, 151}};
    assert_int_equal(verdict_after(rounds, 3, 2), GROWTH_PASSES);
}

/* As many go as come: other clients' connections to the backend. */
static void what_takes_the_place_of_others_is_no_growth(void **state)
{
    (void)state;
    struct bench bench;
    struct stock old = stock_of(1, 201, STOCK_TCP_OUTGOING);
    bench = (struct bench){.found = {.rounds = 0}};
    growth_begin(&bench.growth, &old);
    for (int round = 1; round <= 3; round++) {
        play(&bench, round, round == 1 ? 100 : 20, 1 + 60 * (uint64_t)round, 201 + 60 * (uint64_t)round);
        conclude(&bench, 1, round - 1);
    }
    assert_int_equal(bench.found.count, 0);
    assert_false(growth_is_leak(&bench.found));
    growth_free(&bench.growth);
}

static void what_grows_with_other_clients_may_be_theirs(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 2; i++) {
            struct stock stock = stock_of(1, 91 + 20 * (uint64_t)round, STOCK_TCP_OUTGOING);
            for (size_t k = 0; k < stock.count; k += 2) {
                stock.each[k].kind = STOCK_TCP_ACCEPTED;
                stock.each[k].is_front = true;
            }
            growth_read(&bench.growth, &stock, round);
        }
        bench.found.conns[round - 1] = round == 1 ? 100 : 20;
        conclude(&bench, 1, round - 1);
    }
    assert_int_equal(bench.found.rows[0].verdict, GROWTH_OF_OTHERS);
    assert_false(growth_is_leak(&bench.found));
    assert_false(growth_is_open(&bench.found));
    growth_free(&bench.growth);
}

static void a_few_are_no_growth(void **state)
{
    (void)state;
    static const struct round log_file[] = {{100, 1, 13}};
    assert_int_equal(verdict_after(log_file, 1, 0), NO_ROW);
}

static void a_check_has_enough_connections_to_tell(void **state)
{
    (void)state;
    static const struct {
        int64_t conns;
        uint64_t to;
        bool is_open;
        int64_t check;
    } cases[] = {{100, 111, true, 20},
                 {100, 21, true, 80},
                 {100, 14, false, 0},
                 {8, 19, true, 8},
                 {1000, 61, true, 160}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bench bench;
        begin(&bench);
        play(&bench, 1, cases[i].conns, 1, cases[i].to);
        conclude(&bench, 1, 0);
        assert_int_equal(growth_is_open(&bench.found), cases[i].is_open);
        if (cases[i].is_open)
            assert_int_equal(growth_check_conns(&bench.found), cases[i].check);
        growth_free(&bench.growth);
    }
}

static void what_is_in_one_reading_only_is_none(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench);
    struct stock stock = stock_of(1, 50, STOCK_TCP_OUTGOING);
    growth_read(&bench.growth, &stock, 1);
    bench.found.conns[0] = 30;
    conclude(&bench, 1, 0);
    assert_int_equal(bench.found.count, 0);
    growth_free(&bench.growth);
}

/* A process that is forked begins with copies that have no inode of their own. */
static void what_a_new_process_begins_with_is_no_growth(void **state)
{
    (void)state;
    struct bench bench;
    const uint64_t numbered = UINT64_C(1) << 63;
    begin(&bench);
    for (int i = 0; i < 2; i++) {
        struct stock stock = stock_of(numbered, numbered + 30, STOCK_EPOLL);
        stock.processes[0].started = 77; /* another one with that pid */
        growth_read(&bench.growth, &stock, 1);
    }
    bench.found.conns[0] = 30;
    conclude(&bench, 1, 0);
    assert_int_equal(bench.found.count, 0);
    growth_free(&bench.growth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_on_in_both_check_rounds_is_a_leak),
        cmocka_unit_test(a_pool_stops_however_large_it_is),
        cmocka_unit_test(one_round_does_not_tell),
        cmocka_unit_test(what_is_gone_at_the_end_was_slow),
        cmocka_unit_test(what_takes_the_place_of_others_is_no_growth),
        cmocka_unit_test(what_grows_with_other_clients_may_be_theirs),
        cmocka_unit_test(a_few_are_no_growth),
        cmocka_unit_test(a_check_has_enough_connections_to_tell),
        cmocka_unit_test(what_is_in_one_reading_only_is_none),
        cmocka_unit_test(what_a_new_process_begins_with_is_no_growth),
    };
    return cmocka_run_group_tests_name("growth", tests, NULL, NULL);
}
