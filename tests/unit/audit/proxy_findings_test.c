#include "../unit.h"

#include "audit/proxy_findings.h"

/* A pair for each cell, on which all went as it should. */
struct bench {
    struct proxy_pair_result pairs[PROXY_CELLS];
    struct link_sight front[PROXY_CELLS], back[PROXY_CELLS];
    struct proxy_result result;
};

static bool ends_with_fin(enum proxy_manner manner)
{
    return manner == MANNER_CLOSE || manner == MANNER_HALF_CLOSE;
}

static struct bench *bench_of_all(void)
{
    static struct bench bench;
    bench =
        (struct bench){.result = {.count = PROXY_CELLS, .pairs = bench.pairs, .ghost_sight = GHOSTS_SEEN}};
    for (int i = 0; i < PROXY_CELLS; i++) {
        struct proxy_pair_result *pair = &bench.pairs[i];
        *pair = (struct proxy_pair_result){
            .manner = {(enum proxy_manner)(i / MANNER_COUNT), (enum proxy_manner)(i % MANNER_COUNT)},
            .class = PAIR_PASSED};
        enum proxy_side first = pair->manner[PROXY_FRONT] != MANNER_STAYS ? PROXY_FRONT : PROXY_BACK;
        enum proxy_side second = proxy_side_other(first);
        if (ends_with_fin(pair->manner[first]))
            pair->leg[first].sent = pair->leg[second].received = PROXY_BLOCK;
        if (pair->manner[first] == MANNER_HALF_CLOSE)
            pair->leg[second].sent = pair->leg[first].received = PROXY_BLOCK;
        for (int side = 0; side < PROXY_SIDES; side++) {
            pair->leg[side].was_seen = true;
            pair->leg[side].inode = (uint64_t)(100 + 2 * i + side);
        }
    }
    return &bench;
}

static struct proxy_pair_result *pair_of(struct bench *bench, enum proxy_manner client,
                                         enum proxy_manner backend)
{
    return &bench->pairs[client * MANNER_COUNT + backend];
}

static enum proxy_outcome conclude(struct bench *bench)
{
    proxy_findings_conclude(&bench->result, PROXY_CELLS, false);
    return proxy_outcome_of(&bench->result);
}

static const struct link_sight *const *sights_of(struct bench *bench)
{
    static const struct link_sight *sights[PROXY_SIDES];
    sights[PROXY_FRONT] = bench->front;
    sights[PROXY_BACK] = bench->back;
    return sights;
}

static void a_proxy_that_passes_everything_on_lets_go(void **state)
{
    (void)state;
    struct bench *bench = bench_of_all();
    assert_int_equal(conclude(bench), PROXY_LETS_GO);
    assert_int_equal(bench->result.lost, 0);
    assert_int_equal(proxy_cell_of(&bench->result, MANNER_HALF_CLOSE, MANNER_STAYS)->answered, 1);
}

static void what_comes_before_a_fin_must_arrive(void **state)
{
    (void)state;
    struct bench *bench = bench_of_all();
    pair_of(bench, MANNER_CLOSE, MANNER_STAYS)->leg[PROXY_BACK].received = PROXY_BLOCK - 1;
    assert_int_equal(conclude(bench), PROXY_LOSES);
    assert_int_equal(proxy_cell_of(&bench->result, MANNER_CLOSE, MANNER_STAYS)->lost, 1);
}

static void an_rst_takes_back_what_came_before(void **state)
{
    (void)state;
    struct bench *bench = bench_of_all();
    pair_of(bench, MANNER_ABORT, MANNER_STAYS)->leg[PROXY_FRONT].sent = PROXY_BLOCK;
    assert_int_equal(conclude(bench), PROXY_LETS_GO);
}

/* Of all cells of a half-close, or of one. */
static void lose_answers(struct bench *bench, int64_t arrives, bool of_all)
{
    for (int backend = 0; backend < MANNER_COUNT; backend++)
        if (of_all || backend == MANNER_CLOSE)
            pair_of(bench, MANNER_HALF_CLOSE, (enum proxy_manner)backend)->leg[PROXY_FRONT].received =
                arrives;
}

static void a_half_close_may_be_the_end_but_then_always(void **state)
{
    (void)state;
    struct bench *bench = bench_of_all();
    lose_answers(bench, 0, true);
    assert_int_equal(conclude(bench), PROXY_LETS_GO);
    bench = bench_of_all();
    lose_answers(bench, 0, false);
    assert_int_equal(conclude(bench), PROXY_LOSES);
    bench = bench_of_all();
    lose_answers(bench, 100, true);
    assert_int_equal(conclude(bench), PROXY_LOSES);
}

static void see(struct link_sight *sight, enum tcp_state state, uint64_t inode)
{
    *sight = (struct link_sight){.seen = true, .state = state, .inode = inode};
}

