#include "analysis/verdict.h"

#include "analysis/attribution.h"
#include "analysis/debt.h"
#include "base/number_text.h"
#include "base/text.h"
#include "kernel/host_limits.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PACE_WORTH_SAYING_US = 2000000, CROWD_WORTH_SAYING = 4 };

__attribute__((format(printf, 2, 3))) static void add(struct verdict *verdict, const char *format, ...)
{
    if (verdict->text[0] != '\0')
        TEXT_ADD(verdict->text, "\n");
    va_list arguments;
    va_start(arguments, format);
    text_vadd(verdict->text, sizeof verdict->text, format, arguments);
    va_end(arguments);
}

static void say_signature(struct verdict *verdict, const struct verdict_input *input)
{
    add(verdict, "As expected, the bug %s: %s. %s",
        !input->flow->shows_signature ? "does not show. Its signature would be"
        : input->flow->is_shown_by_ghosts
            ? "shows, but keep-alive has ended its sockets and left the descriptors"
            : "shows",
        signature_text(&input->experiment->cause->signature).text, input->experiment->meaning);
}

static void say_outcome(struct verdict *verdict, const struct verdict_input *input)
{
    switch (input->outcome) {
    case OUTCOME_AS_EXPECTED:
        if (input->experiment->cause != NULL)
            say_signature(verdict, input);
        else if (input->by_keepalive[SIDE_SERVER] || input->by_keepalive[SIDE_CLIENT])
            add(verdict, "As expected, for a run with keep-alive.");
        else if (input->aged || input->late_close)
            add(verdict, "As expected, for a run that outlasts the kernel's timers.");
        else
            add(verdict, "As expected. %s", input->experiment->meaning);
        break;
    case OUTCOME_DIFFERS:
        add(verdict, "Differs at %s: %s.", input->step, input->difference);
        break;
    case OUTCOME_FAULT:
        add(verdict, "Stopped at %s: %s.", input->step, input->fault);
        break;
    case OUTCOME_INTERRUPTED:
        add(verdict, "Interrupted at %s: the counts so far are above.", input->step);
        break;
    }
}

static void say_close_wait(struct verdict *verdict, const struct verdict_input *input, enum side side)
{
    int64_t owed = input->sides[side].of[STATE_CLOSE_WAIT];
    if (owed == 0)
        return;
    add(verdict,
        "%s CLOSE_WAIT on the %s: the %s's FIN has arrived, and until the %s closes, these sockets and their "
        "descriptors stay.",
        grouped(owed).text, side_name(side), side_name(side_other(side)), side_name(side));
}

static void say_orphans(struct verdict *verdict, const struct verdict_input *input, enum side side)
{
    int64_t waiting = input->sides[side].of[STATE_FIN_WAIT2];
    if (waiting == 0 || input->fds[side] > 0)
        return;
    add(verdict,
        "%s FIN_WAIT2 on the %s %s no descriptor any more: the kernel drops %s after %s "
        "(net.ipv4.tcp_fin_timeout), but the CLOSE_WAIT on the other side stays.",
        grouped(waiting).text, side_name(side), one_or_many(waiting, "has", "have"),
        one_or_many(waiting, "it", "them"), duration_text(input->fin_timeout_ms).text);
}

static void say_time_wait(struct verdict *verdict, const struct verdict_input *input)
{
    const struct histogram *sides = input->sides;
    int64_t server = sides[SIDE_SERVER].of[STATE_TIME_WAIT], client = sides[SIDE_CLIENT].of[STATE_TIME_WAIT];
    if (server > 0 && client > 0)
        add(verdict,
            "TIME_WAIT stays for 60 s on the side whose FIN left first: %s on the server, %s on the client.",
            grouped(server).text, grouped(client).text);
    else if (server + client > 0)
        add(verdict, "%s TIME_WAIT %s for 60 s on the %s, whose FIN left first.",
            grouped(server + client).text, one_or_many(server + client, "stays", "stay"),
            server > 0 ? "server" : "client");
}

/* Descriptors beyond those of CLOSE_WAIT, which the sentences above are of; never accepted ones have none. */
static int64_t other_descriptors(const struct verdict_input *input, enum side side)
{
    const struct histogram *seen = &input->sides[side];
    return input->fds[side] - (seen->of[STATE_CLOSE_WAIT] - seen->unowned);
}

