/* outputs: where a storm's views write to, from the options that say so. */
#ifndef CMD_OUTPUTS_H
#define CMD_OUTPUTS_H

#include "storm/observer.h"

#include <stdbool.h>
#include <stdio.h>

struct output_options {
    const char *csv, *json; /* a path, "-" for stdout, NULL for none; borrowed */
    bool quiet;
    struct observer (*summary)(FILE *out, const char *name); /* for people; NULL: summary_view */
};

enum { FILES_MAX = 2 };

struct outputs {
    struct observers observers;
    FILE *files[FILES_MAX];
    int file_count;
    char names[FILES_MAX][128];
};

/* Whether all can be written, without opening any. Returns 0, or -EINVAL after telling why not. */
int outputs_check(const struct output_options *options);

/* Opens the files and makes the views. Returns 0, or after telling why: -EINVAL for a file, -ENOMEM. */
int outputs_open(struct outputs *outputs, const struct output_options *options);

/* Returns 0, or a negative errno after telling which file could not be written to its end. */
int outputs_close(struct outputs *outputs);

#endif
