#include "cmd/interactive.h"

#include "base/diag.h"
#include "base/memory.h"
#include "base/output.h"
#include "base/terminal.h"
#include "base/wrap.h"
#include "cmd/address_options.h"
#include "cmd/command.h"
#include "control/stop_events.h"
#include "kernel/act.h"
#include "kernel/connection.h"
#include "view/connection_text.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LOOK_EVERY_US = 100000,
    PASSING_LOOKS = 5, /* FIN_WAIT1 lasts for a delayed ACK: 0.04 to 0.2 s. What lasts longer is shown. */
    TEXT_WIDTH = 78,
};

struct interactive {
    enum side side;
    struct event_base *base;
    struct event *keys, *looks, *incoming, *pauses, *resumes, *quits;
    struct stop_events stops;
    const struct witness_backend *witness;
    struct connection connection;
    struct end_sight ends[SIDE_COUNT]; /* as last shown */
    int passing_looks;                 /* how many have met a state that is about to pass */
    bool owes_show; /* something was done: the states are shown even if they are the same */
    bool is_connected;
    bool is_terminal;   /* keys come from one */
    bool live;          /* the countdown may be redrawn in place */
    bool line_is_drawn; /* it is */
    int fd;             /* -1 once closed */
    int exit_code;
};

/* ---- options ---- */

#define OPTION(member) offsetof(struct interactive_options, member)

const struct option_row interactive_rows[] = {
    ADDRESS_OPTION(OPTION(address)),
    PORT_OPTION(OPTION(port), "the server's port"),
    {.name = NULL},
};

/* ---- what is shown ---- */

/* Two of these terminals side by side are narrow. */
static int text_width(void)
{
    int width = terminal_size(STDOUT_FILENO).columns - 1;
    return width < TEXT_WIDTH ? width : TEXT_WIDTH;
}

static void clear_countdown(struct interactive *end)
{
    if (end->line_is_drawn)
        fputs("\r\033[K", stdout);
    end->line_is_drawn = false;
}

static void show_countdown(struct interactive *end)
{
    struct countdown countdown = countdown_text(end->ends);
    if (!end->live || countdown.text[0] == '\0' || output_is_waiting(stdout))
        return;
    printf("\r\033[K%.*s", terminal_size(STDOUT_FILENO).columns - 1,
           countdown.text); /* a line that wraps could not be redrawn */
    end->line_is_drawn = true;
}

static void say(struct interactive *end, const char *text)
{
    clear_countdown(end);
    wrap_print(stdout, text, 0, text_width());
}

/* What has just been done, here or there: it begins a paragraph. */
static void say_event(struct interactive *end, const char *text)
{
    clear_countdown(end);
    fputc('\n', stdout);
    say(end, text);
}

static void prompt(struct interactive *end)
{
    if (end->fd >= 0 && end->ends[end->side].state == STATE_GONE)
        say(end, "The kernel has forgotten the connection, but this side still holds its descriptor.\n"
                 "Press any key to close it. (q quits)");
    else if (end->fd >= 0)
        say(end, "Press any key to close the connection from this side.\n"
                 "(s shuts down this half, r resets, w writes a few bytes, q quits)");
    else
        say(end, "Closed here; following the connection until it has left the kernel's tables. (q quits)");
}

static bool is_same(const struct end_sight *a, const struct end_sight *b)
{
    return a[SIDE_SERVER].state == b[SIDE_SERVER].state && a[SIDE_CLIENT].state == b[SIDE_CLIENT].state;
}

static bool is_settled(enum tcp_state state)
{
    return state == STATE_GONE || state == STATE_TIME_WAIT;
}

/* With nobody there to press q, TIME_WAIT is not waited for: no program owes anything any more. */
static bool is_done(const struct interactive *end)
{
    enum tcp_state server = end->ends[SIDE_SERVER].state, client = end->ends[SIDE_CLIENT].state;
    if (end->fd >= 0)
        return false;
    return end->is_terminal ? server == STATE_GONE && client == STATE_GONE
                            : is_settled(server) && is_settled(client);
}

/* A full or closed output ends it; main.c says so. */
static void write_out(struct interactive *end)
{
    if (fflush(stdout) != 0)
        interactive_leave(end, EXIT_MACHINE);
}

static bool is_passing(const struct end_sight ends[SIDE_COUNT])
{
    const uint32_t passing =
        STATE_SET(STATE_FIN_WAIT1) | STATE_SET(STATE_LAST_ACK) | STATE_SET(STATE_CLOSING);
    return state_set_has(passing, ends[SIDE_SERVER].state) || state_set_has(passing, ends[SIDE_CLIENT].state);
}

