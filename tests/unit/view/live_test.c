#include "../unit.h"

#include "../stand_in.h"
#include "base/clock.h"
#include "base/diag.h"
#include "view/view.h"

#include <locale.h>

enum { CONNS = 1000 };

/* A run that is seen on a terminal in the place of standard error. */
struct scene {
    struct stand_in in;
    struct screen screen;
    struct observer view;
    struct run_settings settings;
    struct plan plan;
    struct experiment experiments[2];
    struct histogram sides[SIDE_COUNT];
    int64_t opened;
    char *written; /* the last time */
};

static void set_size(struct scene *scene, int columns, int rows)
{
    scene->screen.columns = columns;
    stand_in_resize(&scene->in, columns, rows);
}

static int begin(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    scene->settings.conns = CONNS;
    scene->plan.settings = &scene->settings;
    scene->experiments[0] = experiment_of_order(close_order_find("leak"));
    scene->experiments[1] = experiment_of_order(close_order_find("never-close"));
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    if (setlocale(LC_ALL, "C.UTF-8") == NULL)
        skip();
    scene->in = stand_in_for(STDERR_FILENO);
    set_size(scene, 80, 24);
    *state = scene;
    return 0;
}

static int end(void **state)
{
    struct scene *scene = *state;
    setlocale(LC_ALL, "C");
    view_free(&scene->view);
    free(scene->written);
    free(scene);
    return 0;
}

static void begin_order(struct scene *scene, int order)
{
    const struct order_start start = {.plan = &scene->plan, .experiment = &scene->experiments[order]};
    scene->view.ops->order_start(scene->view.view, &start);
}

/* The view learns then what the terminal and the locale can. */
static void begin_run(struct scene *scene, bool at_once)
{
    const struct run_start start = {.plan = &scene->plan};
    scene->view = live_view(at_once);
    scene->view.ops->run_start(scene->view.view, &start);
    begin_order(scene, 0);
}

static void tell_sample(struct scene *scene, int order)
{
    const struct sample sample = {.experiment = &scene->experiments[order],
                                  .conns = CONNS,
                                  .step = "client-close",
                                  .opened = scene->opened,
                                  .sides = scene->sides};
    scene->view.ops->sample(scene->view.view, &sample);
}

/* Tells it until it has been drawn: frames come at a rate of the view's own. */
static void draw_sample(struct scene *scene, int order)
{
    free(scene->written);
    scene->written = NULL;
    int64_t until_us = monotonic_us() + 5000000;
    do {
        free(scene->written);
        tell_sample(scene, order);
        scene->written = stand_in_read(&scene->in);
    } while (*scene->written == '\0' && monotonic_us() < until_us);
    screen_show(&scene->screen, scene->written);
}

/* Half of a leak: 600 of 1,000 closed by the client. */
static void set_half_a_leak(struct scene *scene)
{
    scene->opened = CONNS;
    scene->sides[SIDE_SERVER] =
        (struct histogram){.of = {[STATE_ESTABLISHED] = 400, [STATE_CLOSE_WAIT] = 600}};
    scene->sides[SIDE_CLIENT] =
        (struct histogram){.of = {[STATE_ESTABLISHED] = 400, [STATE_FIN_WAIT2] = 600}};
}

/* Takes the stand-in away: from here on things can be asserted. */
static struct screen *finish(struct scene *scene)
{
    diag_progress_clear();
    take_back(&scene->in);
    return &scene->screen;
}

static struct screen *half_a_leak(struct scene *scene, int columns, int rows)
{
    set_size(scene, columns, rows);
    begin_run(scene, true);
    set_half_a_leak(scene);
    draw_sample(scene, 0);
    return finish(scene);
}

