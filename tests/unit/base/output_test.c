#include "../unit.h"

#include "base/diag.h"
#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, LINE = 100 };

/* A pipe of one page, and an output into it. */
struct scene {
    FILE *out;
    int reader;
    size_t lines; /* that were put */
    char *read;   /* what has come out so far */
    size_t length;
};

static int begin(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    int ends[2];
    assert_non_null(scene);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, PAGE) >= 0);
    scene->reader = ends[0];
    scene->out = output_on(ends[1], "--csv rows");
    scene->read = calloc(1, 1u << 20);
    assert_non_null(scene->out);
    assert_non_null(scene->read);
    *state = scene;
    return 0;
}

static int end(void **state)
{
    struct scene *scene = *state;
    output_close(scene->out);
    if (scene->reader >= 0)
        close(scene->reader);
    free(scene->read);
    free(scene);
    return 0;
}

/* Numbered lines of LINE bytes. */
static void put_lines(struct scene *scene, size_t count)
{
    for (; count > 0; count--)
        fprintf(scene->out, "%0*zu\n", LINE - 1, scene->lines++);
    assert_int_equal(output_flush(scene->out), 0);
}

/* Reads once what is there. */
static void read_some(struct scene *scene)
{
    ssize_t got = read(scene->reader, scene->read + scene->length, PAGE);
    assert_true(got > 0);
    scene->length += (size_t)got;
}

static void assert_all_lines_in_order(const struct scene *scene)
{
    char line[LINE + 1];
    assert_int_equal(scene->length, scene->lines * LINE);
    for (size_t i = 0; i < scene->lines; i++) {
        snprintf(line, sizeof line, "%0*zu\n", LINE - 1, i);
        assert_memory_equal(scene->read + i * LINE, line, LINE);
    }
}

static void what_is_flushed_is_there(void **state)
{
    struct scene *scene = *state;
    put_lines(scene, 3);
    assert_false(output_is_waiting(scene->out));
    read_some(scene);
    assert_all_lines_in_order(scene);
    assert_string_equal(output_name(scene->out), "--csv rows");
    assert_true(output_fd(scene->out) > STDERR_FILENO);
}

static void what_the_reader_does_not_take_is_kept_and_comes_later_in_order(void **state)
{
    struct scene *scene = *state;
    put_lines(scene, 500);
    assert_true(output_is_waiting(scene->out));
    assert_int_equal(output_waiting_lines(scene->out), 500 - PAGE / LINE);
    put_lines(scene, 7);
    while (output_is_waiting(scene->out)) {
        read_some(scene);
        output_push_all();
    }
    read_some(scene);
    assert_all_lines_in_order(scene);
}

static void a_pipe_gets_whole_lines_only(void **state)
{
    struct scene *scene = *state;
    put_lines(scene, 500);
    read_some(scene);
    assert_int_equal(scene->length % LINE, 0);
    assert_true(scene->length > 0);
}

static void much_that_waits_is_a_clog_until_it_is_read(void **state)
{
    struct scene *scene = *state;
    put_lines(scene, 50);
    assert_true(output_is_waiting(scene->out));
    assert_false(output_is_clogged(scene->out));
    put_lines(scene, 1000);
    assert_true(output_is_clogged(scene->out));
    while (output_is_waiting(scene->out)) {
        read_some(scene);
        output_wait(scene->out, 1000);
    }
    assert_false(output_is_clogged(scene->out));
}

static void a_reader_that_has_left_is_told_once(void **state)
{
    struct scene *scene = *state;
    put_lines(scene, 500);
    close(scene->reader);
    scene->reader = -1;
    output_push_all();
    assert_false(output_is_waiting(scene->out));
    assert_int_equal(output_flush(scene->out), -EPIPE);
    fputs("more\n", scene->out);
    assert_int_equal(output_flush(scene->out), 0);
    assert_false(output_is_waiting(scene->out));
}

