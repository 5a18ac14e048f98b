/* controller_state: what the controller and the courses share, and nobody else sees. A course is how an order
 * is played on its connections: all at once, step by step (batch.c), or one by one as they come
 * (arrivals.c). */
#ifndef ENGINE_CONTROLLER_STATE_H
#define ENGINE_CONTROLLER_STATE_H

#include "analysis/outage.h"
#include "analysis/verdict.h"
#include "control/workers.h"
#include "engine/by_host.h"
#include "engine/controller.h"
#include "engine/event_witness.h"
#include "engine/sampler.h"

/* How an order goes on; controller.c has the table of what each event means in each phase.
 *
 *   STARTING -greeted-> LISTENING -listening-> ACTING -acted-> SETTLING -looked-> HOLDING
 *                                                 ^ |              |                 |
 *                                                 | |              |   the next step |
 *                                                 +-|--------------|-----------------+
 *                                                   |              |                 |  it was the last,
 *                                              stop |         stop,|            stop,|  or it differs
 *                                                   v      differs v                 v
 *                                               STOPPING -stopped-> ASKING <---------+
 *                                                                      | owners
 *                                                                      v
 *   a stop in STARTING, LISTENING, ASKING; a fault, a loss anywhere ->  ENDING -> all have left
 *
 * Every phase but a hold has a deadline, and settling waits for a reader of rows who has stopped. While
 * workers have to do something, the heartbeat holds them to it: who does not answer for a while, or makes no
 * progress, ends the order. The workers see to it that ENDING ends. */
enum phase {
    PHASE_STARTING,  /* processes come up and say hello */
    PHASE_LISTENING, /* servers open their lanes */
    PHASE_ACTING,    /* a step's act is under way */
    PHASE_SETTLING,  /* all acts are acknowledged; the kernel has yet to show what is expected */
    PHASE_HOLDING,   /* it does, and is watched */
    PHASE_STOPPING,  /* the run is interrupted; workers end the act where it is */
    PHASE_ASKING,    /* it is decided; whose the lingering sockets are is being looked up */
    PHASE_ENDING,    /* the outcome is there; processes leave */
    PHASE_COUNT,
};

enum event_kind {
    EVENT_GREETED,   /* all processes have said hello */
    EVENT_LISTENING, /* all lanes are */
    EVENT_ACTED,     /* every worker has done its part of the step */
    EVENT_LOOKED,    /* a look is complete */
    EVENT_TIMER,     /* the phase's time is over */
    EVENT_STOP,      /* a signal: the order is to end soon */
    EVENT_STOPPED,   /* all workers have */
    EVENT_OWNERS,    /* all witnesses have said whose the sockets are */
    EVENT_COUNT,
};

/* What is still owed. Each has a counter of its own: one that reaches 0 is one event. */
struct awaited {
    int greetings; /* of peers */
    int lanes;     /* that are to listen */
    int opens;     /* lanes on which connections are still to come */
    int acts;      /* workers that have not said that they are done */
    int reports;   /* servers that owe the last reports of a flow */
    int deaths;    /* workers that are killed by plan */
    int stops;     /* workers that have been told to stop */
    int ghosts;    /* workers that have not said how many ghosts they hold */
    int owners;    /* witnesses that have not said whose the lingering sockets are */
};

struct mode {
    const char *roles[SIDE_COUNT]; /* of the workers: see cmd_worker */
    int (*step_count)(const struct controller *c);
    struct step_label (*label)(const struct controller *c);
    /* Before the servers listen. NULL: nothing. */
    void (*prepare)(struct controller *c);
    /* Tells the workers what to do in c->step; EVENT_ACTED follows when they have. */
    void (*begin_step)(struct controller *c);
    /* Of the messages that only it waits for; the context is the peer. */
    message_handler *const *handlers;
    /* Connections that the client worker of that pair has begun and that have not failed. */
    int64_t (*opened_by)(const struct controller *c, int pair);
    struct expectation (*expected)(const struct controller *c, int64_t now_us);
    /* Takes note of a look. NULL: nothing. */
    void (*note_look)(struct controller *c);
    /* What else the run must show: false, and c->difference, when it does not. NULL: nothing. */
    bool (*is_as_expected)(struct controller *c);
    /* Who has not done what all wait for. */
    const struct peer *(*silent)(const struct controller *c);
    /* What the connections have come to. NULL: nothing to be told. */
    struct flow_report (*report)(const struct controller *c);
    void (*progress)(const struct controller *c, struct progress *progress);
};

extern const struct mode batch;
extern const struct mode arrivals;

struct controller {
    struct event_base *base;
    const struct plan *plan;
    const struct experiment *experiment;
    const struct close_order *order; /* its steps */
    const struct mode *mode;
    struct port_range ports;
    int order_index;
    const struct observers *observers;
    int64_t run_began_us;

    const char *role_words[SIDE_COUNT][PROCESS_WORDS_MAX + 1];
    const char *const *roles[SIDE_COUNT];
    struct lane *lanes; /* plan->lane_count of them */
    struct workers workers;
    struct peer *lost; /* the one whose end stopped the order */

    enum phase phase;
    int step;
    struct step_label label;
    int64_t phase_began_us;
    struct awaited awaited;
    int64_t last_beat_us; /* of the heartbeat */
    int beats;
    int64_t progress_us; /* when a worker last said what it has done */
    int64_t act_serial;
    struct act_times times;
    int64_t act_began_us;
    int64_t act_us; /* what the step's act took */