/* Without another look. */
static void what_events_count_between_looks_is_drawn(void **state)
{
    struct scene *scene = *state;
    set_size(scene, 80, 24);
    begin_run(scene, true);
    set_half_a_leak(scene);
    draw_sample(scene, 0);
    scene->sides[SIDE_SERVER].of[STATE_CLOSE_WAIT] = 777;
    const struct gauge gauge = {
        .experiment = &scene->experiments[0], .step = "client-close", .opened = -1, .sides = scene->sides};
    int64_t until_us = monotonic_us() + 5000000;
    do {
        free(scene->written);
        scene->view.ops->gauge(scene->view.view, &gauge);
        scene->written = stand_in_read(&scene->in);
    } while (*scene->written == '\0' && monotonic_us() < until_us);
    screen_show(&scene->screen, scene->written);
    finish(scene);
    assert_contains(screen_find(&scene->screen, "CLOSE_WAIT"), " 777");
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
        count++;
    return count;
}

static const char *line_with(struct screen *screen, const char *part)
{
    const char *line = screen_find(screen, part);
    if (line == NULL)
        fail_msg("no line has \"%s\"", part);
    return line;
}

static void a_frame_has_both_sides_as_bars_with_their_numbers(void **state)
{
    struct screen *screen = half_a_leak(*state, 80, 24);
    assert_string_equal(screen_line(screen, 0), ""); /* apart from what is above */
    assert_contains(screen_line(screen, 1), "leak  client-close  starting");
    assert_contains(screen_line(screen, 1), "0 s");
    assert_contains(line_with(screen, "server"), "client");
    const char *line = line_with(screen, "CLOSE_WAIT");
    assert_contains(line, "  CLOSE_WAIT  ████████████");
    assert_contains(line, " 600");
    /* 600 of 1,000 fill three fifths, in eighths of a cell; the client has none. */
    int full = count_of(line, "█"), rest = count_of(line, "·");
    assert_true(full >= 12 && rest >= full);
    line = line_with(screen, "ESTABLISHED");
    assert_int_equal(count_of(line, "400"), 2);
    assert_int_equal(count_of(line_with(screen, "FIN_WAIT2"), "600"), 1);
    assert_null(screen_find(screen, "TIME_WAIT"));
    assert_null(screen_find(screen, "gone"));
    assert_false(screen->has_wrapped);
}

static void it_says_who_owes_a_close(void **state)
{
    struct screen *screen = half_a_leak(*state, 80, 24);
    const char *line = screen_line(screen, screen_lines(screen) - 1);
    assert_contains(line, "  the server owes 600 close()  ");
    assert_contains(line, "█"); /* how that has come about */
    assert_lacks(line, "client");
}

static void both_sides_and_nobody_can_owe_one(void **state)
{
    struct scene *scene = *state;
    set_size(scene, 100, 24);
    begin_run(scene, true);
    scene->opened = CONNS;
    scene->sides[SIDE_SERVER].of[STATE_CLOSE_WAIT] = 500;
    scene->sides[SIDE_SERVER].unowned = 100;
    scene->sides[SIDE_CLIENT].of[STATE_CLOSE_WAIT] = 7;
    draw_sample(scene, 0);
    struct screen *screen = finish(scene);
    assert_contains(screen_line(screen, screen_lines(screen) - 1),
                    "  the server owes 400 close(), 100 never accepted, the client owes 7 close()");
}

static void a_debt_that_was_paid_is_told_too(void **state)
{
    struct scene *scene = *state;
    begin_run(scene, true);
    set_half_a_leak(scene);
    draw_sample(scene, 0);
    scene->sides[SIDE_SERVER].of[STATE_CLOSE_WAIT] = 0;
    draw_sample(scene, 0);
    struct screen *screen = finish(scene);
    assert_contains(screen_line(screen, screen_lines(screen) - 1), "  nobody owes a close()");
    line_with(screen, "CLOSE_WAIT"); /* its row does not go */
    assert_contains(line_with(screen, "gone"), " 600");
}

static void where_nothing_was_owed_there_is_no_such_line(void **state)
{
    struct scene *scene = *state;
    begin_run(scene, true);
    scene->opened = 10;
    scene->sides[SIDE_SERVER].of[STATE_ESTABLISHED] = scene->sides[SIDE_CLIENT].of[STATE_ESTABLISHED] = 10;
    draw_sample(scene, 0);
    struct screen *screen = finish(scene);
    assert_contains(screen_line(screen, screen_lines(screen) - 1), "ESTABLISHED");
    assert_null(screen_find(screen, "close()"));
}

