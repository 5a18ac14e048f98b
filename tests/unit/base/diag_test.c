#include "../unit.h"

#include "../stand_in.h"
#include "base/diag.h"

#include <fcntl.h>

/* Standard error as a terminal, and what is on it. */
struct scene {
    struct stand_in in;
    struct screen screen;
    char *written; /* the last time */
};

static int begin(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    setenv("TERM", "xterm", 1);
    diag_set_quiet(false);
    scene->screen.columns = 40;
    scene->in = stand_in_for(STDERR_FILENO);
    stand_in_resize(&scene->in, scene->screen.columns, 24);
    *state = scene;
    return 0;
}

static int end(void **state)
{
    struct scene *scene = *state;
    free(scene->written);
    free(scene);
    return 0;
}

/* Shows what was written since the last time. */
static void look(struct scene *scene)
{
    free(scene->written);
    scene->written = stand_in_read(&scene->in);
    screen_show(&scene->screen, scene->written);
}

/* Ends the scene: from here on things can be asserted. */
static struct screen *finish(struct scene *scene)
{
    look(scene);
    diag_progress_clear();
    take_back(&scene->in);
    return &scene->screen;
}

#define draw(...)                                                                                            \
    do {                                                                                                     \
        const char *const lines_[] = {__VA_ARGS__};                                                          \
        diag_progress_block(lines_, COUNT_OF(lines_));                                                       \
    } while (0)

static void a_block_is_drawn_line_under_line(void **state)
{
    struct screen *screen;
    draw("first", "", "third");
    screen = finish(*state);
    assert_string_equal(screen_line(screen, 0), "first");
    assert_string_equal(screen_line(screen, 1), "");
    assert_string_equal(screen_line(screen, 2), "third");
    assert_int_equal(screen_lines(screen), 3);
}

static void a_block_replaces_the_one_before_and_erases_nothing_first(void **state)
{
    struct scene *scene = *state;
    draw("a long first line", "second");
    look(scene);
    draw("short", "SECOND");
    struct screen *screen = finish(scene);
    bool erased = screen->has_flickered;
    assert_string_equal(screen_line(screen, 0), "short");
    assert_string_equal(screen_line(screen, 1), "SECOND");
    assert_int_equal(screen_lines(screen), 2);
    assert_false(erased);
    const char *first = strstr(scene->written, "short"), *erasure = strstr(scene->written, "\033[J");
    assert_true(first != NULL && erasure > strstr(scene->written, "SECOND"));
    assert_null(strstr(erasure + 1, "\033[J"));
}

static void a_shorter_block_leaves_nothing_of_a_longer_one(void **state)
{
    struct scene *scene = *state;
    draw("one", "two", "three", "four");
    look(scene);
    draw("ONE", "TWO");
    look(scene);
    draw("one", "two", "three");
    struct screen *screen = finish(scene);
    assert_string_equal(screen_line(screen, 0), "one");
    assert_string_equal(screen_line(screen, 2), "three");
    assert_int_equal(screen_lines(screen), 3);
}

static void clearing_takes_the_block_away_and_the_next_text_comes_there(void **state)
{
    struct scene *scene = *state;
    draw("one", "two", "three");
    look(scene);
    diag_progress_clear();
    diag_progress_clear(); /* of nothing: nothing */
    look(scene);
    bool is_empty = screen_lines(&scene->screen) == 0;
    fprintf(stderr, "from now on\n");
    struct screen *screen = finish(scene);
    assert_true(is_empty);
    assert_string_equal(screen_line(screen, 0), "from now on");
    assert_int_equal(screen_lines(screen), 1);
}

static void what_was_above_stays(void **state)
{
    struct scene *scene = *state;
    fprintf(stderr, "above\n");
    for (int i = 0; i < 5; i++)
        draw("one", "two", "three");
    diag_progress_clear();
    fprintf(stderr, "below\n");
    struct screen *screen = finish(scene);
    assert_string_equal(screen_line(screen, 0), "above");
    assert_string_equal(screen_line(screen, 1), "below");
    assert_int_equal(screen_lines(screen), 2);
}

static void a_message_takes_the_place_of_the_block(void **state)
{
    struct scene *scene = *state;
    draw("one", "two");
    look(scene);
    diag_warn("%d things", 3);
    draw("ONE");
    struct screen *screen = finish(scene);
    assert_string_equal(screen_line(screen, 0), "tcpstorm: warning: 3 things");
    assert_string_equal(screen_line(screen, 1), "ONE");
    assert_int_equal(screen_lines(screen), 2);
}

static void colours_and_utf8_take_the_width_that_is_seen(void **state)
{
    struct scene *scene = *state;
    /* 39 columns each: as much as there is */
    draw("\033[31m123456789\033[0m 123456789 123456789 12345678\033[2m9\033[0m",
         "██████████████████████████████████████▌", "last");
    look(scene);
    bool wrapped = scene->screen.has_wrapped;
    draw("1", "2", "3");
    struct screen *screen = finish(scene);
    assert_false(wrapped);
    assert_string_equal(screen_line(screen, 0), "1");
    assert_int_equal(screen_lines(screen), 3);
}

static void what_is_too_wide_is_cut_where_the_terminal_ends(void **state)
{
    struct scene *scene = *state;
    draw("123456789 123456789 123456789 123456789 123456789", "████████████████████████████████████████▌",
         "\033[31m123456789 123456789 123456789 123456789 1234\033[0m");
    struct screen *screen = finish(scene);
    assert_false(screen->has_wrapped);
    assert_string_equal(screen_line(screen, 0), "123456789 123456789 123456789 123456789");
    assert_string_equal(screen_line(screen, 1), "███████████████████████████████████████");
    assert_string_equal(screen_line(screen, 2), "123456789 123456789 123456789 123456789");
    assert_contains(scene->written, "\033[0m"); /* the colour ends, though the text is cut */
}

