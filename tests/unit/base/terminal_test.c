#include "../unit.h"

#include "../stand_in.h"
#include "base/terminal.h"

static tcflag_t lines_and_echo(int fd)
{
    struct termios now;
    assert_int_equal(tcgetattr(fd, &now), 0);
    return now.c_lflag & (ICANON | ECHO);
}

static void keys_are_taken_and_given_back(void **state)
{
    (void)state;
    struct stand_in in = stand_in_for(STDIN_FILENO);
    bool is_taken = terminal_take_keys(), is_taken_twice = terminal_take_keys();
    tcflag_t taken = lines_and_echo(in.slave);
    terminal_restore();
    tcflag_t restored = lines_and_echo(in.slave);
    take_back(&in);
    assert_true(is_taken && is_taken_twice);
    assert_int_equal(taken, 0);
    assert_int_equal(restored, ICANON | ECHO);
}

static void a_key_is_read_at_once_and_ctrl_c_still_interrupts(void **state)
{
    (void)state;
    struct stand_in in = stand_in_for(STDIN_FILENO);
    struct termios now;
    char key = '\0';
    terminal_take_keys();
    tcgetattr(in.slave, &now);
    ssize_t put = write(in.master, "x", 1), got = read(STDIN_FILENO, &key, 1);
    terminal_restore();
    take_back(&in);
    assert_int_equal(put, 1);
    assert_int_equal(got, 1);
    assert_int_equal(key, 'x');
    assert_true((now.c_lflag & ISIG) != 0);
}

static void what_is_no_terminal_gives_no_keys(void **state)
{
    (void)state;
    int kept = dup(STDIN_FILENO), null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    bool is_taken = terminal_take_keys();
    terminal_restore();
    dup2(kept, STDIN_FILENO);
    close(null);
    close(kept);
    assert_false(is_taken);
}

static void the_size_is_what_the_terminal_says(void **state)
{
    (void)state;
    struct stand_in in = stand_in_for(STDOUT_FILENO);
    const struct winsize size = {.ws_row = 50, .ws_col = 132}, unknown = {0};
    ioctl(in.slave, TIOCSWINSZ, &size);
    int width = terminal_size(STDOUT_FILENO).columns, height = terminal_size(STDOUT_FILENO).rows;
    ioctl(in.slave, TIOCSWINSZ, &unknown);
    int without = terminal_size(STDOUT_FILENO).columns;
    take_back(&in);
    assert_int_equal(width, 132);
    assert_int_equal(height, 50);
    assert_int_equal(without, 80);
}

static void a_terminal_can_redraw_unless_it_is_dumb(void **state)
{
    (void)state;
    struct stand_in in = stand_in_for(STDOUT_FILENO);
    setenv("TERM", "xterm", 1);
    bool usual = terminal_can_redraw(STDOUT_FILENO);
    setenv("TERM", "dumb", 1);
    bool dumb = terminal_can_redraw(STDOUT_FILENO);
    unsetenv("TERM");
    bool unnamed = terminal_can_redraw(STDOUT_FILENO);
    take_back(&in);
    assert_true(usual && unnamed);
    assert_false(dumb);
}

static void what_is_no_terminal_cannot_redraw(void **state)
{
    (void)state;
    int null = open("/dev/null", O_WRONLY);
    setenv("TERM", "xterm", 1);
    assert_false(terminal_can_redraw(null));
    assert_int_equal(terminal_size(null).columns, 80);
    assert_int_equal(terminal_size(null).rows, 24);
    close(null);
}

static void a_closed_standard_input_is_filled_with_nothing(void **state)
{
    (void)state;
    int kept = dup(STDIN_FILENO);
    char byte;
    close(STDIN_FILENO);
    terminal_fill_standard_descriptors();
    ssize_t got = read(STDIN_FILENO, &byte, 1);
    dup2(kept, STDIN_FILENO);
    close(kept);
    assert_int_equal(got, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_taken_and_given_back),
        cmocka_unit_test(a_key_is_read_at_once_and_ctrl_c_still_interrupts),
        cmocka_unit_test(what_is_no_terminal_gives_no_keys),
        cmocka_unit_test(the_size_is_what_the_terminal_says),
        cmocka_unit_test(a_terminal_can_redraw_unless_it_is_dumb),
        cmocka_unit_test(what_is_no_terminal_cannot_redraw),
        cmocka_unit_test(a_closed_standard_input_is_filled_with_nothing),
    };
    return cmocka_run_group_tests_name("terminal", tests, NULL, NULL);
}
