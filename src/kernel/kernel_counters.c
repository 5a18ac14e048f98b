#include "kernel/kernel_counters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct counter_row {
    const char *prefix; /* of its line in netstat or snmp; NULL: softnet_stat */
    const char *name;
    bool is_trouble;
    const char *meaning;
};

static const struct counter_row rows[] = {
    [COUNTER_TIME_WAIT_OVERFLOW] =
        {.prefix = "TcpExt:",
         .name = "TCPTimeWaitOverflow",
         .is_trouble = true,
         .meaning = "sockets were dropped instead of kept in TIME_WAIT or FIN_WAIT2: raise "
                    "net.ipv4.tcp_max_tw_buckets"},
    [COUNTER_LISTEN_OVERFLOWS] = {.prefix = "TcpExt:",
                                  .name = "ListenOverflows",
                                  .is_trouble = true,
                                  .meaning =
                                      "handshakes met a full accept queue: the server accepts too slowly"},
    [COUNTER_LISTEN_DROPS] = {.prefix = "TcpExt:",
                              .name = "ListenDrops",
                              .is_trouble = true,
                              .meaning = "SYNs were dropped by a listener"},
    [COUNTER_SYN_RETRANS] = {.prefix = "TcpExt:",
                             .name = "TCPSynRetrans",
                             .is_trouble = true,
                             .meaning = "SYNs had to be sent again, each a second or more late"},
    [COUNTER_ABORT_ON_CLOSE] = {.prefix = "TcpExt:",
                                .name = "TCPAbortOnClose",
                                .meaning = "connections were closed with data unread: RST instead of FIN"},
    [COUNTER_ABORT_ON_DATA] = {.prefix = "TcpExt:",
                               .name = "TCPAbortOnData",
                               .meaning = "connections were reset by SO_LINGER 0 or by data after close()"},
    [COUNTER_ABORT_ON_MEMORY] = {.prefix = "TcpExt:",
                                 .name = "TCPAbortOnMemory",
                                 .is_trouble = true,
                                 .meaning =
                                     "orphans were reset: net.ipv4.tcp_max_orphans or tcp_mem is reached"},
    [COUNTER_ABORT_ON_TIMEOUT] = {.prefix = "TcpExt:",
                                  .name = "TCPAbortOnTimeout",
                                  .is_trouble = true,
                                  .meaning = "connections were given up after unanswered retransmissions"},
    [COUNTER_ABORT_FAILED] = {.prefix = "TcpExt:",
                              .name = "TCPAbortFailed",
                              .is_trouble = true,
                              .meaning = "RSTs could not be sent for lack of memory"},
    [COUNTER_RETRANS_SEGS] = {.prefix = "Tcp:",
                              .name = "RetransSegs",
                              .is_trouble = true,
                              .meaning = "segments had to be sent again"},
    [COUNTER_ATTEMPT_FAILS] = {.prefix = "Tcp:",
                               .name = "AttemptFails",
                               .is_trouble = true,
                               .meaning = "connection attempts failed"},
    [COUNTER_ESTAB_RESETS] = {.prefix = "Tcp:",
                              .name = "EstabResets",
                              .meaning = "established connections were reset"},
    [COUNTER_OUT_RSTS] = {.prefix = "Tcp:", .name = "OutRsts", .meaning = "RSTs were sent"},
    [COUNTER_TIME_WAIT_REUSED] = {.prefix = "TcpExt:",
                                  .name = "TWRecycled",
                                  .meaning = "a connection in TIME_WAIT gave its port to a new one"},
    [COUNTER_SYN_CHALLENGE] = {.prefix = "TcpExt:",
                               .name = "TCPSYNChallenge",
                               .is_trouble = true,
                               .meaning = "SYNs met an old connection on the same ports: each was answered "
                                          "by a challenge ACK, and sent again"},
    [COUNTER_KEEPALIVE] = {.prefix = "TcpExt:",
                           .name = "TCPKeepAlive",
                           .meaning = "keep-alive probes were sent to silent peers"},
    [COUNTER_SOFTNET_DROPPED] =
        {.name = "softnet_dropped",
         .is_trouble = true,
         .meaning = "packets were dropped before the stack somewhere on this host, loopback included: "
                    "net.core.netdev_max_backlog is too small"},
};
_Static_assert(sizeof rows / sizeof rows[0] == COUNTER_COUNT, "one row per counter");

const char *kernel_counter_name(enum kernel_counter counter)
{
    return rows[counter].name;
}

const char *kernel_counter_meaning(enum kernel_counter counter)
{
    return rows[counter].meaning;
}

bool kernel_counter_is_trouble(enum kernel_counter counter)
{
    return rows[counter].is_trouble;
}

static void take_counter(struct kernel_counters *counters, const char *prefix, const char *name,
                         const char *value)
{
    for (int i = 0; i < COUNTER_COUNT; i++)
        if (rows[i].prefix != NULL && strcmp(rows[i].prefix, prefix) == 0 && strcmp(rows[i].name, name) == 0)
            counters->value[i] = strtoll(value, NULL, 10);
}

void kernel_counters_parse(FILE *file, struct kernel_counters *counters)
{
    char *names = NULL, *values = NULL;
    size_t names_size = 0, values_size = 0;
    while (getline(&names, &names_size, file) > 0 && getline(&values, &values_size, file) > 0) {
        char *at_name, *at_value;
        const char *prefix = strtok_r(names, " \n", &at_name);
        const char *same = strtok_r(values, " \n", &at_value);
        if (prefix == NULL || same == NULL || strcmp(prefix, same) != 0)
            break;
        const char *name, *value;
        while ((name = strtok_r(NULL, " \n", &at_name)) != NULL &&
               (value = strtok_r(NULL, " \n", &at_value)) != NULL)
            take_counter(counters, prefix, name, value);
    }
    free(names);
    free(values);
}

static void read_paired_lines(const char *path, struct kernel_counters *counters)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    kernel_counters_parse(file, counters);
    fclose(file);
}

/* One line per processor, hexadecimal; the second column counts what its backlog queue dropped. */
static void read_softnet_dropped(int64_t *sum)
{
    FILE *file = fopen("/proc/net/softnet_stat", "re");
    if (file == NULL)
        return;
    int64_t total = 0;
    unsigned dropped;
    while (fscanf(file, "%*x %x%*[^\n]", &dropped) == 1)
        total += dropped;
    fclose(file);
    *sum = total;
}

void kernel_counters_read(struct kernel_counters *counters)
{
    static struct kernel_counters last; /* without a descriptor nothing can be read: it is as it was */
    read_paired_lines("/proc/net/netstat", &last);
    read_paired_lines("/proc/net/snmp", &last);
    read_softnet_dropped(&last.value[COUNTER_SOFTNET_DROPPED]);
    *counters = last;
}

struct kernel_counters kernel_counters_moved(const struct kernel_counters *now,
                                             const struct kernel_counters *before)
{
    struct kernel_counters moved;
    for (int i = 0; i < COUNTER_COUNT; i++) /* the kernel's counters are unsigned, and wrap */
        moved.value[i] = (int64_t)((uint64_t)now->value[i] - (uint64_t)before->value[i]);
    return moved;
}
