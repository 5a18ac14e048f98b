#include "view/json_members.h"

#include <stddef.h>

#define END_OF_MEMBERS                                                                                       \
    {                                                                                                        \
        NULL, NULL, NULL                                                                                     \
    }

/* ---- of a run ---- */

const struct member json_start[] = {
    {"order", "the name of the order, the state or the cause", NULL},
    {"version", "the version of tcpstorm", NULL},
    {"kernel", "the release of the kernel", NULL},
    {"witness", "how tcpstorm reads the kernel's tables: `netlink` or `procfs`", NULL},
    {"events", "what the programs in the kernel count: `all` or `states`", "with `--witness events`"},
    {"lanes", "the first and the last server port", NULL},
    {"workers", "the number of worker processes", NULL},
    {"command", "a command that repeats the run", NULL},
    {"options",
     "the options of the run: `conns`, `leak`, `look_inside`, `server_keepalive_s`, `client_keepalive_s`, "
     "`rate`, `duration_s`, `life_s`, `backlog`, `server_nofile`, `address`, `port`, `hold_s` or `hold`, "
     "`settle_s`, `interval_s`",
     NULL},
    {"sysctls", "the kernel's settings that affect the run, by name", NULL},
    {"limits", "the limits of the machine: `nofile_hard`, `processors`, `memory_available` in bytes", NULL},
    {"warnings", "sentences about what may distort the result", NULL},
    {"summary", "one line that says who does what", NULL},
    {"meaning", "one or two sentences that say what the states show", NULL},
    {"ladder",
     "a list with an object for each step: `step`, `client_call`, `server_call`, `segments` (each with "
     "`from` and `flags`), and the expected states of `client` and `server`",
     NULL},
    END_OF_MEMBERS,
};

const struct member json_step[] = {
    {"order", "the name of the order", NULL},
    {"step", "`open`, or side and call: `server-close`", NULL},
    {"settle_s", "seconds from the last acknowledged call to the look that showed the expected states", NULL},
    {"act_s", "seconds that the calls took", NULL},
    {"rate_per_s", "connections per second during the calls", NULL},
    {"expected", "a list of states for `server`, and one for `client`", NULL},
    {"observed",
     "the number of sockets in each state, for `server` and for `client`, with the names of the CSV columns",
     NULL},
    {"ok", "whether the step is as expected", NULL},
    {"difference", "a sentence that says what differs", "if `ok` is false"},
    END_OF_MEMBERS,
};

const struct member json_transitions[] = {
    {"order", "the name of the order", NULL},
    {"level", "`all`, or `states` if only full sockets are counted", NULL},
    {"lack", "what is not counted", "if `level` is `states`"},
    {"transitions", "the number of all transitions", NULL},
    {"kinds",
     "the number of transitions of each kind: `diagram` (an arrow in the diagram of RFC 9293), `reset`, "
     "`abort`, `unanswered`, `shortened`, `unseen`, `outside`",
     NULL},
    {"moves",
     "a list with `side`, `from`, `to`, `why`, `kind`, `arrow` (as the diagram names it) and `count`. `why` "
     "is `orderly`, `reset`, `timed-out`, `destroyed` (by another process) or `unacknowledged` (LAST_ACK "
     "ended without the ACK of its FIN)",
     NULL},
    {"sampled_one_in", "N, if the times in `dwell` were measured on one in N sockets", NULL},
    {"dwell",
     "how long sockets stayed in each state: a list of `side`, `state`, `sampled`, `p50_s`, `p90_s`, "
     "`p99_s`, `max_s`",
     NULL},
    {"retransmitted", "the number of retransmitted segments", NULL},
    {"resets_sent", "the number of RSTs that the kernel sent and received", NULL},
    {"resets_received", NULL, NULL},
    {"unheard", "the number of events that were lost", NULL},
    {"doubled", "the number of events that the second program counted instead of the first", NULL},
    {"holes", "the number of sampled sockets that left another state than the one that they had entered",
     NULL},
    {"dropped", "the number of sampled sockets that did not fit into the table", NULL},
    {"settled_steps_compared",
     "the number of settled steps for which the look and the events were compared, and how many of them "
     "agreed",
     NULL},
    {"settled_steps_agreed", NULL, NULL},
    END_OF_MEMBERS,
};

