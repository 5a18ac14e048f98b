/* hosts_launch: the launchers' processes: how they are started, have the terminal for a password, and leave.
 */
#include "control/hosts_state.h"

#include "base/clock.h"
#include "base/diag.h"
#include "base/foreground.h"
#include "base/shell_quote.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PULSE_MS = 1000,
    HELLO_MS = 60000, /* somebody may have to type a password */
    GOODBYE_MS = 14000,
    SHORT_GOODBYE_MS = 1000, /* of a launcher that has reached nobody, or of one that was killed */
};

/* ---- the terminal ---- */

static bool wants_terminal(const struct host *host)
{
    int by = host->process.stopped_by;
    return !host->said_hello && host->fault[0] == '\0' && (by == SIGTTIN || by == SIGTTOU || by == SIGTSTP);
}

static struct host *terminal_holder(struct hosts *hosts)
{
    for (int i = 0; i < hosts->count; i++)
        if (hosts->each[i].has_terminal)
            return &hosts->each[i];
    return NULL;
}

static void lend_terminal(struct hosts *hosts)
{
    for (int i = 0; i < hosts->count; i++) {
        struct host *host = &hosts->each[i];
        if (!wants_terminal(host) || !foreground_lend(host->process.pid))
            continue;
        host->process.stopped_by = 0;
        host->has_terminal = true;
        hosts->waiting_since_us = monotonic_us();
        return;
    }
}

static void take_terminal_back(struct host *host)
{
    host->has_terminal = false;
    foreground_take_back(host->process.pid);
}

/* Ctrl-C while it has the terminal is for us, and so is Ctrl-Z: we cannot hear them. */
static void heed_keys(struct host *host)
{
    const struct process *launcher = &host->process;
    if (launcher->ended && WIFSIGNALED(launcher->wait_status) && WTERMSIG(launcher->wait_status) == SIGINT)
        host->hosts->stops++;
    else if (launcher->stopped_by == SIGTSTP)
        kill(0, SIGTSTP);
}

/* One launcher at a time may ask for a password, until its host has said hello. */
void hosts_mind_terminal(struct hosts *hosts)
{
    struct host *holder = terminal_holder(hosts);
    if (holder != NULL && (holder->said_hello || holder->process.ended || holder->process.stopped_by != 0)) {
        take_terminal_back(holder);
        heed_keys(holder);
        holder = NULL;
    }
    if (holder == NULL && hosts->stops == 0)
        lend_terminal(hosts);
}

/* ---- signals ---- */

void hosts_reap(struct hosts *hosts)
{
    for (int i = 0; i < hosts->count; i++)
        if (process_reap(&hosts->each[i].process))
            host_lose(&hosts->each[i], "%s", process_end_text(&hosts->each[i].process).text);
    hosts_mind_terminal(hosts);
}

static void on_child_signal(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    hosts_reap(context);
}

static void on_stop_signal(evutil_socket_t number, short what, void *context)
{
    (void)number;
    (void)what;
    ((struct hosts *)context)->stops++;
}

/* ---- opening and closing ---- */

/* A single command without assignments before it: the shell can become it, and is not there to speak of its
 * end. */
static bool is_simple(const char *launcher)
{
    const char *first = launcher + strspn(launcher, " \t");
    const char *equals = strchr(first, '=');
    return strpbrk(launcher, ";&|<>(){}!#`\n") == NULL &&
           (equals == NULL || equals > first + strcspn(first, " \t"));
}

/* `LAUNCHER PATH WORD ...`, to be run by a shell: the launcher is a command as it was typed, the path one
 * word whatever is in it. To be freed. */
static char *command_of(const struct host *host, int argc, const char *const argv[])
{
    const char *words[4] = {host->hosts->worker_path};
    for (int i = 0; i < argc && i < 3; i++)
        words[i + 1] = argv[i];
    return shell_command(host->launcher, 1 + argc, words);
}

/* Returns our end of its stream, or a negative errno. */
static int run_launcher(struct host *host, const char *const words[])
{
    char *command = command_of(host, 2, words), *line = NULL;
    int fd = -ENOMEM;
    if (command != NULL && asprintf(&line, "%s%s", is_simple(host->launcher) ? "exec " : "", command) > 0)
        fd = spawn_command(&host->process, line);
    free(line);
    free(command);
    return fd;
}

