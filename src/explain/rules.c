#include "explain/rules.h"

#include <string.h>

enum { ABORTS_LEAST = 8 };

#define NO_TABLE "no kernel table shows them any more."
#define NO_TIMER " No kernel timer ends them: tcp_fin_timeout runs only after close()."

#define STUCK                                                                                                \
    .name = "loop-stuck", .words = "The event loop is stuck: {thread}.",                                     \
    .act = "give that call a time-out, or take it out of the loop"

static const struct rule rules[] = {
    /* ---- a close() that others wait for ---- */
    {.name = "loop-stuck",
     .when = {loop_is_stuck, somebody_closes},
     .certainty = CERTAIN_LIKELY,
     .words = "The event loop is stuck: {thread}. A close() waits like this when SO_LINGER is set and the "
              "client does not read; on a file it may wait for a disk or a network.",
     .causes = {"blocking-linger"},
     .act = "leave SO_LINGER off, or close in a separate thread"},

    /* ---- whose connection is gone ---- */
    {.name = "reset-swallowed",
     .when = {is_ghost_group, is_of_listener, error_was_read},
     .certainty = CERTAIN_ONE_OF,
     .words = "Their connections are gone, ended by a reset or by keep-alive. The program, or the runtime "
              "under it, has read that error and keeps the descriptors: it does not close when a call fails, "
              "and perhaps not at EOF either. They leak like the CLOSE_WAIT, and " NO_TABLE,
     .causes = {"reset-swallowed", "ignore-eof"},
     .act = "close the descriptor when a read or a write fails, whatever the error",
     .needs_dump = true,
     .needs_audit = true},
    {STUCK, .certainty = CERTAIN_LIKELY, .when = {is_ghost_group, error_waits, loop_is_stuck}},
    {.name = "ghosts",
     .when = {is_ghost_group, error_waits},
     .certainty = CERTAIN_SHOWN,
     .words =
         "Their connections are gone, ended by a reset or by keep-alive, and nobody has read that error: "
         "nothing has been read from them or written to them since. Their descriptors are still "
         "open: " NO_TABLE,
     .act = "keep reading from every connection, and close the descriptor when that fails",
     .needs_dump = true},
    {.name = "ghosts",
     .when = {is_ghost_group, no_error_is_needed},
     .certainty = CERTAIN_LIKELY,
     .words = "Their connections are over: the program has ended its half with shutdown(), and the peer its "
              "own. Their descriptors are still open: " NO_TABLE " They leak like the CLOSE_WAIT.",
     .act = "call close() after shutdown()",
     .needs_dump = true},
    {.name = "ghosts",
     .when = {is_ghost_group},
     .certainty = CERTAIN_SHOWN,
     .words =
         "Their connections are gone, ended by a reset or by keep-alive, and their descriptors are still "
         "open: " NO_TABLE,
     .act = "close the descriptor when a read or a write fails",
     .needs_dump = true},

    /* ---- half-closed: the program has sent its FIN ---- */
    {.name = "half-closed-copy",
     .when = {is_half_closed, is_with_heirs},
     .certainty = CERTAIN_LIKELY,
     .words = "Their half was ended by shutdown(), and the only copies left are in {heirs}, inherited or "
              "passed on: no kernel timer ends them before the last copy is closed.",
     .causes = {"fork-inherit"},
     .act = "use SOCK_CLOEXEC with accept4(), or close them in the child"},
    {.name = "half-closed-unsent",
     .when = {is_half_closed, is_held, most_are_unsent},
     .certainty = CERTAIN_SHOWN,
     .words = "The program has ended its half, but the peer does not read what was sent before: {unsent} "
              "wait, and nothing has gone out for {quiet}.",
     .causes = {"stalled-reader"},
     .act = "set a time-out for that, and then call close()"},
    {STUCK, .certainty = CERTAIN_LIKELY, .when = {is_half_closed, is_held, loop_is_stuck}},
    {.name = "half-closed-forgotten",
     .when = {is_half_closed, is_held, nobody_waits, handler_may_be_blocked},
     .certainty = CERTAIN_ONE_OF,
     .words = "The program has ended its half with shutdown() and keeps the descriptors, and nobody waits "
              "for the peer's FIN: a handler that should keep reading waits for something else, or they are "
              "forgotten.{outside}" NO_TIMER,
     .act = "call close() after shutdown(), or read until EOF, with a time-out",
     .needs_dump = true},
    {.name = "half-closed-forgotten",
     .when = {is_half_closed, is_held, nobody_waits},
     .certainty = CERTAIN_LIKELY,
     .words =
         "The program has ended its half with shutdown() and keeps the descriptors, and nobody waits for the "
         "peer's FIN: they are forgotten, unless a timer of the program's own closes them." NO_TIMER,
     .act = "call close() after shutdown(), or read until EOF, with a time-out"},
    {.name = "half-closed-silent",
     .when = {is_half_closed, is_held},
     .certainty = CERTAIN_LIKELY,
     .words =
         "The program has ended its half with shutdown() and waits for the peer's FIN, and the peer has sent "
         "nothing for {quiet}: longer than a lingering close takes." NO_TIMER,
     .causes = {"half-closed-for-ever"},
     .act = "give that wait a time-out, and then call close(); find out why the peer does not close"},

    /* ---- never accepted ---- */
    {.name = "accept-fails",
     .when = {is_queued, descriptors_are_used_up},
     .certainty = CERTAIN_SHOWN,
     .words = "accept() fails with EMFILE: {descriptors} are in use. Every leak ends like this; what leaks "
              "are the sockets that are held.",
     .act = "find what holds the descriptors; on EMFILE pause accept(), and close what it returned"},
    {STUCK, .certainty = CERTAIN_SHOWN, .when = {is_queued, listener_would_be_heard, somebody_is_outside}},
    {STUCK, .certainty = CERTAIN_SHOWN, .when = {is_queued, loop_is_stuck}},
    {.name = "never-accept",
     .when = {is_queued, listener_is_unserved, loop_rests},
     .certainty = CERTAIN_SHOWN,
     .words = "Nobody will accept them: the listener is in no event set, and no thread is in accept(), while "
              "the loop waits for other things.",
     .causes = {"never-accept"},
     .act = "keep calling accept(), or close the listener: then clients are refused instead of left waiting"},
    {.name = "never-accept",
     .when = {is_queued, listener_is_deaf},
     .certainty = CERTAIN_SHOWN,
     .words =
         "Nobody will accept them: the listener is in {listener-set}, but not for reading ({listener-mask}).",
     .causes = {"never-accept"},
     .act = "arm the listener again, or close it: then clients are refused instead of left waiting"},
    {.name = "accept-edge",
     .when = {is_queued, listener_is_edge_triggered},
     .certainty = CERTAIN_LIKELY,
     .words = "The listener is edge-triggered ({listener-mask}), and its loop is idle: the edge was used up "
              "by fewer accept() calls than there were clients.",
     .causes = {"never-accept"},
     .act = "with EPOLLET, call accept() until EAGAIN"},
    {.name = "queued",
     .when = {is_queued},
     .certainty = CERTAIN_NOT,
     .words = "They wait to be accepted. Why nobody accepts them could not be seen.",
     .act = "run this again, as root or as the user of that process",
     .needs_dump = true},

    /* ---- who has them ---- */
    {.name = "heir-blocked",
     .when = {is_with_heirs, heir_waits_for_another},
     .certainty = CERTAIN_LIKELY,
     .words = "They are held only by {heirs}, a process for each: {thread}.",
     .causes = {"bounded-pool"},
     .act = "give that call a time-out"},
    {.name = "fork-inherit",
     .when = {is_with_heirs},
     .certainty = CERTAIN_SHOWN,
     .words = "They are held only by {heirs}, inherited or passed on, and not by the listening process: its "
              "close() sends no FIN until the last copy is closed.",
     .causes = {"fork-inherit"},
     .act = "use SOCK_CLOEXEC with accept4(), or close them in the child"},
    {.name = "closed-in-call",
     .when = {is_in_closed_call},
     .certainty = CERTAIN_LIKELY,
     .words = "The program has closed them while another thread was in a call on each: {closed-calls}. A "
              "call keeps its socket alive, so no FIN is sent before it returns.",
     .act = "call shutdown(SHUT_RDWR) before that close(): it ends the other thread's call"},
    {.name = "in-flight",
     .when = {is_in_flight},
     .certainty = CERTAIN_SHOWN,
     .words =
         "No process has them: they are in messages of a Unix socket (SCM_RIGHTS) that nobody has received.",
     .act = "have the receiver read its Unix socket"},
    {.name = "hidden",
     .when = {is_hidden},
     .certainty = CERTAIN_NOT,
     .words = "They have an owner that was not found: {refused}, or it is in another PID namespace.",
     .act = "run this as root"},

    {.name = "mptcp",
     .when = {is_mptcp},
     .certainty = CERTAIN_NOT,
     .words = "They are MPTCP connections: their peer has ended its half with a DATA_FIN, which no TCP table "
              "shows. What the program has read from them is not examined.",
     .act = "close the descriptor when read() returns 0; to have more explained, let the server listen "
            "without MPTCP (for a Go program: GODEBUG=multipathtcp=0)",
     .needs_dump = true,
     .needs_audit = true},

    /* ---- open, to another server ---- */
    {.name = "second-socket-forgotten",
     .when = {is_behind},
     .certainty = CERTAIN_LIKELY,
     .words = "These connections to {peer} are open, {unheard}, and nobody waits for them any more: no data "
              "has moved for {quiet}. The accepted connections that they were opened for are gone.",
     .causes = {"second-socket-forgotten"},
     .act =
         "close both sides on every path, error paths first; or keep reading, if these are only written to",
     .needs_dump = true},

    /* ---- what is in the way before anything is read ---- */
    {.name = "peer-does-not-read",
     .when = {most_are_unsent},
     .certainty = CERTAIN_SHOWN,
     .words = "The peer has sent its FIN but does not read: {unsent} wait to be sent to it.",
     .causes = {"stalled-reader"},
     .act = "set a time-out for sending",
     .cure = CURE_END_SEND},
    {STUCK, .certainty = CERTAIN_SHOWN,
     .when = {is_outgoing, something_is_unread, nobody_turns_it, somebody_is_outside}},
    {.name = "no-half-close",
     .when = {is_outgoing, all_is_read, accepted_ones_match},
     .certainty = CERTAIN_LIKELY,
     .words =
         "A proxy does not pass EOF on: {peer} has closed, EOF was read, and as many accepted connections, "
         "opened just before these, are still open.",
     .causes = {"no-half-close"},
     .act = "call shutdown(SHUT_WR) on the other half when one half reads EOF"},
    {.name = "never-used",
     .when = {is_outgoing, was_mostly_never_used},
     .certainty = CERTAIN_ONE_OF,
     .words = "{peer} has closed these connections, on which nothing was ever sent, but the program keeps "
              "them: they were forgotten when connect() took too long, or with the client that they were "
              "opened for, or were opened ahead for a pool that does not check for EOF.",
     .causes = {"connect-given-up", "dead-pool-entry", "second-socket-forgotten"},
     .act = "close the descriptor of a connect() that is given up; check for EOF before a connection is used",
     .needs_dump = true},
    {.name = "second-socket-forgotten",
     .when = {is_outgoing, holder_listens, was_mostly_unanswered},
     .certainty = CERTAIN_LIKELY,
     .words = "{peer} has closed these connections, on which a request was sent and nothing answered, but "
              "the program keeps them: a proxy that has given up a request, or whose client has gone, and "
              "that has closed the client's side only.",
     .causes = {"second-socket-forgotten"},
     .act = "close both sides on every path, error paths first"},
    {.name = "dead-pool-entry",
     .when = {is_outgoing, holder_listens},
     .certainty = CERTAIN_ONE_OF,
     .words = "{peer} has closed these connections, but the program keeps them: a pool that does not check "
              "for EOF, replies whose body was not closed, or, in a proxy, the side that was forgotten when "
              "the client's was closed.",
     .causes = {"dead-pool-entry", "second-socket-forgotten"},
     .act = "check for EOF before a connection is used again, give idle ones a time-out below the server's, "
            "close the body of every reply; close both sides on every path",
     .needs_dump = true},
    {.name = "dead-pool-entry",
     .when = {is_outgoing},
     .certainty = CERTAIN_LIKELY,
     .words = "{peer} has closed these connections, but the program keeps them: a pool that does not check "
              "for EOF, or replies whose body was not closed.",
     .causes = {"dead-pool-entry"},
     .act = "check for EOF before a connection is used again, give idle ones a time-out below the server's, "
            "close the body of every reply"},

    /* ---- all was read ---- */
    {STUCK, .certainty = CERTAIN_LIKELY,
     .when = {recv_queue_is_empty, nobody_turns_it, others_are_held_up, somebody_is_outside}},
    {.name = "eof-spins",
     .when = {recv_queue_is_empty, would_be_heard, somebody_is_busy},
     .certainty = CERTAIN_LIKELY,
     .words = "EOF is read again and again: {set} reports it each time, and {busy}.",
     .causes = {"ignore-eof"},
     .act = "close the descriptor when read() returns 0"},
    {.name = "eof-spins",
     .when = {all_is_read, polls_without_epoll, no_loop_rests, somebody_is_busy},
     .certainty = CERTAIN_LIKELY,
     .words = "EOF is probably read again and again: {busy}.",
     .causes = {"ignore-eof"},
     .act = "close the descriptor when read() returns 0"},
    {.name = "eof-spins",
     .when = {all_is_read, nobody_turns_it, loop_runs},
     .certainty = CERTAIN_LIKELY,
     .words = "EOF is probably read again and again: {set} reports it each time, and its loop never sleeps.",
     .causes = {"ignore-eof"},
     .act = "close the descriptor when read() returns 0"},
    {.name = "handler-blocked",
     .when = {is_accepted, perhaps_all_is_read, threads_match_outside, outgoing_ones_match},
     .certainty = CERTAIN_ONE_OF,
     .words = "A handler waits for {backend} on behalf of each, or a proxy with a thread for each does not "
              "pass EOF "
              "on: {matched} have been asleep since the sockets' last data.{outside}",
     .causes = {"bounded-pool", "no-half-close"},
     .act = "give that call a time-out; call shutdown(SHUT_WR) on the other half when one half reads EOF",
     .needs_dump = true},
    {.name = "handler-blocked",
     .when = {is_accepted, recv_queue_is_empty, outgoing_ones_match, somebody_is_outside},
     .certainty = CERTAIN_ONE_OF,
     .words = "As many connections to {backend}, opened for these, are still open, and threads wait outside: "
              "a handler for each, or a proxy with a thread for each that does not pass EOF on.{outside}",
     .causes = {"bounded-pool", "no-half-close"},
     .act = "give that call a time-out; call shutdown(SHUT_WR) on the other half when one half reads EOF",
     .needs_dump = true},
    {.name = "no-half-close",
     .when = {is_accepted, recv_queue_is_empty, outgoing_ones_match},
     .certainty = CERTAIN_LIKELY,
     .words = "A proxy does not pass EOF on: it was read from these clients, and as many connections to "
              "{backend}, opened for them, are still open.",
     .causes = {"no-half-close"},
     .act = "call shutdown(SHUT_WR) on the other half when one half reads EOF",
     .cure = CURE_HALF_CLOSE},
    {.name = "handler-blocked",
     .when = {perhaps_all_is_read, loop_rests, threads_match_outside},
     .certainty = CERTAIN_LIKELY,
     .words = "Each has a handler that is blocked: {matched} have been asleep since the sockets' last "
              "data.{outside}",
     .causes = {"bounded-pool"},
     .act = "give that call a time-out",
     .needs_dump = true},
    {STUCK, .certainty = CERTAIN_SHOWN, .when = {something_is_unread, nobody_turns_it, somebody_is_outside}},
    {.name = "handler-blocked",
     .when = {something_is_unread, loop_rests, threads_match_outside},
     .certainty = CERTAIN_SHOWN,
     .words = "Each has a handler that is blocked: {matched} have been asleep since the sockets' last "
              "data.{outside}",
     .causes = {"bounded-pool"},
     .act = "give that call a time-out",
     .needs_dump = true},
    {.name = "handler-blocked",
     .when = {something_is_unread, loop_rests, threads_match, polls_without_epoll},
     .certainty = CERTAIN_LIKELY,
     .words =
         "Each has a handler that waits for a lock: {matched} have been asleep since the sockets' last data.",
     .causes = {"bounded-pool"},
     .act = "find who holds that lock",
     .needs_dump = true},
    {.name = "handler-blocked",
     .when = {something_is_unread, nobody_hears, loop_rests, threads_match},
     .certainty = CERTAIN_ONE_OF,
     .words = "Each may have a handler that waits for a lock: {matched} have been asleep since the sockets' "
              "last data. Or these are idle threads of a pool, and nobody watches the sockets any more.",
     .causes = {"bounded-pool", "paused-read", "lost-reference"},
     .act = "find who holds that lock, or resume reading",
     .needs_dump = true},
    {STUCK, .certainty = CERTAIN_SHOWN, .when = {perhaps_all_is_read, nobody_turns_it, somebody_is_outside}},
    {STUCK, .certainty = CERTAIN_LIKELY, .when = {perhaps_all_is_read, loop_is_stuck}},
    {.name = "eof-swallowed",
     .when = {is_like_unread_beside, is_edge_triggered},
     .certainty = CERTAIN_ONE_OF,
     .words = "EOF may have been read together with the last data, so that nobody has seen it. As with the "
              "unread ones beside them, a handler may be blocked, or nobody watches them any more.",
     .causes = {"bounded-pool", "paused-read", "lost-reference"},
     .act = "with EPOLLET, read until EAGAIN; give handlers a time-out",
     .needs_dump = true},
    {.name = "eof-swallowed",
     .when = {is_like_unread_beside, most_leak},
     .certainty = CERTAIN_LIKELY,
     .words =
         "EOF may have been read together with the last data, so that nobody has seen it: as with the unread "
         "ones beside them, nobody watches them any more. {share} stay: reading is paused on all.",
     .causes = {"paused-read"},
     .act = "resume reading, or watch for EPOLLRDHUP while reading is paused"},
    {.name = "eof-swallowed",
     .when = {is_like_unread_beside, few_leak},
     .certainty = CERTAIN_LIKELY,
     .words =
         "EOF may have been read together with the last data, so that nobody has seen it: as with the unread "
         "ones beside them, nobody watches them any more. Only {share} stay: they are forgotten on one path.",
     .causes = {"lost-reference"},
     .act = "close the descriptor on every path, error paths first"},
    {.name = "eof-swallowed",
     .when = {is_like_unread_beside},
     .certainty = CERTAIN_ONE_OF,
     .words = "EOF may have been read together with the last data, so that nobody has seen it: as with the "
              "unread ones beside them, nobody watches them any more.",
     .causes = {"paused-read", "lost-reference"},
     .act = "resume reading or watch for EPOLLRDHUP; close on every path",
     .needs_window = true},
    {.name = "eof-swallowed",
     .when = {perhaps_all_is_read, is_beside_read},
     .certainty = CERTAIN_LIKELY,
     .words = "The FIN may have come with the last data. As with those beside them, EOF was probably read.",
     .causes = {"ignore-eof"},
     .act = "close the descriptor when read() returns 0; if a handler still works on it, it needs a time-out",
     .needs_dump = true},
    {.name = "eof-swallowed",
     .when = {perhaps_all_is_read, handler_may_be_blocked},
     .certainty = CERTAIN_ONE_OF,
     .words = "The FIN may have come with the last data, so EOF was perhaps never seen; or a handler is "
              "blocked.{outside}",
     .causes = {"bounded-pool", "paused-read", "lost-reference", "ignore-eof"},
     .act =
         "find out what the handlers wait for, and whether the program keeps reading after its last request",
     .needs_dump = true,
     .needs_audit = true},
    {.name = "eof-swallowed",
     .when = {perhaps_all_is_read, most_leak},
     .certainty = CERTAIN_ONE_OF,
     .words = "The FIN may have come with the last data, so EOF was perhaps never seen. {share} stay.",
     .causes = {"paused-read", "ignore-eof"},
     .act = "find out whether the program keeps reading after its last request",
     .needs_audit = true},
    {.name = "eof-swallowed",
     .when = {perhaps_all_is_read, few_leak},
     .certainty = CERTAIN_ONE_OF,
     .words =
         "The FIN may have come with the last data, so EOF was perhaps never seen. Only {share} stay: on one "
         "path.",
     .causes = {"lost-reference", "ignore-eof"},
     .act = "close the descriptor on every path, error paths first",
     .needs_audit = true},
    {.name = "eof-swallowed",
     .when = {perhaps_all_is_read},
     .certainty = CERTAIN_ONE_OF,
     .words = "The FIN may have come with the last data, so EOF was perhaps never seen.",
     .causes = {"paused-read", "lost-reference", "ignore-eof"},
     .act = "find out whether the program keeps reading after its last request",
     .needs_audit = true},
    {.name = "ignore-eof",
     .when = {all_is_read, eof_is_proven},
     .certainty = CERTAIN_SHOWN,
     .words = "The program, or the runtime under it, has read EOF, but has not closed for "
              "{fin}.{share-that-stays}",
     .causes = {"ignore-eof"},
     .act = "close the descriptor when read() returns 0; if a handler still works on it, it needs a time-out",
     .needs_dump = true},
    {.name = "eof-read-late",
     .when = {all_is_read, late_threads_match},
     .certainty = CERTAIN_ONE_OF,
     .words = "The program, or the runtime under it, has probably read EOF, but has not closed for {fin}. Or "
              "handlers read late, read EOF together with the data, and are blocked: as many threads have "
              "been asleep since.{outside}",
     .causes = {"ignore-eof", "bounded-pool"},
     .act = "close the descriptor when read() returns 0; give handlers a time-out",
     .needs_dump = true},
    {.name = "ignore-eof",
     .when = {all_is_read},
     .certainty = CERTAIN_LIKELY,
     .words = "The program, or the runtime under it, has probably read EOF, but has not closed for "
              "{fin}.{share-that-stays}",
     .causes = {"ignore-eof"},
     .act = "close the descriptor when read() returns 0; if a handler still works on it, it needs a time-out",
     .needs_dump = true},

    /* ---- something is unread ---- */
    {.name = "paused-read",
     .when = {is_deaf},
     .certainty = CERTAIN_SHOWN,
     .words = "Reading is paused, and nothing watches for EOF: {set} ({mask}).",
     .causes = {"paused-read"},
     .act = "resume reading, or watch for EPOLLRDHUP while reading is paused"},
    {.name = "oneshot-spent",
     .when = {is_spent},
     .certainty = CERTAIN_ONE_OF,
     .words = "Their EPOLLONESHOT is spent: a handler has each of them, or has forgotten to arm it again.",
     .causes = {"bounded-pool", "paused-read"},
     .act = "arm it again with EPOLL_CTL_MOD on every path; give handlers a time-out",
     .needs_dump = true},
    {STUCK, .certainty = CERTAIN_SHOWN, .when = {loop_is_stuck}},
    {.name = "never-read",
     .when = {nothing_is_read, descriptors_were_used_up},
     .certainty = CERTAIN_ONE_OF,
     .words = "Accepted but never read, and {used-up}: they are left over from an accept() that failed, or "
              "they queue for handlers.{outside}",
     .causes = {"emfile", "bounded-pool"},
     .act = "on EMFILE pause accept(), and close what it returned; bound the queue of connections",
     .needs_dump = true},
    {.name = "never-read",
     .when = {nothing_is_read, few_leak},
     .certainty = CERTAIN_LIKELY,
     .words =
         "Accepted but never read, and only {share} stay: they are forgotten on one path after accept().",
     .causes = {"lost-reference"},
     .act = "close the descriptor on every path after accept()"},
    {.name = "never-read",
     .when = {nothing_is_read},
     .certainty = CERTAIN_LIKELY,
     .words = "Accepted but never read: they queue for handlers, or are forgotten after accept().{outside}",
     .causes = {"bounded-pool"},
     .act = "bound the queue, refuse connections that do not fit, and give handlers a time-out",
     .needs_dump = true},
    {.name = "no-longer-read",
     .when = {is_edge_triggered},
     .certainty = CERTAIN_ONE_OF,
     .words = "Read before, but no longer: {set} ({mask}) reports new data only once, so a handler may be "
              "blocked, reading may be paused, or the edge was used up by too short a read.",
     .causes = {"bounded-pool", "paused-read", "lost-reference"},
     .act = "with EPOLLET, read until EAGAIN; give handlers a time-out",
     .needs_dump = true},
    {.name = "no-longer-read",
     .when = {rest_is_unread, nobody_hears, most_leak},
     .certainty = CERTAIN_LIKELY,
     .words = "Read before, but nobody watches them any more. {share} stay: reading is paused on all.",
     .causes = {"paused-read"},
     .act = "resume reading, or watch for EPOLLRDHUP while reading is paused"},
    {.name = "no-longer-read",
     .when = {rest_is_unread, nobody_hears, few_leak},
     .certainty = CERTAIN_LIKELY,
     .words =
         "Read before, but nobody watches them any more. Only {share} stay: they are forgotten on one path.",
     .causes = {"lost-reference"},
     .act = "close the descriptor on every path, error paths first"},
    {.name = "no-longer-read",
     .when = {nobody_hears, handler_may_be_blocked},
     .certainty = CERTAIN_ONE_OF,
     .words = "Read before, but nobody watches them any more: a handler is blocked, reading is paused, or "
              "their descriptors are forgotten.{outside}",
     .causes = {"bounded-pool", "paused-read", "lost-reference"},
     .act =
         "find out what the handlers wait for; resume reading or watch for EPOLLRDHUP; close on every path",
     .needs_dump = true,
     .needs_window = true},
    {.name = "no-longer-read",
     .when = {nobody_hears},
     .certainty = CERTAIN_ONE_OF,
     .words = "Read before, but nobody watches them any more: reading is paused, or their descriptors are "
              "forgotten.",
     .causes = {"paused-read", "lost-reference"},
     .act = "resume reading or watch for EPOLLRDHUP; close on every path",
     .needs_window = true},
    {.name = "not-known",
     .when = {NULL},
     .certainty = CERTAIN_NOT,
     .words = "Which thread or event set should have noticed their end could not be seen.",
     .act = "run this again, as root or as the user of that process",
     .needs_audit = true},
};

