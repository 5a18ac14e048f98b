#include "cmd/storm_options.h"

#include "base/parse.h"
#include "cmd/counting.h"
#include "cmd/play.h"
#include "engine/plan.h"
#include "kernel/keepalive.h"

#include <errno.h>
#include <stdio.h>

#define SETTING(member) offsetof(struct run_settings, member)

const struct option_row storm_setting_rows[] = {
    {.name = "conns",
     .value = "N",
     .help = "connections to open",
     .preset = "1000",
     .more = "Connections to open.",
     .kind = OPTION_COUNT,
     .target = SETTING(conns),
     .min = 1,
     .max = CONNS_MAX},
    {.name = "hold",
     .value = "TIME",
     .help = "time in each settled step; forever: in the last, until Ctrl-C",
     .preset = "1s",
     .more = "How long to stay in each settled step, from 0s to 24h. With forever, the last step of the last "
             "order is held until a signal comes, and every earlier step for 1s.",
     .kind = OPTION_CUSTOM,
     .target = SETTING(hold_ms),
     .parse = play_parse_hold},
    {.name = "settle",
     .value = "TIME",
     .help = "time that the kernel has to show a step's states",
     .preset = "5s, above 100k 1m",
     .more =
         "How long the kernel may take to show a step's states, counted from the last acknowledged action.",
     .kind = OPTION_DURATION,
     .target = SETTING(settle_ms),
     .min = 1,
     .max = DAY_MS},
    {.name = "interval",
     .value = "TIME",
     .help = "time between two looks",
     .preset = "100ms",
     .more = "The time between two looks at the kernel's socket tables. While connections are opened or "
             "closed, looks take at most a tenth of the time, so there are fewer of them when there are many "
             "sockets. A look that takes longer delays the next.",
     .kind = OPTION_DURATION,
     .target = SETTING(interval_ms),
     .min = 1,
     .max = DAY_MS},
    {.name = "port",
     .value = "PORT",
     .help = "first server port to try",
     .preset = "15000",
     .more = "The first server port to try. Ports with sockets of earlier connections are skipped; a port "
             "with a listener is an error.",
     .kind = OPTION_COUNT,
     .target = SETTING(port),
     .min = 1,
     .max = 65535},
    {.name = "witness",
     .value = "HOW",
     .help = "how to read the kernel: auto, netlink, procfs, events",
     .preset = "auto",
     .more =
         "How to read the kernel's sockets: netlink uses sock_diag(7), procfs uses /proc/net/tcp and "
         "/proc/net/tcp6, auto uses the first of the two that works. The output says which was used. With "
         "events, BPF programs in the kernel also count every transition as it happens, in addition to the "
         "looks that auto takes: see TRANSITIONS. They need CAP_BPF and CAP_PERFMON, which root has.",
     .kind = OPTION_CHOICE,
     .target = SETTING(witness),
     .choices = counting_witness_choices},
    {.name = NULL},
};

/* ---- keep-alive ---- */

enum { MS_PER_S = 1000 };

static int parse_keepalive(const char *text, void *target, char *why, size_t why_size)
{
    int64_t *idle_s = target, ms = 0;
    int rc = parse_duration(text, MS_PER_S, (int64_t)KEEPALIVE_IDLE_MAX_S * MS_PER_S, &ms);
    if (rc == 0 && ms % MS_PER_S == 0) {
        *idle_s = ms / MS_PER_S;
        return 0;
    }
    snprintf(why, why_size,
             "must be whole seconds from 1s to %ds, because the kernel counts TCP_KEEPIDLE in seconds",
             KEEPALIVE_IDLE_MAX_S);
    return -EINVAL;
}

const struct option_row keepalive_rows[] = {
    {.name = "server-keepalive",
     .value = "TIME",
     .help = "SO_KEEPALIVE on the server: probe a client that is silent for this long",
     .more = "SO_KEEPALIVE on all connections that the server accepts, with TCP_KEEPIDLE set to this time: "
             "whole seconds, 1s to 32767s. Unanswered probes are repeated after 1 s; after 3 of them the "
             "connection is given up. The default is no keep-alive. See KEEP-ALIVE.",
     .kind = OPTION_CUSTOM,
     .target = SETTING(keepalive_s[SIDE_SERVER]),
     .parse = parse_keepalive},
    {.name = "client-keepalive",
     .value = "TIME",
     .help = "the same on the clients",
     .more = "The same on all connections that the clients open.",
     .kind = OPTION_CUSTOM,
     .target = SETTING(keepalive_s[SIDE_CLIENT]),
     .parse = parse_keepalive},
    {.name = NULL},
};