static void say_leaked(struct verdict *verdict, const struct verdict_input *input)
{
    int64_t server = other_descriptors(input, SIDE_SERVER), client = other_descriptors(input, SIDE_CLIENT);
    int64_t ghosts = input->sides[SIDE_SERVER].ghosts + input->sides[SIDE_CLIENT].ghosts;
    if (input->outcome == OUTCOME_AS_EXPECTED && server + client > ghosts)
        add(verdict, "%s %s still open at the end (server %s, client %s).",
            counted(server + client, "descriptor").text, one_or_many(server + client, "was", "were"),
            grouped(server).text, grouped(client).text);
}

static bool leaves_to_others(const struct fault_case *cause)
{
    return cause != NULL && (cause->signature.owner == OWNER_OTHER || cause->signature.listener_is_others);
}

/* Sockets on the lanes that no process of this run has, and that none of them can have left to another. */
static void say_strangers(struct verdict *verdict, const struct verdict_input *input)
{
    if (leaves_to_others(input->experiment->cause))
        return;
    for (int i = 0; i < input->lingering->count; i++) {
        const struct lingering_class *class = &input->lingering->each[i];
        if (lingering_is_strange(class) && class->state != STATE_LISTEN)
            add(verdict,
                "Another program uses the ports of this run: %s pid %d%s has connections there; the counts "
                "above include them.",
                class->command, (int)class->pid, class->processes > 1 ? ", among others," : "");
    }
}

/* Class by class where the owners were looked up; otherwise what the histogram tells. */
static void say_attribution(struct verdict *verdict, const struct verdict_input *input)
{
    const struct lingering *lingering = input->lingering;
    int64_t told = 0;
    for (int i = 0; lingering != NULL && i < lingering->count; i++) {
        add(verdict, "%s", attribution_of(&lingering->each[i], lingering).text);
        told += lingering->each[i].count;
    }
    if (lingering != NULL && told < lingering->total)
        add(verdict, "%s more, in groups too small to list.", grouped(lingering->total - told).text);
    if (told > 0)
        say_strangers(verdict, input);
    for (int side = 0; told == 0 && side < SIDE_COUNT; side++)
        say_close_wait(verdict, input, (enum side)side);
    for (int side = 0; told == 0 && side < SIDE_COUNT; side++)
        say_orphans(verdict, input, (enum side)side);
}

/* A descriptor whose connection has ended may still have a TIME_WAIT, which the kernel keeps by itself. Which
 * of them have one is known where the counts leave no choice. */
static void put_where_ghosts_are(const struct histogram *seen, int64_t opened, char *out, size_t size)
{
    int64_t counted_gone = histogram_gone(seen, opened), time_wait = seen->of[STATE_TIME_WAIT];
    int64_t gone = counted_gone > 0 ? counted_gone : 0;
    int64_t least_kept = seen->ghosts > gone ? seen->ghosts - gone : 0;
    int64_t most_kept = seen->ghosts < time_wait ? seen->ghosts : time_wait;
    if (most_kept == 0)
        snprintf(out, size, "in no table of the kernel");
    else if (least_kept == seen->ghosts)
        snprintf(out, size, "in TIME_WAIT");
    else if (least_kept == most_kept)
        snprintf(out, size, "%s in TIME_WAIT, %s in no table of the kernel", grouped(least_kept).text,
                 grouped(seen->ghosts - least_kept).text);
    else
        snprintf(out, size, "in TIME_WAIT or in no table of the kernel");
}

static void say_ghosts(struct verdict *verdict, const struct verdict_input *input)
{
    for (int side = 0; side < SIDE_COUNT; side++) {
        const struct histogram *seen = &input->sides[side];
        char where[160];
        put_where_ghosts_are(seen, input->opened, where, sizeof where);
        if (seen->ghosts > 0)
            add(verdict,
                "%s on the %s: descriptors still open on connections that have ended (%s), so a count of "
                "CLOSE_WAIT misses them.",
                counted(seen->ghosts, "ghost").text, side_name((enum side)side), where);
    }
}

/* An RST that answers a probe, or silence, ends the connection and leaves the descriptor. In a flow others
 * may have reset some: then it is likely, and only where probes were sent and connections reset. */
