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
    [COUNTER_TIME_WAIT_OVERFLOW] = {"TcpExt:", "TCPTimeWaitOverflow", true,
                                    "sockets were dropped instead of kept in TIME_WAIT or FIN_WAIT2: raise "
                                    "net.ipv4.tcp_max_tw_buckets"},
    [COUNTER_LISTEN_OVERFLOWS] = {"TcpExt:", "ListenOverflows", true,
                                  "handshakes met a full accept queue: the server accepts too slowly"},
    [COUNTER_LISTEN_DROPS] = {"TcpExt:", "ListenDrops", true, "SYNs were dropped by a listener"},
    [COUNTER_SYN_RETRANS] = {"TcpExt:", "TCPSynRetrans", true,
                             "SYNs had to be sent again, each a second or more late"},
    [COUNTER_ABORT_ON_CLOSE] = {"TcpExt:", "TCPAbortOnClose", false,
                                "connections were closed with data unread: RST instead of FIN"},
    [COUNTER_ABORT_ON_DATA] = {"TcpExt:", "TCPAbortOnData", false,
                               "connections were reset by SO_LINGER 0 or by data after close()"},
    [COUNTER_ABORT_ON_MEMORY] = {"TcpExt:", "TCPAbortOnMemory", true,
                                 "orphans were reset: net.ipv4.tcp_max_orphans or tcp_mem is reached"},
    [COUNTER_ABORT_ON_TIMEOUT] = {"TcpExt:", "TCPAbortOnTimeout", true,
                                  "connections were given up after unanswered retransmissions"},
    [COUNTER_ABORT_FAILED] = {"TcpExt:", "TCPAbortFailed", true, "RSTs could not be sent for want of memory"},
    [COUNTER_RETRANS_SEGS] = {"Tcp:", "RetransSegs", true, "segments had to be sent again"},
    [COUNTER_ATTEMPT_FAILS] = {"Tcp:", "AttemptFails", true, "connection attempts failed"},
    [COUNTER_ESTAB_RESETS] = {"Tcp:", "EstabResets", false, "established connections were reset"},
    [COUNTER_OUT_RSTS] = {"Tcp:", "OutRsts", false, "RSTs were sent"},
    [COUNTER_TIME_WAIT_REUSED] = {"TcpExt:", "TWRecycled", false,
                                  "a connection in TIME_WAIT gave its port to a new one"},
    [COUNTER_SOFTNET_DROPPED] =
        {NULL, "softnet_dropped", true,
         "packets were dropped before the stack somewhere on this host, loopback included: "
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
    for (int i = 0; i < COUNTER_COUNT; i++)
        moved.value[i] = now->value[i] - before->value[i];
    return moved;
}