const struct member json_end[] = {
    {"order", "the name of the order", NULL},
    {"version", "the version of tcpstorm", NULL},
    {"outcome", "`as expected`, `differs`, `fault` or `interrupted`", NULL},
    {"verdict", "the sentences of the summary", NULL},
    {"owes", "the sentence that says who owes a `close()`", "if there was a look"},
    {"looks_failed", "the number of looks that failed or were interrupted; they are not used", NULL},
    {"counters_moved", "the kernel counters that changed, each with the difference", NULL},
    {"lingering",
     "a list of the kinds of sockets that are left, each with `side`, `state`, `count`, `unread` (the end of "
     "file was not read), `stalled` (it has data to send, and its peer's window is closed), `fin_with_data`, "
     "`owned`, `stranger` (the process is not part of this run) and `acts` (a sentence that says who has to "
     "act); if known, also `pid`, `command`, `processes` and `oldest_s`",
     NULL},
    {"flow",
     "`rate`, `achieved_rate`, `late`, `latest_s`, `accepted`, `accept_errors`, `connect_timeouts`, "
     "`abandoned` (how many of these were not closed), `connect_errors` (those with other reasons), `reused` "
     "(requests on a connection that was already open), `leaked`, `lost` (replies or requests), "
     "`slowest_reply_s` (if clients measure it), `server_nofile`; for `server` and `client` each `trend`, "
     "`slope_per_s`, `low_per_s`, `high_per_s`, `looks`, `held`; `story`, a list of `stage` and `t_s`; with "
     "`--cause` also `signature`",
     "with `--rate` or `--cause`"},
    END_OF_MEMBERS,
};

/* ---- of a watch ---- */

const struct member json_look[] = {
    {"t_s", "seconds since the watch began", NULL},
    {"look_s", "seconds that the look took", NULL},
    {"cpu_s", "seconds of processor time that the look used", NULL},
    {"rest_s",
     "the age, in seconds, of the numbers that not every look reads: ESTABLISHED, TIME_WAIT, accept queues, "
     "bytes that wait, and connections on which nothing moves; 0 if this look read them",
     NULL},
    {"sockets", "the number of TCP sockets in all rows, without listeners", NULL},
    {"hidden", "the number of sockets whose process this user may not look into", NULL},
    {"ghosts", "the number of descriptors whose socket is in none of the kernel's tables",
     "if they can be counted"},
    {"idle_s", "the value of `--idle` in seconds", NULL},
    {"listen_overflows", "the number of connections since the first look that found an accept queue full",
     "if it is known"},
    {"ports_left",
     "a list of the destinations with few free ephemeral ports: `from` and `to` (addresses), `port`, `left`, "
     "`all`",
     NULL},
    {"namespaces",
     "the number of network namespaces that were `entered`, `read_only` (from /proc) or `closed`",
     "with `--all-namespaces`"},
    {"rows", "a list with a row for each process and port", NULL},
    {"ports", "a list with a row for each port", NULL},
    {"programs", "a list with a row for each program name", NULL},
    {"services", "a list with a row for each service", "with `--by service`"},
    {"dropped", "the number of sockets that did not fit into the rows", NULL},
    {"closings",
     "how long connections waited for their `close()`: a list of `side`, `port`, `count`, `open` (those that "
     "have not ended), `p50_least_s`, `p50_most_s`, `p99_least_s`, `p99_most_s`, `over_60s_least`, "
     "`over_60s_most`",
     "with `--closings`"},
    {"closings_lost", "how often the kernel lost reports of closed sockets; the count then started again",
     "with `--closings`"},
    {"closings_since_s", "seconds since the count started", "with `--closings`"},
    END_OF_MEMBERS,
};

