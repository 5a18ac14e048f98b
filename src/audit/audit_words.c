#include "audit/audit_result.h"

/* What scripts and the manual call it, and what the manual says of it. */
struct word {
    const char *name, *meaning;
};

static const struct word classes[] = {
    [CLASS_CLOSED] = {"closed", "the server sent its FIN; p50, p90, p99 and max are the times that it took"},
    [CLASS_RESET] = {"reset", "the server sent an RST"},
    [CLASS_REPLY_LOST] = {"reply_lost",
                          "with `eof-with-request`: the connection ended before the whole reply came"},
    [CLASS_STILL_RESPONDING] = {"still_responding",
                                "the server is still sending after the client's FIN, as it may: this is no "
                                "leak. A late reply gives it `--grace` once more"},
    [CLASS_HELD] = {"held", "the server's end was still open at the end of the grace period"},
    [CLASS_NEVER_ACCEPTED] = {"never_accepted", "the same, and no process has the connection"},
    [CLASS_REFUSED] = {"refused", "no connection was established: the answer was an RST"},
    [CLASS_TIMED_OUT] = {"timed_out",
                         "no connection was established: there was no answer, the accept queue had no room, "
                         "or the server's kernel waits for a first byte (`TCP_DEFER_ACCEPT`)"},
    [CLASS_FAILED] = {"failed", "a system call of tcpstorm failed; this says nothing about the server"},
    [CLASS_UNKNOWN] = {"unknown", "the audit was interrupted, or nothing that it can see would tell"},
};
_Static_assert(sizeof classes / sizeof classes[0] == CLASS_COUNT, "a word for each class");

const char *audit_class_name(enum audit_class class)
{
    return classes[class].name;
}

const char *audit_class_meaning(enum audit_class class)
{
    return classes[class].meaning;
}

static const struct word groups[] = {
    [GROUP_NONE] = {"none", "the connection is not held"},
    [GROUP_FROM_AFAR] = {"from_afar", "the server is not on this machine, or in another network namespace"},
    [GROUP_NO_OWNER] = {"no_owner", "they were never accepted, so no process has them"},
    [GROUP_EOF_UNREAD] = {"eof_unread", "Recv-Q is 1 or more: the server does not read"},
    [GROUP_EOF_READ] = {"eof_read", "the server has read everything; only close() is missing"},
    [GROUP_EOF_UNSURE] =
        {"eof_unsure",
         "the server has read all data, but the FIN came with it, so it may not have seen the end of file"},
    [GROUP_OTHER_PROCESS] =
        {"other_process",
         "they are in CLOSE_WAIT; processes that inherited them hold them and do not serve them"},
    [GROUP_GHOST] = {"ghost",
                     "the server has descriptors whose connection is in none of the kernel's tables"},
    [GROUP_OPEN] = {"open", "they are ESTABLISHED: nobody has closed"},
    [GROUP_SHUT_DOWN] =
        {"shut_down",
         "they are in FIN_WAIT2 with a descriptor: the server called shutdown(SHUT_WR) and not close()"},
    [GROUP_STALLED] = {"stalled", "they have data to send (Send-Q), and the client's window is closed"},
    [GROUP_NO_DESCRIPTOR] = {"no_descriptor", "no process has a descriptor: a call on it is still running, "
                                              "or it is on its way from one process to another"},
};
_Static_assert(sizeof groups / sizeof groups[0] == GROUP_COUNT, "a word for each group");

const char *audit_group_name(enum audit_group group)
{
    return groups[group].name;
}

const char *audit_group_meaning(enum audit_group group)
{
    return groups[group].meaning;
}

const char *audit_outcome_name(enum audit_outcome outcome)
{
    static const char *const names[] = {
        [AUDIT_CLOSES] = "closes",           [AUDIT_LEAKS] = "leaks",       [AUDIT_LOSES] = "loses_replies",
        [AUDIT_ENDED] = "server_ended",      [AUDIT_OFF_TIME] = "off_time", [AUDIT_NO_VERDICT] = "no_verdict",
        [AUDIT_INTERRUPTED] = "interrupted",
    };
    return names[outcome];
}