static void say_keepalive(struct verdict *verdict, const struct verdict_input *input, enum side side)
{
    int64_t probes = input->moved->value[COUNTER_KEEPALIVE], ghosts = input->sides[side].ghosts;
    bool is_silence = input->moved->value[COUNTER_ABORT_ON_TIMEOUT] > 0;
    bool is_likely = input->flow != NULL && probes > 0 && input->moved->value[COUNTER_ESTAB_RESETS] > 0;
    if (input->keepalive_s[side] == 0 || ghosts == 0 || (!input->by_keepalive[side] && !is_likely))
        return;
    add(verdict,
        "Keep-alive on the %s has closed nothing: %sthe last probes (kernel counter TCPKeepAlive rose by %s) "
        "were %s, and the kernel removed %s of its sockets from all tables. The descriptors are still open, "
        "and the %s still owes the close().",
        side_name(side), input->by_keepalive[side] ? "" : "it is likely that ", grouped(probes).text,
        is_silence ? "not answered" : "answered by an RST, because the other end was gone",
        grouped(ghosts).text, side_name(side));
}

/* Where that keeps a bug from showing. */
static void say_cured(struct verdict *verdict, const struct verdict_input *input)
{
    const struct fault_case *cause = input->experiment->cause;
    int64_t probes = input->moved->value[COUNTER_KEEPALIVE];
    bool is_missing = cause != NULL && !input->experiment->is_fixed && !input->flow->shows_signature;
    if (is_missing && probes > 0 && input->keepalive_s[cause->signature.at_fault] > 0)
        add(verdict,
            "Keep-alive on the %s may be why the bug does not show: it has ended connections (kernel counter "
            "TCPKeepAlive rose by %s, EstabResets by %s), and a program that is told of that may close.",
            side_name(cause->signature.at_fault), grouped(probes).text,
            grouped(input->moved->value[COUNTER_ESTAB_RESETS]).text);
}

static void say_elsewhere(struct verdict *verdict, const struct verdict_input *input)
{
    int64_t elsewhere = input->sides[SIDE_SERVER].elsewhere;
    if (elsewhere > 0)
        add(verdict,
            "%s of the server %s on connections to another server: a look at its own port does not show "
            "them.",
            counted(elsewhere, "descriptor").text, one_or_many(elsewhere, "is", "are"));
}

/* Whatever the server does: its answer finds a program that has gone on. */
static void say_abandoned(struct verdict *verdict, const struct verdict_input *input)
{
    const struct histogram *client = &input->sides[SIDE_CLIENT];
    int64_t asking = debt_abandoned(client);
    char rest[160] = "";
    if (asking > 0)
        snprintf(rest, sizeof rest,
                 ". For %s of them the kernel keeps sending the SYN (net.ipv4.tcp_syn_retries)",
                 grouped(asking).text);
    if (client->abandoned > 0)
        add(verdict, "The client has given up %s and closed none of their descriptors%s.",
            counted(client->abandoned, "connect() call").text, rest);
}

/* In one sentence, as picture and report have it. */
static void say_debt(struct verdict *verdict, const struct verdict_input *input)
{
    const struct debt server = debt_of(&input->sides[SIDE_SERVER]),
                      client = debt_of(&input->sides[SIDE_CLIENT]);
    if (server.owed + server.stuck + server.unclosed + client.owed + client.stuck + client.unclosed > 0)
        add(verdict, "%s", debt_sentence(input->sides).text);
}

static void say_who_owes(struct verdict *verdict, const struct verdict_input *input)
{
    if (input->leaked > 0 && input->flow == NULL && input->outcome == OUTCOME_AS_EXPECTED)
        add(verdict, "leak: %s of %s sockets, as asked for.", grouped(input->leaked).text,
            grouped(input->opened).text);
    say_debt(verdict, input);
    say_attribution(verdict, input);
    say_ghosts(verdict, input);
    for (int side = 0; side < SIDE_COUNT; side++)
        say_keepalive(verdict, input, (enum side)side);
    if (input->flow != NULL)
        say_cured(verdict, input);
    say_elsewhere(verdict, input);
    say_abandoned(verdict, input);
    say_time_wait(verdict, input);
    say_leaked(verdict, input);
}

/* ---- connections that came one by one ---- */

