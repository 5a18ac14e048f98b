#include "view/sample_row.h"

#include "control/hosts.h"

static struct sample_row whole_side(const struct sample *sample, enum side side)
{
    return (struct sample_row){
        .side = side,
        .histogram = &sample->sides[side],
        .opened = sample->opened,
        .fds = sample->fds[side],
        .errors = sample->errors[side],
        .lost = sample->lost[side],
        .nofile = sample->nofile[side],
        .host = "local",
    };
}

static struct sample_row row_of(const struct host_part *part)
{
    return (struct sample_row){
        .side = part->side,
        .histogram = &part->histogram,
        .opened = part->opened,
        .fds = part->fds,
        .errors = part->errors,
        .lost = part->lost,
        .nofile = part->nofile,
        .host = host_word(part->host),
    };
}

int sample_rows(const struct sample *sample, struct sample_row rows[SAMPLE_ROWS_MAX])
{
    int count = 0;
    for (int side = 0; side < SIDE_COUNT; side++) {
        int first = count;
        for (int i = 0; i < sample->part_count; i++)
            if (sample->parts[i].side == (enum side)side)
                rows[count++] = row_of(&sample->parts[i]);
        if (sample->part_count == 0)
            rows[count++] = whole_side(sample, (enum side)side);
        if (count > first) {
            rows[first].is_of_server = side == SIDE_SERVER;
            rows[first].is_of_client = side == SIDE_CLIENT;
            rows[first].elsewhere = sample->sides[side].elsewhere;
            rows[first].failed_s = sample->failed_s[side];
        }
    }
    return count;
}
