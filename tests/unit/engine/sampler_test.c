#include "../unit.h"

#include "../event_loop.h"
#include "engine/sampler.h"
#include "kernel/tcp_state.h"

#include <errno.h>
#include <sys/socket.h>

enum { WITNESSES = 3 };

/* An owner with three witnesses, of whom the test plays the far ends. */
struct watch {
    struct event_base *base;
    struct sampler sampler;
    int peer[WITNESSES];
    int begun, looks, blind;
    bool clogged;
    struct look last;
    int error;
};

static void on_begin(void *owner)
{
    ((struct watch *)owner)->begun++;
}

static void on_look(void *owner, const struct look *look)
{
    struct watch *watch = owner;
    watch->looks++;
    watch->last = *look;
}

static bool must_wait(void *owner)
{
    return ((struct watch *)owner)->clogged;
}

static void on_blind(void *owner, int error)
{
    struct watch *watch = owner;
    watch->blind++;
    watch->error = error;
}

static void no_message(void *context, const struct message *message)
{
    (void)context;
    (void)message;
}

static void no_end(void *context)
{
    (void)context;
}

static void no_bad(void *context, const struct message_complaint *why)
{
    (void)context;
    (void)why;
}

static int set_up(void **state)
{
    static const struct link_ears ears = {WAY_FROM_WITNESS, no_message, no_bad, no_end};
    struct watch *watch = calloc(1, sizeof *watch);
    watch->base = event_base_new();
    assert_int_equal(sampler_init(&watch->sampler, watch->base, 1000000000), 0);
    watch->sampler.owner = watch;
    watch->sampler.must_wait = must_wait;
    watch->sampler.on_begin = on_begin;
    watch->sampler.on_look = on_look;
    watch->sampler.on_blind = on_blind;
    watch->sampler.witness_count = WITNESSES;
    for (int i = 0; i < WITNESSES; i++) {
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        watch->sampler.witnesses[i] = link_new(watch->base, fds[0], &ears, watch);
        watch->peer[i] = fds[1];
    }
    *state = watch;
    return 0;
}

static int tear_down(void **state)
{
    struct watch *watch = *state;
    sampler_free(&watch->sampler);
    for (int i = 0; i < WITNESSES; i++) {
        link_free(watch->sampler.witnesses[i]);
        close(watch->peer[i]);
    }
    event_base_loop(watch->base, EVLOOP_NONBLOCK);
    event_base_free(watch->base);
    free(watch);
    return 0;
}

/* A witness has seen so many in one state on each side; of the server's, `tally` in each of the other counts.
 */
static void sees_as(struct watch *watch, int witness, int64_t serial, int took_us, int servers, int clients,
                    int tally)
{
    const struct message seen = {
        .id = MESSAGE_SEEN,
        .seen = {.serial = serial,
                 .took_us = took_us,
                 .sides = {[SIDE_SERVER] = {.of = {[STATE_ESTABLISHED] = servers},
                                            .owned = tally,
                                            .unread = 2 * (int64_t)tally,
                                            .unowned = 3 * (int64_t)tally,
                                            .queued = 4 * (int64_t)tally},
                           [SIDE_CLIENT] = {.of = {[STATE_ESTABLISHED] = clients}}}}};
    sampler_hear_seen(&watch->sampler, witness, &seen);
}

static void sees(struct watch *watch, int witness, int servers, int clients)
{
    sees_as(watch, witness, watch->sampler.serial, 10, servers, clients, 0);
}

static void fails(struct watch *watch, int witness, int error)
{
    sampler_hear_unseen(
        &watch->sampler, witness,
        &(struct message){.id = MESSAGE_UNSEEN, .unseen = {watch->sampler.serial, 10, error}});
}

static void every_witness_is_asked_with_the_same_serial(void **state)
{
    struct watch *watch = *state;
    sampler_now(&watch->sampler);
    run_for_ms(watch->base, 5);
    for (int i = 0; i < WITNESSES; i++) {
        char text[32] = "";
        await_readable(watch->peer[i]);
        assert_true(read(watch->peer[i], text, sizeof text - 1) > 0);
        assert_string_equal(text, "look 1\n");
    }
    assert_int_equal(watch->begun, 1);
}

static void a_look_is_complete_when_all_have_answered(void **state)
{
    struct watch *watch = *state;
    sampler_now(&watch->sampler);
    sees(watch, 2, 1, 2);
    sees(watch, 0, 30, 40);
    assert_int_equal(watch->looks, 0);
    sees(watch, 1, 500, 600);
    assert_int_equal(watch->looks, 1);
    assert_int_equal(watch->last.sides[SIDE_SERVER].of[STATE_ESTABLISHED], 531);
    assert_int_equal(watch->last.sides[SIDE_CLIENT].of[STATE_ESTABLISHED], 642);
}

