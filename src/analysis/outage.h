/* outage: what a flow of connections does to a server that leaks: how what is held grows, what breaks, and
 * when. */
#ifndef ANALYSIS_OUTAGE_H
#define ANALYSIS_OUTAGE_H

#include "analysis/timeline.h"
#include "analysis/trend.h"
#include "kernel/histogram.h"
#include "kernel/kernel_counters.h"

/* What all workers together have said of connections that come one by one. */
struct flow_tally {
    int64_t begun;      /* server: accepted; client: connect() called and not failed */
    int64_t connected;  /* client: of them, handshake complete */
    int64_t late;       /* client: arrivals that came too late */
    int64_t worst_us;   /* client: by so much the latest */
    int64_t oldest_us;  /* client: for so long its oldest connect() has been waiting */
    int64_t timeouts;   /* client: connect() given up */
    int64_t abandoned;  /* client: of them, those whose descriptor it has not closed */
    int64_t span_us;    /* client: from the first arrival to the last */
    int64_t leaked;     /* on purpose */
    int64_t lost;       /* reset before they were through */
    int64_t reused;     /* client: requests on a connection that was there */
    int64_t slowest_us; /* client: the longest time to a reply, where its behaviour measures it */
    int64_t elsewhere;  /* server: descriptors on connections to others, where its behaviour tells of them */
    int64_t errors;     /* server: accept() failed; client: connect() failed */
    int error;          /* errno of the last of them, 0 for none */
};

struct outage {
    int64_t backlog;       /* of the one listener; 0: there are several */
    int64_t server_nofile; /* descriptors that a process of the server may have; 0: not known */
    struct trend_line growth[SIDE_COUNT]; /* of what the side holds, until something broke */
    struct timeline timeline;
    struct { /* of ListenDrops while it rises from look to look */
        int64_t seen, first;
        double began_s, last_s;
    } drops;
};

/* Sockets held by a process, ghosts, CLOSE_WAIT that was never accepted, and what is held elsewhere. */
int64_t outage_held(const struct histogram *histogram);

/* Takes note of a look. Once something has broken, growth is no longer followed. */
void outage_note_look(struct outage *outage, double t_s, const struct histogram sides[SIDE_COUNT]);

/* Takes note of what the workers have reported. */
void outage_note_flow(struct outage *outage, double t_s, const struct flow_tally sums[SIDE_COUNT]);

/* Takes note of the kernel's counters at a look. Others in this namespace may have their SYNs dropped too:
 * dropped ones are this run's once clients of it wait, and since the counter began to rise. */
void outage_note_counters(struct outage *outage, double t_s, const struct kernel_counters *moved,
                          bool clients_wait);
void outage_note_queue(struct outage *outage, double t_s, int64_t queued, int backlog);

#endif