const struct member json_row_of_look[] = {
    {"side", "`server`, `client` or `unknown`", "in `rows`, `ports` and `programs`"},
    {"port", "the server's port", "in `rows` and `ports`, if it is known"},
    {"listens", "whether a process listens on the port", "on the server's side"},
    {"peer", "the address of the other side", "on the client's side, or with `--by peer`"},
    {"processes", "the number of processes that have the sockets", "in `ports`, `programs` and `services`"},
    {"pid", "the process", "if there is one"},
    {"command", "the name of the process", "if there is one"},
    {"states", "the number of sockets in each state that has any, with the names of the CSV columns", NULL},
    {"ghosts", "the number of descriptors whose socket is in none of the kernel's tables", NULL},
    {"unread", "the number of sockets in CLOSE_WAIT whose Recv-Q is 1 or more", NULL},
    {"fin_with_data", "the number of sockets in CLOSE_WAIT whose program may never have seen the end of file",
     NULL},
    {"unowned", "the number of sockets in CLOSE_WAIT that were never accepted", NULL},
    {"oldest_s", "seconds that the oldest has been in CLOSE_WAIT, at least", "if there is one"},
    {"oldest_most_s", "seconds that the oldest has been in CLOSE_WAIT, at most", "if it is known"},
    {"trend",
     "how CLOSE_WAIT and ghosts together develop: `leak`, `plateau`, `draining` or `unknown`, and the slope",
     NULL},
    {"slope_per_s", NULL, NULL},
    {"service", "the unit, container or pod", "if there is one"},
    {"netns", "the network namespace", "if it is not that of the watch"},
    {"descriptors", "the number of descriptors that its only process has, and its limit (RLIMIT_NOFILE)",
     "if they are known"},
    {"descriptors_most", NULL, "if they are known"},
    {"recv_q", "bytes that the program has not read", NULL},
    {"send_q", "bytes that the peer has not acknowledged", NULL},
    {"queue_full_s", "seconds that the accept queue has been full while nothing was accepted",
     "if it is full"},
    {"queue_length", "the length and the limit of the accept queue that has the fewest places left",
     "on the server's side"},
    {"queue_limit", NULL, "on the server's side"},
    {"groups",
     "for each group that it has, or had: `count`, `trend`, `slope_per_s`, `low_per_s`, `high_per_s`. "
     "[tcpstorm-watch(1)](tcpstorm-watch.1.md) lists the groups",
     NULL},
    {"forecast",
     "what runs out: `gone` (`descriptors` or `accept_queue`), `group`, `per_s` with `low_per_s` and "
     "`high_per_s`, `in_s` with `earliest_s` and `latest_s`, `then_queue_s`",
     "if something leaks significantly"},
    END_OF_MEMBERS,
};

#define STACKS_MEMBERS(when)                                                                                 \
    {"stacks",                                                                                               \
     "a list of places in the program where threads wait: `interest` (`loop`, `leak`, `outside`, `other`), " \
     "`threads`, `tids`, `pid`, `call`, `asleep_least_ms`, `asleep_most_ms`, `what` (in words), `stack`",    \
     when},                                                                                                  \
        {"stacks_read", "the number of threads whose stack was read", when},                                 \
        {"stacks_unread",                                                                                    \
         "the number of threads whose stack was not read, by reason: `moved`, `refused`, `unknown`, "        \
         "`beyond`",                                                                                         \
         when},                                                                                              \
    {                                                                                                        \
        "names_lines", "whether this build can show lines of source", when                                   \
    }

const struct member json_stack[] = {
    {"text", "the stack in one line", NULL},
    {"own", "the index in `places` of the first function of the program itself",
     "if one of its functions is there"},
    {"is_cut", "whether there are more functions than could be read", NULL},
    {"places",
     "a list from the call outwards: `function`, `file`, `path`, `line`, `module` with the `offset` in it, "
     "as far "
     "as they are known; `is_own` (it is a function of the program, not of a library), `is_inlined`, "
     "`is_tail_call` (it has called the next by a jump), if they are true",
     NULL},
    END_OF_MEMBERS,
};

const struct member json_stacks[] = {
    {"pid", "the process", NULL},
    STACKS_MEMBERS(NULL),
    END_OF_MEMBERS,
};

const struct member json_recording[] = {
    {"format", "the number of this format", NULL},
    {"version", "the version of tcpstorm", NULL},
    {"began", "date and time, UTC", NULL},
    {"interval_s", "seconds between two looks", NULL},
    {"port", "the value of `--port`", "with `--port`"},
    {"pid", "the value of `--pid`", "with `--pid`"},
    END_OF_MEMBERS,
};

