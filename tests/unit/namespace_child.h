/* What can only be tried in a network namespace runs in a child: it enters one, checks with CHECK, and says
 * by its exit status how it went. Include unit.h first. */
#ifndef TESTS_NAMESPACE_CHILD_H
#define TESTS_NAMESPACE_CHILD_H

#include "kernel/netns.h"

#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { CHILD_IS_REFUSED = 77 };

/* cmocka's assertions would return into the parent's tests. */
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno);        \
            _exit(1);                                                                                        \
        }                                                                                                    \
    } while (0)

/* Ends the child: the machine does not let it try. */
static inline void child_is_refused(const char *what, int error)
{
    fprintf(stderr, "refused: %s: %s\n", what, strerror(error));
    _exit(CHILD_IS_REFUSED);
}

/* Enters a namespace; where the machine refuses one the child ends. */
static inline bool child_enter(int64_t ehash_entries)
{
    bool has_own_user;
    int rc = netns_enter(ehash_entries, &has_own_user);
    if (rc == -EPERM || rc == -ENOSPC || rc == -EUSERS)
        child_is_refused("a network namespace", -rc);
    errno = -rc;
    CHECK(rc == 0);
    return has_own_user;
}

/* Gives root up, for uid 65534; where there is nobody else to be the child ends. */
static inline void child_become_nobody(void)
{
    if (geteuid() != 0)
        return;
    (void)setgroups(0, NULL); /* not allowed in every user namespace, and not needed */
    if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
        child_is_refused("to be another user", errno);
    prctl(PR_SET_DUMPABLE, 1); /* as after exec(): /proc/self is ours */
}

/* Runs it in a child, which has twenty seconds. Skips, aloud, where the child was refused. */
static inline void in_child(void (*body)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(20);
        body();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_IS_REFUSED)
        skip();
    assert_int_equal(status, 0);
}

#endif
