/* Programs that a test compiles and starts, and whose stacks it looks at while they sleep in read(). A line
 * that is looked for has a mark in its source: HERE and the function's name. */
#ifndef TESTS_SLEEPING_PROGRAM_H
#define TESTS_SLEEPING_PROGRAM_H

#include "code/code.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define PROGRAMS "tests/unit/code/programs"

struct sleeping_program {
    pid_t pid;
    int feed; /* what it reads from */
};

/* A directory for what is compiled. */
static char *make_workplace(char *path, size_t size)
{
    const char *place = getenv("TMPDIR");
    snprintf(path, size, "%s/code-test-XXXXXX", place != NULL ? place : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

static void remove_workplace(const char *path)
{
    char command[512];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

static bool has_command(const char *name)
{
    char command[128];
    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", name);
    return system(command) == 0;
}

/* "gcc -g -O2", into workplace/output. False: it does not compile here. */
static bool compile(const char *workplace, const char *how, const char *source, const char *output)
{
    char command[1024];
    snprintf(command, sizeof command, "%s -o '%s/%s' %s/%s >'%s/messages' 2>&1", how, workplace, output,
             PROGRAMS, source, workplace);
    return system(command) == 0;
}

/* The line of a mark; fails where there is none. */
static int line_of(const char *source, const char *mark)
{
    char path[256], text[512], wanted[64];
    snprintf(path, sizeof path, "%s/%s", PROGRAMS, source);
    snprintf(wanted, sizeof wanted, " HERE %s", mark);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    int line = 0, found = 0;
    while (fgets(text, sizeof text, file) != NULL) {
        const char *at = strstr(text, wanted);
        line++;
        if (at != NULL && strcspn(at + 6, " \n") == strlen(mark))
            found = line;
    }
    fclose(file);
    assert_int_not_equal(found, 0);
    return found;
}

static struct sleeping_program start_program(const char *path, const char *argument)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct sleeping_program program = {.pid = fork(), .feed = ends[1]};
    assert_true(program.pid >= 0);
    if (program.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[0], STDIN_FILENO);
        execl(path, path, argument, NULL);
        _exit(126);
    }
    close(ends[0]);
    return program;
}

static void end_program(struct sleeping_program *program)
{
    kill(program->pid, SIGKILL);
    waitpid(program->pid, NULL, 0);
    close(program->feed);
}

/* The stack of a thread, once a function is on it, NULL: any, and it sleeps. Fails when it does not come to
 * that. */
static const struct site *wait_asleep(struct code *code, pid_t pid, pid_t tid, const char *function)
{
    for (int tries = 0; tries < 2000; tries++) {
        const struct site *site = code_site_asleep(code, pid, tid);
        for (int i = 0; site != NULL && i < site->count; i++)
            if (function == NULL ||
                (site->places[i].function != NULL && strcmp(site->places[i].function, function) == 0))
                return site;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    print_error("it did not come to %s: %s\n", function != NULL ? function : "sleep", strerror(errno));
    fail();
    return NULL;
}

/* The stack of the same thread by its registers, stopped by ptrace for the while. */
static const struct site *site_stopped(struct code *code, pid_t pid)
{
    struct thread_registers registers;
    assert_int_equal(ptrace(PTRACE_SEIZE, pid, NULL, NULL), 0);
    assert_int_equal(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
    assert_int_equal(waitpid(pid, NULL, __WALL), pid);
    assert_int_equal(thread_registers_of_stopped(pid, &registers), 0);
    const struct site *site = code_site(code, pid, pid, &registers);
    ptrace(PTRACE_DETACH, pid, NULL, NULL);
    return site;
}

static void print_site(const struct site *site)
{
    for (int i = 0; i < site->count; i++) {
        const struct place *place = &site->places[i];
        print_error("  %s %s:%d %s+0x%llx%s%s%s\n", place->function != NULL ? place->function : "?",
                    place->file != NULL ? place->file : "?", place->line,
                    place->module != NULL ? place->module : "?", (unsigned long long)place->offset,
                    place->is_inlined ? " inlined" : "", place->is_tail_call ? " tail call" : "",
                    place->is_own ? " own" : "");
    }
}

static void assert_same_site(const struct site *site, const struct site *wanted)
{
    if (site == wanted)
        return;
    print_error("not:\n");
    print_site(wanted);
    print_error("but:\n");
    if (site != NULL)
        print_site(site);
    fail();
}

static bool is_named(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    return strcmp(slash != NULL ? slash + 1 : path, name) == 0;
}

/* The own places of a site are these functions, each at its mark, and no others: "take wrapped main". A
 * function with "?" behind it has no line; one with a "+" is inlined, with a "~" it is a tail call. */
static void assert_own_places(const struct site *site, const char *source, const char *wanted)
{
    char words[256], *rest = words;
    snprintf(words, sizeof words, "%s", wanted);
    bool is_so = true;
    int at = 0;
    for (char *word; is_so && (word = strsep(&rest, " ")) != NULL; at++) {
        size_t length = strcspn(word, "?+~");
        bool has_line = strchr(word, '?') == NULL, is_inlined = strchr(word, '+') != NULL,
             is_tail_call = strchr(word, '~') != NULL;
        word[length] = '\0';
        const char *mark = strrchr(word, ':') != NULL   ? strrchr(word, ':') + 1
                           : strrchr(word, '.') != NULL ? strrchr(word, '.') + 1
                                                        : word;
        while (at < site->count && !site->places[at].is_own)
            at++;
        const struct place *place = &site->places[at];
        is_so = at < site->count && place->function != NULL && strcmp(place->function, word) == 0 &&
                place->file != NULL && is_named(place->file, source) &&
                place->line == (has_line ? line_of(source, mark) : 0) && place->is_inlined == is_inlined &&
                place->is_tail_call == is_tail_call;
    }
    for (; at < site->count; at++)
        is_so &= !site->places[at].is_own;
    if (!is_so) {
        print_error("not \"%s\", but:\n", wanted);
        print_site(site);
        fail();
    }
}

#endif
