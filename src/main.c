/*
 * tcpstorm: opens N loopback connections, closes them in a chosen order or keeps them in a chosen state, and
 * asks the kernel for the state of every socket after each step.
 *
 * A controller plays a close order step by step on connections that server workers and client workers hold;
 * after each step a witness asks the kernel, and the views show it.
 *
 *   main.c                 this map, the command table, dispatch
 *   cmd/                   one file per command
 *     cmd_storm            the front door: its options, and which go together
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
 *   base/                  no idea of TCP: options, parse, number_text, nearest, wrap, shell_quote,
 *                          json_writer, csv_field, memory, printable, output, terminal, foreground, diag
 *
 * Includes point one way: cmd -> cause, view -> audit -> storm -> tcp -> base.
 */
#include "base/diag.h"
#include "base/nearest.h"
#include "base/output.h"
#include "base/terminal.h"
#include "base/version.h"
#include "cmd/command.h"
#include "cmd/last_words.h"
#include "cmd/outputs.h"

#include <locale.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

static int cmd_help(int argc, char *argv[]);
static int cmd_version(int argc, char *argv[]);

static const struct command commands[] = {
    {"server", "one connection, by hand: the server's terminal", cmd_server},
    {"client", "one connection, by hand: the client's terminal", cmd_client},
    {"walk", "one connection, both ends: a ladder diagram that grows at each key", cmd_walk},
    {"state", "keep connections in any TCP state: a name, some with =N, or all", cmd_state},
    {"audit", "does a server of your own close when its clients do? HOST:PORT", cmd_audit},
    {"watch", "the sockets that are there: who owes a close(), and does it grow", cmd_watch},
    {"orders", "list the close orders, what they need, their steps and the states expected", cmd_orders},
    {"causes", "list the bugs that --cause plays, their fixes and what gives them away", cmd_causes},
    {"help", "this text", cmd_help},
    {"version", "the version", cmd_version},
    {"--help", NULL, cmd_help},
    {"-h", NULL, cmd_help},
    {"--version", NULL, cmd_version},
    {"options", NULL, cmd_options},
    {"worker", NULL, cmd_worker},
    {"witness", NULL, cmd_witness},
    {NULL, NULL, NULL},
};

static void print_short_help(void)
{
    fputs(
        "tcpstorm opens N loopback connections, closes them in a chosen order and shows the state of every\n"
        "socket as the kernel reports it: who waits, who owes a close(), what leaks.\n"
        "\n"
        "  tcpstorm --conns 1000 --order server-first   the server closes first: FIN_WAIT2 and CLOSE_WAIT\n"
        "  tcpstorm --conns 1000 --order leak           the server never closes: CLOSE_WAIT piles up\n"
        "  tcpstorm --rate 200 --leak 5%                one by one, and one in twenty is never closed\n"
        "  tcpstorm --cause ignore-eof                  a real bug under such traffic; --fixed: without it\n"
        "  tcpstorm state all --isolate                 all eleven TCP states, each kept for a second\n"
        "  tcpstorm orders                              all orders\n"
        "  tcpstorm --help                              all options\n",
        stdout);
}

static int cmd_help(int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    print_short_help();
    fputs("\nUsage: tcpstorm [--option value ...]\n       tcpstorm COMMAND\n\nOptions:\n", stdout);
    storm_print_options(stdout);
    fputs("\nOptions of audit HOST:PORT:\n", stdout);
    audit_print_options(stdout);
    fputs("\nOptions of watch:\n", stdout);
    watch_print_options(stdout);
    fputs("\nCommands:\n", stdout);
    for (const struct command *command = commands; command->name != NULL; command++)
        if (command->summary != NULL)
            printf("  %-20s %s\n", command->name, command->summary);
    fputs(
        "state takes a name, a comma list of NAME=N, or all. The names: listen, syn-sent, syn-recv,\n"
        "established, fin-wait-1, fin-wait-2, close-wait, closing, last-ack, time-wait, close. Options:\n"
        "--conns in each state, --hold (default 10s, all 1s), --side server or client, --settle (default\n"
        "1m), and --interval, --isolate, --sysctl, --address, --port, --witness, --csv, --json, --metrics,\n"
        "--live, --plain, --dry-run and --quiet as above.\n"
        "server and client take --address and --port, server also --cause NAME, --fixed, --isolate and\n"
        "--sysctl; walk takes --order, --pause, --address, --port, --isolate and --sysctl.\n",
        stdout);
    fputs("\nMore examples:\n"
          "  tcpstorm --order all                              every order that needs nothing, in turn\n"
          "  tcpstorm --isolate --order all                    really every order\n"
          "  tcpstorm --order leak --hold forever              leave it there for ss; Ctrl-C ends it\n"
          "  tcpstorm --conns 50k --order client-first --csv - > run.csv\n"
          "  tcpstorm --cause ignore-eof --server-nofile 512   until the server is out of descriptors\n"
          "  tcpstorm --conns 1m --dry-run                     what it would take on this machine\n"
          "  tcpstorm walk --order half-close                  one connection, step by step\n"
          "  tcpstorm state close-wait=300,last-ack=5 --isolate --hold 10m\n"
          "                                                    so many, for a monitor to find\n"
          "  tcpstorm --isolate --sysctl net.ipv4.tcp_fin_timeout=5 --order leak --hold 10s\n"
          "\nExit codes: 0 as expected, 1 the states differ or something leaks unasked, 2 bad usage,\n"
          "3 this machine cannot run it, 130 interrupted.\n",
          stdout);
    return EXIT_AS_EXPECTED;
}

static int cmd_version(int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    printf("tcpstorm %s\n", TCPSTORM_VERSION);
    return EXIT_AS_EXPECTED;
}

static const char *command_name_at(const void *unused, size_t i)
{
    (void)unused;
    return commands[i].summary != NULL ? commands[i].name : NULL; /* those for people come first */
}

static int refuse_command(const char *name)
{
    const char *meant = nearest_word(name, command_name_at, NULL);
    if (meant != NULL)
        diag_error("there is no command \"%s\": did you mean %s?", name, meant);
    else
        diag_error("there is no command \"%s\": \"tcpstorm --help\" lists what is allowed", name);
    return EXIT_USAGE;
}

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
        print_short_help();
        return outputs_finish(EXIT_AS_EXPECTED);
    }
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0)
            return outputs_finish(cmd_help(0, NULL));
    for (const struct command *command = commands; command->name != NULL; command++)
        if (strcmp(argv[1], command->name) == 0)
            return outputs_finish(command->run(argc - 2, argv + 2));
    if (strncmp(argv[1], "--", 2) != 0)
        return refuse_command(argv[1]);
    return outputs_finish(cmd_storm(argc - 1, argv + 1));
}