/* A bar that is there shows something; it never fills what it has not. */
static void one_of_a_thousand_is_seen(void **state)
{
    struct scene *scene = *state;
    begin_run(scene, true);
    scene->opened = CONNS;
    scene->sides[SIDE_SERVER] = (struct histogram){.of = {[STATE_ESTABLISHED] = 999, [STATE_CLOSE_WAIT] = 1}};
    draw_sample(scene, 0);
    struct screen *screen = finish(scene);
    assert_contains(line_with(screen, "CLOSE_WAIT"), "  CLOSE_WAIT  ▏·");
    assert_contains(line_with(screen, "ESTABLISHED"), "▉");
}

static void a_narrow_terminal_has_short_bars(void **state)
{
    struct screen *screen = half_a_leak(*state, 40, 24);
    assert_false(screen->has_wrapped);
    assert_contains(line_with(screen, "CLOSE_WAIT"), "  CLOSE_WAIT  ██▍·   600   ····");
    assert_contains(line_with(screen, "server"), "client");
    assert_contains(screen_line(screen, screen_lines(screen) - 1), "  the server owes 600 close()  ");
}

static void a_narrower_one_has_the_numbers_alone(void **state)
{
    struct screen *screen = half_a_leak(*state, 32, 24);
    assert_false(screen->has_wrapped);
    assert_string_equal(line_with(screen, "ESTABLISHED"), "  ESTABLISHED    400      400");
    assert_string_equal(line_with(screen, "server"), "              server   client");
}

/* A number that is cut would be another one. */
static void where_numbers_do_not_fit_there_are_none(void **state)
{
    struct screen *screen = half_a_leak(*state, 20, 24);
    assert_false(screen->has_wrapped);
    assert_int_equal(screen_lines(screen), 2);
    assert_string_equal(screen_line(screen, 1), "leak  client-c  0 s");
}

static void a_debt_that_does_not_fit_is_left_out(void **state)
{
    struct scene *scene = *state;
    set_size(scene, 40, 24);
    begin_run(scene, true);
    scene->opened = CONNS;
    scene->sides[SIDE_SERVER].of[STATE_CLOSE_WAIT] = 700;
    scene->sides[SIDE_SERVER].unowned = 100;
    draw_sample(scene, 0);
    struct screen *screen = finish(scene);
    const char *line = screen_line(screen, screen_lines(screen) - 1);
    assert_contains(line, "  the server owes 600 close()  ");
    assert_lacks(line, "100");
}

static void no_width_wraps_a_line(void **state)
{
    struct scene *scene = *state;
    int wrapped = 0;
    scene->settings.conns = 1000000;
    begin_run(scene, true);
    scene->opened = 1000000;
    for (int s = STATE_ESTABLISHED; s < STATE_COUNT; s++)
        scene->sides[SIDE_SERVER].of[s] = scene->sides[SIDE_CLIENT].of[s] = 80000;
    scene->sides[SIDE_SERVER].unowned = 5;
    for (int columns = 1; columns <= 200 && wrapped == 0; columns += columns < 24    ? 1
                                                                     : columns < 130 ? 7
                                                                                     : 35) {
        set_size(scene, columns, 24);
        draw_sample(scene, 0);
        wrapped = scene->screen.has_wrapped ? columns : 0;
        memset(&scene->screen, 0, sizeof scene->screen);
    }
    finish(scene);
    assert_int_equal(wrapped, 0);
}

static void a_low_terminal_gets_the_first_lines(void **state)
{
    struct screen *screen = half_a_leak(*state, 80, 5);
    assert_int_equal(screen_lines(screen), 4);
    assert_contains(screen_line(screen, 1), "leak  client-close");
    assert_contains(screen_line(screen, 3), "ESTABLISHED");
}

static void one_row_is_enough_to_draw_nothing_wrong(void **state)
{
    struct screen *screen = half_a_leak(*state, 80, 1);
    assert_true(screen_lines(screen) <= 1);
}