static int start_process(struct host *host)
{
    static const char *const words[PROCESS_WORDS_MAX + 1] = {"worker", "host"};
    return host->launcher != NULL ? run_launcher(host, words) : spawn_self(&host->process, words);
}

static int launch(struct host *host)
{
    snprintf(host->process.name, sizeof host->process.name, "a host");
    int fd = start_process(host);
    if (fd < 0)
        return fd;
    host->link = link_new(host->hosts->base, fd, &host_ears, host);
    if (host->link != NULL)
        return 0;
    close(fd);
    return -ENOMEM;
}

static bool is_ready(const struct host *host)
{
    return host->is_ready || host->fault[0] != '\0';
}

static bool has_ended(const struct host *host)
{
    return host->process.pid == 0 || host->process.ended;
}

static bool has_ended_or_hears_us(const struct host *host)
{
    return has_ended(host) || host->said_hello;
}

/* Runs the loop until all hosts have got there. Returns 0; -EINTR, once more signals than `stops_allowed`
 * were heard; or -ETIMEDOUT after so long. */
int hosts_wait_for_all(struct hosts *hosts, bool (*is_there)(const struct host *host), int64_t limit_ms,
                       int stops_allowed)
{
    static const struct timeval often = {0, 50000};
    hosts->waiting_since_us = monotonic_us();
    for (;;) {
        int there = 0;
        for (int i = 0; i < hosts->count; i++)
            there += is_there(&hosts->each[i]);
        if (hosts->stops > stops_allowed)
            return -EINTR;
        if (there == hosts->count)
            return 0;
        if (monotonic_us() - hosts->waiting_since_us > limit_ms * 1000)
            return -ETIMEDOUT;
        int64_t before_us = monotonic_us();
        event_base_loopexit(hosts->base, &often);
        event_base_dispatch(hosts->base);
        hosts_reap(hosts);
        int64_t turn_us = monotonic_us() - before_us;
        if (turn_us > LATE_PULSE_MS * 1000) /* this process was stopped: nobody had that time */
            hosts->waiting_since_us += turn_us;
    }
}

static void tell_fault(const struct host *host)
{
    static const char *const version[] = {"version"};
    char *try = host->launcher != NULL ? command_of(host, 1, version) : NULL;
    const char *command = try != NULL ?
    try:
        "tcpstorm version";
    if (host->fault[0] == '\0')
        diag_error("%s said %s for %d s: does \"%s\" work?", host_name(host).text,
                   host->said_hello ? "hello and nothing more" : "nothing", HELLO_MS / 1000, command);
    else if (host->said_hello)
        diag_error("%s %s", host_name(host).text, host->fault);
    else
        diag_error("%s %s before it said hello: does \"%s\" work?", host_name(host).text, host->fault,
                   command);
    free(try);
}

static int tell_faults(const struct hosts *hosts)
{
    int faults = 0;
    for (int i = 0; i < hosts->count; i++) {
        const struct host *host = &hosts->each[i];
        if (host->fault[0] == '\0' && host->is_ready)
            continue;
        faults++;
        tell_fault(host);
    }
    return faults == 0 ? 0 : -EHOSTUNREACH;
}

static int tell_interrupted(const struct hosts *hosts)
{
    const struct host *awaited = NULL;
    for (int i = 0; i < hosts->count && awaited == NULL; i++)
        awaited = hosts->each[i].is_ready ? NULL : &hosts->each[i];
    diag_error("interrupted before %s%s; no connection was opened",
               awaited != NULL ? host_name(awaited).text : "the run began",
               awaited != NULL ? " said hello" : "");
    return -EINTR;
}

static int listen_to_events(struct hosts *hosts)
{
    static const struct timeval pulse = {PULSE_MS / 1000, 0};
    hosts->pulse = event_new(hosts->base, -1, EV_PERSIST, hosts_on_pulse, hosts);
    hosts->child_signal = evsignal_new(hosts->base, SIGCHLD, on_child_signal, hosts);
    if (hosts->pulse == NULL || hosts->child_signal == NULL || event_add(hosts->child_signal, NULL) != 0 ||
        event_add(hosts->pulse, &pulse) != 0)
        return -ENOMEM;
    return stop_events_open(&hosts->stop_events, hosts->base, on_stop_signal, hosts);
}

