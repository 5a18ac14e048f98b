#include "view/transition_table.h"

#include "base/number_text.h"
#include "base/output.h"
#include "base/text.h"
#include "base/version.h"
#include "base/wrap.h"
#include "model/dwell_time.h"
#include "model/transition.h"
#include "view/transition_rows.h"

enum { TEXT_WIDTH = 78, TIME_WIDTH = 8, OWNER_WIDTH = 24 };

static struct transition_report report_of(const struct transition_watch *watch, const struct watched *watched)
{
    return (struct transition_report){.level = socket_events_level(watch->events),
                                      .lack = socket_events_lack(watch->events),
                                      .counts = &watched->counts};
}

struct name {
    char text[64];
};

/* "all", "others", "8080". */
static struct name name_of(const struct watched *watched)
{
    struct name name = {"all"};
    if (watched->kind == WATCHED_OTHERS)
        snprintf(name.text, sizeof name.text, "others");
    else if (watched->kind == WATCHED_PORT)
        snprintf(name.text, sizeof name.text, "%u", watched->port);
    return name;
}

/* "nginx, pid 4711"; "" where it is not known. */
static struct name owner_of(const struct watched *watched)
{
    struct name name = {""};
    if (watched->listener != NULL && watched->listener->pid != 0)
        snprintf(name.text, sizeof name.text, "%s, pid %d", watched->listener->command.text,
                 (int)watched->listener->pid);
    return name;
}

/* "All ports", "Port 8080 (nginx, pid 4711)". */
static struct transition_text title_of(const struct watched *watched)
{
    struct transition_text title = {"All ports"};
    const struct name owner = owner_of(watched);
    if (watched->kind == WATCHED_ALL)
        return title;
    snprintf(title.text, sizeof title.text, "Port %u", watched->port);
    if (watched->listener == NULL)
        TEXT_ADD(title.text, " (nobody listens there)");
    else if (owner.text[0] != '\0')
        TEXT_ADD(title.text, " (%s)", owner.text);
    return title;
}

/* In the order of a connection's life, gone first: where it begins. */
static enum tcp_state state_at(size_t i)
{
    return i == 0 ? STATE_GONE : tcp_state_in_life_order(i - 1);
}

static void put_time(FILE *out, double seconds)
{
    fprintf(out, " %*s", TIME_WIDTH, seconds >= 0 ? dwell_text_of(seconds).text : "-");
}

static void put_row(FILE *out, const struct side_transitions *of, enum side side, enum tcp_state from,
                    enum tcp_state to)
{
    int64_t count = transitions_between(of, from, to);
    if (count == 0)
        return;
    fprintf(out, "  %-6s %-11s %-11s %12s", side_name(side), tcp_state_name(from), tcp_state_name(to),
            grouped(count).text);
    put_time(out, dwell_quantile_s(&of->dwell[from], 0.5));
    put_time(out, dwell_quantile_s(&of->dwell[from], 0.9));
    put_time(out, dwell_quantile_s(&of->dwell[from], 0.99));
    put_time(out, dwell_longest_s(&of->dwell[from]));
    fputc('\n', out);
}

static void put_matrix(FILE *out, const struct transition_counts *counts)
{
    fprintf(out, "  %-6s %-11s %-11s %12s %*s %*s %*s %*s\n", "side", "from", "to", "count", TIME_WIDTH,
            "p50", TIME_WIDTH, "p90", TIME_WIDTH, "p99", TIME_WIDTH, "max");
    for (int side = 0; side < SIDE_COUNT; side++)
        for (size_t from = 0; from <= LIFE_ORDER_COUNT; from++)
            for (size_t to = 0; to <= LIFE_ORDER_COUNT; to++)
                put_row(out, &counts->side[side], (enum side)side, state_at(from), state_at(to));
}

struct passed {
    int64_t came, left;
};

/* More may be there than came: those that were there before. */
static struct passed through_close_wait(const struct side_transitions *of)
{
    struct passed passed = {0, 0};
    for (int state = 0; state < STATE_COUNT; state++) {
        passed.came += transitions_between(of, (enum tcp_state)state, STATE_CLOSE_WAIT);
        passed.left += transitions_between(of, STATE_CLOSE_WAIT, (enum tcp_state)state);
    }
    return passed;
}

static void put_close_wait(FILE *out, const struct side_transitions *of, enum side side)
{
    const struct passed passed = through_close_wait(of);
    if (passed.came == 0 && passed.left == 0)
        return;
    fprintf(out, "  CLOSE_WAIT on the %s: %s came, %s left", side_name(side), grouped(passed.came).text,
            grouped(passed.left).text);
    if (dwell_sampled(&of->dwell[STATE_CLOSE_WAIT]) > 0)
        fprintf(out, " after p50 %s, p99 %s",
                dwell_text_of(dwell_quantile_s(&of->dwell[STATE_CLOSE_WAIT], 0.5)).text,
                dwell_text_of(dwell_quantile_s(&of->dwell[STATE_CLOSE_WAIT], 0.99)).text);
    fputs(".\n", out);
}

static void put_watched(FILE *out, const struct transition_watch *watch, const struct watched *watched)
{
    const struct transition_report report = report_of(watch, watched);
    struct transition_text line = {""};
    snprintf(line.text, sizeof line.text, "%.100s: %.1000s", title_of(watched).text,
             transitions_in_all(&watched->counts) > 0 ? transition_summary(&report).text : "no transitions.");
    wrap_print(out, line.text, 0, TEXT_WIDTH);
    if (transitions_in_all(&watched->counts) > 0) {
        for (int side = 0; side < SIDE_COUNT; side++)
            put_close_wait(out, &watched->counts.side[side], (enum side)side);
        put_matrix(out, &watched->counts);
    }
    fputc('\n', out);
}