const struct member json_flow[] = {
    {"t_s", "seconds since the watch began", NULL},
    {"over_s", "seconds since the previous flow", NULL},
    {"news",
     "whether the kernel reported the sockets that ended. If not, connections shorter than the time between "
     "two looks are missing",
     NULL},
    {"lost", "how often the kernel lost such reports", NULL},
    {"dropped", "the number of connections to ports that did not fit into the list", NULL},
    {"ports",
     "a list of `side`, `port`, the number of connections that `came` and `ended`, `lives_ms` (pairs: a "
     "bound, and how many connections were open for less), and what is there now: `command`, `established`, "
     "`close_wait`, `ghosts`, `unread`, `unowned`",
     NULL},
    END_OF_MEMBERS,
};

/* ---- of a look into a process ---- */

const struct member json_explanation[] = {
    {"version", "the version of tcpstorm", NULL},
    {"target", "the target, as it was typed", NULL},
    {"took_s", "seconds that the command took", NULL},
    {"window",
     "what happened in that time: `s`, `interrupted`, the number of connections `opened` and `ended`, "
     "`aborts_on_close`, `events_lost`, `closing_ms` (`p50`, `p90`, `p99`, `max`)",
     "with `--for`"},
    {"processes",
     "a list of `pid`, `command`, `service`, `is_heir`, `descriptors`, `descriptor_limit`, `ghosts`, and "
     "what was `unseen` in the process",
     NULL},
    {"listeners", "a list of `at`, `queue`, `backlog`", NULL},
    {"lingers", "whether sockets linger, or replies are lost", NULL},
    {"lingering", "the number of sockets that linger", NULL},
    {"young", "the number of sockets whose FIN came less than a second ago", NULL},
    {"half_closed", "the number of sockets in FIN_WAIT2 that have a descriptor and do not linger", NULL},
    {"ghosts", "the number of descriptors whose connection has ended", NULL},
    {"findings", "a list with a finding for each group of sockets", NULL},
    {"in_common",
     "what distinguishes the sockets that linger from the healthy ones: a list of `trait`, `lingering` and "
     "`of_lingering`, `healthy` and `of_healthy`",
     NULL},
    {"growth",
     "how the number of lingering sockets grows: `kind` (`none`, `stopped`, `steady`, `uneven`), `per_s`, "
     "`low_per_s`, `high_per_s`, what it `fills`, how much is `left` there, `full_in_s`, `soonest_s`, "
     "`last_s`",
     NULL},
    STACKS_MEMBERS("with `--stacks`"),
    {"first_aid",
     "what was done: `dry_run`, `interrupted`, `planned` and `done` (the number of such steps), "
     "`descriptors`, "
     "`freed`, `ghosts`, `steps`, `left_alone` (each with `rule`, `reason`, `sockets` and `why`), `before` "
     "and "
     "`after` (`descriptors`, `ghosts`, and `sockets` by state), `lingers_after`",
     "with `--free`"},
    END_OF_MEMBERS,
};

#define OF_SOCKETS "if the finding is about sockets"
#define OF_OWNED   "if the finding is about sockets that are not in an accept queue"

