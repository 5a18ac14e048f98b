#include "../unit.h"

#include "view/view.h"

#include <stdlib.h>

enum { CONNS = 1000 };

struct scene {
    char *text;
    size_t size;
    FILE *out;
    struct observer view;
    struct run_settings settings;
    struct plan plan;
    struct experiment experiments[16];
};

static int begin(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    scene->out = open_memstream(&scene->text, &scene->size);
    assert_non_null(scene->out);
    scene->view = state_table_view(scene->out, "stdout");
    assert_non_null(scene->view.view);
    scene->settings = (struct run_settings){.conns = CONNS, .look_inside = "nsenter -t 4711 -n"};
    assert_true(address_parse("127.0.0.1", &scene->settings.address));
    scene->plan.settings = &scene->settings;
    *state = scene;
    return 0;
}

static int end(void **state)
{
    struct scene *scene = *state;
    view_free(&scene->view);
    fclose(scene->out);
    free(scene->text);
    free(scene);
    return 0;
}

/* The same for the same state, as in a run. */
static const struct experiment *experiment_with(struct scene *scene, const struct kept_state *kept)
{
    struct experiment *experiment = scene->experiments;
    while (experiment->kept != kept && experiment->kept != NULL)
        experiment++;
    *experiment = experiment_of_state(kept);
    return experiment;
}

static void start(struct scene *scene, const struct kept_state *kept, uint16_t port)
{
    const struct order_start start = {.plan = &scene->plan,
                                      .experiment = experiment_with(scene, kept),
                                      .lanes = {port, (uint16_t)(port + 1)}};
    assert_int_equal(scene->view.ops->order_start(scene->view.view, &start), 0);
}

static void look(struct scene *scene, const struct kept_state *kept, const char *step, bool settled,
                 int64_t there)
{
    struct histogram sides[SIDE_COUNT] = {0};
    if (kept->state == STATE_CLOSE)
        sides[kept->side].ghosts = there;
    else
        sides[kept->side].of[kept->state] = there;
    const struct sample sample = {.experiment = experiment_with(scene, kept),
                                  .conns = CONNS,
                                  .step = step,
                                  .settled = settled,
                                  .sides = sides};
    assert_int_equal(scene->view.ops->sample(scene->view.view, &sample), 0);
}

/* The hold is over, and so many are still there. */
static void end_hold(struct scene *scene, const struct kept_state *kept, int64_t there)
{
    struct histogram sides[SIDE_COUNT] = {0};
    sides[kept->side].of[kept->state] = there;
    const struct step_end step = {
        .experiment = experiment_with(scene, kept), .ok = true, .sides = sides, .difference = ""};
    assert_int_equal(scene->view.ops->step_end(scene->view.view, &step), 0);
}

static void finish(struct scene *scene, enum outcome outcome)
{
    const struct run_end run = {.outcome = outcome, .elapsed_s = 1.25};
    assert_int_equal(scene->view.ops->run_end(scene->view.view, &run), 0);
}

static struct kept_state kept_in(enum tcp_state state)
{
    struct kept_state kept;
    assert_int_equal(kept_state_make(state, SIDE_COUNT, &kept), 0);
    return kept;
}

static void the_way_inside_comes_first(void **state)
{
    struct scene *scene = *state;
    const struct run_start run = {.plan = &scene->plan};
    assert_int_equal(scene->view.ops->run_start(scene->view.view, &run), 0);
    assert_contains(scene->text, "nsenter -t 4711 -n COMMAND");
}

static void a_state_has_its_line_as_soon_as_it_is_there(void **state)
{
    struct scene *scene = *state;
    struct kept_state kept = kept_in(STATE_CLOSE_WAIT);
    start(scene, &kept, 15000);
    look(scene, &kept, "open", true, 0);
    look(scene, &kept, "client-shutdown", false, 400);
    assert_lacks(scene->text, "CLOSE_WAIT");
    look(scene, &kept, "client-shutdown", true, CONNS);
    assert_contains(scene->text, "  CLOSE_WAIT   server      1,000/1,000  ss -tan ");
    assert_contains(scene->text, "15000");
    assert_contains(scene->text, "15001");
}

