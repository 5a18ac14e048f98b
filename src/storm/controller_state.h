/* controller_state: what the controller and the courses share, and nobody else sees. A course is how an order
 * is played on its connections: all at once, step by step (course_at_once.c), or one by one as they come
 * (course_flow.c). */
#ifndef STORM_CONTROLLER_STATE_H
#define STORM_CONTROLLER_STATE_H

#include "storm/by_host.h"
#include "storm/controller.h"
#include "storm/crew.h"
#include "storm/lookout.h"
#include "storm/outage.h"
#include "storm/verdict.h"

enum phase {
    PHASE_STARTING,  /* processes come up and say hello */
    PHASE_LISTENING, /* servers open their lanes */
    PHASE_ACTING,    /* a step's act is under way */
    PHASE_SETTLING,  /* all acts are acknowledged; the kernel has yet to show what is expected */
    PHASE_HOLDING,   /* it does, and is watched */
    PHASE_ASKING,    /* it is decided; whose the lingering sockets are is being looked up */
    PHASE_ENDING,    /* processes leave */
};

struct course {
    int (*step_count)(const struct controller *c);
    struct step_label (*label)(const struct controller *c);
    /* Before the servers listen. NULL: nothing. */
    void (*prepare)(struct controller *c);
    /* Tells the workers what to do in c->step; controller_act_is_done() follows when they have. */
    void (*begin_step)(struct controller *c);
    /* False when the line is none of its. */
    bool (*hear)(struct peer *peer, const struct wire_line *line);
    /* Connections that the client worker of that pair has begun and that have not failed. */
    int64_t (*opened_by)(const struct controller *c, int pair);
    struct expectation (*expected)(const struct controller *c, int64_t now_us);
    /* Takes note of a look. NULL: nothing. */
    void (*note_look)(struct controller *c);
    /* What else the run must show: false, and c->difference, when it does not. NULL: nothing. */
    bool (*is_as_expected)(struct controller *c);
    /* Who has not done what all wait for. */
    const struct peer *(*silent)(const struct controller *c);
    void (*progress)(const struct controller *c, struct progress *progress);
};

extern const struct course course_at_once;
extern const struct course course_flow;

struct controller {
    struct event_base *base;
    const struct plan *plan;
    const struct close_order *order;
    const struct course *course;
    struct port_range ports;
    int order_index;
    const struct observers *observers;
    int64_t run_began_us;

    const char *role_words[SIDE_COUNT][PROCESS_WORDS_MAX + 1];
    const char *const *roles[SIDE_COUNT];
    struct lane *lanes; /* plan->lane_count of them */
    struct crew crew;
    struct peer *lost; /* the one whose end stopped the order */

    enum phase phase;
    int step;
    struct step_label label;
    int64_t phase_began_us;
    int64_t last_beat_us; /* of the heartbeat */
    int64_t last_word_us; /* when a worker was last heard */
    int64_t act_serial;
    int awaited; /* peers that still owe hello, lanes that still owe listening, workers that still act */
    struct act_times times;
    int64_t act_began_us;
    int64_t act_us; /* what the step's act took */

    struct lookout lookout;
    struct event *phase_timer, *heartbeat;
    int looks_since_act; /* complete ones that began after the act was acknowledged */
    bool hold_is_over;
    double settle_s;
    struct look look; /* the last complete one */
    struct { /* what the workers had reported when it began: later, more is opened than it can have met */
        int64_t opened, fds[SIDE_COUNT], errors[SIDE_COUNT];
        struct by_host by_host;
        struct kernel_counters moved; /* since the order began, read when the look has come */
    } at_look;
    bool has_look;
    int census_awaited; /* workers that have not said how many ghosts they hold */
    int64_t census_serial, census_began_us;
    int64_t owners_serial;
    int owners_awaited; /* witnesses that have not said whose the lingering sockets are */
    bool aged, late_close;
    int64_t assassinated; /* TIME_WAIT that a late RST has ended */

    struct kernel_counters counters_before, moved; /* moved until the outcome was decided */
    bool is_over;                                  /* the outcome is decided */
    enum outcome decided, outcome;
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

/* Tells all witnesses. */
void controller_tell_witnesses(struct controller *c, const char *line);

const struct order_step *controller_step(const struct controller *c);

/* A line that a worker or the witness may say. */
struct verb {
    const char *name;
    void (*run)(struct peer *peer, const struct wire_line *line);
};

/* Runs the one that the line begins with; false when none of them is. */
bool controller_hear(const struct verb *known, size_t count, struct peer *peer, const struct wire_line *line);

/* Every worker has done its part of the step. */
void controller_act_is_done(struct controller *c);

/* This machine, or a worker, makes it impossible to go on. */
void controller_fail(struct controller *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What the kernel's counters have moved by since the order began. */
struct kernel_counters controller_counters(const struct controller *c);

/* What a flow has come to. */
struct flow_report flow_report_of(const struct controller *c);

/* On the clock of t_s: since the run began. */
double controller_t_s(const struct controller *c, int64_t at_us);

#endif
