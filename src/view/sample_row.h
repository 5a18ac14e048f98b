/* sample_row: a sample row by row, as the files have it: one for each side, and for each host of that side.
 */
#ifndef VIEW_SAMPLE_ROW_H
#define VIEW_SAMPLE_ROW_H

#include "engine/by_host.h"
#include "engine/observer.h"

#include <stdbool.h>

struct sample_row {
    enum side side;
    const struct histogram *histogram;
    int64_t opened, fds, errors, lost, nofile;
    int64_t elsewhere; /* on the side's first row, 0 on others */
    double failed_s;   /* on the side's first row, 0 on others */
    const char *host;  /* its launcher, or "local" */
    bool is_of_server; /* `dropped` of the sample is told on this row */
    bool is_of_client; /* likewise `late` and `connect_us` */
};

enum { SAMPLE_ROWS_MAX = SIDE_COUNT * LOOK_PARTS_MAX };

/* Fills in the rows, the server's first, and returns how many there are. They point into the sample. */
int sample_rows(const struct sample *sample, struct sample_row rows[SAMPLE_ROWS_MAX]);

#endif
