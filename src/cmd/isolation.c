#include "cmd/isolation.h"

#include "base/diag.h"
#include "cmd/command.h"
#include "kernel/host_limits.h"
#include "kernel/netns.h"
#include "kernel/sysctl.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    CROWD = 100000,       /* connections from which on a table of sockets of its own pays */
    ENTRIES_PER_CONN = 4, /* of that table: two ends, and room between them */
    TW_PER_CONN = 4,
    FIRST_PORT = 20000,   /* for connect(); the run's own ports are below */
    TW_AT_LEAST = 262144, /* the kernel's usual value is half of it */
};

enum { NAME_SIZE = 128, VALUE_SIZE = 128 };

static bool split(const char *text, char name[NAME_SIZE], char value[VALUE_SIZE])
{
    size_t length = strcspn(text, "=");
    if (text[length] != '=' || length >= NAME_SIZE || strlen(text + length + 1) >= VALUE_SIZE)
        return false;
    snprintf(name, NAME_SIZE, "%.*s", (int)length, text);
    snprintf(value, VALUE_SIZE, "%s", text + length + 1);
    return value[0] != '\0';
}

static int parse_sysctl(const char *text, void *target, char *why, size_t why_size)
{
    struct isolation *isolation = target;
    char name[NAME_SIZE], value[VALUE_SIZE];
    if (!split(text, name, value) || !sysctl_is_net_name(name))
        snprintf(why, why_size,
                 "must be net.KEY=VALUE, a setting of network namespaces such as net.ipv4.tcp_fin_timeout=5");
    else if (isolation->sysctl_count == ISOLATION_SYSCTLS_MAX)
        snprintf(why, why_size, "it can be given at most %d times", ISOLATION_SYSCTLS_MAX);
    else {
        isolation->sysctls[isolation->sysctl_count++] = text;
        return 0;
    }
    return -EINVAL;
}

const struct option_row isolation_rows[] = {
    {.name = "isolate",
     .help = "run in a network namespace of its own: no other sockets, nothing left behind",
     .more = "Run in a network namespace of its own, as an ordinary user or as root. See ISOLATION.",
     .kind = OPTION_FLAG,
     .target = offsetof(struct isolation, wanted)},
    {.name = "sysctl",
     .value = "KEY=VAL",
     .help = "with --isolate: a setting of that namespace",
     .more =
         "With --isolate: a setting of that namespace, such as net.ipv4.tcp_fin_timeout=5; up to 32 of them. "
         "A setting that network namespaces do not have, or a value that the kernel refuses, is bad usage.",
     .is_list = true,
     .kind = OPTION_CUSTOM,
     .target = 0,
     .parse = parse_sysctl},
    {.name = NULL},
};

/* What keeps ordinary users from making namespaces, by the setting that does it. */
struct refusal {
    const char *name, *value, *allow;
};