void hosts_here(struct hosts *hosts, const struct address *address)
{
    *hosts = (struct hosts){
        .each = {{.side = SIDE_SERVER, .address = *address, .hosts = hosts},
                 {.side = SIDE_CLIENT, .hosts = hosts}},
        .count = SIDE_COUNT,
        .are_here = true,
    };
}

int hosts_make_loop(struct hosts *hosts)
{
    errno = 0;
    if (hosts->base == NULL)
        hosts->base = event_base_new();
    if (hosts->base != NULL)
        return 0;
    int error = errno != 0 ? errno : ENOMEM;
    diag_error("cannot make an event loop: %s", strerror(error));
    return -error;
}

int hosts_open(struct hosts *hosts)
{
    if (hosts->are_here)
        return 0;
    if (hosts_make_loop(hosts) != 0)
        return -ENOMEM;
    if (listen_to_events(hosts) != 0) {
        diag_error("out of memory: no events can be added to the event loop");
        return -ENOMEM;
    }
    signal(SIGPIPE, SIG_IGN);
    hosts->last_pulse_us = monotonic_us();
    for (int i = 0; i < hosts->count; i++) {
        hosts->each[i].hosts = hosts;
        int rc = launch(&hosts->each[i]);
        if (rc != 0)
            host_lose(&hosts->each[i], "could not be launched: %s", strerror(-rc));
    }
    int rc = hosts_wait_for_all(hosts, is_ready, HELLO_MS, 0);
    return rc == -EINTR ? tell_interrupted(hosts) : tell_faults(hosts);
}

/* Whoever can hear us is asked to leave in peace, a launcher that has reached nobody is asked as any process
 * is. */
static void ask_to_leave(struct host *host)
{
    if (!host->said_hello)
        process_ask_to_leave(&host->process);
    else if (host->fault[0] == '\0')
        link_send(host->link, &(struct message){.id = MESSAGE_QUIT});
    if (host->fault[0] == '\0')
        snprintf(host->fault, sizeof host->fault, "was asked to leave");
}

/* A second signal, or one while they leave, puts an end to patience. */
static void wait_until_they_have_left(struct hosts *hosts)
{
    int stops_allowed = hosts->stops > 0 ? 1 : 0;
    int rc = hosts_wait_for_all(hosts, has_ended_or_hears_us, SHORT_GOODBYE_MS, stops_allowed);
    for (int i = 0; i < hosts->count; i++)
        if (!hosts->each[i].said_hello)
            process_kill(&hosts->each[i].process);
    if (rc != -EINTR)
        rc = hosts_wait_for_all(hosts, has_ended, GOODBYE_MS, stops_allowed);
    for (int i = 0; i < hosts->count; i++) {
        const struct host *host = &hosts->each[i];
        if (rc == -ETIMEDOUT && !has_ended(host))
            diag_warn("%s did not end within %d s: processes of this run may still be running there",
                      host_name(host).text, GOODBYE_MS / 1000);
        process_kill(&host->process);
    }
    hosts_wait_for_all(hosts, has_ended, SHORT_GOODBYE_MS, INT_MAX);
}

static void free_event(struct event *event)
{
    if (event != NULL)
        event_free(event);
}

void hosts_close(struct hosts *hosts)
{
    if (hosts->base == NULL)
        return;
    for (int i = 0; i < hosts->count; i++)
        ask_to_leave(&hosts->each[i]);
    wait_until_they_have_left(hosts);
    for (int i = 0; i < hosts->count; i++) {
        struct host *host = &hosts->each[i];
        if (host->has_terminal)
            take_terminal_back(host);
        link_free(host->link);
        free(host->channels);
    }
    free_event(hosts->pulse);
    free_event(hosts->child_signal);
    stop_events_close(&hosts->stop_events);
    event_base_free(hosts->base);
    hosts->base = NULL;
}
