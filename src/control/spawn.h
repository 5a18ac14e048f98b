/* process: a worker or witness on this machine: this same binary, executed again with a socketpair as its
 * standard input and output. */
#ifndef CONTROL_SPAWN_H
#define CONTROL_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

struct process {
    pid_t pid;      /* 0 when it was never started */
    bool elsewhere; /* on another host: its pid is no process of ours, and never signalled or reaped here */
    bool ended;     /* reaped; wait_status says how */
    int wait_status;
    bool leads_group;   /* a command of the user, in a process group of its own */
    int parting_signal; /* for what it leaves behind there when it ends */
    int stopped_by;     /* the signal that has stopped it last, 0: none */
    char name[32];      /* "server worker 2", for messages */
};

/* Ctrl-C and hang-up reach the whole process group; a worker leaves when its controller says so or is gone.
 */
void process_leave_signals_to_controller(void);

/* In a child that is to be a command of the user: the signals that it would have had without us. */
void process_take_default_signals(void);

enum { PROCESS_WORDS_MAX = 4 };

/* Exit statuses of a worker, a host's process or the witness that has said nothing itself: see
 * cmd/last_words. */
enum {
    PROCESS_OUT_OF_MEMORY = 12,
    PROCESS_LOOP_FAILED = 13,
    PROCESS_NOT_STARTED = 14,   /* a call failed before it could serve */
    PROCESS_STREAM_FAILED = 15, /* what it had to say did not get out */
};

/* Runs this binary as `tcpstorm WORD ...`; NULL ends the words. Returns our end of the stream, or a negative
 * errno. */
int spawn_self(struct process *process, const char *const words[PROCESS_WORDS_MAX + 1]);

/* Runs a command of the user by the shell, likewise: in a process group of its own, so that a Ctrl-C at the
 * terminal is ours alone to hear, and with the default signals. The parting_signal is SIGKILL until the
 * caller sets another. */
int spawn_command(struct process *process, const char *command);

/* Collects the exit of this process if it has ended. True when it had not been collected before. Takes note
 * when it has been stopped. */
bool process_reap(struct process *process);

/* At once; a command of the user too, and what it has started there is sent its parting_signal. */
void process_kill(const struct process *process);

/* Asks a command of the user to leave, and all that it has started. */
void process_ask_to_leave(const struct process *process);

struct process_end {
    char text[64];
};

/* "was killed by signal 9 (Killed)", "ran out of memory", "exited with status 1", "closed its stream". */
struct process_end process_end_text(const struct process *process);

#endif