static void show(struct interactive *end, const char *why)
{
    clear_countdown(end);
    if (!end->owes_show)
        say_event(end, "The kernel now says:");
    connection_print(stdout, &end->connection, end->ends, end->side, text_width());
    if (why != NULL)
        say(end, why);
    if (is_done(end))
        interactive_leave(end, EXIT_AS_EXPECTED);
    else if (end->owes_show || end->fd >= 0)
        prompt(end);
    end->owes_show = false;
}

static void look(struct interactive *end)
{
    struct end_sight now[SIDE_COUNT];
    int rc = connection_look(end->witness, &end->connection, now);
    if (rc != 0)
        return; /* a dump that failed says nothing; the next is due in a moment */
    if (is_passing(now) && ++end->passing_looks < PASSING_LOOKS)
        return;
    end->passing_looks = 0;
    bool changed = !is_same(now, end->ends);
    const char *why = changed ? change_words(end->ends, now) : NULL;
    memcpy(end->ends, now, sizeof now);
    if (changed || end->owes_show)
        show(end, why);
    show_countdown(end);
    write_out(end);
}

static void look_and_show(struct interactive *end)
{
    end->owes_show = true;
    end->passing_looks = 0;
    write_out(end);
    look(end);
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct interactive *end = context;
    output_push_all();
    if (end->is_connected)
        look(end);
}

/* ---- the calls ---- */

static void drop_descriptor(struct interactive *end)
{
    event_del(end->incoming);
    end->fd = -1;
}

static void do_act(struct interactive *end, enum act act)
{
    char text[128];
    clear_countdown(end);
    int fd = end->fd;
    if (act_releases(act))
        drop_descriptor(end);
    int rc = act_apply(act, fd);
    if (is_failure_here(-rc)) {
        diag_error("%s failed here: %s", act_call(act), strerror(-rc));
        interactive_leave(end, EXIT_MACHINE);
        return;
    }
    snprintf(text, sizeof text, "%s called %s%s%s", side_name(end->side), act_call(act), rc != 0 ? ": " : "",
             rc != 0 ? strerror(-rc) : "");
    say_event(end, text);
    look_and_show(end);
}

static void leave_by_key(struct interactive *end)
{
    say(end, end->fd >= 0 ? "Quitting: the kernel closes this side's descriptor." : "Quitting.");
    interactive_leave(end, EXIT_AS_EXPECTED);
}

static void press(struct interactive *end, char key)
{
    static const struct {
        char key;
        enum act act;
    } bindings[] = {{'s', ACT_SHUTDOWN}, {'r', ACT_ABORT}, {'w', ACT_WRITE}};
    enum act act = ACT_CLOSE;
    for (size_t i = 0; i < sizeof bindings / sizeof bindings[0]; i++)
        if (bindings[i].key == key)
            act = bindings[i].act;
    if (key == 'q')
        leave_by_key(end);
    else if (end->is_connected && end->fd >= 0)
        do_act(end, act);
}

static void leave_interrupted(struct interactive *end, int by_signal)
{
    clear_countdown(end);
    fflush(stdout);
    if (by_signal == SIGHUP)
        terminal_drop_unwritten();
    diag_error("%s: quitting%s", by_signal == SIGHUP ? "the terminal hung up" : "interrupted",
               end->fd >= 0 ? ", and the kernel closes this side" : "");
    interactive_leave(end, EXIT_INTERRUPTED);
}

/* No key can come any more. A terminal that gives none has been hung up, whether or not SIGHUP came. `error`:
 * 0 at the end. */
static void keys_have_ended(struct interactive *end, int error)
{
    event_del(end->keys);
    if (end->is_terminal) {
        leave_interrupted(end, SIGHUP);
        return;
    }
    if (end->fd < 0 && end->is_connected)
        return; /* closed already: nothing is left to press */
    clear_countdown(end);
    fflush(stdout);
    diag_error("standard input %s%s, so no key can come: quitting, and the kernel closes this side",
               error == 0 ? "has ended" : "cannot be read: ", error == 0 ? "" : strerror(error));
    interactive_leave(end, EXIT_MACHINE);
}

static void on_key(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct interactive *end = context;
    char key;
    ssize_t got = read((int)fd, &key, 1);
    if (got == 1) {
        press(end, key);
        return;
    }
    if (got == 0 || (errno != EAGAIN && !is_failure_here(errno))) /* such a key can be read again */
        keys_have_ended(end, got == 0 ? 0 : errno);
}