const struct member json_finding[] = {
    {"rule", "the name of the rule that applies", NULL},
    {"certainty", "`shown`, `likely`, `one of` or `not known`", NULL},
    {"causes", "a list of causes that look like this (see `tcpstorm causes`)", NULL},
    {"sockets", "the number of sockets", OF_SOCKETS},
    {"state", "the state of the sockets", OF_SOCKETS},
    {"is_mptcp", "whether they are subflows of MPTCP", OF_SOCKETS},
    {"way", "`accepted`, `outgoing` or `unknown`", OF_SOCKETS},
    {"holder", "who has the sockets: `process`, `heir`, `queue`, `call`, `in-flight`, `hidden` or `kernel`",
     OF_SOCKETS},
    {"read", "how much the program has read: `all`, `perhaps`, `part`, `nothing` or `not-known`", OF_OWNED},
    {"waiter",
     "who waits for the sockets: `nobody`, `epoll`, `poll`, `select`, `thread`, `io_uring` or `not-known`",
     OF_OWNED},
    {"events", "the events that it waits for, as a mask of epoll(7) or poll(2)", "if they are known"},
    {"at_rest", "whether a thread is in that call now", OF_OWNED},
    {"fin_ms", "milliseconds since the FIN: `least` and `most`", "if they are known"},
    {"fin_is_exact", "whether `fin_ms` has exact times; otherwise they are bounds", OF_SOCKETS},
    {"quiet_ms", "milliseconds since the last segment: `least` and `most`", "if they are known"},
    {"age_ms", "milliseconds since the connection was established: `least` and `most`", "if they are known"},
    {"bytes_received", "bytes received: `least` and `most`", "if they are known"},
    {"unread", "bytes that the program has not read: `least` and `most`", "if they are known"},
    {"answered", "the number of sockets on which the program sent a reply", OF_SOCKETS},
    {"never_sent", "the number of sockets on which the program never sent anything", OF_SOCKETS},
    {"made_in", "the place in the source where the sockets are made", "if it is known"},
    {"thread",
     "the thread that is in the way: `pid`, `tid`, `name`, `call`, `fd`, `peer`, `asleep_ms`, "
     "`busy_percent`, and with `--stacks` its `stack`",
     "if there is one"},
    {"share",
     "how many connections linger: `lingering`, out of how many (`of`), and the 95% interval of this share "
     "(`low` to `high`)",
     "with `--for`"},
    {"unread_bytes", "the first bytes that the program has not read", "with `--peek`"},
    {"what", "three sentences: the group, the reason, and what to do", NULL},
    {"why", NULL, NULL},
    {"do", NULL, NULL},
    END_OF_MEMBERS,
};

const struct member json_aid_step[] = {
    {"call", "the call", NULL},
    {"pid", "the process whose socket it was for", NULL},
    {"on", "the socket of the call: `fd`, `inode`, `state`, `local`, `peer`", NULL},
    {"for", "the socket that lingers, likewise", "if it is another one"},
    {"outcome", "`planned`, `done`, `changed` (the socket was another one by then), `stopped` or `failed`",
     NULL},
    {"error", "why it failed", "if it did"},
    {"descriptors", "the number of descriptors that it should free", NULL},
    {"freed", "the number of descriptors that it freed", NULL},
    {"ghosts", "the number of ghosts that it left", NULL},
    END_OF_MEMBERS,
};

const struct member json_trace_call[] = {
    {"text", "the call with its result, as the summary writes it", NULL},
    {"call", "the name of the system call", NULL},
    {"detail", "what the call was to do: `ADD` of epoll_ctl(2)", "if it has one"},
    {"result", "`zero`, `some` (above 0), `error` or `unknown`", NULL},
    {"error", "the error", "if the result is one"},
    {"pid", "the process", NULL},
    {"times", "how often it was made in a row", NULL},
    {"site", "where in the program, a stack", "if it is known"},
    END_OF_MEMBERS,
};

const struct member json_trace_branch[] = {
    {"end", "how its connections ended, a name of `connections`", NULL},
    {"count", "the number of them", NULL},
    {"steps", "a list of the calls that only they have", NULL},
    {"last", "their last call", "if it is known"},
    {"close", "the call that closed them", "if there was one"},
    {"holders", "the processes that hold an example: a list of `pid` and `forked_at`, a stack",
     "if it is held"},
    {"remark", "a sentence about the branch", "if there is one"},
    END_OF_MEMBERS,
};

#define TRACE_MEANING                                                                                        \
    "`names_lines`; `error`, or what was seen: `calls`, `connections` (how many ended as `closed`, `held`, " \
    "`reply_lost`, `reset`, `open`, `never_accepted`, `other`), `accepted`, "                                \
    "`partings` (each with `branches`, and the calls that all made: `after` and `own_before`); and how "     \
    "much was not seen: `unseen`, `io_urings`, "                                                             \
    "`foreign_processes`, `set_user_programs`, `attaches`, `hidden_processes`, `unknown_sockets`"

