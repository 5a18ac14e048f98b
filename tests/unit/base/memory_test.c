/* memory: what cannot be had is never NULL: the process leaves as it was told to, a child of it without a
 * word. */
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LEFT = 3 };

/* The address sanitizer's own allocator would end the process before ours can say no. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void leave(void)
{
    _exit(LEFT);
}

static void leave_and_ask_again(void)
{
    free(memory_get(SIZE_MAX / 2));
    _exit(LEFT);
}

static void get_too_much(void)
{
    free(memory_get(SIZE_MAX / 2));
}

static void get_too_much_zeroed(void)
{
    free(memory_new(SIZE_MAX / 2));
}

static void resize_too_much(void)
{
    free(memory_resize(malloc(8), SIZE_MAX / 2));
}

static void get_too_much_in_child(void)
{
    pid_t child = fork();
    int status = 0;
    if (child == 0)
        get_too_much();
    waitpid(child, &status, 0);
    _exit(WIFEXITED(status) && WEXITSTATUS(status) == 127 ? LEFT : 1);
}

/* Exit status of a process that leaves in that way and then does so. */
static int status_of(void (*how)(void), void (*what)(void))
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        memory_on_exhausted(how);
        what();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void leaves_when_there_is_none(void **state)
{
    (void)state;
    assert_int_equal(status_of(leave, get_too_much), LEFT);
    assert_int_equal(status_of(leave, get_too_much_zeroed), LEFT);
    assert_int_equal(status_of(leave, resize_too_much), LEFT);
}

static void a_child_leaves_without_its_parents_buffers(void **state)
{
    (void)state;
    assert_int_equal(status_of(leave, get_too_much_in_child), LEFT);
}

static void leaving_that_needs_memory_ends_too(void **state)
{
    (void)state;
    assert_int_equal(status_of(leave_and_ask_again, get_too_much), 127);
}

static void gives_what_is_there(void **state)
{
    (void)state;
    char *text = memory_new(8);
    assert_memory_equal(text, "\0\0\0\0\0\0\0\0", 8);
    memcpy(text, "kept", 5);
    text = memory_resize(text, 64);
    assert_string_equal(text, "kept");
    free(text);
    free(memory_get(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_when_there_is_none),
        cmocka_unit_test(a_child_leaves_without_its_parents_buffers),
        cmocka_unit_test(leaving_that_needs_memory_ends_too),
        cmocka_unit_test(gives_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
