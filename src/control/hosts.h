/* hosts: the hosts of a run, as the controller sees them. Without launchers they are this machine, for each
 * side, and it is asked directly. Otherwise a host is whatever a launcher reaches: "ssh web1", "ip netns exec
 * a", "docker exec -i b". The launcher's command is run here with `tcpstorm worker host` at its end, and
 * lines go through its standard input and output: who may log in where, and how that is encrypted, is the
 * launcher's affair. */
#ifndef CONTROL_HOSTS_H
#define CONTROL_HOSTS_H

#include "control/link.h"
#include "control/spawn.h"
#include "control/stop_events.h"
#include "kernel/address.h"
#include "kernel/histogram.h"
#include "kernel/host_limits.h"
#include "kernel/kernel_counters.h"
#include "kernel/witness.h"

#include <stdbool.h>
#include <stdint.h>

enum { HOSTS_MAX = 16 };

struct event;
struct event_base;
struct hosts;

struct host {
    const char *launcher;   /* as typed; NULL: this machine */
    enum side side;         /* of its workers */
    struct address address; /* of a server: where it listens */
    struct host_limits limits;
    char identity[128]; /* see host_info_identity */
    char fault[256];    /* why it is lost: the rest of a sentence; "" while it is there */

    /* Its own. */
    struct hosts *hosts;
    struct process process; /* the launcher */
    struct link *link;
    bool said_hello, is_ready, stream_has_ended, has_terminal;
    int64_t heard_us;
    bool has_answered;
    int room_rc;
    uint16_t room_first;
    struct kernel_counters counters; /* as last heard */
    int64_t time_wait;               /* likewise */
    struct host_channel *channels;
    int channel_count;
};

struct hosts {
    struct host each[HOSTS_MAX];
    int count;
    bool are_here;           /* this machine alone: see hosts_here */
    const char *worker_path; /* of tcpstorm on the hosts */
    struct event_base *base;
    struct event *pulse, *child_signal;
    struct stop_events stop_events;
    int stops; /* INT, TERM and HUP that were heard since it was opened */
    int64_t last_pulse_us;
    int64_t waiting_since_us;        /* of what is waited for; a password may take as long again */
    const struct host *without_room; /* by hosts_find_ports, when it failed */
};

struct host_text {
    char text[96];
};

/* "host \"ssh web1\"", "this machine". */
struct host_text host_name(const struct host *host);

/* " on host \"ssh web1\""; "" where the run is on this machine alone. */
struct host_text host_place(const struct host *host);

/* The launcher, or "local". */
const char *host_word(const struct host *host);

/* Makes them this machine alone, whose servers listen on that address. They stay where they are. */
void hosts_here(struct hosts *hosts, const struct address *address);

/* Launches all and waits until they have said what they are; where they are here there is nothing to be done.
 * Returns 0, or a negative errno after telling why not: -EINTR when a signal has put an end to it. */
int hosts_open(struct hosts *hosts);

/* The event loop of the run, unless it is there: a run on this machine first raises its limit of descriptors.
 * Returns 0, or a negative errno after telling why not. */
int hosts_make_loop(struct hosts *hosts);

/* Has all leave, and waits until they have, or until it has told which have not. */
void hosts_close(struct hosts *hosts);

/* True when an earlier host sees the same sockets: it is the one to be asked. */
bool hosts_is_double(const struct hosts *hosts, int host);

/* What the hosts of both sides have together, or at least: for plan.c. */
void hosts_limits(const struct hosts *hosts, struct host_limits *limits);

int hosts_count(const struct hosts *hosts, enum side side);

/* Places `count` workers of a side on its hosts, more where there is more room: host[i] is an index into
 * hosts. At least one each while there are enough. */
void hosts_place(const struct hosts *hosts, enum side side, int count, int host[]);

/* As free_ports_find, on every host beside the addresses of all servers; and reads the kernels' counters.
 * `witness` looks at this machine's ports, hosts elsewhere choose their own. The errno of a host that is lost
 * is EHOSTUNREACH. After a signal it gives up: see stops. */
int hosts_find_ports(struct hosts *hosts, const struct witness_backend *witness, uint16_t from, uint16_t last,
                     int count, uint16_t *first);

/* Where the servers listen. Returns how many there are. */
int hosts_server_addresses(const struct hosts *hosts, struct address addresses[HOSTS_MAX]);

/* Asks for the counters of all kernels, and what they were when last heard, added up. */
void hosts_ask_counters(struct hosts *hosts);
struct kernel_counters hosts_counters(const struct hosts *hosts);

/* TIME_WAIT that still finds room, on the side that has less of it, when last heard; *most: of how many
 * (net.ipv4.tcp_max_tw_buckets). */
int64_t hosts_time_wait_room(const struct hosts *hosts, int64_t *most);

/* ---- for the workers ---- */

/* Starts `tcpstorm WORD ...` there. Returns 0 and its stream, which the caller frees, or a negative errno:
 * -EHOSTUNREACH when the host is lost. Of one elsewhere `process` is filled in when the host has answered,
 * and ears->on_end called when it has ended or the host is lost; of one that is here ears->on_end is called
 * when its stream has ended, and its end is for the caller to collect. */
int host_start(struct host *host, struct process *process, const char *const words[],
               const struct link_ears *ears, void *context, struct link **link);

/* Kills a process that was started with that stream. */
void host_kill(struct host *host, const struct process *process, const struct link *link);

/* Its stream is about to be freed. */
void host_forget(struct host *host, const struct link *link);

#endif
