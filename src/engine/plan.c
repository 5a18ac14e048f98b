#include "engine/plan.h"

#include "base/min_max.h"
#include "base/number_text.h"
#include "base/text.h"
#include "control/hosts.h"
#include "kernel/free_ports.h"
#include "kernel/packet_drop.h"
#include "kernel/vanish.h"

#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    WORKER_RESERVE = 32,     /* descriptors of a worker that are not connections: streams, epoll, timers */
    CONTROLLER_RESERVE = 32, /* likewise of the controller */
    BACKLOG_WANTED = 4096,   /* the usual somaxconn */
    DEEPEST_BACKLOG = 65535,
    SMALL_BACKLOG = 64, /* below this, opening is bound by credits */
    PAIR_WORTH = 2500,  /* connections that make another pair of processes worth its start */
    /* Kernel memory of one connection, both ends: 21.8 GiB of slab for 3,000,000, measured. MemAvailable
     * falls by less: it takes half of the sockets' inodes for memory that can be had back. */
    BYTES_PER_PAIR = 7900,
    BYTES_PER_WORKER = 1 << 20,
    /* What net.ipv4.tcp_mem counts of a connection whose buffers are full (ACT_FILL), both ends: 39,936 for
     * 20,000, measured ("mem" of /proc/net/sockstat). */
    FILLED_PAGES = 2,
    SETTLE_SOON_CONNS = 100000,
    CROWDED_BUCKET = 4,
    FILES_PER_WORKER = 16,
    FLOW_PAIR_RATE = 6000, /* connections a second that one pair of processes keeps up with */
    SLOW_LIFE_MS = 1000,   /* a connection may outlive its time by so much on a busy machine */
};