    struct sampler sampler;
    struct event_witness event_witness;
    struct difference disagreement;                      /* of the two witnesses, at the last comparison */
    struct event *phase_timer, *heartbeat, *gauge_timer; /* gauge_timer: NULL unless somebody shows it */
    int looks_since_act; /* complete ones that began after the act was acknowledged */
    bool hold_is_over;
    int differing_looks; /* in a row, at the end of a hold: a table is no snapshot, see witness.h */
    double settle_s;
    struct look look;   /* the last complete one */
    struct look coming; /* one that the workers still have to say their part of */
    struct { /* what the workers had reported when it began: later, more is opened than it can have met */
        int64_t opened, fds[SIDE_COUNT], errors[SIDE_COUNT];
        struct by_host by_host;
        struct kernel_counters moved; /* since the order began, read when the look has come */
    } at_look;
    bool has_look;
    int64_t ghosts_serial, stop_serial, owners_serial;
    int owners_tries,
        owners_error; /* looks at the owners, and why the last one failed: an errno, 0: it did not */
    bool aged, late_close;
    bool by_keepalive[SIDE_COUNT]; /* it has taken ends of that side off their descriptors */
    int64_t assassinated;          /* TIME_WAIT that a late RST has ended */

    struct kernel_counters counters_before, moved; /* moved until the outcome was decided */
    enum outcome decided; /* from STOPPING or ASKING on: unless what is asked then shows otherwise */
    enum outcome outcome; /* from ENDING on */
    struct fault fault;
    struct difference difference;
    struct difference act_failure; /* "" unless the step's act failed on some ends */
    struct lingering lingering;    /* when it was decided; total 0 when it was not looked up */
    struct outage outage;          /* of a flow: how it grew and what broke, in order */
};

/* ---- for the courses ---- */

/* Where the server of that lane listens. */
const struct address *controller_lane_address(const struct controller *c, const struct lane *lane);

/* Connections begun that have not failed. */
int64_t controller_opened(const struct controller *c);

const struct order_step *controller_step(const struct controller *c);

/* Something has happened; what it means depends on the phase, and in some phases it means nothing. */
void controller_on_event(struct controller *c, enum event_kind event);

/* The outcome is there; processes leave. */
static inline bool controller_is_over(const struct controller *c)
{
    return c->phase == PHASE_ENDING;
}

/* This machine, or a worker, makes it impossible to go on. */
void controller_fail(struct controller *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What the kernel's counters have moved by since the order began. */
struct kernel_counters controller_counters(const struct controller *c);

/* On the clock of t_s: since the run began. */
double controller_t_s(const struct controller *c, int64_t at_us);

/* HOLD_FOREVER, or for how long the step is held. */
int64_t controller_hold_ms(const struct controller *c);

/* It has been interrupted, and is on its way to its end: what fails now is no fault of the run. */
static inline bool controller_is_stopping(const struct controller *c)
{
    return c->phase == PHASE_STOPPING || (c->phase == PHASE_ASKING && c->decided == OUTCOME_INTERRUPTED);
}

/* ---- what is asked of the processes and heard from them: controller_workers.c ---- */

/* The words that start a worker of that side: see cmd_worker. */
void controller_name_role(struct controller *c, enum side side);

/* Starts all; EVENT_GREETED follows when they have said hello. */
void controller_start_workers(struct controller *c);

/* Tells the servers to listen, EVENT_LISTENING follows when they do, and the witnesses where to look. */
void controller_tell_lanes(struct controller *c);

/* Tells all witnesses. */
void controller_tell_witnesses(struct controller *c, const struct message *message);

/* Whether the looks from now on prove anything. Those that do not are counted by the kernel, where events may
 * be counted too and there are many sockets. */
void controller_tell_how_to_look(struct controller *c, bool is_proof);

/* Asks a question of that serial, to which the answer comes in turn. */
void controller_ask(struct peer *peer, enum message_id question, int64_t serial);

/* Has the sampler's looks come to the controller. */
void controller_hear_looks(struct controller *c);

/* Of a look that is complete. */
void controller_take_look(struct controller *c);

/* ---- the second witness: controller_transitions.c ---- */

/* From now on those who show it are told what the events count, between the looks and during acts. Returns 0
 * or -ENOMEM. */
int controller_begin_gauge(struct controller *c);

/* The gauge of the events and the look that has ended. */
enum agreement controller_compare_witnesses(struct controller *c);

/* Of a settled step: false, and c->difference, when the two witnesses differ. */
bool controller_note_agreement(struct controller *c, enum agreement agreement);

/* False, and c->difference, when the transitions are not those of the order. */
bool controller_transitions_are_as_expected(struct controller *c);

/* ---- what the observers are told: controller_report.c. An output that fails is a fault. ---- */

void controller_tell_sample(struct controller *c, bool settled);
void controller_tell_step_end(struct controller *c, const struct expectation *expectation, bool ok);
void controller_tell_progress(struct controller *c);
void controller_tell_order_end(struct controller *c);

/* ---- the watch over what is owed: controller_watch.c ---- */

/* Of the heartbeat: fails the order when somebody is silent, nothing gets on, or nothing is awaited any more.
 */
void controller_watch(struct controller *c);

/* Where that peer has answered a later question, but owes an answer to an earlier one, that one is lost. */
void controller_note_pong(void *context, const struct message *message);

/* The sentence of an order that lost a process. */
void controller_describe_lost(struct controller *c);

#endif
