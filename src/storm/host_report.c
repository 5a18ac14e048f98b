#include "storm/host_report.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LIMIT(member)                                                                                        \
    {                                                                                                        \
#member, offsetof(struct host_limits, member)                                                        \
    }

static const struct {
    const char *name;
    size_t at;
} rows[] = {
    LIMIT(nofile_hard), LIMIT(files_left), LIMIT(processors),     LIMIT(memory_available),
    LIMIT(port_first),  LIMIT(port_last),  LIMIT(somaxconn),      LIMIT(max_tw_buckets),
    LIMIT(max_orphans), LIMIT(rfc1337),    LIMIT(fin_timeout_ms), LIMIT(ehash_entries),
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static int64_t *limit_at(struct host_limits *limits, int row)
{
    return (int64_t *)((char *)limits + rows[row].at);
}

struct wire_text host_report_limits(const struct host_limits *limits)
{
    struct wire_text out = {"limits"};
    struct host_limits copy = *limits;
    for (int i = 0; i < ROWS; i++)
        wire_text_add(&out, " %s=%" PRId64, rows[i].name, *limit_at(&copy, i));
    return out;
}

void host_report_read_limits(const struct wire_line *line, struct host_limits *limits)
{
    for (int word = 1; word < line->count; word++) {
        const char *equals = strchr(line->word[word], '=');
        for (int i = 0; equals != NULL && i < ROWS; i++)
            if (strlen(rows[i].name) == (size_t)(equals - line->word[word]) &&
                strncmp(rows[i].name, line->word[word], strlen(rows[i].name)) == 0)
                *limit_at(limits, i) = strtoll(equals + 1, NULL, 10);
    }
}

struct wire_text host_report_identity(void)
{
    struct wire_text out = {"?"};
    char boot[64] = "?";
    struct stat net = {0};
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file != NULL) {
        if (fscanf(file, "%63s", boot) != 1)
            snprintf(boot, sizeof boot, "?");
        fclose(file);
    }
    stat("/proc/self/ns/net", &net);
    snprintf(out.text, sizeof out.text, "%s.%llu", boot, (unsigned long long)net.st_ino);
    return out;
}