static void say_rate(struct verdict *verdict, const struct flow_report *flow)
{
    const struct flow_tally *client = &flow->sums[SIDE_CLIENT];
    char late[80] = "none late", failed[128] = "";
    if (client->timeouts > 0)
        snprintf(failed, sizeof failed, "; %s gave up because connect() had no answer for %s",
                 grouped(client->timeouts).text, duration_text(flow->asked->connect_timeout_ms).text);
    if (client->late > 0)
        snprintf(late, sizeof late, "%s late, the latest by %.0f ms", grouped(client->late).text,
                 (double)client->worst_us / 1000);
    int64_t came = client->begun + client->reused + client->errors;
    if (came == 1) /* with no gap between two there is no rate */
        add(verdict, "1 client came, %s%s.", late, failed);
    else
        add(verdict, "%s clients came, %.1f/s of the %s/s asked for, %s%s.", grouped(came).text,
            flow->achieved_rate, grouped(flow->asked->rate).text, late, failed);
    if (client->reused > 0)
        add(verdict, "%s of them used an open connection again.", grouped(client->reused).text);
}

/* Whoever has a port for a minute: of a look, those that are there at the end. */
static void say_ports(struct verdict *verdict, const struct verdict_input *input)
{
    const struct flow_tally *client = &input->flow->sums[SIDE_CLIENT];
    int64_t time_wait = input->sides != NULL ? input->sides[SIDE_CLIENT].of[STATE_TIME_WAIT] : 0;
    char holders[80] = "";
    if (time_wait > 0)
        snprintf(holders, sizeof holders, ": %s %s in TIME_WAIT", grouped(time_wait).text,
                 one_or_many(time_wait, "is", "are"));
    if (client->error == EADDRNOTAVAIL)
        add(verdict,
            "connect() failed %s with EADDRNOTAVAIL: the client had no port left%s "
            "(net.ipv4.ip_local_port_range).",
            counted(client->errors - client->timeouts, "time").text, holders);
}

static void say_timeline(struct verdict *verdict, const struct timeline *timeline)
{
    enum timeline_stage stages[STAGE_COUNT];
    int count = timeline_in_order(timeline, stages);
    if (count > 0)
        add(verdict, "What broke, and when it was first seen:");
    for (int i = 0; i < count; i++)
        add(verdict, "- %s", timeline_line(timeline, stages[i]).text);
}

/* Sockets that another process inherited, or that none has, take no descriptor of the server's. */
static bool takes_descriptors(const struct verdict_input *input, enum side side)
{
    const struct fault_case *cause = input->experiment->cause;
    enum owner_class owner = cause != NULL ? cause->signature.owner : OWNER_ANY;
    return side == SIDE_SERVER && owner != OWNER_OTHER && owner != OWNER_NONE;
}

/* When the descriptors of the server are, or will be, used up. */
static void put_exhaustion(const struct verdict_input *input, enum side side, char *out, size_t size)
{
    const struct flow_report *flow = input->flow;
    const struct fault_case *cause = input->experiment->cause;
    int each = cause != NULL && cause->descriptors_each > 1 ? cause->descriptors_each : 1;
    double gone_s = timeline_since(flow->timeline, STAGE_SERVER_EMFILE);
    double room = (double)flow->nofile / each - (double)flow->held[side];
    double left_s = trend_seconds_to(&flow->trend[side], room);
    out[0] = '\0';
    if (!takes_descriptors(input, side))
        return;
    if (isfinite(gone_s))
        snprintf(out, size, ", descriptors used up at %.1f s", gone_s);
    else if (isfinite(left_s))
        snprintf(out, size, ", descriptors used up in %s at that rate",
                 duration_text((int64_t)left_s * 1000).text);
}

