#include "../unit.h"

#include "sleeping_program.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

static char workplace[256];

static int set_up(void **state)
{
    (void)state;
    make_workplace(workplace, sizeof workplace);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_workplace(workplace);
    return 0;
}

static const char *in_workplace(char *path, size_t size, const char *name)
{
    snprintf(path, size, "%s/%s", workplace, name);
    return path;
}

static void needs_lines(void)
{
    if (!code_names_lines()) {
        print_message("this build names no lines: built without libdw\n");
        skip();
    }
}

static void needs_command(const char *name)
{
    if (!has_command(name)) {
        print_message("%s is not installed\n", name);
        skip();
    }
}

/* Compiles a program, has it sleep in a function, and compares its own places, asleep and stopped. */
static void check_program(const char *how, const char *source, const char *function, const char *own)
{
    char path[512];
    if (!compile(workplace, how, source, "program")) {
        print_error("%s does not compile %s\n", how, source);
        fail();
    }
    struct code *code = code_new();
    struct sleeping_program program = start_program(in_workplace(path, sizeof path, "program"), NULL);
    const struct site *site = wait_asleep(code, program.pid, program.pid, function);
    assert_own_places(site, source, own);
    assert_false(site->is_cut);
    assert_string_equal(site->places[0].function, "read");
    assert_same_site(site_stopped(code, program.pid), site);
    assert_same_site(wait_asleep(code, program.pid, program.pid, function), site);
    end_program(&program);
    code_free(code);
}

/* ---- how a program was compiled ---- */

static const char chain[] = "take wrapped+ on_readable serve main";

static void check_chain(const char *how)
{
    needs_lines();
    check_program(how, "chain.c", "take", chain);
}

static void optimized(void **state)
{
    (void)state;
    check_chain("gcc -g -O2");
}

static void not_optimized(void **state)
{
    (void)state;
    check_chain("gcc -g -O0");
}

static void with_frame_pointers_and_the_older_format(void **state)
{
    (void)state;
    check_chain("gcc -gdwarf-4 -O2 -fno-omit-frame-pointer");
}

static void linked_statically(void **state)
{
    (void)state;
    check_chain("gcc -g -O2 -static");
}

static void without_call_frame_information(void **state)
{
    (void)state;
    check_chain("gcc -g -O0 -fno-asynchronous-unwind-tables -fno-unwind-tables -Wa,--gdwarf-5");
}

static void with_its_lines_in_a_file_of_their_own(void **state)
{
    (void)state;
    check_chain("gcc -g -O2 -gsplit-dwarf");
}

static void by_clang(void **state)
{
    (void)state;
    needs_command("clang");
    check_chain("clang -g -O2");
    check_chain("clang -gdwarf-4 -O1 -fno-omit-frame-pointer");
}

static void of_classes(void **state)
{
    (void)state;
    needs_lines();
    needs_command("g++");
    check_program("g++ -g -O0", "scopes.cc", "net::Pool::take", "net::Pool::take net::Pool::park main");
}

static void of_go(void **state)
{
    (void)state;
    needs_lines();
    needs_command("go");
    char path[512];
    if (!compile(workplace, "GO111MODULE=off CGO_ENABLED=0 go build", "sleeper.go", "program")) {
        print_message("go does not compile here\n");
        skip();
    }
    struct code *code = code_new();
    struct sleeping_program program = start_program(in_workplace(path, sizeof path, "program"), NULL);
    const struct site *site = wait_asleep(code, program.pid, program.pid, "main.take");
    assert_own_places(site, "sleeper.go", "main.take main.main");
    assert_false(site->is_cut);
    assert_string_equal(site->places[site->count - 1].function, "runtime.goexit");
    assert_same_site(site_stopped(code, program.pid), site);
    end_program(&program);
    code_free(code);
}

