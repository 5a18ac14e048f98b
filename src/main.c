/*
 * tcpstorm: opens N loopback connections, closes them in a chosen order or keeps them in a chosen state, and
 * asks the kernel for the state of every socket after each step.
 *
 * A controller plays a close order step by step on connections that server workers and client workers hold;
 * after each step a witness asks the kernel, and the views show it.
 *
 *   main.c                 this map
 *   cmd/                   one file per command
 *     commands             all of them; help, version, and what completion and man page ask for
 *     option_rules         which options go together, of all commands
 *     cmd_storm            the front door
 *     storm_options        the options that it shares with cmd_state
 *     cmd_state            connections kept in any TCP state, one after the other or several at once
 *     run, outputs         plan, views, exit code of these two; the files that the views write to
 *     isolation            --isolate and --sysctl: a network namespace of one's own
 *     remote               --server-via and --client-via: more than one machine
 *     cmd_server, cmd_client  one connection by hand, an end each; interactive is what they share
 *     serve_cause          a server with a bug
 *     cmd_walk             one connection, both ends, through an order
 *     cmd_audit, cmd_watch  somebody's own server: does it close; what is there
 *     cmd_orders, cmd_causes  list the orders with what they need, and the causes
 *     cmd_worker           a worker, for a controller
 *     cmd_witness          the witness, for a controller
 *     last_words           how a process leaves when memory or the event loop is at an end
 *   view/                  what people and scripts see; each implements storm/observer.h
 *     summary              a line per step, and the verdict
 *     state_table          a line per state that is kept
 *     csv, json            every look, for scripts; sample_row is what both write
 *     live                 both sides' histograms on a terminal, as they move
 *     progress             where the run is, on stderr: a line now and then
 *     metrics              what is there now, for a monitor (OpenMetrics); page_server is its HTTP
 *     snapshot                what is there now: what live and metrics share
 *     order_json           an order explained to a program
 *     ends_text, ladder    one connection in words, and as a diagram
 *     plan_text            what a run would take
 *     audit_verdict, audit_text, audit_data, watch_view   what an audit means, and what is there
 *   cause/                 why connections do not close: one bug a file, and its fix (libevent)
 *     cause                the table of them, each with its signature
 *     visit                one connection as a small server sees it
 *     child, backend       a process of a behaviour's own; what is behind the proxy
 *     ignore_eof, paused_read, bounded_pool, never_accept, emfile, fork_inherit, lost_reference,
 *     dead_pool_entry, no_half_close, reply_before_read
 *   audit/                 a server that is not ours (libevent)
 *     audit, probe         rounds of connections; one of them, from connect() to what became of it
 *     server_side          the server's ends in the kernel's tables, and who holds them
 *     server_process       its processes, and whether they live
 *     ghosts               descriptors that it keeps of connections that are gone
 *     findings             classes, groups, times
 *     watch, watch_rows    the sockets that are there, by port, process and peer
 *   storm/                 the experiment (libevent)
 *     close_order          the orders, as data
 *     kept_state          how to get into each of the eleven states and stay there: rows of the same shape
 *     act                  what can be done to an end: one system call each
 *     script               what one side does where connections come one by one: it follows from the order
 *     fault_case             a fault as it is met in the field, and its signature; the rows are in cause/
 *     plan, lane           what a storm needs against what the machine allows; connections over server ports
 *     storm                a run: order after order, or several held together
 *     controller           one order: its phases, and what each event means in each; controller_state draws
 *                          them, controller_tell tells the views, controller_watch looks after what is owed
 *     batch       all connections together: act, settle, hold, next step
 *     arrivals          connections that come one by one, and what is left of them
 *     sampler              when the witness looks
 *     observer             what a view must implement
 *     expectation          what a look should show, and how one differs
 *     outage               what a flow breaks: growth is a slope with its confidence, timeline what broke
 * when verdict              what it means, in sentences; attribution_of for each class of lingering sockets,
 *                          debt for what each side has left to do
 *     fault                why a storm cannot go on
 *     workers, process        the workers as the controller sees them; how they are started
 *     hosts                 the hosts behind launchers; host_process and host_report at their end
 *     by_host              a look, host by host
 *     link, messages       the lines that controller and workers exchange; the table of all of them
 *     worker               a process that holds ends, in one of four roles
 *     batch_server, batch_client, ends     all at once: a worker's descriptors, and acts on all of them
 *     arrivals_server, arrivals_client         one by one; arrivals_worker is what they share, arrivals the
 * schedule endpoint, lives         one process's part in a flow and how it behaves: lives play a script
 *     listener, held           a listening socket that is heard; the descriptors that a process holds
 *     witness_process      the witness in a process of its own
 *     clock                one monotonic clock
 *   tcp/                   what the kernel knows (no libevent)
 *     tcp_state, histogram the eleven states, counted per side
 *     witness              asks for all sockets: sock_diag (netlink), proc_net_tcp
 *     lingering            what is still there, in classes; socket_owner finds the processes that hold it
 *     ghost                a descriptor whose socket has left all tables; unlisted_sockets: of others
 *     connection           both ends of one connection
 *     kernel_counters      the kernel's account of what went another way
 *     host_limits          descriptors, ports, sysctls, memory
 *     address, listen_socket   IPv4 and IPv6; a socket that listens
 *     packet_drop          makes a socket deaf: a packet filter of one instruction
 *     netns, sysctl        a new network namespace; a setting of it
 *   base/                  no idea of TCP: options, options_text, parse, number_text, nearest, wrap,
 * shell_quote, json_writer, csv_field, memory, printable, output, terminal, foreground, diag
 *
 * Includes point one way: cmd -> cause, view -> audit -> storm -> tcp -> base.
 */
#include "base/diag.h"
#include "base/output.h"
#include "base/terminal.h"
#include "cmd/commands.h"
#include "cmd/last_words.h"
#include "cmd/outputs.h"

#include <locale.h>
#include <signal.h>
#include <sys/prctl.h>

int main(int argc, char *argv[])
{
    terminal_fill_standard_descriptors();
    output_take_stdout();
    diag_prepare();
    last_words_prepare();
    signal(SIGPIPE, SIG_IGN);       /* a reader that has left is told as any other failed output */
    prctl(PR_SET_NAME, "tcpstorm"); /* a worker is started through /proc/self/exe, and would be called exe */
    setlocale(LC_CTYPE, "");
    if (argc < 2) {
        commands_print_short_help();
        return outputs_finish(EXIT_AS_EXPECTED);
    }
    return outputs_finish(commands_run(argc, argv));
}