const struct member json_trace[] = {
    {"version", "the version of tcpstorm", NULL},
    {"pid", "the process", NULL},
    {"command", "its command", NULL},
    {"service", "its systemd unit, container or pod", "if it is in one"},
    {"traced_s", "seconds that the trace lasted", NULL},
    {"accepted", "the number of connections that the process accepted in that time", NULL},
    {"closed", "how many of the accepted connections it closed", NULL},
    {"open", "how many of them are open, and their peer has not closed", NULL},
    {"lingering",
     "how many of them the peer closed at least `lingering_s` seconds ago, and the process did not", NULL},
    {"lingering_s", "that time, in seconds", NULL},
    {"lingering_earlier", "the number of lingering connections that were accepted before the trace", NULL},
    {"unknown", "how many of the accepted connections ended in an unknown way", NULL},
    {"lost_calls", "the number of calls that came too fast to be read", NULL},
    {"calls_without_place", "the number of calls whose place in the source is not known", NULL},
    {"trace", TRACE_MEANING, NULL},
    END_OF_MEMBERS,
};

/* ---- of audits ---- */

const struct member json_growth[] = {
    {"kind", "the kind: `tcp_accepted`, `tcp_outgoing`, `file`, and so on", NULL},
    {"protocol", "the protocol", "if it is a socket of another one"},
    {"peer", "the address of the other side", "of `tcp_outgoing` that has one"},
    {"port", "the server's port", "of `tcp_accepted` and `tcp_outgoing`"},
    {"count", "the number of new ones that are there at the end", NULL},
    {"gone", "how many of this kind were there before the first connection, and are not any more", NULL},
    {"rounds", "how many of the new ones came in each round, a list", NULL},
    {"states", "how many of the new ones are in each state", "of `tcp_accepted` and `tcp_outgoing`"},
    {"recv_q", "how many of them have data that the program has not read",
     "of `tcp_accepted` and `tcp_outgoing`"},
    {"send_q", "how many of them have data that the peer has not acknowledged",
     "of `tcp_accepted` and `tcp_outgoing`"},
    {"pid", "the process that has most of them", NULL},
    {"command", "its command", NULL},
    {"growth", "`goes_on`, `stops`, `passes`, `of_others` or `undecided`", NULL},
    END_OF_MEMBERS,
};

const struct member json_audit[] = {
    {"version", "the version of tcpstorm", NULL},
    {"target", "the target, as it was typed", NULL},
    {"order", "the value of `--order`", NULL},
    {"tls", "whether `--tls` was given", NULL},
    {"conns", "the number of connections in each round", NULL},
    {"repeat", "the number of rounds", NULL},
    {"grace_s", "the value of `--grace` in seconds", NULL},
    {"elapsed_s", "seconds that the order took", NULL},
    {"classes",
     "the number of connections in each class; [tcpstorm-audit(1)](tcpstorm-audit.1.md) lists classes and "
     "groups",
     NULL},
    {"groups", "the number of held connections in each group", NULL},
    {"rounds",
     "for each round: the number of connections `held` at the end of its grace period, and `held_to_the_end` "
     "of the audit",
     NULL},
    {"close_s", "seconds until the server closed: `p50`, `p90`, `p99`, `max`; empty if it closed none", NULL},
    {"server",
     "`is_here` (its sockets are in this machine's tables), `pid`, `command`, `ghosts`, `unseen_processes`; "
     "`ended` if the server ended during the audit",
     NULL},
    {"program", "whether the program has `ended` by itself, and its `status` or `signal`", "with `--run`"},
    {"reply_bytes", "bytes of the reply to a client that waits", "with the order `eof-with-request`"},
    {"idle_timeout_s", "seconds after which the server closes an idle client (median)", "if it was seen"},
    {"expected_idle_timeout_s", "the value of `--expect-idle-timeout` in seconds",
     "with `--expect-idle-timeout`"},
    {"orphans",
     "the number of sockets that the server has closed while its kernel still has data for the client",
     "with the order `stall`"},
    {"later_requests",
     "the number of later requests that were `sent`, and how many of them were `answered`, `lost`, or "
     "neither (`silent`); `not_kept_alive` counts connections that the server closed after an earlier reply",
     "with the orders `second-request` and `late-request`"},
    {"stock",
     "what the server has apart from the client's connections, `before` and `after`, by kind; `conns` of "
     "each round, `check_rounds`, `others`, and what `grew`",
     "if its descriptors could be counted"},
    {"audited", "the number of connections on which the order was played", NULL},
    {"outcome",
     "`closes`, `leaks`, `loses_replies`, `server_ended`, `off_time`, `no_verdict` or `interrupted`", NULL},
    {"leaks", "whether the server leaks", "if there is a verdict"},
    {"verdict", "the sentences of the summary", NULL},
    {"traced", "whether `--trace` was given", NULL},
    {"trace", TRACE_MEANING, "with `--trace`"},
    END_OF_MEMBERS,
};

