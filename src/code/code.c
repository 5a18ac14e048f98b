#include "code/code.h"

#include "code/site_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct code {
    struct site_table sites;
};

struct code *code_new(void)
{
    return calloc(1, sizeof(struct code));
}

void code_free(struct code *code)
{
    if (code == NULL)
        return;
    site_table_clear(&code->sites);
    free(code);
}

bool code_names_lines(void)
{
#ifdef HAVE_LIBDW
    return true;
#else
    return false;
#endif
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
    return site_table_intern(&code->sites, places, count, is_cut);
}
