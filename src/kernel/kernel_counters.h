/* kernel_counters: the kernel's own account of why connections went another way than planned
 * (/proc/net/netstat, /proc/net/snmp, /proc/net/softnet_stat). */
#ifndef KERNEL_KERNEL_COUNTERS_H
#define KERNEL_KERNEL_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum kernel_counter {
    COUNTER_TIME_WAIT_OVERFLOW,
    COUNTER_LISTEN_OVERFLOWS,
    COUNTER_LISTEN_DROPS,
    COUNTER_SYN_RETRANS,
    COUNTER_ABORT_ON_CLOSE,
    COUNTER_ABORT_ON_DATA,
    COUNTER_ABORT_ON_MEMORY,
    COUNTER_ABORT_ON_TIMEOUT,
    COUNTER_ABORT_FAILED,
    COUNTER_RETRANS_SEGS,
    COUNTER_ATTEMPT_FAILS,
    COUNTER_ESTAB_RESETS,
    COUNTER_OUT_RSTS,
    COUNTER_TIME_WAIT_REUSED,
    COUNTER_SYN_CHALLENGE,
    COUNTER_KEEPALIVE,
    COUNTER_SOFTNET_DROPPED,
    COUNTER_COUNT,
};

struct kernel_counters {
    int64_t value[COUNTER_COUNT];
};

/* The kernel's name, "TCPTimeWaitOverflow". */
const char *kernel_counter_name(enum kernel_counter counter);

/* What it means when it moved, as the rest of a sentence that starts with the name and the number. */
const char *kernel_counter_meaning(enum kernel_counter counter);

/* True when it explains sockets that are missing or late rather than an RST that the order asked for. */
bool kernel_counter_is_trouble(enum kernel_counter counter);

/* Reads all; what this kernel does not have stays 0, and what cannot be read now is as it was the last time.
 */
void kernel_counters_read(struct kernel_counters *counters);

/* Takes what is there in the form of /proc/net/netstat and /proc/net/snmp, where two lines belong together:
 * "TcpExt: NameA NameB ..." and "TcpExt: 1 2 ...". What is not in that form is passed over. */
void kernel_counters_parse(FILE *file, struct kernel_counters *counters);

/* now - before, counter by counter. */
struct kernel_counters kernel_counters_moved(const struct kernel_counters *now,
                                             const struct kernel_counters *before);

#endif