static void what_is_held_is_a_leak(void **state)
{
    (void)state;
    const struct {
        enum tcp_state state;
        uint64_t inode;
        enum proxy_hold hold;
    } cases[] = {
        {STATE_CLOSE_WAIT, 7, HOLD_SOCKET},  {STATE_CLOSE_WAIT, 0, HOLD_NEVER_ACCEPTED},
        {STATE_ESTABLISHED, 7, HOLD_SOCKET}, {STATE_FIN_WAIT2, 7, HOLD_SOCKET},
        {STATE_FIN_WAIT2, 0, HOLD_NONE},     {STATE_TIME_WAIT, 0, HOLD_NONE},
        {STATE_LAST_ACK, 0, HOLD_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench *bench = bench_of_all();
        see(&bench->back[3], cases[i].state, cases[i].inode);
        proxy_findings_take_held(bench->pairs, PROXY_CELLS, sights_of(bench), NULL);
        assert_int_equal(bench->pairs[3].leg[PROXY_BACK].hold, cases[i].hold);
        assert_int_equal(conclude(bench), cases[i].hold == HOLD_NONE ? PROXY_LETS_GO : PROXY_LEAKS);
    }
}

static void a_descriptor_of_nothing_is_known_by_its_inode(void **state)
{
    (void)state;
    struct bench *bench = bench_of_all();
    struct unlisted_socket each[] = {{.inode = 100 + 2 * 5 + PROXY_BACK, .pid = 1},
                                     {.inode = 99999, .pid = 1}};
    const struct unlisted_sockets ghosts = {.each = each, .count = 2};
    see(&bench->back[5], STATE_TIME_WAIT, 0); /* it closed both ways, and keeps the descriptor */
    assert_int_equal(proxy_findings_take_held(bench->pairs, PROXY_CELLS, sights_of(bench), &ghosts), 1);
    assert_int_equal(bench->pairs[5].leg[PROXY_BACK].hold, HOLD_GHOST);
}

static void from_afar_our_own_end_tells(void **state)
{
    (void)state;
    struct bench *bench = bench_of_all();
    bench->pairs[2].leg[PROXY_FRONT].was_seen = false;
    bench->front[2] = (struct link_sight){.own_seen = true, .own_state = STATE_FIN_WAIT2};
    bench->front[3] = (struct link_sight){.own_seen = true, .own_state = STATE_FIN_WAIT2};
    assert_int_equal(proxy_findings_take_held(bench->pairs, PROXY_CELLS, sights_of(bench), NULL), 1);
    assert_int_equal(bench->pairs[2].leg[PROXY_FRONT].hold, HOLD_FROM_AFAR);
}

static void one_side_that_is_kept_is_a_leak_unless_it_can_be_used_again(void **state)
{
    (void)state;
    for (int is_http = 0; is_http < 2; is_http++) {
        struct bench *bench = bench_of_all();
        int i = MANNER_CLOSE * MANNER_COUNT + MANNER_STAYS;
        see(&bench->back[i], STATE_ESTABLISHED, 7);
        proxy_findings_take_ended(bench->pairs, PROXY_CELLS, sights_of(bench), is_http != 0);
        assert_int_equal(bench->pairs[i].is_one_sided, !is_http);
        assert_int_equal(conclude(bench), is_http ? PROXY_LETS_GO : PROXY_LEAKS);
    }
    struct bench *bench = bench_of_all();
    int i = MANNER_CLOSE * MANNER_COUNT + MANNER_STAYS;
    see(&bench->front[i], STATE_CLOSE_WAIT,
        8); /* it has not let the client go: the FIN is not passed on yet */
    see(&bench->back[i], STATE_ESTABLISHED, 7);
    proxy_findings_take_ended(bench->pairs, PROXY_CELLS, sights_of(bench), false);
    assert_false(bench->pairs[i].is_one_sided);
}

static void too_little_is_no_verdict(void **state)
{
    (void)state;
    struct bench *bench = bench_of_all();
    bench->pairs[7].class = PAIR_NO_BACKEND;
    assert_int_equal(conclude(bench), PROXY_NO_VERDICT);
    bench = bench_of_all();
    bench->result.ghost_sight = GHOSTS_NOT_OURS;
    assert_int_equal(conclude(bench), PROXY_NO_VERDICT);
    bench = bench_of_all();
    bench->result.failure = "the moon was full";
    pair_of(bench, MANNER_CLOSE, MANNER_STAYS)->leg[PROXY_BACK].received = 0;
    assert_int_equal(conclude(bench), PROXY_NO_VERDICT);
}

static void everything_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < MANNER_COUNT; i++)
        assert_non_null(proxy_manner_name((enum proxy_manner)i));
    for (int i = 0; i < PAIR_CLASS_COUNT; i++)
        assert_non_null(proxy_pair_class_name((enum proxy_pair_class)i));
    for (int i = 0; i < HOLD_COUNT; i++)
        assert_non_null(proxy_hold_name((enum proxy_hold)i));
    for (int i = 0; i <= PROXY_INTERRUPTED; i++)
        assert_non_null(proxy_outcome_name((enum proxy_outcome)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proxy_that_passes_everything_on_lets_go),
        cmocka_unit_test(what_comes_before_a_fin_must_arrive),
        cmocka_unit_test(an_rst_takes_back_what_came_before),
        cmocka_unit_test(a_half_close_may_be_the_end_but_then_always),
        cmocka_unit_test(what_is_held_is_a_leak),
        cmocka_unit_test(a_descriptor_of_nothing_is_known_by_its_inode),
        cmocka_unit_test(from_afar_our_own_end_tells),
        cmocka_unit_test(one_side_that_is_kept_is_a_leak_unless_it_can_be_used_again),
        cmocka_unit_test(too_little_is_no_verdict),
        cmocka_unit_test(everything_has_a_name),
    };
    return cmocka_run_group_tests_name("proxy_findings", tests, NULL, NULL);
}
