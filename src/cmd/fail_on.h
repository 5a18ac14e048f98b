/* fail_on: --fail-on of a watch: on what the command ends with exit code 1. */
#ifndef CMD_FAIL_ON_H
#define CMD_FAIL_ON_H

#include "watch/watch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised: nothing. */
struct fail_on {
    uint32_t growth; /* of these groups (a set) */
    bool is_chosen;  /* they were named; else they are all that are leaks */
    int64_t age_ms;  /* of the oldest CLOSE_WAIT; 0: not asked for */
    int64_t count;   /* of CLOSE_WAIT and ghosts in one row; 0: not asked for */
    int64_t eta_ms;  /* until descriptors, or places of an accept queue, are gone; 0: not asked for */
};

/* For an option row: "growth", "growth:close_wait,ghosts", "age:10m", "count:500", "eta:1h", "nothing",
 * several of them with commas between. Adds to what `target`, a struct fail_on, has. */
int fail_on_parse(const char *text, void *target, char *why, size_t why_size);

bool fail_on_is_any(const struct fail_on *fail_on);

/* It takes looks over some time: the name of what does, "growth" or "eta"; NULL: one look will do. */
const char *fail_on_takes_time(const struct fail_on *fail_on);

#endif