/* ---- port by port ---- */

static int64_t moves_of(const struct side_transitions *of)
{
    int64_t moves = 0;
    for (int from = 0; from < STATE_COUNT; from++)
        for (int to = 0; to < STATE_COUNT; to++)
            moves += transitions_between(of, (enum tcp_state)from, (enum tcp_state)to);
    return moves;
}

static void put_port_row(FILE *out, const struct watched *watched, enum side side)
{
    const struct side_transitions *of = &watched->counts.side[side];
    const struct dwell *dwell = &of->dwell[STATE_CLOSE_WAIT];
    const struct passed passed = through_close_wait(of);
    if (moves_of(of) == 0)
        return;
    fprintf(out, "  %-6s %-*.*s %-6s %12s %10s %10s", name_of(watched).text, OWNER_WIDTH, OWNER_WIDTH,
            owner_of(watched).text, side_name(side), grouped(moves_of(of)).text, grouped(passed.came).text,
            grouped(passed.left).text);
    put_time(out, dwell_quantile_s(dwell, 0.5));
    put_time(out, dwell_quantile_s(dwell, 0.9));
    put_time(out, dwell_quantile_s(dwell, 0.99));
    fputc('\n', out);
}

/* How late each service closes. */
static void put_ports(FILE *out, const struct transition_watch *watch)
{
    int quiet = 0;
    fprintf(out, "  %-6s %-*s %-6s %12s %10s %10s   and how long it lasted\n", "", OWNER_WIDTH, "", "", "",
            "CLOSE_WAIT", "");
    fprintf(out, "  %-6s %-*s %-6s %12s %10s %10s %*s %*s %*s\n", "port", OWNER_WIDTH, "process", "side",
            "transitions", "came", "left", TIME_WIDTH, "p50", TIME_WIDTH, "p90", TIME_WIDTH, "p99");
    for (int i = 1; i < watch->count; i++) {
        const struct watched *watched = &watch->each[i];
        quiet += watched->kind == WATCHED_PORT && transitions_in_all(&watched->counts) == 0;
        for (int side = 0; side < SIDE_COUNT; side++)
            put_port_row(out, watched, (enum side)side);
    }
    if (quiet > 0)
        fprintf(out, "  On %s more port%s somebody listens, and nothing moved.\n", grouped(quiet).text,
                quiet == 1 ? "" : "s");
    fputc('\n', out);
}

/* ---- all of it ---- */

/* They are true of all ports alike: the first one's stand for them. */
static void put_caveats(FILE *out, const struct transition_watch *watch, bool are_times)
{
    const struct transition_report report = report_of(watch, &watch->each[0]);
    const struct transition_text caveats = transition_caveats(&report);
    if (caveats.text[0] != '\0')
        wrap_print(out, caveats.text, 0, TEXT_WIDTH);
    struct transition_text line = {""};
    if (are_times)
        TEXT_ADD(
            line.text,
            "Times are from one in %lld of the sockets that entered the state and left it in these %.1f s. ",
            (long long)watch->each[0].counts.sampled_one_in, watch->lasted_s);
    TEXT_ADD(line.text, "Sockets that did not move are not listed: \"tcpstorm watch\" shows them.");
    wrap_print(out, line.text, 0, TEXT_WIDTH);
}

static bool has_any(const struct transition_watch *watch)
{
    int64_t all = 0;
    for (int i = 0; i < watch->count; i++)
        all += transitions_in_all(&watch->each[i].counts);
    return all > 0;
}

void transition_table_print(FILE *out, const struct transition_watch *watch)
{
    bool is_any = has_any(watch);
    if (!is_any)
        fprintf(out, "No transition was seen in %.1f s%s.\n", watch->lasted_s,
                watch->is_by_choice ? " on these ports" : "");
    for (int i = 0; is_any && i < (watch->is_by_choice ? watch->count : 1); i++)
        put_watched(out, watch, &watch->each[i]);
    if (is_any && !watch->is_by_choice)
        put_ports(out, watch);
    put_caveats(out, watch, is_any);
}

void transition_table_csv(FILE *out, const struct transition_watch *watch)
{
    csv_put_header(out, transition_columns);
    for (int i = 0; i < watch->count; i++)
        transition_rows_put(out, name_of(&watch->each[i]).text, &watch->each[i].counts);
}

int transition_table_json(FILE *out, const void *result)
{
    const struct transition_watch *watch = result;
    struct json_writer w = {.out = out};
    json_open(&w, NULL, '{');
    json_string(&w, "version", TCPSTORM_VERSION);
    json_number(&w, "duration_s", watch->lasted_s);
    json_open(&w, "ports", '[');
    for (int i = 0; i < watch->count; i++) {
        const struct watched *watched = &watch->each[i];
        const struct transition_report report = report_of(watch, watched);
        json_open(&w, NULL, '{');
        json_string(&w, "name", name_of(watched).text);
        if (watched->kind == WATCHED_PORT)
            json_integer(&w, "port", watched->port);
        if (watched->listener != NULL && watched->listener->pid != 0) {
            json_string(&w, "command", watched->listener->command.text);
            json_integer(&w, "pid", watched->listener->pid);
        }
        transition_json_put(&w, &report);
        json_close(&w, '}');
    }
    json_close(&w, ']');
    json_close(&w, '}');
    json_end_line(&w);
    return output_flush(out);
}