const struct member json_audits[] = {
    {"version", "the version of tcpstorm", NULL},
    {"elapsed_s", "seconds that all orders took", NULL},
    {"orders", "a list of `order` and `outcome`", NULL},
    {"not_tried", "a list of `order` and `why` it was left out", NULL},
    {"outcome", "the worst outcome", NULL},
    END_OF_MEMBERS,
};

const struct member json_client_audit[] = {
    {"version", "the version of tcpstorm", NULL},
    {"as_server", "the address on which tcpstorm listened", NULL},
    {"order", "the value of `--order`", NULL},
    {"conns", "the number of connections that came", NULL},
    {"grace_s", "the value of `--grace` in seconds", NULL},
    {"elapsed_s", "seconds that the audit took", NULL},
    {"classes", "the same as in an audit of a server", NULL},
    {"groups", NULL, NULL},
    {"close_s", NULL, NULL},
    {"at_exit",
     "the number of connections that the kernel closed when their process ended; they are not judged", NULL},
    {"unplayed", "the number of connections on which the server's turn to act never came", NULL},
    {"before_act", "the number of connections that the client ended before the server acted", NULL},
    {"audited", "the number of all other connections", NULL},
    {"client", "`is_here`, `pid`, `command`; `status` or `signal` if the client has ended", NULL},
    {"outcome", "the same as in an audit of a server", NULL},
    {"leaks", "whether the client leaks", "if there is a verdict"},
    {"verdict", "the sentences of the summary", NULL},
    END_OF_MEMBERS,
};

const struct member json_proxy_audit[] = {
    {"version", "the version of tcpstorm", NULL},
    {"through", "the address on which the proxy listens", NULL},
    {"as_backend", "the address on which tcpstorm listened as its backend", NULL},
    {"http", "the value of `--http`", "with `--http`"},
    {"conns", "the number of pairs of connections in each cell", NULL},
    {"grace_s", "the value of `--grace` in seconds", NULL},
    {"elapsed_s", "seconds that the audit took", NULL},
    {"cells",
     "a list with an object for each way in which `client` and `backend` end: `conns`, how many of them "
     "`passed`, what `backend_heard` and `client_heard` (`nothing`, `fin`, `rst`; `early` if the proxy did "
     "it by itself), how many were `answered` after a half-close, `replied`, `lost`, `held_front`, "
     "`held_back`, `one_sided`",
     NULL},
    {"classes", "the number of pairs in each class, with the words of the CSV column `class`", NULL},
    {"held", "the number of connections that the proxy holds, with the words of the CSV column `front_held`",
     NULL},
    {"lost", "the number of pairs that lost data in flight", NULL},
    {"one_sided", "the number of pairs in which one end has gone, and the proxy keeps the other", NULL},
    {"strangers", "the number of connections to the backend that did not come from tcpstorm's clients", NULL},
    {"retried", "the number of requests that the proxy sent to the backend again", NULL},
    {"pooled", "the number of connections to the backend that the proxy kept after their client had gone",
     NULL},
    {"reused", "the number of requests on a connection that an earlier request had used", NULL},
    {"proxy", "`is_here`, `pid`, `command`, and the proxy's own `answer` if there was one", NULL},
    {"outcome", "`lets_go`, `leaks`, `loses_data`, `proxy_ended`, `no_verdict` or `interrupted`", NULL},
    {"verdict", "the sentences of the summary", NULL},
    END_OF_MEMBERS,
};