static void say_growth(struct verdict *verdict, const struct verdict_input *input, enum side side)
{
    const struct flow_report *flow = input->flow;
    const struct trend *trend = &flow->trend[side];
    char gone[96];
    put_exhaustion(input, side, gone, sizeof gone);
    if (trend->kind == TREND_UNKNOWN && isfinite(timeline_first_failure_s(flow->timeline)))
        return; /* it is all in the timeline */
    if (trend->kind == TREND_UNKNOWN)
        add(verdict, "Too few looks to tell whether what the %s holds grows.", side_name(side));
    else if (trend->kind == TREND_LEAK && flow->held[side] > 0)
        add(verdict, "leak: %s of %s connections, +%.1f/s%s. What the %s holds %s.",
            grouped(flow->held[side]).text, grouped(flow->sums[SIDE_CLIENT].connected).text,
            trend->slope_per_s, gone, side_name(side), trend_words(trend).text);
    else
        add(verdict, "%s: what the %s holds %s.", trend_kind_name(trend->kind), side_name(side),
            trend_words(trend).text);
}

/* Why a TIME_WAIT may have ended, with the kernel's counter of it. */
static const struct time_wait_reason {
    enum kernel_counter counter;
    bool on_client_only; /* the kernel counts it of the side that calls connect() */
    bool is_certain;     /* the counter counts nothing else */
    const char *words;
} time_wait_reasons[] = {
    {COUNTER_TIME_WAIT_REUSED, true, true, "gave their port to a new connection (net.ipv4.tcp_tw_reuse"},
    {COUNTER_TIME_WAIT_OVERFLOW, false, true, "found no room (net.ipv4.tcp_max_tw_buckets"},
    {COUNTER_OUT_RSTS, false, false, "may have been ended by a late RST (RFC 1337"},
};

static int64_t count_of_reason(const struct verdict_input *input, const struct time_wait_reason *reason,
                               enum side side)
{
    bool is_no_reason = (reason->on_client_only && side != SIDE_CLIENT) ||
                        (reason->counter == COUNTER_OUT_RSTS && input->rst_spares_time_wait);
    return is_no_reason ? 0 : input->moved->value[reason->counter];
}

/* TIME_WAIT that should be there and are not. What should is told by the order; of a cause it is only known
 * what the kernel has counted as ended. */
static int64_t time_wait_missing(const struct verdict_input *input, enum side side)
{
    const struct close_order *order = input->experiment->order;
    const struct order_step *last = order_step_at(order, order_step_count(order) - 1);
    int64_t gone = histogram_gone(&input->sides[side], input->opened), known = 0;
    if (input->experiment->cause == NULL) {
        int step;
        bool has_leaked = order_leak_side(order, &step) == side_other(side);
        gone -= has_leaked ? input->leaked : 0; /* of these FIN_WAIT2 is all that there ever was */
        return last->expect[side] == STATE_SET(STATE_TIME_WAIT) && gone > 0 ? gone : 0;
    }
    for (size_t i = 0; i < sizeof time_wait_reasons / sizeof time_wait_reasons[0]; i++)
        known += time_wait_reasons[i].is_certain ? count_of_reason(input, &time_wait_reasons[i], side) : 0;
    return known < gone ? known : gone > 0 ? gone : 0;
}

/* Reasons that no counter speaks for are not offered. */
static void say_missing_time_wait(struct verdict *verdict, const struct verdict_input *input, enum side side)
{
    int64_t missing = time_wait_missing(input, side), left = missing;
    char reasons[400] = "";
    for (size_t i = 0; i < sizeof time_wait_reasons / sizeof time_wait_reasons[0] && left > 0; i++) {
        const struct time_wait_reason *reason = &time_wait_reasons[i];
        int64_t count = count_of_reason(input, reason, side);
        count = count < left ? count : left;
        left -= count;
        if (count > 0)
            TEXT_ADD(reasons, "%s%s %s; kernel counter %s)", reasons[0] != '\0' ? ", " : "",
                     grouped(count).text, reason->words, kernel_counter_name(reason->counter));
    }
    bool has_some = reasons[0] != '\0';
    if (left > 0 && input->lasted_ms >= TIME_WAIT_LENGTH_MS)
        TEXT_ADD(reasons, "%s%s had lasted their 60 s", has_some ? ", " : "", grouped(left).text);
    else if (left > 0)
        TEXT_ADD(reasons, "%swhy %s did is not known, because no kernel counter shows it",
                 has_some ? ", " : "", has_some ? grouped(left).text : "they");
    if (missing > 0)
        add(verdict, "%s TIME_WAIT on the %s ended before the run did: %s.", grouped(missing).text,
            side_name(side), reasons);
}