/* A stripped program has the same stack, by its offsets. */
static void stripped(void **state)
{
    (void)state;
    needs_lines();
    char path[512], command[1200];
    assert_true(compile(workplace, "gcc -g -O2", "chain.c", "whole"));
    snprintf(command, sizeof command, "strip -o '%s/stripped' '%s/whole'", workplace, workplace);
    assert_int_equal(system(command), 0);
    struct code *code = code_new();
    struct sleeping_program program = start_program(in_workplace(path, sizeof path, "whole"), NULL);
    const struct site *whole = wait_asleep(code, program.pid, program.pid, "take");
    end_program(&program);
    program = start_program(in_workplace(path, sizeof path, "stripped"), NULL);
    const struct site *site = wait_asleep(code, program.pid, program.pid, "__libc_start_main");
    assert_same_site(site_stopped(code, program.pid), site);
    int at = 0;
    for (int i = 0; i < whole->count; i++) {
        if (whole->places[i].is_inlined)
            continue;
        assert_int_equal(site->places[at].offset, whole->places[i].offset);
        assert_true(site->places[at].is_own == whole->places[i].is_own);
        at++;
    }
    assert_int_equal(at, site->count);
    assert_string_equal(site->places[site->own].module, "stripped");
    assert_null(site->places[site->own].function);
    end_program(&program);
    code_free(code);
}

/* ---- tail calls ---- */

static void functions_that_end_in_a_call_are_named(void **state)
{
    (void)state;
    needs_lines();
    check_program("gcc -g -O2", "tail.c", "park", "take~ park~ serve main");
    check_program("gcc -gdwarf-4 -O2", "tail.c", "park", "take~ park~ serve main");
    check_program("gcc -g -O2 -fno-optimize-sibling-calls", "tail.c", "park", "take park serve main");
    if (has_command("clang"))
        check_program("clang -g -O2", "tail.c", "park", "take~ park~ serve main");
}

static void of_two_ways_none_is_named(void **state)
{
    (void)state;
    needs_lines();
    check_program("gcc -g -O2 -DWAYS", "tail.c", "serve", "serve main");
    check_program("gcc -g -O2 -DPOINTER", "tail.c", "serve", "serve main");
}

static void of_two_lines_none_is_named(void **state)
{
    (void)state;
    needs_lines();
    check_program("gcc -g -O2 -DLINES -fno-crossjumping -fno-tree-tail-merge", "tail.c", "park",
                  "take~ park?~ serve main");
}

/* ---- what a stack can hold ---- */

static void what_earlier_calls_have_left_is_not_taken_for_frames(void **state)
{
    (void)state;
    needs_lines();
    check_program("gcc -g -O0", "stale.c", "take", "take main");
    check_program("gcc -g -O0 -fno-asynchronous-unwind-tables -fno-unwind-tables", "stale.c", "take",
                  "take main");
    if (has_command("clang"))
        check_program("clang -g -O0", "stale.c", "take", "take main");
}

static void a_signal_interrupts_where_it_does(void **state)
{
    (void)state;
    needs_lines();
    check_program("gcc -g -O2", "handler.c", "fail", "on_signal fail main");
    check_program("gcc -g -O2 -DALTERNATE", "handler.c", "fail", "on_signal fail main");
}

static void code_of_no_file_is_passed_by_its_frame_pointer(void **state)
{
    (void)state;
    needs_lines();
    check_program("gcc -g -O2 -fno-omit-frame-pointer", "compiled.c", "take", "take main");
    check_program("gcc -g -O0", "compiled.c", "take", "take main");
}

/* ---- processes ---- */

static const struct place *place_named(const struct site *site, const char *function)
{
    for (int i = 0; i < site->count; i++)
        if (site->places[i].function != NULL && strcmp(site->places[i].function, function) == 0)
            return &site->places[i];
    return NULL;
}

static void a_library_that_is_loaded_later_is_found(void **state)
{
    (void)state;
    needs_lines();
    char path[512], library[512];
    assert_true(compile(workplace, "gcc -g -O2 -shared -fPIC", "library.c", "library.so"));
    assert_true(compile(workplace, "gcc -g -O2", "late.c", "late"));
    struct code *code = code_new();
    struct sleeping_program program = start_program(in_workplace(path, sizeof path, "late"),
                                                    in_workplace(library, sizeof library, "library.so"));
    wait_asleep(code, program.pid, program.pid, "main");
    assert_int_equal(write(program.feed, "x", 1), 1);
    const struct site *site = wait_asleep(code, program.pid, program.pid, "take");
    assert_int_equal(place_named(site, "take")->line, line_of("library.c", "take"));
    assert_true(place_named(site, "take")->is_own);
    assert_int_equal(place_named(site, "main")->line, line_of("late.c", "main"));
    assert_same_site(site_stopped(code, program.pid), site);
    end_program(&program);
    code_free(code);
}

/* Both files are replaced by others while the program runs: what it runs is what it was started from. The
 * library is nowhere then, but in the program's memory. */
