#include "kernel/thread_call.h"

#include "base/printable.h"
#include "kernel/proc_file.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

static void name_call(struct thread_call *call, const char *name)
{
    snprintf(call->name, sizeof call->name, "%.*s", (int)sizeof call->name - 1, name);
    call->name[strcspn(call->name, "\n")] = '\0';
    printable_word(call->name);
}

static struct thread_call no_call(void)
{
    return (struct thread_call){.kind = IN_UNKNOWN, .number = -1, .fd = -1};
}

/* "45 0x6 0x7f7ab896bbf0 0x5 0x0 0x0 0x0 0x7f7ab776ca10 0x7f7ab8f28974": the call, six arguments, the stack
 * and the instruction. */
bool thread_call_parse(const char *text, struct thread_call *call)
{
    *call = no_call();
    if (strcmp(text, "running\n") == 0 || strcmp(text, "running") == 0) {
        call->kind = IN_NOTHING;
        return true;
    }
    char *at;
    errno = 0;
    long number = strtol(text, &at, 10);
    if (at == text || errno != 0 || number < 0)
        return false;
    for (int i = 0; i < CALL_ARGUMENTS; i++) {
        const char *word = at;
        call->arguments[i] = strtoull(word, &at, 16);
        if (at == word || errno != 0) {
            *call = no_call();
            return false;
        }
    }
    call->number = number;
    call->has_arguments = true;
    const struct system_call *known = system_call_of(number);
    call->kind = known != NULL ? known->kind : IN_OTHER;
    if (known == NULL)
        snprintf(call->name, sizeof call->name, "call-%ld", number);
    else
        name_call(call, known->name);
    if (known != NULL && known->fd_at >= 0 && call->arguments[known->fd_at] <= INT32_MAX)
        call->fd = (int)call->arguments[known->fd_at];
    return true;
}

bool thread_call_parse_wchan(const char *text, struct thread_call *call)
{
    *call = no_call();
    if (text[0] == '\0' || text[0] == '\n' || (text[0] == '0' && (text[1] == '\0' || text[1] == '\n')))
        return false;
    call->kind = call_kind_of_wchan(text);
    name_call(call, text);
    return true;
}

/* What poll(), nanosleep() and futex() go on as after a stop, or after the machine has slept: the arguments
 * are still those of the first call, which where it sleeps tells. select() begins anew instead. */
static void take_restarted(const char *wchan, struct thread_call *call)
{
    switch (call_kind_of_wchan(wchan)) {
    case IN_POLL:
    case IN_POLL_OR_SELECT:
        call->kind = IN_POLL;
        name_call(call, "poll");
        break;
    case IN_SLEEP:
        call->kind = IN_SLEEP;
        name_call(call, "nanosleep");
        break;
    case IN_FUTEX:
        call->kind = IN_FUTEX;
        name_call(call, "futex");
        break;
    default:
        break;
    }
}

static int read_wchan(pid_t pid, pid_t tid, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/wchan", (int)pid, (int)tid);
    return proc_file_read(path, text, size);
}

int thread_call_read_exactly(pid_t pid, pid_t tid, struct thread_call *call)
{
    char path[64], text[512];
    *call = no_call();
    snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", (int)pid, (int)tid);
    int rc = proc_file_read(path, text, sizeof text);
    if (rc < 0)
        return rc;
    if (!thread_call_parse(text, call))
        return 0;
    if (call->number == SYS_restart_syscall && read_wchan(pid, tid, text, sizeof text) >= 0)
        take_restarted(text, call);
    return 1;
}

int thread_call_read(pid_t pid, pid_t tid, bool may_attach, struct thread_call *call)
{
    char text[512];
    *call = no_call();
    int rc = may_attach ? thread_call_read_exactly(pid, tid, call) : -EACCES;
    if (rc > 0)
        return CALL_FROM_SYSCALL;
    bool is_refused = rc == -EACCES || rc == -ESRCH; /* ESRCH: or a kernel without that file */
    if (rc < 0 && !is_refused)
        return rc;
    rc = read_wchan(pid, tid, text, sizeof text);
    if (rc >= 0 && thread_call_parse_wchan(text, call))
        return CALL_FROM_WCHAN;
    return rc == -ESRCH || (rc < 0 && rc != -EACCES) ? rc : CALL_FROM_NOWHERE;
}

bool thread_calls_are_native(pid_t pid)
{
    char path[64], head[EI_CLASS + 2];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    int length = proc_file_read(path, head, sizeof head);
    if (length <= EI_CLASS)
        return true;
    return head[EI_CLASS] == (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32);
}
