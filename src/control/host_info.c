#include "control/host_info.h"

#include "control/messages.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LARGEST ((int64_t)1 << 53)

#define LIMIT(member, most)                                                                                  \
    {                                                                                                        \
        .name = #member, .at = offsetof(struct host_limits, member), .max = (most)                           \
    }

/* The bounds are those of the kernel's types, and keep what is reckoned with them from overflow. */
static const struct {
    const char *name;
    size_t at;
    int64_t max; /* the least is 0 */
} rows[] = {
    LIMIT(nofile_hard, INT32_MAX),    LIMIT(files_left, LARGEST),       LIMIT(processors, 1 << 20),
    LIMIT(memory_available, LARGEST), LIMIT(port_first, 65535),         LIMIT(port_last, 65535),
    LIMIT(somaxconn, INT32_MAX),      LIMIT(max_tw_buckets, INT32_MAX), LIMIT(max_orphans, LARGEST),
    LIMIT(retries2, INT32_MAX),       LIMIT(rfc1337, INT32_MAX),        LIMIT(fin_timeout_ms, LARGEST),
    LIMIT(ehash_entries, LARGEST),    LIMIT(tcp_pages, LARGEST),
};
_Static_assert(sizeof rows / sizeof rows[0] == HOST_INFO_LIMITS, "one row per number");

static int64_t *limit_at(struct host_limits *limits, int row)
{
    return (int64_t *)((char *)limits + rows[row].at);
}

static int64_t within(int64_t value, int64_t max)
{
    return value < 0 ? 0 : value > max ? max : value;
}

struct host_info_text host_info_limits(const struct host_limits *limits)
{
    struct host_info_text out = {""};
    struct host_limits copy = *limits;
    size_t length = 0;
    for (int i = 0; i < HOST_INFO_LIMITS && length < sizeof out.text; i++)
        length += (size_t)snprintf(out.text + length, sizeof out.text - length, "%s%s=%" PRId64,
                                   i > 0 ? " " : "", rows[i].name, within(*limit_at(&copy, i), rows[i].max));
    return out;
}

/* The row of "NAME=NUMBER" and its number; -1 when it is none. */
static int parse_limit(const char *word, int64_t *number)
{
    size_t length = strcspn(word, "=");
    for (int i = 0; word[length] == '=' && i < HOST_INFO_LIMITS; i++)
        if (strlen(rows[i].name) == length && strncmp(rows[i].name, word, length) == 0)
            return message_number(word + length + 1, 0, rows[i].max, number) ? i : -1;
    return -1;
}

bool host_info_read_limit(const char *word, struct host_limits *limits)
{
    int64_t number;
    int row = parse_limit(word, &number);
    if (row >= 0)
        *limit_at(limits, row) = number;
    return row >= 0;
}

struct host_info_identity host_info_identity(void)
{
    struct host_info_identity out = {"?"};
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