static void a_file_that_was_replaced_is_not_read(void **state)
{
    (void)state;
    needs_lines();
    char path[512], library[512];
    assert_true(compile(workplace, "gcc -g -O2 -shared -fPIC", "library.c", "library.so"));
    assert_true(compile(workplace, "gcc -g -O2", "late.c", "late"));
    struct code *code = code_new();
    struct sleeping_program program = start_program(in_workplace(path, sizeof path, "late"),
                                                    in_workplace(library, sizeof library, "library.so"));
    assert_int_equal(write(program.feed, "x", 1), 1);
    wait_asleep(code, program.pid, program.pid, "take");
    code_free(code);
    code = code_new();
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(library), 0);
    assert_true(compile(workplace, "gcc -g -O2 -shared -fPIC", "late.c", "library.so"));
    assert_true(compile(workplace, "gcc -g -O2", "chain.c", "late"));
    const struct site *site = wait_asleep(code, program.pid, program.pid, "take");
    assert_false(site->is_cut);
    assert_int_equal(place_named(site, "main")->line, line_of("late.c", "main"));
    assert_true(is_named(place_named(site, "main")->file, "late.c"));
    const struct place *taking = place_named(site, "take");
    assert_true(taking->line == 0 || taking->line == line_of("library.c", "take"));
    assert_string_equal(taking->module, "library.so");
    end_program(&program);
    code_free(code);
}

static void another_program_has_another_stack(void **state)
{
    (void)state;
    needs_lines();
    char first[512], second[512], go_on[1200];
    assert_true(compile(workplace, "gcc -g -O2", "chain.c", "first"));
    assert_true(compile(workplace, "gcc -g -O0", "stale.c", "second"));
    struct code *code = code_new();
    snprintf(go_on, sizeof go_on, "%s </dev/null; read line; exec %s",
             in_workplace(first, sizeof first, "first"), in_workplace(second, sizeof second, "second"));
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct sleeping_program program = {.pid = fork(), .feed = ends[1]};
    if (program.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[0], STDIN_FILENO);
        execl("/bin/sh", "sh", "-c", go_on, NULL);
        _exit(126);
    }
    close(ends[0]);
    wait_asleep(code, program.pid, program.pid, "read");
    assert_int_equal(write(program.feed, "\n", 1), 1);
    const struct site *site = wait_asleep(code, program.pid, program.pid, "take");
    assert_own_places(site, "stale.c", "take main");
    code_forget(code, program.pid);
    assert_same_site(site_stopped(code, program.pid), site);
    end_program(&program);
    code_free(code);
}

/* What was above the stack pointer when the thread was stopped, as far as it was copied. */
static size_t copy_stack(pid_t pid, uint64_t sp, void *copy, size_t size)
{
    struct iovec ours = {copy, size}, theirs = {(void *)(uintptr_t)sp, size};
    ssize_t length = process_vm_readv(pid, &ours, 1, &theirs, 1, 0);
    assert_true(length > 0);
    return (size_t)length;
}

static void a_copy_of_the_stack_tells_the_same(void **state)
{
    (void)state;
    needs_lines();
    char path[512];
    static uint8_t copy[1024];
    assert_true(compile(workplace, "gcc -g -O2", "tail.c", "program"));
    struct code *code = code_new();
    struct sleeping_program program = start_program(in_workplace(path, sizeof path, "program"), NULL);
    const struct site *site = wait_asleep(code, program.pid, program.pid, "park");
    struct thread_registers registers;
    assert_int_equal(ptrace(PTRACE_SEIZE, program.pid, NULL, NULL), 0);
    assert_int_equal(ptrace(PTRACE_INTERRUPT, program.pid, NULL, NULL), 0);
    assert_int_equal(waitpid(program.pid, NULL, __WALL), program.pid);
    assert_int_equal(thread_registers_of_stopped(program.pid, &registers), 0);
    size_t size = copy_stack(program.pid, registers.sp, copy, sizeof copy);
    pid_t child = 0x3ffffe; /* it has the same code, and is gone */
    code_forked(code, program.pid, child);
    end_program(&program);
    assert_ptr_equal(code_site_copied(code, child, &registers, copy, size), site);
    /* A shorter copy ends the stack sooner, and nothing is read of the process that went on. */
    const struct site *shorter = code_site_copied(code, child, &registers, copy, 8);
    assert_non_null(shorter);
    assert_true(shorter->is_cut);
    assert_own_places(shorter, "tail.c", "take~ park~ serve");
    code_free(code);
}

