/*
 * tcpstorm: opens N loopback connections, closes them in a chosen order or keeps them in a chosen state, and
 * asks the kernel for the state of every socket after each step. It also audits and watches servers of
 * others.
 *
 * src/README.md draws the processes and follows one connection through the rooms:
 *
 *   cmd/        one file per command; option_rules: which options go together
 *   view/       what people and scripts see; each view implements engine/observer.h
 *   cause/      why connections do not close: a bug each, and its fix
 *   audit/      a server that is not ours, met on the wire
 *   watch/      programs that are not ours, looked at from outside
 *   engine/     the controller's process: run, controller, two ways to play (batch, arrivals), plan
 *   worker/     the workers' process (batch_worker, arrivals_worker) and the witness's
 *   control/    how processes talk and are started: link, messages, spawn, workers, hosts, agent
 *   analysis/   what counts mean: expectation, verdict, attribution, trend, timeline, outage
 *   model/      what can be played, as data: close orders, kept states, fault cases, experiments
 *   kernel/     what the kernel knows, and acts on a socket
 *   base/       no idea of TCP
 *
 * Includes point down this list, never up: main -> cmd -> view, cause -> audit, watch -> engine, worker ->
 * control -> analysis -> model -> kernel -> base. Nothing below control/ knows libevent.
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