static void the_part_of_each_is_kept(void **state)
{
    struct watch *watch = *state;
    sampler_now(&watch->sampler);
    for (int i = 0; i < WITNESSES; i++)
        sees(watch, i, 10 * i, 100 * i);
    assert_int_equal(watch->last.part_count, WITNESSES);
    for (int i = 0; i < WITNESSES; i++) {
        assert_int_equal(watch->last.parts[i].sides[SIDE_SERVER].of[STATE_ESTABLISHED], 10 * i);
        assert_int_equal(watch->last.parts[i].sides[SIDE_CLIENT].of[STATE_ESTABLISHED], 100 * i);
    }
}

static void the_other_counts_add_up_too(void **state)
{
    struct watch *watch = *state;
    sampler_now(&watch->sampler);
    for (int i = 0; i < WITNESSES; i++)
        sees_as(watch, i, 1, 10, 0, 0, i + 1);
    const struct histogram *sum = &watch->last.sides[SIDE_SERVER];
    assert_int_equal(sum->owned, 6);
    assert_int_equal(sum->unread, 12);
    assert_int_equal(sum->unowned, 18);
    assert_int_equal(sum->queued, 24);
    assert_int_equal(watch->last.sides[SIDE_CLIENT].owned, 0);
    assert_int_equal(watch->last.parts[2].sides[SIDE_SERVER].queued, 12);
}

static void a_look_took_as_long_as_its_slowest_witness(void **state)
{
    struct watch *watch = *state;
    sampler_now(&watch->sampler);
    sees_as(watch, 0, 1, 20, 0, 0, 0);
    sees_as(watch, 1, 1, 900, 0, 0, 0);
    sees_as(watch, 2, 1, 30, 0, 0, 0);
    assert_int_equal(watch->last.took_us, 900);
}

static void nothing_of_one_look_is_in_the_next(void **state)
{
    struct watch *watch = *state;
    for (int round = 0; round < 2; round++) {
        sampler_now(&watch->sampler);
        for (int i = 0; i < WITNESSES; i++)
            sees(watch, i, 7, 7);
    }
    assert_int_equal(watch->looks, 2);
    assert_int_equal(watch->last.sides[SIDE_SERVER].of[STATE_ESTABLISHED], 21);
}

static void one_that_could_not_see_spoils_the_look(void **state)
{
    struct watch *watch = *state;
    sampler_now(&watch->sampler);
    sees(watch, 0, 1, 1);
    fails(watch, 1, ENOBUFS);
    sees(watch, 2, 1, 1);
    assert_int_equal(watch->looks, 0);
    assert_int_equal(watch->sampler.failed_in_all, 1);
    assert_false(watch->sampler.looking);
    sampler_now(&watch->sampler);
    for (int i = 0; i < WITNESSES; i++)
        sees(watch, i, 1, 1);
    assert_int_equal(watch->looks, 1);
}

static void one_that_never_sees_makes_blind(void **state)
{
    struct watch *watch = *state;
    for (int round = 0; round < 10; round++) {
        assert_int_equal(watch->blind, 0);
        sampler_now(&watch->sampler);
        sees(watch, 0, 1, 1);
        fails(watch, 1, EPERM);
        sees(watch, 2, 1, 1);
    }
    assert_int_equal(watch->blind, 1);
    assert_int_equal(watch->error, EPERM);
    assert_int_equal(watch->looks, 0);
}

static void a_second_answer_of_one_counts_for_nothing(void **state)
{
    struct watch *watch = *state;
    sampler_now(&watch->sampler);
    for (int i = 0; i < 3; i++)
        sees(watch, 0, 5, 5);
    assert_int_equal(watch->looks, 0);
    sees(watch, 1, 0, 0);
    sees(watch, 2, 0, 0);
    assert_int_equal(watch->looks, 1);
    assert_int_equal(watch->last.sides[SIDE_SERVER].of[STATE_ESTABLISHED], 5);
}

static void an_answer_to_an_earlier_look_counts_for_nothing(void **state)
{
    struct watch *watch = *state;
    for (int round = 0; round < 2; round++) {
        sampler_now(&watch->sampler);
        for (int i = 0; i < WITNESSES; i++)
            sees_as(watch, i, 1, 10, 9, 9, 0);
    }
    assert_int_equal(watch->looks, 1);
    assert_true(watch->sampler.looking);
}

static void an_answer_that_nobody_asked_for_counts_for_nothing(void **state)
{
    struct watch *watch = *state;
    for (int i = 0; i < WITNESSES; i++)
        sees_as(watch, i, 0, 10, 9, 9, 0);
    assert_int_equal(watch->looks, 0);
    assert_int_equal(watch->blind, 0);
}