/* The client's last ACK of the handshake was dropped by a full queue: it believes in a connection. */
static void say_half_open(struct verdict *verdict, const struct verdict_input *input)
{
    int64_t alone =
        input->sides[SIDE_CLIENT].of[STATE_ESTABLISHED] - input->sides[SIDE_SERVER].of[STATE_ESTABLISHED];
    if (alone > 0 && isfinite(timeline_at(input->flow->timeline, STAGE_QUEUE_FULL)))
        add(verdict,
            "%s %s ESTABLISHED with no server end: the full accept queue dropped the last ACK of the "
            "handshake, so the server has no such connection.",
            counted(alone, "client").text, one_or_many(alone, "is", "are"));
}

static void say_flow(struct verdict *verdict, const struct verdict_input *input)
{
    const struct flow_report *flow = input->flow;
    say_rate(verdict, flow);
    say_timeline(verdict, flow->timeline);
    say_ports(verdict, input);
    for (int i = 0; i < SIDE_COUNT; i++) {
        enum side side = (enum side)i;
        bool is_news = side == SIDE_SERVER || flow->trend[side].kind == TREND_LEAK;
        if (flow->at_fault == SIDE_COUNT ? is_news : side == flow->at_fault)
            say_growth(verdict, input, side);
    }
    if (flow->sums[SIDE_CLIENT].slowest_us > 0)
        add(verdict, "The slowest reply took %.3f s.", (double)flow->sums[SIDE_CLIENT].slowest_us / 1e6);
    int64_t lost = flow->sums[SIDE_CLIENT].lost;
    if (lost > 0 && flow->at_fault == SIDE_CLIENT)
        add(verdict, "%s %s lost: the connection ended before the client had read a reply.",
            counted(lost, "request").text, one_or_many(lost, "was", "were"));
    else if (lost > 0)
        add(verdict, "%s %s lost: the connection ended before the client had read %s.", grouped(lost).text,
            one_or_many(lost, "reply was", "replies were"), one_or_many(lost, "it", "them"));
}

static void say_clocks(struct verdict *verdict, const struct verdict_input *input)
{
    const struct close_order *order = input->experiment->order;
    bool is_retransmission = order->clock == CLOCK_RETRANSMISSION || order_leaves_orphans(order);
    if (input->aged && is_retransmission)
        add(verdict, "Kernel timers expired during the run: data that is not acknowledged is given up after "
                     "enough retransmissions (net.ipv4.tcp_retries2, or net.ipv4.tcp_orphan_retries for a "
                     "socket without a process); those sockets are counted as gone.");
    else if (input->aged)
        add(verdict,
            "Kernel timers expired during the run: an orphaned FIN_WAIT2 ends after %s "
            "(net.ipv4.tcp_fin_timeout), TIME_WAIT after 1m; those sockets are counted as gone.",
            duration_text(input->fin_timeout_ms).text);
    if (input->late_close)
        add(verdict, "A close() came after the peer's FIN_WAIT2 had ended: its FIN was answered by an RST, "
                     "and no TIME_WAIT follows.");
}

static void say_assassinated(struct verdict *verdict, const struct verdict_input *input)
{
    if (input->assassinated > 0)
        add(verdict,
            "%s TIME_WAIT ended early: when both sides close at the same moment, a FIN can overtake its own "
            "ACK, and the RST that follows ends the peer's TIME_WAIT (RFC 1337; kernel counter OutRsts rose "
            "by %s; net.ipv4.tcp_rfc1337=1 prevents it).",
            grouped(input->assassinated).text, grouped(input->moved->value[COUNTER_OUT_RSTS]).text);
}

static void say_failed_looks(struct verdict *verdict, const struct verdict_input *input)
{
    if (input->failed_looks > 0)
        add(verdict, "%s failed or %s interrupted by the kernel and %s not counted.",
            counted(input->failed_looks, "look").text, one_or_many(input->failed_looks, "was", "were"),
            one_or_many(input->failed_looks, "is", "are"));
}

static void say_pace(struct verdict *verdict, const struct verdict_input *input)
{
    if (input->look_pause_us > PACE_WORTH_SAYING_US)
        add(verdict,
            "While connections were opened and closed, looks took at most a tenth of the time, so as not to "
            "slow the run down (a look takes %.2f s when nothing changes); settled steps are exact.",
            (double)input->look_took_us / 1e6);
}