static const struct rule losses = {
    .name = "reply-before-read",
    .certainty = CERTAIN_LIKELY,
    .words =
        "Connections are answered and closed with data unread, so the client gets a reset and may lose the "
        "answer: {aborts}.",
    .causes = {"reply-before-read"},
    .act = "read the request to its end before close()",
    .needs_audit = true};

enum { RULES = sizeof rules / sizeof rules[0] };

const struct rule *rule_at(int i)
{
    return i >= 0 && i < RULES ? &rules[i] : NULL;
}

static bool fits(const struct rule *rule, const struct evidence *evidence)
{
    for (int i = 0; i < RULE_QUESTIONS && rule->when[i] != NULL; i++)
        if (!rule->when[i](evidence))
            return false;
    return true;
}

const struct rule *rule_for(const struct evidence *evidence)
{
    int i = 0;
    while (i < RULES - 1 && !fits(&rules[i], evidence))
        i++;
    return &rules[i];
}

/* Answered, and closed with more unread than its FIN: who is refused without an answer loses none. */
static bool was_closed_unread(const struct fact_socket *socket)
{
    return socket->way == WAY_ACCEPTED && socket->unread > 1 && socket->data_segs_out > 0;
}

/* The counter is of the whole namespace, and clients abort too: the sockets themselves must tell the same. */
const struct rule *rule_for_losses(const struct facts *facts)
{
    int ended = 0, unread = 0;
    for (int i = 0; i < facts->ended_count; i++) {
        ended += facts->ended[i].way == WAY_ACCEPTED;
        unread += was_closed_unread(&facts->ended[i]);
    }
    bool is_lost = facts->aborts_on_close >= ABORTS_LEAST && unread >= ABORTS_LEAST && 2 * unread >= ended;
    return facts->window_ms > 0 && is_lost ? &losses : NULL;
}

bool rule_names_thread(const struct rule *rule)
{
    return strstr(rule->words, "{thread}") != NULL;
}

const char *certainty_name(enum certainty certainty)
{
    static const char *const names[] = {[CERTAIN_SHOWN] = "shown",
                                        [CERTAIN_LIKELY] = "likely",
                                        [CERTAIN_ONE_OF] = "one of",
                                        [CERTAIN_NOT] = "not known"};
    _Static_assert(sizeof names / sizeof names[0] == CERTAIN_COUNT, "a name for each");
    return names[certainty];
}
