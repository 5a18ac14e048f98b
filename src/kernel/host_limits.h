/* host_limits: what this machine and this network namespace allow. */
#ifndef KERNEL_HOST_LIMITS_H
#define KERNEL_HOST_LIMITS_H

#include <stdint.h>

/* How long TIME_WAIT lasts, TCP_TIMEWAIT_LEN in include/net/tcp.h of the kernel: no sysctl changes it. */
enum { TIME_WAIT_LENGTH_MS = 60000 };

struct host_limits {
    int64_t nofile_hard; /* descriptors a process may have at most */
    int64_t files_left;  /* open files that the whole machine still allows (fs.file-max); INT64_MAX for real
                            root */
    int64_t processors;  /* online */
    int64_t memory_available; /* bytes: MemAvailable, or less where a cgroup allows less */
    int64_t port_first;       /* net.ipv4.ip_local_port_range */
    int64_t port_last;
    int64_t somaxconn;      /* net.core.somaxconn */
    int64_t max_tw_buckets; /* net.ipv4.tcp_max_tw_buckets */
    /* Those of struct shared_limits. INT64_MAX: not known, as from another network namespace. */
    int64_t max_orphans;    /* net.ipv4.tcp_max_orphans */
    int64_t tcp_pages;      /* the last of net.ipv4.tcp_mem, in pages of memory */
    int64_t fin_timeout_ms; /* net.ipv4.tcp_fin_timeout */
    int64_t retries2;       /* net.ipv4.tcp_retries2: how often data is sent again */
    int64_t rfc1337;        /* net.ipv4.tcp_rfc1337: 1 when an RST does not end TIME_WAIT */
    int64_t ehash_entries;  /* net.ipv4.tcp_ehash_entries: buckets of the table of sockets; 0: not known */
    char kernel[72];        /* "Linux 6.1.0" */
};

/* Reads all. What cannot be read takes the kernel's usual default. */
void host_limits_read(struct host_limits *limits);

/* Those of the limits that all network namespaces have together, and that only the first one shows: so they
 * are read before another one is entered. The members are as in struct host_limits. */
struct shared_limits {
    int64_t max_orphans;
    int64_t tcp_pages;
};

void shared_limits_read(struct shared_limits *shared);

/* How long data is sent again, at least, before the kernel gives the connection up with ETIMEDOUT, for so
 * many retransmissions (net.ipv4.tcp_retries2; tcp_model_timeout in net/ipv4/tcp_timer.c of the kernel); and
 * how long at most, where the way there takes less than some milliseconds. */
enum { ORPHAN_RETRIES = 8 }; /* of a socket without a process (tcp_orphan_retries() there) */
int64_t retransmission_least_ms(int64_t retries);
int64_t retransmission_most_ms(int64_t retries);

/* Timewait sockets in this namespace now, orphaned FIN_WAIT2 included (/proc/net/sockstat); 0 if not known.
 */
int64_t host_time_wait_now(void);

/* Lifts this process's soft descriptor limit to the hard one. Returns 0 or a negative errno. */
int host_raise_nofile(void);

#endif
