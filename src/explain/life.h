/* life: what the sockets of a group have lived through, from the kernel's clocks. */
#ifndef EXPLAIN_LIFE_H
#define EXPLAIN_LIFE_H

#include "explain/facts.h"
#include "explain/group.h"

/* From the least to the most of all members; -1: not known of any. */
struct life_range {
    int64_t least, most;
};

struct life {
    struct life_range age_ms, fin_ms;
    struct life_range quiet_ms; /* for so long nothing has moved in what the program has half-closed */
    struct life_range bytes;    /* received, of each */
    struct life_range unread;   /* Recv-Q, of each */
    int64_t unsent;             /* of all together */
    bool are_fins_exact;        /* false: keep-alive, or data after the FIN: fin_ms is what is possible */
    int answered, never_sent;   /* members that were answered, whose peer never sent a byte */
    struct fact_endpoint peer;  /* of the oldest */
    int other_peers;            /* members with another address; of outgoing ones, or another port */
};

struct life life_of(const struct facts *facts, const struct group *group);

/* "2.1 s", "340 ms", "1 min 5 s", "3 h 20 min", "2 days 4 h". */
struct life_text {
    char text[32];
};
struct life_text life_time(int64_t ms);

/* "2.1 s" or "2.1 s to 1 min 5 s". */
struct life_span_text {
    char text[80];
};
struct life_span_text life_span(struct life_range range);

#endif