static void after_the_stop_nothing_is_asked_or_told(void **state)
{
    struct watch *watch = *state;
    sampler_now(&watch->sampler);
    sees(watch, 0, 1, 1);
    sampler_stop(&watch->sampler);
    sees(watch, 1, 1, 1);
    sees(watch, 2, 1, 1);
    sampler_now(&watch->sampler);
    assert_int_equal(watch->looks, 0);
    assert_int_equal(watch->begun, 1);
}

static void who_has_not_answered_is_known(void **state)
{
    struct watch *watch = *state;
    assert_false(sampler_awaits(&watch->sampler, 0));
    sampler_now(&watch->sampler);
    assert_true(sampler_awaits(&watch->sampler, 0));
    sees(watch, 0, 1, 1);
    sees(watch, 2, 1, 1);
    assert_false(sampler_awaits(&watch->sampler, 0));
    assert_true(sampler_awaits(&watch->sampler, 1));
    sees(watch, 1, 1, 1);
    assert_false(sampler_awaits(&watch->sampler, 1));
}

/* Two looks must not be mixed: what the workers still have to say belongs to the one that they were asked
 * for. */
static void a_look_that_is_extended_is_the_only_one_until_it_is_complete(void **state)
{
    struct watch *watch = *state;
    sampler_now(&watch->sampler);
    sees(watch, 0, 1, 1);
    sees(watch, 1, 1, 1);
    sees(watch, 2, 1, 1);
    assert_int_equal(watch->looks, 1);
    sampler_extend(&watch->sampler);
    sampler_now(&watch->sampler);
    sampler_later(&watch->sampler, false, 0);
    assert_int_equal(watch->begun, 1);
    assert_true(sampler_is_due(&watch->sampler));
    assert_false(sampler_awaits(&watch->sampler, 0));
    sampler_complete(&watch->sampler);
    assert_false(sampler_is_due(&watch->sampler));
    sampler_later(&watch->sampler, false, 0);
    assert_true(sampler_is_due(&watch->sampler));
    sampler_now(&watch->sampler);
    assert_int_equal(watch->begun, 2);
}

static void while_a_look_is_under_way_no_other_begins(void **state)
{
    struct watch *watch = *state;
    sampler_now(&watch->sampler);
    sampler_now(&watch->sampler);
    sampler_later(&watch->sampler, false, 0);
    assert_int_equal(watch->begun, 1);
    assert_false(evtimer_pending(watch->sampler.timer, NULL));
}

static void after_the_stop_nobody_owes_an_answer(void **state)
{
    struct watch *watch = *state;
    sampler_now(&watch->sampler);
    assert_true(sampler_awaits(&watch->sampler, 0));
    sampler_stop(&watch->sampler);
    assert_false(sampler_awaits(&watch->sampler, 0));
    sees(watch, 0, 1, 1);
    assert_false(sampler_awaits(&watch->sampler, 0));
}

static void while_nobody_can_take_it_down_no_look_begins(void **state)
{
    struct watch *watch = *state;
    watch->clogged = true;
    sampler_now(&watch->sampler);
    run_for_ms(watch->base, 100);
    assert_int_equal(watch->begun, 0);
    assert_false(sampler_awaits(&watch->sampler, 0));
    watch->clogged = false;
    assert_comes_true(watch->base, watch->begun == 1);
    sampler_stop(&watch->sampler);
}

#define watch_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        watch_test(every_witness_is_asked_with_the_same_serial),
        watch_test(a_look_is_complete_when_all_have_answered),
        watch_test(the_part_of_each_is_kept),
        watch_test(the_other_counts_add_up_too),
        watch_test(a_look_took_as_long_as_its_slowest_witness),
        watch_test(nothing_of_one_look_is_in_the_next),
        watch_test(one_that_could_not_see_spoils_the_look),
        watch_test(one_that_never_sees_makes_blind),
        watch_test(a_second_answer_of_one_counts_for_nothing),
        watch_test(an_answer_to_an_earlier_look_counts_for_nothing),
        watch_test(an_answer_that_nobody_asked_for_counts_for_nothing),
        watch_test(after_the_stop_nothing_is_asked_or_told),
        watch_test(who_has_not_answered_is_known),
        watch_test(after_the_stop_nobody_owes_an_answer),
        watch_test(a_look_that_is_extended_is_the_only_one_until_it_is_complete),
        watch_test(while_nobody_can_take_it_down_no_look_begins),
        watch_test(while_a_look_is_under_way_no_other_begins),
    };
    return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