/* A ^C that the terminal echoes at the end of a full line would begin another one. */
static void the_cursor_waits_at_the_beginning_of_the_last_line(void **state)
{
    struct scene *scene = *state;
    draw("first", "123456789 123456789 123456789 123456789");
    look(scene);
    screen_show(&scene->screen, "^C");
    bool wrapped = scene->screen.has_wrapped;
    diag_progress_clear();
    struct screen *screen = finish(scene);
    assert_false(wrapped);
    assert_int_equal(screen_lines(screen), 0);
}

static void a_terminal_that_became_narrower_has_wrapped_the_lines(void **state)
{
    struct scene *scene = *state;
    draw("123456789 123456789 123456789 12345", "123456789 123456789 1", "123456789 1234567890",
         "123456789 123456789 123");
    look(scene);
    stand_in_resize(&scene->in, 20, 24);
    draw("one");
    finish(scene);
    /* Two rows for the first two, one for the third; the cursor is where the fourth begins. */
    assert_contains(scene->written, "\r\033[5A\033[Jone\033[K");
}

/* Terminals remember where they have wrapped a line, until it is erased: see tests/tty/live.bats. */
static void after_a_change_of_width_the_block_is_erased_once(void **state)
{
    struct scene *scene = *state;
    draw("one", "two");
    look(scene);
    stand_in_resize(&scene->in, 30, 24);
    draw("one", "two");
    look(scene);
    bool erased = strncmp(scene->written, "\r\033[1A\033[Jone", 10) == 0;
    draw("one", "two");
    finish(scene);
    assert_true(erased);
    assert_memory_equal(scene->written, "\r\033[1Aone", 8);
}

static void a_terminal_that_became_wider_has_as_many_rows(void **state)
{
    struct scene *scene = *state;
    draw("one", "two", "three");
    look(scene);
    stand_in_resize(&scene->in, 200, 24);
    diag_progress_clear();
    finish(scene);
    assert_string_equal(scene->written, "\r\033[2A\033[J");
}

static void quiet_draws_nothing(void **state)
{
    struct scene *scene = *state;
    diag_set_quiet(true);
    draw("one", "two");
    diag_progress("a line");
    diag_warn("a warning");
    diag_progress_clear();
    finish(scene);
    diag_set_quiet(false);
    assert_string_equal(scene->written, "");
}

static void a_line_of_progress_is_a_block_of_one(void **state)
{
    struct scene *scene = *state;
    diag_progress("%d of 9", 1);
    look(scene);
    diag_progress("%d of 9, which is more than the terminal is wide", 2);
    struct screen *screen = finish(scene);
    assert_false(screen->has_wrapped);
    assert_string_equal(screen_line(screen, 0), "2 of 9, which is more than the terminal");
    assert_int_equal(screen_lines(screen), 1);
}

static void more_lines_than_can_be_remembered_are_left_out(void **state)
{
    struct scene *scene = *state;
    const char *lines[80];
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        lines[i] = "x";
    diag_progress_block(lines, COUNT_OF(lines));
    look(scene);
    diag_progress_clear();
    struct screen *screen = finish(scene);
    assert_int_equal(screen_lines(screen), 0);
}

static void elsewhere_each_line_of_progress_is_a_line(void **state)
{
    (void)state;
    struct stderr_capture capture;
    stderr_capture(&capture);
    diag_progress("one");
    diag_progress("two");
    stderr_release(&capture);
    assert_string_equal(capture.text, "tcpstorm: one\ntcpstorm: two\n");
}

static void a_line_from_a_signal_waits_for_nobody(void **state)
{
    (void)state;
    int ends[2], kept = dup(STDERR_FILENO);
    char text[64] = "";
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    dup2(ends[1], STDERR_FILENO);
    diag_from_signal("the last word\n");
    ssize_t length = read(ends[0], text, sizeof text - 1);
    while (write(ends[1], text, sizeof text) > 0)
        ;
    fcntl(ends[1], F_SETFL, 0); /* from here on a write() would wait */
    diag_from_signal("nobody hears this\n");
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(length, strlen("the last word\n"));
    assert_string_equal(text, "the last word\n");
}

#define in_scene(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_scene(a_block_is_drawn_line_under_line),
        in_scene(a_block_replaces_the_one_before_and_erases_nothing_first),
        in_scene(a_shorter_block_leaves_nothing_of_a_longer_one),
        in_scene(clearing_takes_the_block_away_and_the_next_text_comes_there),
        in_scene(what_was_above_stays),
        in_scene(a_message_takes_the_place_of_the_block),
        in_scene(colours_and_utf8_take_the_width_that_is_seen),
        in_scene(what_is_too_wide_is_cut_where_the_terminal_ends),
        in_scene(the_cursor_waits_at_the_beginning_of_the_last_line),
        in_scene(a_terminal_that_became_narrower_has_wrapped_the_lines),
        in_scene(after_a_change_of_width_the_block_is_erased_once),
        in_scene(a_terminal_that_became_wider_has_as_many_rows),
        in_scene(quiet_draws_nothing),
        in_scene(a_line_of_progress_is_a_block_of_one),
        in_scene(more_lines_than_can_be_remembered_are_left_out),
        cmocka_unit_test(a_line_from_a_signal_waits_for_nobody),
        cmocka_unit_test(elsewhere_each_line_of_progress_is_a_line),
    };
    return cmocka_run_group_tests_name("diag", tests, NULL, NULL);
}