static const struct refusal refusals[] = {
    {.name = "kernel.apparmor_restrict_unprivileged_userns",
     .value = "1",
     .allow = "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
    {.name = "kernel.unprivileged_userns_clone",
     .value = "0",
     .allow = "sysctl -w kernel.unprivileged_userns_clone=1"},
    {.name = "user.max_user_namespaces", .value = "0", .allow = "sysctl -w user.max_user_namespaces=10000"},
    {.name = "user.max_net_namespaces", .value = "0", .allow = "sysctl -w user.max_net_namespaces=10000"},
};

static int refused(int error)
{
    char value[32];
    if (error != -EPERM && error != -EACCES && error != -ENOSPC && error != -EUSERS && error != -EINVAL) {
        diag_error("--isolate: the network namespace could not be created: %s", strerror(-error));
        return EXIT_MACHINE;
    }
    const char *allow = "run the container with --privileged, or with the capability SYS_ADMIN";
    for (size_t i = sizeof refusals / sizeof refusals[0]; i-- > 0;)
        if (sysctl_read(refusals[i].name, value, sizeof value) == 0 && strcmp(value, refusals[i].value) == 0)
            allow = refusals[i].allow;
    diag_error("--isolate: this system does not let this user create a network namespace (%s): allow it with "
               "\"%s\", run as root, or run without --isolate",
               error == -ENOSPC ? "its limit on namespaces is used up, or 0" : strerror(-error), allow);
    return EXIT_MACHINE;
}

static void set_or_warn(const char *name, const char *value)
{
    int rc = sysctl_write(name, value);
    if (rc != 0 && rc != -ENOENT)
        diag_warn("--isolate: cannot set %s to %s: %s; the run continues without it", name, value,
                  strerror(-rc));
}

/* What a run of that size needs, and what makes its counts exact. A key that this kernel does not have is not
 * needed either. */
static void set_for_run(const struct isolation *isolation, int64_t conns)
{
    char buckets[32], ports[32];
    int last_port = isolation->client_ports > 0 ? FIRST_PORT + isolation->client_ports - 1 : 65535;
    int64_t wanted = conns * TW_PER_CONN > TW_AT_LEAST ? conns * TW_PER_CONN : TW_AT_LEAST;
    snprintf(buckets, sizeof buckets, "%lld", (long long)wanted);
    snprintf(ports, sizeof ports, "%d %d", FIRST_PORT, last_port);
    const struct {
        bool is_needed;
        const char *name, *value;
    } settings[] = {
        {true, "net.ipv4.ip_local_port_range", ports},
        {true, "net.core.somaxconn", "65535"},
        {true, "net.ipv4.tcp_max_syn_backlog", "1000000"},
        {true, "net.ipv4.tcp_max_tw_buckets", buckets},
        /* Its usual value, 2, gives the port of a TIME_WAIT away after a second, on loopback alone. */
        {isolation->client_ports > 0, "net.ipv4.tcp_tw_reuse", "0"},
        {isolation->stretches_retransmission, "net.ipv4.tcp_syn_retries", "127"},
        {isolation->stretches_retransmission, "net.ipv4.tcp_synack_retries", "255"},
        {isolation->stretches_retransmission, "net.ipv4.tcp_retries2", "255"},
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (settings[i].is_needed)
            set_or_warn(settings[i].name, settings[i].value);
}

static int set_as_asked(const struct isolation *isolation)
{
    char name[NAME_SIZE], value[VALUE_SIZE];
    for (int i = 0; i < isolation->sysctl_count; i++) {
        split(isolation->sysctls[i], name, value);
        int rc = sysctl_write(name, value);
        if (rc == 0)
            continue;
        if (rc == -ENOENT || rc == -EISDIR || rc == -EACCES || rc == -EPERM)
            diag_error(
                "--sysctl \"%s\": %s is not a setting of network namespaces on this kernel: must be one of "
                "those under /proc/sys/net that \"unshare -rn sysctl -a\" lists and that can be written",
                isolation->sysctls[i], name);
        else
            diag_error("--sysctl \"%s\": the kernel rejects the value: %s", isolation->sysctls[i],
                       strerror(-rc));
        return EXIT_USAGE;
    }
    return EXIT_AS_EXPECTED;
}

int isolation_enter(struct isolation *isolation, int64_t conns)
{
    if (!isolation->wanted)
        return EXIT_AS_EXPECTED;
    isolation->user = geteuid();
    isolation->group = getegid();
    shared_limits_read(&isolation->shared);
    int rc = netns_enter(conns >= CROWD ? conns * ENTRIES_PER_CONN : 0, &isolation->has_own_user);
    if (rc != 0)
        return refused(rc);
    snprintf(isolation->look_inside, sizeof isolation->look_inside, "nsenter -t %d %s-n", (int)getpid(),
             isolation->has_own_user ? "-U --preserve-credentials " : "");
    if (!isolation->keeps_settings)
        set_for_run(isolation, conns);
    return set_as_asked(isolation);
}

int isolation_enter_and_say(struct isolation *isolation)
{
    int code = isolation_enter(isolation, 1);
    if (code == EXIT_AS_EXPECTED && isolation->wanted)
        printf(
            "A network namespace of its own: to run a command in it from another terminal, \"%s COMMAND\"\n",
            isolation->look_inside);
    return code;
}
