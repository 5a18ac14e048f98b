#include "code/code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct code {
    struct site **sites;
    int count;
};

struct code *code_new(void)
{
    return calloc(1, sizeof(struct code));
}

void code_free(struct code *code)
{
    free(code);
}

bool code_names_lines(void)
{
    return false;
}

const struct site *code_site(struct code *code, pid_t pid, pid_t tid,
                             const struct thread_registers *registers)
{
    (void)code, (void)pid, (void)tid, (void)registers;
    errno = ENOTSUP;
    return NULL;
}

const struct site *code_site_asleep(struct code *code, pid_t pid, pid_t tid)
{
    (void)code, (void)pid, (void)tid;
    errno = ENOTSUP;
    return NULL;
}

void code_forget(struct code *code, pid_t pid)
{
    (void)code, (void)pid;
}

const struct site *code_intern(struct code *code, const struct place *places, int count, bool is_cut)
{
    (void)code, (void)places, (void)count, (void)is_cut;
    errno = ENOTSUP;
    return NULL;
}