static void say_crowding(struct verdict *verdict, const struct verdict_input *input)
{
    int64_t crowd = input->ehash_entries > 0 ? 2 * input->opened / input->ehash_entries : 0;
    if (crowd >= CROWD_WORTH_SAYING)
        add(verdict,
            "The kernel may have slowed down as connections were added: its socket table held %s sockets per "
            "bucket (net.ipv4.tcp_ehash_entries %s).",
            grouped(crowd).text, grouped(input->ehash_entries).text);
}

/* The kernel counts some of what it does twice, under a wider name. */
static bool is_told_by_another(const struct kernel_counters *moved, enum kernel_counter counter)
{
    const int64_t *value = moved->value;
    return (counter == COUNTER_LISTEN_DROPS && value[counter] == value[COUNTER_LISTEN_OVERFLOWS]) ||
           (counter == COUNTER_RETRANS_SEGS && value[counter] == value[COUNTER_SYN_RETRANS]) ||
           (counter == COUNTER_SYN_RETRANS && value[counter] == value[COUNTER_SYN_CHALLENGE]);
}

/* To make it move is what the order is for. */
static bool is_wanted(const struct close_order *order, enum kernel_counter counter)
{
    return order->needs.must_move && order->needs.counter == counter;
}

/* In a run that is fine a counter is news where it is of this run's connections for certain: in a namespace
 * of its own, or as a part of an outage that the run has seen itself. */
static bool is_of_this_run(const struct verdict_input *input, enum kernel_counter counter)
{
    const struct timeline *timeline = input->flow != NULL ? input->flow->timeline : NULL;
    if (counter == COUNTER_SOFTNET_DROPPED) /* of the whole host, whatever the namespace */
        return false;
    if (timeline != NULL && (counter == COUNTER_LISTEN_OVERFLOWS || counter == COUNTER_LISTEN_DROPS))
        return input->has_own_namespace || timeline_has(timeline, STAGE_SYN_DROPPED);
    if (timeline != NULL && counter == COUNTER_SYN_RETRANS)
        return input->has_own_namespace || timeline_has(timeline, STAGE_CONNECT_SLOW);
    return input->has_own_namespace;
}

/* RSTs are part of some orders; they are news only when the run differs. */
static bool is_news(const struct verdict_input *input, enum kernel_counter counter)
{
    if (input->moved->value[counter] <= 0 || is_wanted(input->experiment->order, counter) ||
        is_told_by_another(input->moved, counter))
        return false;
    if (input->outcome == OUTCOME_DIFFERS)
        return true;
    return kernel_counter_is_trouble(counter) &&
           (input->outcome != OUTCOME_AS_EXPECTED || is_of_this_run(input, counter));
}

static void say_counters(struct verdict *verdict, const struct verdict_input *input)
{
    bool any = false;
    for (int i = 0; i < COUNTER_COUNT; i++) {
        enum kernel_counter counter = (enum kernel_counter)i;
        if (!is_news(input, counter))
            continue;
        any = true;
        add(verdict, "Kernel counter %s rose by %s: %s.", kernel_counter_name(counter),
            grouped(input->moved->value[i]).text, kernel_counter_meaning(counter));
    }
    if (any && !input->has_own_namespace)
        add(verdict, "The counters cover all connections in this network namespace, including those of other "
                     "programs.");
}

struct verdict verdict_of(const struct verdict_input *input)
{
    struct verdict verdict = {""};
    say_outcome(&verdict, input);
    if (input->flow != NULL)
        say_flow(&verdict, input);
    if (input->flow != NULL && input->sides != NULL) {
        for (int side = 0; side < SIDE_COUNT; side++)
            say_missing_time_wait(&verdict, input, (enum side)side);
        say_half_open(&verdict, input);
    }
    if (input->sides != NULL)
        say_who_owes(&verdict, input);
    if (input->transitions != NULL)
        add(&verdict, "%s", transition_sentences(input->transitions).text);
    say_clocks(&verdict, input);
    say_assassinated(&verdict, input);
    say_failed_looks(&verdict, input);
    say_pace(&verdict, input);
    say_crowding(&verdict, input);
    if (input->outcome != OUTCOME_FAULT)
        say_counters(&verdict, input);
    return verdict;
}
