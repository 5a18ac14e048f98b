#include "cmd/remote.h"

#include "base/diag.h"
#include "base/number_text.h"
#include "cmd/command.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int add_launcher(const char *text, struct remote *remote, enum side side, char *why, size_t why_size)
{
    if (text[strspn(text, " \t")] == '\0')
        snprintf(why, why_size,
                 "must be a command that runs another, such as \"ssh db1\" or \"ip netns exec a\"");
    else if (remote->launcher_count[SIDE_SERVER] + remote->launcher_count[SIDE_CLIENT] >= HOSTS_MAX - 1)
        snprintf(why, why_size, "at most %d hosts can be given", HOSTS_MAX - 1);
    else {
        remote->launchers[side][remote->launcher_count[side]++] = text;
        return 0;
    }
    return -EINVAL;
}

static int parse_server(const char *text, void *target, char *why, size_t why_size)
{
    return add_launcher(text, target, SIDE_SERVER, why, why_size);
}

static int parse_client(const char *text, void *target, char *why, size_t why_size)
{
    return add_launcher(text, target, SIDE_CLIENT, why, why_size);
}

/* ::ffff:127.0.0.1 is IPv4 in disguise, the loopback of each host included. */
static bool is_mapped(const struct address *address)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return address->family == AF_INET6 && memcmp(address->bytes, prefix, sizeof prefix) == 0;
}

static int parse_address(const char *text, void *target, char *why, size_t why_size)
{
    struct remote *remote = target;
    struct address address;
    if (!address_parse(text, &address) || address_is_wildcard(&address) || is_mapped(&address)) {
        snprintf(why, why_size,
                 "must be a numeric address, such as 127.0.0.1, ::1 or, with --server-via, 10.0.0.5");
        return -EINVAL;
    }
    if (remote->address_count == HOSTS_MAX) {
        snprintf(why, why_size, "at most %d addresses can be given", HOSTS_MAX);
        return -EINVAL;
    }
    remote->addresses[remote->address_count++] = address;
    return 0;
}

#define OPTION(member) offsetof(struct remote, member)

const struct option_row remote_rows[] = {
    {.name = "address",
     .value = "ADDR",
     .help = "server address, one for each --server-via",
     .preset = "127.0.0.1",
     .more =
         "The numeric address where the server listens: one of 127.0.0.0/8, or ::1. Any other address needs "
         "--allow-remote and --server-via or --client-via: connections only ever go to servers that the same "
         "run has started. Several servers need one address each, in the same order and of one family.",
     .is_list = true,
     .kind = OPTION_CUSTOM,
     .parse = parse_address},
    {.name = "server-via",
     .value = "COMMAND",
     .help = "run the server's side through a launcher, such as 'ssh db1'",
     .more =
         "Run the server's side through a launcher: a command that runs another, such as 'ssh db1', 'ip "
         "netns exec a' or 'docker exec -i b'. The shell runs it with \"tcpstorm worker host\" appended, and "
         "talks to it over its standard input and output. It has its own process group and the default "
         "signals. One launcher at a time has the terminal until its host answers, so that it can ask for a "
         "password. At most 15 launchers can be given. A side without a launcher is on this machine.",
     .is_list = true,
     .kind = OPTION_CUSTOM,
     .parse = parse_server},
    {.name = "client-via",
     .value = "COMMAND",
     .help = "run the client's side through a launcher",
     .is_list = true,
     .kind = OPTION_CUSTOM,
     .parse = parse_client},
    {.name = "worker-path",
     .value = "PATH",
     .help = "path of tcpstorm on the hosts",
     .preset = "this binary's own",
     .more = "The path of tcpstorm on the hosts, which must be the same version. The shell here takes it as "
             "one word, whatever it contains; ssh(1) passes it to another shell, where a blank in it must be "
             "quoted once more.",
     .kind = OPTION_TEXT,
     .target = OPTION(worker_path)},
    {.name = "allow-remote",
     .help = "allow addresses outside loopback",
     .more = "Allow an address outside loopback, if you may put load on that network.",
     .kind = OPTION_FLAG,
     .target = OPTION(allow_remote)},
    {.name = NULL},
};

bool remote_is_wanted(const struct remote *remote)
{
    return remote->launcher_count[SIDE_SERVER] + remote->launcher_count[SIDE_CLIENT] > 0;
}

/* ---- what goes together ---- */

static int refuse_address(const struct address *address, const char *why)
{
    diag_error("--address \"%s\": %s", address_text(address).text, why);
    return -EINVAL;
}