static void it_has_one_line_however_often_it_is_seen(void **state)
{
    struct scene *scene = *state;
    struct kept_state kept = kept_in(STATE_CLOSE_WAIT);
    start(scene, &kept, 15000);
    for (int i = 0; i < 5; i++)
        look(scene, &kept, "client-shutdown", true, CONNS);
    end_hold(scene, &kept, CONNS);
    finish(scene, OUTCOME_AS_EXPECTED);
    const char *first = strstr(scene->text, "CLOSE_WAIT");
    assert_non_null(first);
    assert_null(strstr(first + 1, "CLOSE_WAIT"));
    assert_contains(scene->text, "1 of 1 states reached and kept in 1.2 s: as expected");
}

static void the_lines_of_several_are_told_apart(void **state)
{
    struct scene *scene = *state;
    struct kept_state waiting = kept_in(STATE_CLOSE_WAIT), listening = kept_in(STATE_LISTEN);
    start(scene, &waiting, 15000);
    start(scene, &listening, 16000);
    look(scene, &listening, "open", true, CONNS);
    look(scene, &waiting, "client-shutdown", true, CONNS);
    const char *second = strstr(scene->text, "CLOSE_WAIT");
    assert_non_null(second);
    assert_contains(second, "15000");
    assert_lacks(second, "16000");
    end_hold(scene, &listening, CONNS);
    end_hold(scene, &waiting, CONNS);
    finish(scene, OUTCOME_AS_EXPECTED);
    assert_contains(scene->text, "2 of 2 states");
}

static void close_is_in_no_table(void **state)
{
    struct scene *scene = *state;
    struct kept_state kept = kept_in(STATE_CLOSE);
    start(scene, &kept, 15000);
    look(scene, &kept, "client-abort", true, CONNS);
    assert_contains(scene->text, "  CLOSE        server      1,000/1,000  ");
    assert_contains(scene->text, "TCP_INFO");
    assert_lacks(scene->text, "ss -tan");
}

static void what_was_not_reached_is_told_with_how_far_it_came(void **state)
{
    struct scene *scene = *state;
    struct kept_state kept = kept_in(STATE_SYN_RECV);
    struct histogram sides[SIDE_COUNT] = {0};
    start(scene, &kept, 15000);
    sides[SIDE_SERVER].of[STATE_SYN_RECV] = 550;
    const struct step_end failed = {
        .experiment = experiment_with(scene, &kept), .step = "open", .sides = sides, .difference = "?"};
    assert_int_equal(scene->view.ops->step_end(scene->view.view, &failed), 0);
    const struct order_end over = {
        .experiment = experiment_with(scene, &kept), .outcome = OUTCOME_DIFFERS, .verdict = "So it is."};
    assert_int_equal(scene->view.ops->order_end(scene->view.view, &over), 0);
    finish(scene, OUTCOME_DIFFERS);
    assert_contains(scene->text, "SYN_RECV     server        550/1,000  ");
    assert_contains(scene->text, "    So it is.\n");
    assert_contains(scene->text, "0 of 1 states reached and kept in 1.2 s: differs");
}

static void as_expected_needs_no_verdict(void **state)
{
    struct scene *scene = *state;
    struct kept_state kept = kept_in(STATE_LISTEN);
    start(scene, &kept, 15000);
    const struct order_end over = {
        .experiment = experiment_with(scene, &kept), .outcome = OUTCOME_AS_EXPECTED, .verdict = "So it is."};
    assert_int_equal(scene->view.ops->order_end(scene->view.view, &over), 0);
    assert_lacks(scene->text, "So it is.");
}

static void without_a_namespace_ss_needs_no_nsenter(void **state)
{
    struct scene *scene = *state;
    struct kept_state kept = kept_in(STATE_LISTEN);
    scene->settings.look_inside = NULL;
    start(scene, &kept, 15000);
    look(scene, &kept, "open", true, CONNS);
    assert_contains(scene->text, "  ss -tan ");
    assert_lacks(scene->text, "nsenter");
}

#define in_scene(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_scene(the_way_inside_comes_first),
        in_scene(a_state_has_its_line_as_soon_as_it_is_there),
        in_scene(it_has_one_line_however_often_it_is_seen),
        in_scene(the_lines_of_several_are_told_apart),
        in_scene(close_is_in_no_table),
        in_scene(what_was_not_reached_is_told_with_how_far_it_came),
        in_scene(as_expected_needs_no_verdict),
        in_scene(without_a_namespace_ss_needs_no_nsenter),
    };
    return cmocka_run_group_tests_name("state_table", tests, NULL, NULL);
}