static void a_stream_says_by_itself_that_it_failed(void **state)
{
    struct scene *scene = *state;
    close(scene->reader);
    scene->reader = -1;
    fputs("some\n", scene->out);
    assert_int_equal(fflush(scene->out), EOF);
    assert_int_equal(output_flush(scene->out), -EPIPE);
}

static void what_is_dropped_is_neither_written_nor_an_error(void **state)
{
    struct scene *scene = *state;
    put_lines(scene, 500);
    output_drop(scene->out);
    assert_false(output_is_waiting(scene->out));
    fputs("more\n", scene->out);
    assert_int_equal(output_flush(scene->out), 0);
    read_some(scene);
    assert_true(scene->length <= PAGE); /* what was in the pipe before */
}

/* poll() says that there is room, but not for so much: the write would wait for ever. */
static void a_write_that_waits_is_interrupted(void **state)
{
    (void)state;
    int ends[2], least = 1;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
    FILE *out = output_on(ends[1], "a socket");
    for (int i = 0; i < 5000; i++)
        fprintf(out, "%0*d\n", LINE - 1, i);
    assert_int_equal(output_flush(out), 0);
    assert_true(output_is_waiting(out));
    output_close(out);
    close(ends[0]);
}

static void a_file_takes_all_and_a_full_device_nothing(void **state)
{
    (void)state;
    char path[] = "/tmp/output_test.XXXXXX", read[64];
    close(mkstemp(path));
    FILE *out = output_open(path, "a file");
    assert_non_null(out);
    fputs("one\ntwo\n", out);
    assert_int_equal(output_flush(out), 0);
    output_close(out);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    assert_int_equal(fread(read, 1, sizeof read, in), 8);
    fclose(in);
    unlink(path);
    out = output_open("/dev/full", "a full device");
    assert_non_null(out);
    fputs("one\n", out);
    assert_int_equal(output_flush(out), -ENOSPC);
    output_close(out);
    assert_null(output_open("/nonexistent/x", "nothing"));
    assert_int_equal(errno, ENOENT);
}

static void any_other_stream_is_never_waiting(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    fputs("text", out);
    assert_int_equal(output_flush(out), 0);
    assert_false(output_is_waiting(out) || output_is_clogged(out));
    output_drop(out);
    output_close(out);
    assert_string_equal(text, "text");
    free(text);
}

/* Both on one pipe, as in "2>&1 |": nothing overtakes, even where it has to wait. */
static void standard_output_and_error_share_a_queue(void **state)
{
    struct scene *scene = *state;
    int ends[2], status;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, PAGE) >= 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        output_take_stdout();
        diag_prepare();
        for (int i = 0; i < 200; i++) {
            FILE *to = i % 2 == 0 ? stdout : stderr;
            fprintf(to, "%0*d\n", LINE - 1, i);
            fflush(to);
        }
        while (output_is_waiting(stdout) || output_is_waiting(stderr))
            output_wait(stderr, 100);
        _exit(output_flush(stdout) == 0 && output_flush(stderr) == 0 ? 0 : 1);
    }
    close(ends[1]);
    for (ssize_t got = 1; got > 0; scene->length += (size_t)got)
        got = read(ends[0], scene->read + scene->length, PAGE);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    scene->lines = 200;
    assert_all_lines_in_order(scene);
}

#define in_scene(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_scene(what_is_flushed_is_there),
        in_scene(what_the_reader_does_not_take_is_kept_and_comes_later_in_order),
        in_scene(a_pipe_gets_whole_lines_only),
        in_scene(much_that_waits_is_a_clog_until_it_is_read),
        in_scene(a_reader_that_has_left_is_told_once),
        in_scene(a_stream_says_by_itself_that_it_failed),
        in_scene(what_is_dropped_is_neither_written_nor_an_error),
        cmocka_unit_test(a_write_that_waits_is_interrupted),
        cmocka_unit_test(a_file_takes_all_and_a_full_device_nothing),
        cmocka_unit_test(any_other_stream_is_never_waiting),
        in_scene(standard_output_and_error_share_a_queue),
    };
    return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