static int check_addresses(const struct remote *remote)
{
    for (int i = 0; i < remote->address_count; i++) {
        const struct address *address = &remote->addresses[i];
        if (address->family != remote->addresses[0].family)
            return refuse_address(address, "must be of the same family as the others, all IPv4 or all IPv6");
        if (address_is_loopback(address))
            continue;
        if (!remote_is_wanted(remote))
            return refuse_address(address,
                                  "must be a loopback address, 127.0.0.1 (any of 127.0.0.0/8) or ::1; "
                                  "others need --server-via or --client-via: connections only go to "
                                  "servers that this run has started");
        if (!remote->allow_remote)
            return refuse_address(
                address, "it is outside loopback: add --allow-remote if you may put load on that network");
    }
    return 0;
}

int remote_check(const struct remote *remote)
{
    int servers = remote->launcher_count[SIDE_SERVER] > 0 ? remote->launcher_count[SIDE_SERVER] : 1;
    if (remote->address_count > servers || (remote_is_wanted(remote) && remote->address_count < servers)) {
        diag_error("--address is given %d times for %d server%s: it must be given once for each "
                   "--server-via, in the same order",
                   remote->address_count, servers, servers > 1 ? "s" : "");
        return -EINVAL;
    }
    return check_addresses(remote);
}

/* ---- launching ---- */

static void add_host(struct remote *remote, enum side side, const char *launcher, int server)
{
    struct host *host = &remote->hosts.each[remote->hosts.count++];
    *host = (struct host){.launcher = launcher, .side = side};
    if (side == SIDE_SERVER)
        host->address = remote->addresses[server];
}

static void make_hosts(struct remote *remote)
{
    remote->hosts.count = 0;
    for (int side = 0; side < SIDE_COUNT; side++) {
        for (int i = 0; i < remote->launcher_count[side]; i++)
            add_host(remote, (enum side)side, remote->launchers[side][i], i);
        if (remote->launcher_count[side] == 0)
            add_host(remote, (enum side)side, NULL, 0);
    }
}

static int find_worker_path(struct remote *remote)
{
    if (remote->worker_path == NULL) {
        ssize_t length = readlink("/proc/self/exe", remote->own_path, sizeof remote->own_path - 1);
        if (length <= 0 || length == sizeof remote->own_path - 1)
            return -1;
        remote->own_path[length] = '\0';
        remote->worker_path = remote->own_path;
    }
    remote->hosts.worker_path = remote->worker_path;
    return 0;
}

/* 127.0.0.1 is another machine on every host: whoever listens there is a stranger. */
static int check_loopback(const struct remote *remote)
{
    for (int i = 0; i < remote->hosts.count; i++) {
        const struct host *host = &remote->hosts.each[i];
        if (address_is_loopback(&remote->addresses[0]) &&
            strcmp(host->identity, remote->hosts.each[0].identity) != 0) {
            diag_error("--address \"%s\": %s has its own loopback, where no server of this run listens",
                       address_text(&remote->addresses[0]).text, host_name(host).text);
            return EXIT_USAGE;
        }
    }
    return EXIT_AS_EXPECTED;
}

static void say_what_goes_where(const struct remote *remote, int64_t conns)
{
    for (int i = 0; i < remote->hosts.count; i++) {
        const struct host *host = &remote->hosts.each[i];
        if (host->side == SIDE_SERVER && !address_is_loopback(&host->address))
            diag_note("about to open up to %s to %s, where %s listens", counted(conns, "TCP connection").text,
                      address_text(&host->address).text, host_name(host).text);
    }
}

int remote_open(struct remote *remote, int64_t conns, bool dry_run)
{
    if (!remote_is_wanted(remote)) {
        hosts_here(&remote->hosts, &remote->addresses[0]);
        return hosts_open(&remote->hosts) == 0 ? EXIT_AS_EXPECTED : EXIT_MACHINE;
    }
    make_hosts(remote);
    if (find_worker_path(remote) != 0) {
        diag_error("this binary's own path is not known: give it with --worker-path");
        return EXIT_MACHINE;
    }
    int rc = hosts_open(&remote->hosts);
    if (rc != 0)
        return rc == -EINTR ? EXIT_INTERRUPTED : EXIT_MACHINE;
    int code = check_loopback(remote);
    if (code == EXIT_AS_EXPECTED && !dry_run)
        say_what_goes_where(remote, conns);
    return code;
}

void remote_close(struct remote *remote)
{
    hosts_close(&remote->hosts);
}