static void add(struct plan_sentences *sentences, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int refuse(struct plan_sentence *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct plan_sentences *sentences, const char *format, ...)
{
    if (sentences->count == PLAN_SENTENCES_MAX)
        return;
    struct plan_sentence *sentence = &sentences->each[sentences->count++];
    va_list arguments;
    va_start(arguments, format);
    sentence->text[0] = '\0';
    text_vadd(sentence->text, sizeof sentence->text, format, arguments);
    va_end(arguments);
}

static int refuse(struct plan_sentence *why, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    why->text[0] = '\0';
    text_vadd(why->text, sizeof why->text, format, arguments);
    va_end(arguments);
    return -1;
}

/* Connections of one experiment that are there at one time when each is there for so long. */
static int64_t within(const struct run_settings *settings, int64_t ms)
{
    return run_is_arriving(settings) ? min_of(settings->conns, settings->flow.rate * ms / 1000 + 1)
                                     : settings->conns;
}

/* All ends are there at one time: they are opened so, or stay for good. */
static bool keeps_all(const struct run_settings *settings)
{
    bool keeps = !run_is_arriving(settings);
    for (int i = 0; i < settings->experiment_count; i++)
        keeps |= experiment_leaves_all(&settings->experiments[i]);
    return keeps;
}

/* Then a server has two descriptors a connection: the old one is a ghost. */
static bool reconnects(const struct run_settings *settings)
{
    bool does = false;
    for (int i = 0; i < settings->experiment_count; i++)
        does |= order_reconnects(settings->experiments[i].order);
    return does;
}

/* A cause may leak what it can: to run out of descriptors is part of it. */
static int64_t descriptors_needed(const struct run_settings *settings)
{
    if (keeps_all(settings))
        return settings->conns * (reconnects(settings) ? 2 : 1);
    return min_of(settings->conns, within(settings, settings->flow.life_ms + SLOW_LIFE_MS) + settings->leak);
}

static int64_t pairs_wanted(const struct plan *plan)
{
    const struct run_settings *settings = plan->settings;
    int64_t held = descriptors_needed(settings);
    int64_t needed = (held + plan->worker_capacity - 1) / plan->worker_capacity;
    int64_t worth =
        run_is_arriving(settings) ? settings->flow.rate / FLOW_PAIR_RATE + 1 : settings->conns / PAIR_WORTH;
    int64_t hosts =
        max_of(hosts_count(settings->hosts, SIDE_SERVER), hosts_count(settings->hosts, SIDE_CLIENT));
    return max_of(max_of(needed, hosts), min_of(plan->limits.processors, worth));
}

/* Connections that stay in a listener's queue, and its share in them: past half of its backlog the kernel
 * drops handshakes that wait (tcp_v4_conn_request, reqsk_timer_handler). */
static int64_t queue_share(const struct run_settings *settings)
{
    int64_t share = 0;
    for (int i = 0; i < settings->experiment_count; i++) {
        enum opening opening = settings->experiments[i].order->opening;
        share = max_of(share, opening == OPENING_HALF ? 3 : opening == OPENING_UNACCEPTED ? 1 : 0);
    }
    return share;
}

/* Of the one cause that is played: to run out of them is what it is for. 0: of no matter. */
static int client_ports(const struct run_settings *settings)
{
    const struct fault_case *cause = settings->experiments[0].cause;
    return cause != NULL ? cause->client_ports : 0;
}

static void size_workers(struct plan *plan)
{
    int64_t hard = plan->limits.nofile_hard;
    plan->lane_capacity = lane_capacity(&plan->limits);
    int64_t share = queue_share(plan->settings);
    if (client_ports(plan->settings) > 0) /* each lane would have them all */
        plan->lane_capacity = plan->settings->conns;
    if (share > 0)
        plan->lane_capacity = max_of(min_of(plan->lane_capacity, plan->limits.somaxconn / share), 1);
    /* Every lane costs a listener beside its connections. */
    plan->worker_capacity = (hard - WORKER_RESERVE) * plan->lane_capacity / (plan->lane_capacity + 1);
    if (plan->worker_capacity < 1) {
        add(&plan->obstacles,
            "the hard limit of %s descriptors per process is too low: at least %d are needed (ulimit -Hn)",
            grouped(hard).text, WORKER_RESERVE + 2);
        return;
    }
    int64_t conns = descriptors_needed(plan->settings);
    int64_t pairs = pairs_wanted(plan);
    int64_t controller = 2 * pairs + CONTROLLER_RESERVE;
    if (controller > hard)
        add(&plan->obstacles,
            "--conns %s needs %s worker processes at %s descriptors each, more than one controller can hold: "
            "raise the hard limit (ulimit -Hn %s) or lower --conns",
            grouped(conns).text, grouped(2 * pairs).text, grouped(hard).text, grouped(4 * hard).text);
    plan->pairs = (int)pairs;
    int64_t files = 2 * conns + 2 * pairs * FILES_PER_WORKER;
    if (files > plan->limits.files_left)
        add(&plan->obstacles,
            "--conns %s needs about %s open files, but this machine allows only %s more: raise fs.file-max "
            "or lower --conns",
            grouped(conns).text, grouped(files).text, grouped(plan->limits.files_left).text);
}

static void check_nofile(struct plan *plan)
{
    int64_t asked = plan->settings->flow.server_nofile;
    if (asked > plan->limits.nofile_hard)
        add(&plan->obstacles,
            "--server-nofile %s is above the hard limit of %s descriptors per process (ulimit -Hn)",
            grouped(asked).text, grouped(plan->limits.nofile_hard).text);
}

static void size_lanes(struct plan *plan)
{
    const struct run_settings *settings = plan->settings;
    const struct host_limits *limits = &plan->limits;
    plan->on_lanes = max_of(within(settings, settings->flow.life_ms + TIME_WAIT_LENGTH_MS), plan->pairs);
    plan->lane_count = lanes_needed(plan->on_lanes, plan->pairs, plan->lane_capacity);
    bool below = settings->port < limits->port_first;
    plan->last_port = (uint16_t)(below ? limits->port_first - 1 : 65535);
    int64_t room = plan->last_port - settings->port + 1;
    if (plan->lane_count > room)
        add(&plan->obstacles,
            "%s %s %s, but there are only %s from --port %lld up: choose a lower --port or widen "
            "net.ipv4.ip_local_port_range (now %lld to %lld)",
            counted(plan->on_lanes, "connection").text, one_or_many(plan->on_lanes, "needs", "need"),
            counted(plan->lane_count, "server port").text, grouped(room).text, (long long)settings->port,
            (long long)limits->port_first, (long long)limits->port_last);
    if (!below)
        add(&plan->warnings,
            "--port %lld lies in net.ipv4.ip_local_port_range (%lld to %lld): an outgoing connection may "
            "take a server port first",
            (long long)settings->port, (long long)limits->port_first, (long long)limits->port_last);
}

static void size_backlog(struct plan *plan)
{
    if (queue_share(plan->settings) > 0) {
        plan->backlog = (int)min_of(DEEPEST_BACKLOG, max_of(plan->limits.somaxconn, 1));
        plan->window = max_of(plan->backlog / 2, 1);
        return;
    }
    int64_t wanted = plan->settings->flow.backlog > 0 ? plan->settings->flow.backlog : BACKLOG_WANTED;
    plan->backlog = (int)min_of(wanted, max_of(plan->limits.somaxconn, 1));
    if (plan->settings->flow.backlog > plan->limits.somaxconn)
        add(&plan->warnings, "--backlog %s is cut to net.core.somaxconn, %s", grouped(wanted).text,
            grouped(plan->limits.somaxconn).text);
    plan->window = max_of(plan->backlog / 2, 1);
    if (plan->limits.somaxconn < SMALL_BACKLOG)
        add(&plan->warnings, "net.core.somaxconn is %s: connections will open slowly, a few at a time",
            grouped(plan->limits.somaxconn).text);
}

int64_t plan_time_wait_of(const struct run_settings *settings, const struct experiment *experiment)
{
    return experiment_time_wait_per_connection(experiment) * within(settings, TIME_WAIT_LENGTH_MS);
}

static void size_time_wait(struct plan *plan)
{
    const struct run_settings *settings = plan->settings;
    const struct experiment *worst = NULL;
    for (int i = 0; i < settings->experiment_count; i++) {
        const struct experiment *experiment = &settings->experiments[i];
        if (experiment->order->needs.must_move) /* to overflow is what it is for */
            continue;
        int64_t leaves = plan_time_wait_of(settings, experiment);
        plan->time_wait_total += leaves;
        if (leaves > plan->time_wait_most) {
            plan->time_wait_most = leaves;
            worst = experiment;
        }
    }
    int64_t buckets = plan->limits.max_tw_buckets;
    if (worst != NULL && plan->time_wait_most > buckets)
        add(&plan->obstacles,
            "--order %s leaves up to %s sockets in TIME_WAIT or orphaned FIN_WAIT2, but "
            "net.ipv4.tcp_max_tw_buckets allows %s: raise it to %lld or lower --%s",
            worst->name, grouped(plan->time_wait_most).text, grouped(buckets).text,
            (long long)plan->time_wait_most, run_is_arriving(settings) ? "rate" : "conns");
    else if (plan->time_wait_total > buckets)
        add(&plan->warnings,
            "all orders together leave up to %s sockets in TIME_WAIT, but net.ipv4.tcp_max_tw_buckets allows "
            "%s: the run waits between orders until there is room, up to a minute each time",
            grouped(plan->time_wait_total).text, grouped(buckets).text);
}

/* Of a FIN_WAIT2 whose process has closed it the kernel keeps a small socket, but not in the time beyond
 * TIME_WAIT's (tcp_close() in net/ipv4/tcp.c). */
static void check_waiting_orphans(struct plan *plan, const struct close_order *order)
{
    const struct run_settings *settings = plan->settings;
    if (plan->limits.fin_timeout_ms > TIME_WAIT_LENGTH_MS && !run_is_arriving(settings) &&
        settings->conns > plan->limits.max_orphans && order_leaves_fin_wait2(order))
        add(&plan->obstacles,
            "%s leaves %s orphaned sockets in FIN_WAIT2, and net.ipv4.tcp_max_orphans allows %s where "
            "net.ipv4.tcp_fin_timeout is over %s (it is %s): raise the one, lower the other, or lower "
            "--conns",
            order->name, grouped(settings->conns).text, grouped(plan->limits.max_orphans).text,
            duration_text(TIME_WAIT_LENGTH_MS).text, duration_text(plan->limits.fin_timeout_ms).text);
}

/* Beyond its limit for the memory of TCP the kernel resets what a closed socket cannot send
 * (tcp_check_oom() in net/ipv4/tcp.c, tcp_out_of_resources() in tcp_timer.c). */
static void check_unsent_data(struct plan *plan, const struct close_order *order)
{
    int64_t conns = plan->settings->conns, pages = plan->limits.tcp_pages;
    if (conns > pages / FILLED_PAGES && order_leaves_unsent_data(order))
        add(&plan->obstacles,
            "%s leaves %s closed sockets with data that they cannot send, in %s pages of memory, and "
            "net.ipv4.tcp_mem allows %s: raise it or lower --conns",
            order->name, grouped(conns).text, grouped(conns * FILLED_PAGES).text, grouped(pages).text);
}

/* A socket that has been closed and still sends: the kernel has a limit for all of them, and resets the rest.
 */
static void check_orphans(struct plan *plan)
{
    const struct run_settings *settings = plan->settings;
    for (int i = 0; i < settings->experiment_count; i++) {
        check_waiting_orphans(plan, settings->experiments[i].order);
        check_unsent_data(plan, settings->experiments[i].order);
        if (order_leaves_orphans(settings->experiments[i].order) &&
            settings->conns > plan->limits.max_orphans)
            add(&plan->obstacles,
                "%s leaves %s sockets that are closed but not acknowledged, and net.ipv4.tcp_max_orphans "
                "allows %s: raise it or lower --conns",
                settings->experiments[i].name, grouped(settings->conns).text,
                grouped(plan->limits.max_orphans).text);
    }
}

static void size_memory(struct plan *plan)
{
    plan->memory = plan->on_lanes * BYTES_PER_PAIR + 2 * (int64_t)plan->pairs * BYTES_PER_WORKER;
    if (plan->memory <= plan->limits.memory_available)
        return;
    int64_t fits = max_of(plan->limits.memory_available, 0) / (BYTES_PER_PAIR + 200);
    add(&plan->obstacles,
        "%s connections need about %s MiB of memory, but only %s MiB are available: at most %s fit",
        grouped(plan->on_lanes).text, grouped(plan->memory >> 20).text,
        grouped(plan->limits.memory_available >> 20).text, grouped(fits).text);
}

/* One table holds both ends of every connection; past a few entries a bucket each look-up is a walk. */
static void warn_of_crowding(struct plan *plan)
{
    int64_t ends = 2 * plan->on_lanes, buckets = plan->limits.ehash_entries;
    if (buckets > 0 && ends / buckets >= CROWDED_BUCKET)
        add(&plan->warnings,
            "the kernel's socket table has %s buckets for %s sockets (net.ipv4.tcp_ehash_entries): every "
            "lookup passes %s others, so the run slows down as connections are added; a network namespace "
            "created under net.ipv4.tcp_child_ehash_entries has a table of its own",
            grouped(buckets).text, grouped(ends).text, grouped(ends / buckets).text);
}

static void warn_of_clocks(struct plan *plan)
{
    int64_t hold = plan->settings->hold_ms;
    int64_t shortest = min_of(plan->limits.fin_timeout_ms, TIME_WAIT_LENGTH_MS);
    if (plan->time_wait_most > 0 && hold >= shortest)
        add(&plan->warnings,
            "--hold %s outlasts the kernel's timers (net.ipv4.tcp_fin_timeout %s for an orphaned FIN_WAIT2, "
            "1m for TIME_WAIT): those sockets end during the hold",
            duration_text(hold).text, duration_text(plan->limits.fin_timeout_ms).text);
}

/* A network namespace is born with its loopback down, and bind() does not mind. */
static bool is_loopback_up(int fd)
{
    struct ifreq request = {.ifr_name = "lo"};
    return ioctl(fd, SIOCGIFFLAGS, &request) != 0 || (request.ifr_flags & IFF_UP) != 0;
}

/* The other side's ends are orphans in FIN_WAIT2 at some step; of a cause that is not known. */
static bool faces_orphans(const struct experiment *experiment, enum side side)
{
    const struct close_order *order = experiment->order;
    enum side other = side_other(side);
    int closing;
    bool faces = experiment->cause != NULL;
    for (int i = 1; i < order_step_count(order); i++)
        faces |= state_set_has(order_step_at(order, i)->expect[other], STATE_FIN_WAIT2) &&
                 order_side_closed(order, i, other, &closing);
    return faces;
}

/* While the other end is in FIN_WAIT2, closed or not, it answers probes. */
static void warn_of_keepalive(struct plan *plan)
{
    const struct run_settings *settings = plan->settings;
    int64_t lasts_ms = settings->hold_ms + (run_is_arriving(settings) ? settings->flow.duration_ms : 0);
    for (int side = 0; side < SIDE_COUNT; side++) {
        int64_t needed_ms = plan->limits.fin_timeout_ms + settings->keepalive_s[side] * 1000;
        bool faces = false;
        for (int i = 0; i < settings->experiment_count; i++)
            faces |= faces_orphans(&settings->experiments[i], (enum side)side);
        if (settings->keepalive_s[side] > 0 && faces && settings->hold_ms != HOLD_FOREVER &&
            lasts_ms < needed_ms)
            add(&plan->warnings,
                "--%s-keepalive can detect a closed peer only after net.ipv4.tcp_fin_timeout (%s): until "
                "then the peer's FIN_WAIT2 answers; to see it happen, set --hold to more than %s, or shorten "
                "that time (--isolate --sysctl net.ipv4.tcp_fin_timeout=2)",
                side_name((enum side)side), duration_text(plan->limits.fin_timeout_ms).text,
                duration_text(needed_ms).text);
    }
}

static void check_address(struct plan *plan)
{
    const struct address *address = &plan->settings->address;
    struct sockaddr_storage where;
    socklen_t length = address_to_sockaddr(address, 0, &where);
    int fd = socket(address->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = fd < 0 || bind(fd, (struct sockaddr *)&where, length) != 0 ? errno : 0;
    bool is_up = fd < 0 || is_loopback_up(fd);
    if (fd >= 0)
        close(fd);
    if (!is_up)
        add(&plan->obstacles,
            "--address %s cannot be reached: the loopback interface of this network namespace is down (ip "
            "link set lo "
            "up)",
            address_text(address).text);
    else if (error == EADDRNOTAVAIL || error == EAFNOSUPPORT)
        add(&plan->obstacles,
            "--address %s does not exist in this network namespace: %s is disabled on its loopback "
            "interface%s",
            address_text(address).text, address->family == AF_INET6 ? "IPv6" : "IPv4",
            address->family == AF_INET6 ? " (net.ipv6.conf.lo.disable_ipv6)" : "");
    else if (error != 0)
        add(&plan->obstacles, "--address %s cannot be used: %s", address_text(address).text, strerror(error));
}

static void choose_witness(struct plan *plan)
{
    int error = 0;
    plan->witness = witness_choose(plan->settings->witness, &error);
    if (plan->witness != NULL)
        return;
    add(&plan->obstacles, "--witness %s cannot read the kernel's sockets here: %s",
        witness_choices[plan->settings->witness], strerror(-error));
}

static void check_vanishing(struct plan *plan, const struct experiment *experiment)
{
    const struct script script = experiment_script(experiment, SIDE_CLIENT);
    int probe = script_has(&script, ACT_VANISH) ? vanish_probe() : 0;
    if (probe != 0)
        add(&plan->obstacles,
            "%s needs clients that vanish without FIN or RST (TCP_REPAIR), which this user may not create "
            "here (%s): add --isolate, or run as root",
            experiment->name, strerror(-probe));
}

static void check_client_ports(struct plan *plan)
{
    const struct run_settings *settings = plan->settings;
    if (client_ports(settings) > 0 && settings->look_inside == NULL)
        add(&plan->obstacles,
            "%s needs a client with %d ports (net.ipv4.ip_local_port_range), in a network namespace of its "
            "own: %s",
            settings->experiments[0].name, client_ports(settings),
            settings->hosts->are_here ? "add --isolate" : "it cannot be played on hosts");
}

/* What an order needs and this run does not have. */
static void check_needs(struct plan *plan)
{
    const struct run_settings *settings = plan->settings;
    int probe = packet_drop_probe();
    check_client_ports(plan);
    for (int i = 0; i < settings->experiment_count; i++) {
        const struct close_order *order = settings->experiments[i].order;
        check_vanishing(plan, &settings->experiments[i]);
        if (order->needs.sysctl != NULL && settings->look_inside == NULL)
            add(&plan->obstacles,
                "%s needs %s to be %lld, which it sets in a network namespace of its own: %s", order->name,
                order->needs.sysctl, (long long)order_sysctl_value(order, settings->conns),
                settings->hosts->are_here ? "add --isolate" : "it cannot be played on hosts");
        else if (order_needs_filter(order) && probe != 0)
            add(&plan->obstacles,
                "%s needs a packet filter on its sockets, which this user may not set here (%s): add "
                "--isolate, or run as root",
                order->name, strerror(-probe));
    }
}

int plan_make(struct plan *plan, const struct run_settings *settings)
{
    *plan = (struct plan){.settings = settings};
    hosts_limits(settings->hosts, &plan->limits);
    if (settings->look_inside != NULL) {
        plan->limits.max_orphans = settings->shared.max_orphans;
        plan->limits.tcp_pages = settings->shared.tcp_pages;
    }
    size_workers(plan);
    check_nofile(plan);
    size_lanes(plan);
    size_backlog(plan);
    size_time_wait(plan);
    size_memory(plan);
    check_orphans(plan);
    if (settings->hosts->are_here)
        check_address(plan);
    choose_witness(plan);
    check_needs(plan);
    warn_of_clocks(plan);
    warn_of_keepalive(plan);
    warn_of_crowding(plan);
    return plan->obstacles.count == 0 ? 0 : -1;
}

int plan_choose_ports(const struct plan *plan, uint16_t from, uint16_t *first, struct plan_sentence *why)
{
    struct hosts *hosts = plan->settings->hosts;
    int rc = hosts_find_ports(hosts, plan->witness, from, plan->last_port, plan->lane_count, first);
    if (rc == 0)
        return 0;
    if (hosts->stops > 0)
        return refuse(why, "interrupted while the hosts looked for free ports");
    if (rc == -ETIMEDOUT)
        return refuse(why, "%s has not answered which of its ports are free",
                      host_name(hosts->without_room).text);
    for (int i = 0; rc == -EHOSTUNREACH && i < hosts->count; i++)
        if (hosts->each[i].fault[0] != '\0')
            return refuse(why, "%s %s", host_name(&hosts->each[i]).text, hosts->each[i].fault);
    if (rc == PORTS_LISTENED)
        return refuse(why,
                      "port %u is in use%s (by a server, or another tcpstorm): choose another --port (\"ss "
                      "-tlnp 'sport = :%u'\" shows which program listens)",
                      *first, host_place(hosts->without_room).text, *first);
    if (rc == PORTS_CROWDED && plan->lane_count == 1)
        return refuse(
            why,
            "no port from %u to %u is free of sockets (TIME_WAIT of earlier runs counts too): wait a "
            "minute or choose another --port",
            from, plan->last_port);
    if (rc == PORTS_CROWDED)
        return refuse(
            why,
            "no %d consecutive ports from %u to %u are free of sockets (TIME_WAIT of earlier runs counts "
            "too): wait a minute or choose another --port",
            plan->lane_count, from, plan->last_port);
    return refuse(why, "the %s witness could not read the kernel's sockets: %s", plan->witness->name,
                  strerror(-rc));
}

bool plan_expects_outage(const struct run_settings *settings)
{
    return settings->flow.server_nofile > 0 || settings->flow.backlog > 0 ||
           settings->experiments[0].cause != NULL;
}

int64_t plan_nofile(const struct plan *plan, enum side side)
{
    const struct fault_case *cause = plan->settings->experiments[0].cause;
    int64_t asked = plan->settings->flow.server_nofile, needed = cause != NULL ? cause->server_nofile : 0;
    int64_t limit = side == SIDE_CLIENT ? 0 : asked > 0 ? asked : needed;
    return limit > 0 ? limit : plan->limits.nofile_hard;
}

bool plan_holds_forever(const struct plan *plan, const struct close_order *order, int step, int order_index)
{
    return plan->settings->hold_ms == HOLD_FOREVER && order_index == plan->settings->experiment_count - 1 &&
           step == order_step_count(order) - 1;
}

int64_t plan_settle_ms(const struct run_settings *settings)
{
    if (settings->settle_ms != SETTLE_BY_SIZE)
        return settings->settle_ms;
    return settings->conns <= SETTLE_SOON_CONNS ? 5000 : 60000;
}