/* What the other side sends is read at once, so that a close() here sends FIN; EOF and RST are heard once. */
static void on_incoming(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct interactive *end = context;
    char data[512], text[96];
    ssize_t got = recv((int)fd, data, sizeof data, 0);
    if (got < 0 && (errno == EAGAIN || is_failure_here(errno)))
        return; /* what is there can be heard again */
    if (got <= 0)
        event_del(end->incoming);
    if (got > 0)
        snprintf(text, sizeof text, "The other side sent %zd bytes, which this side has read.", got);
    else
        snprintf(text, sizeof text,
                 got == 0 ? "The other side has closed its half: recv() returned 0."
                          : "The other side has reset the connection: recv() failed.");
    say_event(end, text);
    look_and_show(end);
}

/* ---- life ---- */

static void on_stop_signal(evutil_socket_t number, short what, void *context)
{
    (void)what;
    leave_interrupted(context, (int)number);
}

/* Ctrl-Z must leave the shell a sane terminal too. */
static void on_pause(evutil_socket_t number, short what, void *context)
{
    (void)number;
    (void)what;
    clear_countdown(context);
    fflush(stdout);
    terminal_restore();
    raise(SIGSTOP);
}

static void on_resume(evutil_socket_t number, short what, void *context)
{
    (void)number;
    (void)what;
    struct interactive *end = context;
    if (end->is_terminal)
        terminal_take_keys();
}

/* Standard input may be a file or /dev/null, which epoll does not take: poll does. */
static struct event_base *new_base(void)
{
    struct event_config *config = event_config_new();
    event_config_require_features(config, EV_FEATURE_FDS);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

struct interactive *interactive_new(enum side side)
{
    int error;
    struct interactive *end = memory_new(sizeof *end);
    end->side = side;
    end->fd = -1;
    end->exit_code = -1;
    end->base = new_base();
    end->witness = witness_choose(0, &error);
    if (end->base == NULL)
        diag_error("the event loop could not be created: %s", strerror(errno));
    else if (end->witness == NULL)
        diag_error("no witness can read the kernel's sockets here: %s", strerror(-error));
    if (end->base == NULL || end->witness == NULL) {
        interactive_free(end);
        return NULL;
    }
    signal(SIGPIPE, SIG_IGN);
    stop_events_open(&end->stops, end->base, on_stop_signal, end);
    end->quits = evsignal_new(end->base, SIGQUIT, on_stop_signal, end);
    end->pauses = evsignal_new(end->base, SIGTSTP, on_pause, end);
    end->resumes = evsignal_new(end->base, SIGCONT, on_resume, end);
    end->keys = event_new(end->base, STDIN_FILENO, EV_READ | EV_PERSIST, on_key, end);
    end->looks = event_new(end->base, -1, EV_PERSIST, on_look, end);
    static const struct timeval every = {0, LOOK_EVERY_US};
    event_add(end->quits, NULL);
    event_add(end->pauses, NULL);
    event_add(end->resumes, NULL);
    event_add(end->looks, &every);
    end->is_terminal = terminal_take_keys();
    end->live = isatty(STDOUT_FILENO) == 1;
    if (end->is_terminal) /* from a pipe, bytes wait until there is a connection to act on */
        event_add(end->keys, NULL);
    return end;
}

struct event_base *interactive_base(const struct interactive *end)
{
    return end->base;
}

void interactive_leave(struct interactive *end, int exit_code)
{
    if (end->exit_code < 0)
        end->exit_code = exit_code;
    event_base_loopbreak(end->base);
}

void interactive_connected(struct interactive *end, int fd)
{
    end->fd = fd;
    int rc = connection_of(fd, end->side, &end->connection);
    if (rc != 0) {
        diag_error("%s: %s",
                   is_failure_here(-rc) ? "cannot name the connection"
                                        : "the peer was gone before it could be seen",
                   strerror(-rc));
        interactive_leave(end, EXIT_MACHINE);
        return;
    }
    end->is_connected = true;
    evutil_make_socket_nonblocking(fd);
    end->incoming = event_new(end->base, fd, EV_READ | EV_PERSIST, on_incoming, end);
    event_add(end->incoming, NULL);
    look_and_show(end);
    if (!end->is_terminal)
        event_add(end->keys, NULL);
}

int interactive_run(struct interactive *end)
{
    if (end->exit_code < 0)
        event_base_dispatch(end->base);
    clear_countdown(end);
    return end->exit_code < 0 ? EXIT_MACHINE : end->exit_code;
}

void interactive_free(struct interactive *end)
{
    if (end == NULL)
        return;
    struct event *const events[] = {end->keys,   end->looks,   end->incoming,
                                    end->pauses, end->resumes, end->quits};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (events[i] != NULL)
            event_free(events[i]);
    stop_events_close(&end->stops);
    if (end->fd >= 0)
        close(end->fd);
    if (end->base != NULL)
        event_base_free(end->base);
    terminal_restore();
    free(end);
}