static void the_next_frame_replaces_the_last(void **state)
{
    struct scene *scene = *state;
    begin_run(scene, true);
    set_half_a_leak(scene);
    draw_sample(scene, 0);
    int lines = screen_lines(&scene->screen);
    scene->sides[SIDE_SERVER].of[STATE_CLOSE_WAIT] = 601;
    draw_sample(scene, 0);
    bool flickered = scene->screen.has_flickered;
    struct screen *screen = finish(scene);
    assert_false(flickered);
    assert_int_equal(screen_lines(screen), lines);
    assert_contains(line_with(screen, "CLOSE_WAIT"), " 601");
    assert_null(strstr(strstr(scene->written, "\033[J") + 1, "\033[J"));
}

static void nothing_is_left_at_the_end_of_a_step_an_order_or_a_run(void **state)
{
    struct scene *scene = *state;
    const struct step_end step = {.experiment = &scene->experiments[0], .step = "client-close"};
    const struct order_end order = {.experiment = &scene->experiments[0]};
    const struct run_end run = {.outcome = OUTCOME_INTERRUPTED};
    int left[3];
    begin_run(scene, true);
    set_half_a_leak(scene);
    for (int i = 0; i < 3; i++) {
        draw_sample(scene, 0);
        if (i == 0)
            scene->view.ops->step_end(scene->view.view, &step);
        else if (i == 1)
            scene->view.ops->order_end(scene->view.view, &order);
        else
            scene->view.ops->run_end(scene->view.view, &run);
        if (i == 1)
            begin_order(scene, 0);
        free(scene->written);
        scene->written = stand_in_read(&scene->in);
        screen_show(&scene->screen, scene->written);
        left[i] = screen_lines(&scene->screen);
    }
    finish(scene);
    for (int i = 0; i < 3; i++)
        assert_int_equal(left[i], 0);
}

static void a_step_says_how_far_it_is(void **state)
{
    struct scene *scene = *state;
    const struct progress progress = {.experiment = &scene->experiments[0],
                                      .step = "server-close",
                                      .doing = "acting",
                                      .elapsed_s = 2,
                                      .done = 400,
                                      .total = 1000,
                                      .left_s = 3};
    begin_run(scene, true);
    scene->view.ops->progress(scene->view.view, &progress);
    scene->written = stand_in_read(&scene->in);
    screen_show(&scene->screen, scene->written);
    struct screen *screen = finish(scene);
    assert_contains(screen_line(screen, 1), "leak  server-close  acting 400 of 1,000, 200/s, 3 s left");
    assert_int_equal(screen_lines(screen), 2); /* there has been no look */
}

static void orders_that_are_held_together_are_seen_together(void **state)
{
    struct scene *scene = *state;
    begin_run(scene, true);
    begin_order(scene, 1);
    set_half_a_leak(scene);
    tell_sample(scene, 0);
    free(stand_in_read(&scene->in));
    memset(&scene->screen, 0, sizeof scene->screen);
    scene->screen.columns = 80;
    draw_sample(scene, 1);
    struct screen *screen = finish(scene);
    assert_contains(screen_line(screen, 1), "leak starting, never-close starting");
    assert_contains(line_with(screen, "CLOSE_WAIT"), " 1,200");
}

static void listeners_are_a_row_only_where_they_are_what_is_kept(void **state)
{
    struct scene *scene = *state;
    begin_run(scene, true);
    scene->sides[SIDE_SERVER].of[STATE_LISTEN] = 3;
    draw_sample(scene, 0);
    bool without = screen_find(&scene->screen, "LISTEN") == NULL;
    const struct close_order listeners = {.opening = OPENING_LISTENERS};
    scene->experiments[0].order = &listeners;
    draw_sample(scene, 0);
    struct screen *screen = finish(scene);
    assert_true(without);
    line_with(screen, "LISTEN");
}

