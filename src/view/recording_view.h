/* recording_view: the looks of a watch as a recording (watch/recording.h). It grows ever slower: after each
 * RECORDED_LOOKS lines twice as many looks share the next ones, so that a day at a look a second has some
 * 7,000. */
#ifndef VIEW_RECORDING_VIEW_H
#define VIEW_RECORDING_VIEW_H

#include "view/watch_view.h"
#include "watch/watch_flow.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { RECORDED_LOOKS = 1024 };

/* Zero-initialised but for `out`. */
struct recorder {
    FILE *out;
    int64_t looks; /* that were offered since the last line */
    int64_t lines; /* that were written, at this many looks each: */
    int64_t every;
    bool is_of_process; /* only ports on which that process had something are written */
    int known_count;
    struct {
        uint16_t port;
        uint8_t side;
    } known[FLOW_PORTS_MAX];
};

/* The head: what is watched, from now on. */
void recorder_begin(struct recorder *recorder, const struct watch_settings *settings, int64_t interval_ms);

/* Offers a look: it is written when its turn has come, or it is the last. The flow is taken then. */
void recorder_offer(struct recorder *recorder, const struct watch_page *page, struct watch_flow *flow,
                    bool is_last);

#endif
