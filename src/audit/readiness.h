/* readiness: waits until a program that we have started listens. Nobody connects for that: the kernel's table
 * of listeners tells, and the descriptors of the program's processes whose they are. */
#ifndef AUDIT_READINESS_H
#define AUDIT_READINESS_H

#include "audit/audit_settings.h"
#include "control/program.h"

#include <stdint.h>

enum readiness {
    READY,
    READY_INTERRUPTED, /* by a signal */
    READY_ENDED,       /* nothing of the program is left */
    READY_LATE,
    READY_TAKEN,  /* somebody else listens there: `listener` */
    READY_HIDDEN, /* somebody listens there, and may not be looked into */
    READY_FAILED, /* this machine: `error` */
};

struct readiness_wish {
    const struct audit_settings *settings; /* its port, or its Unix socket */
    const struct address *addresses;       /* on any of them */
    int address_count;
    int64_t patience_ms;
};

struct readiness_found {
    int address;    /* READY: its index */
    pid_t listener; /* READY_TAKEN; 0: not known */
    char listener_command[16];
    uint16_t elsewhere; /* READY_LATE: the program listens on that port; 0: on none */
    int error;          /* a negative errno */
};

/* Whether nobody listens there now: READY, READY_TAKEN or READY_FAILED. */
enum readiness readiness_is_free(const struct readiness_wish *wish, struct readiness_found *found);

/* Waits until the program listens, and, for a moment, starts and opens nothing more: what it opens then is
 * not for its connections. */
enum readiness readiness_wait(struct program *program, const struct readiness_wish *wish,
                              struct readiness_found *found);

#endif