static void a_run_within_its_first_second_is_quiet_unless_asked(void **state)
{
    struct scene *scene = *state;
    int64_t began_us = monotonic_us();
    begin_run(scene, false);
    set_half_a_leak(scene);
    tell_sample(scene, 0);
    scene->written = stand_in_read(&scene->in);
    bool is_early = monotonic_us() - began_us < 1000000, is_quiet = *scene->written == '\0';
    draw_sample(scene, 0); /* it comes by itself */
    int64_t first_us = monotonic_us() - began_us;
    struct screen *screen = finish(scene);
    assert_true(is_quiet || !is_early);
    assert_true(first_us >= 1000000);
    line_with(screen, "CLOSE_WAIT");
}

static void frames_do_not_come_faster_than_an_eye_sees(void **state)
{
    struct scene *scene = *state;
    begin_run(scene, true);
    set_half_a_leak(scene);
    int64_t began_us = monotonic_us();
    for (int i = 0; i < 20; i++) /* more would fill the terminal, if all were drawn */
        tell_sample(scene, 0);
    int64_t took_us = monotonic_us() - began_us;
    scene->written = stand_in_read(&scene->in);
    finish(scene);
    int frames = count_of(scene->written, "\033[J");
    assert_true(frames >= 1 && frames <= 1 + took_us / 80000);
}

static void close_wait_is_red_unless_no_color_is_set(void **state)
{
    struct scene *scene = *state;
    half_a_leak(scene, 80, 24);
    assert_contains(scene->written, "\033[31mCLOSE_WAIT");
    assert_contains(scene->written, "\033[0m");
}

static void no_color_leaves_them_out(void **state)
{
    struct scene *scene = *state;
    setenv("NO_COLOR", "1", 1);
    struct screen *screen = half_a_leak(scene, 80, 24);
    unsetenv("NO_COLOR");
    assert_false(screen->has_colours);
    line_with(screen, "CLOSE_WAIT");
}

static void where_the_locale_is_not_utf8_it_is_ascii(void **state)
{
    struct scene *scene = *state;
    setlocale(LC_ALL, "C");
    struct screen *screen = half_a_leak(scene, 80, 24);
    for (const char *at = scene->written; *at != '\0'; at++)
        if ((unsigned char)*at >= 0x80)
            fail_msg("no ASCII: %s", at);
    assert_contains(line_with(screen, "CLOSE_WAIT"), "  CLOSE_WAIT  ############");
    assert_contains(line_with(screen, "FIN_WAIT2"), "....");
    assert_contains(screen_line(screen, screen_lines(screen) - 1), "owes 600 close()  #");
}

#define in_scene(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_scene(a_frame_has_both_sides_as_bars_with_their_numbers),
        in_scene(it_says_who_owes_a_close),
        in_scene(what_events_count_between_looks_is_drawn),
        in_scene(both_sides_and_nobody_can_owe_one),
        in_scene(a_debt_that_was_paid_is_told_too),
        in_scene(where_nothing_was_owed_there_is_no_such_line),
        in_scene(one_of_a_thousand_is_seen),
        in_scene(a_narrow_terminal_has_short_bars),
        in_scene(a_narrower_one_has_the_numbers_alone),
        in_scene(where_numbers_do_not_fit_there_are_none),
        in_scene(a_debt_that_does_not_fit_is_left_out),
        in_scene(no_width_wraps_a_line),
        in_scene(a_low_terminal_gets_the_first_lines),
        in_scene(one_row_is_enough_to_draw_nothing_wrong),
        in_scene(the_next_frame_replaces_the_last),
        in_scene(nothing_is_left_at_the_end_of_a_step_an_order_or_a_run),
        in_scene(a_step_says_how_far_it_is),
        in_scene(orders_that_are_held_together_are_seen_together),
        in_scene(listeners_are_a_row_only_where_they_are_what_is_kept),
        in_scene(a_run_within_its_first_second_is_quiet_unless_asked),
        in_scene(frames_do_not_come_faster_than_an_eye_sees),
        in_scene(close_wait_is_red_unless_no_color_is_set),
        in_scene(no_color_leaves_them_out),
        in_scene(where_the_locale_is_not_utf8_it_is_ascii),
    };
    return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