/* Two processes of one program have the same site. */
static void processes_of_a_program_share_their_sites(void **state)
{
    (void)state;
    needs_lines();
    char path[512];
    assert_true(compile(workplace, "gcc -g -O2", "chain.c", "program"));
    struct code *code = code_new();
    struct sleeping_program one = start_program(in_workplace(path, sizeof path, "program"), NULL);
    struct sleeping_program other = start_program(path, NULL);
    const struct site *site = wait_asleep(code, one.pid, one.pid, "take");
    assert_same_site(wait_asleep(code, other.pid, other.pid, "take"), site);
    end_program(&one);
    end_program(&other);
    code_free(code);
}

static void what_cannot_be_looked_at_is_told_by_errno(void **state)
{
    (void)state;
    struct code *code = code_new();
    pid_t busy = fork();
    if (busy == 0)
        for (;;)
            prctl(PR_SET_PDEATHSIG, SIGKILL);
    const struct site *site;
    int tries = 0;
    while ((site = code_site_asleep(code, busy, busy)) != NULL && tries++ < 1000)
        continue;
    assert_null(site);
    assert_int_equal(errno, EAGAIN);
    kill(busy, SIGKILL);
    waitpid(busy, NULL, 0);
    assert_null(code_site_asleep(code, busy, busy));
    assert_int_equal(errno, ESRCH);
    if (geteuid() == 0) {
        pid_t nobody = fork();
        if (nobody == 0) {
            if (setgid(65534) != 0 || setuid(65534) != 0)
                _exit(2);
            const struct site *refused = code_site_asleep(code, getppid(), getppid());
            _exit(refused == NULL && errno == EACCES ? 0 : 1);
        }
        int status;
        waitpid(nobody, &status, 0);
        assert_int_equal(status, 0);
    }
    struct thread_registers registers;
    assert_int_equal(thread_registers_of_stopped(getpid(), &registers), -ESRCH);
    code_free(code);
}

/* Without libdw: where the thread is, and no more. */
static void the_innermost_place_is_known_in_any_build(void **state)
{
    (void)state;
    char path[512];
    assert_true(compile(workplace, "gcc -O2", "chain.c", "program"));
    struct code *code = code_new();
    struct sleeping_program program = start_program(in_workplace(path, sizeof path, "program"), NULL);
    const struct site *site = wait_asleep(code, program.pid, program.pid, NULL);
    assert_non_null(site->places[0].module);
    assert_true(site->places[0].offset > 0);
    assert_true(site->is_cut == !code_names_lines());
    end_program(&program);
    code_free(code);
}

static void nothing_is_asked_of_the_network(void **state)
{
    (void)state;
    char url[64];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 5), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(address.sin_port));
    setenv("DEBUGINFOD_URLS", url, 1);
    stripped(state);
    assert_int_equal(accept(listener, NULL, NULL), -1);
    assert_int_equal(errno, EAGAIN);
    assert_string_equal(getenv("DEBUGINFOD_URLS"), url);
    unsetenv("DEBUGINFOD_URLS");
    close(listener);
}

#define STACK_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STACK_TEST(optimized),
        STACK_TEST(not_optimized),
        STACK_TEST(with_frame_pointers_and_the_older_format),
        STACK_TEST(linked_statically),
        STACK_TEST(without_call_frame_information),
        STACK_TEST(with_its_lines_in_a_file_of_their_own),
        STACK_TEST(by_clang),
        STACK_TEST(of_classes),
        STACK_TEST(of_go),
        STACK_TEST(stripped),
        STACK_TEST(functions_that_end_in_a_call_are_named),
        STACK_TEST(of_two_ways_none_is_named),
        STACK_TEST(of_two_lines_none_is_named),
        STACK_TEST(what_earlier_calls_have_left_is_not_taken_for_frames),
        STACK_TEST(a_signal_interrupts_where_it_does),
        STACK_TEST(code_of_no_file_is_passed_by_its_frame_pointer),
        STACK_TEST(a_library_that_is_loaded_later_is_found),
        STACK_TEST(a_file_that_was_replaced_is_not_read),
        STACK_TEST(another_program_has_another_stack),
        STACK_TEST(a_copy_of_the_stack_tells_the_same),
        STACK_TEST(processes_of_a_program_share_their_sites),
        STACK_TEST(what_cannot_be_looked_at_is_told_by_errno),
        STACK_TEST(the_innermost_place_is_known_in_any_build),
        STACK_TEST(nothing_is_asked_of_the_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
