#include "view/transition_table.h"

#include "base/number_text.h"
#include "base/output.h"
#include "base/version.h"
#include "base/wrap.h"
#include "model/dwell_time.h"
#include "model/transition.h"
#include "view/transition_rows.h"

enum { TEXT_WIDTH = 78, TIME_WIDTH = 8 };

struct transition_report transition_table_report(const struct watched_port *watched)
{
    return (struct transition_report){.level = socket_events_level(watched->events),
                                      .lack = socket_events_lack(watched->events),
                                      .counts = &watched->counts};
}

struct title {
    char text[96];
};

/* "All ports", "Port 8080 (nginx, pid 4711)". */
static struct title title_of(const struct transition_watch *watch, const struct watched_port *watched)
{
    struct title title = {"All ports"};
    const struct service *service = services_at(&watch->services, watched->port);
    if (watched->port == 0)
        return title;
    if (service == NULL)
        snprintf(title.text, sizeof title.text, "Port %u (nobody listened when this began)", watched->port);
    else if (service->pid == 0)
        snprintf(title.text, sizeof title.text, "Port %u", watched->port);
    else
        snprintf(title.text, sizeof title.text, "Port %u (%s, pid %d)", watched->port, service->command.text,
                 (int)service->pid);
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

/* The time of those that have left; more may be there. */
static void put_close_wait(FILE *out, const struct side_transitions *of, enum side side)
{
    int64_t came = 0, left = 0;
    for (int state = 0; state < STATE_COUNT; state++) {
        came += transitions_between(of, (enum tcp_state)state, STATE_CLOSE_WAIT);
        left += transitions_between(of, STATE_CLOSE_WAIT, (enum tcp_state)state);
    }
    if (came == 0 && left == 0)
        return;
    fprintf(out, "  CLOSE_WAIT on the %s: %s came, %s left", side_name(side), grouped(came).text,
            grouped(left).text);
    if (dwell_sampled(&of->dwell[STATE_CLOSE_WAIT]) > 0)
        fprintf(out, " after p50 %s, p99 %s",
                dwell_text_of(dwell_quantile_s(&of->dwell[STATE_CLOSE_WAIT], 0.5)).text,
                dwell_text_of(dwell_quantile_s(&of->dwell[STATE_CLOSE_WAIT], 0.99)).text);
    fputs(".\n", out);
}

static void put_port(FILE *out, const struct transition_watch *watch, const struct watched_port *watched)
{
    const struct transition_report report = transition_table_report(watched);
    struct transition_text line = {""};
    snprintf(line.text, sizeof line.text, "%s: %.1000s", title_of(watch, watched).text,
             transitions_in_all(&watched->counts) > 0 ? transition_summary(&report).text : "no transitions.");
    wrap_print(out, line.text, 0, TEXT_WIDTH);
    if (transitions_in_all(&watched->counts) == 0)
        return;
    for (int side = 0; side < SIDE_COUNT; side++)
        put_close_wait(out, &watched->counts.side[side], (enum side)side);
    put_matrix(out, &watched->counts);
}

/* Both are true of all ports alike: the first one's stand for them. */
static void put_caveats(FILE *out, const struct transition_watch *watch)
{
    const struct transition_report report = transition_table_report(&watch->each[0]);
    const struct transition_text caveats = transition_caveats(&report);
    if (caveats.text[0] != '\0')
        wrap_print(out, caveats.text, 0, TEXT_WIDTH);
    struct transition_text line = {""};
    snprintf(line.text, sizeof line.text,
             "Times are of one in %lld of the sockets that came to the state and left it in these %.1f s. "
             "Sockets that did not move are in no row: \"tcpstorm watch\" shows them.",
             (long long)watch->each[0].counts.sampled_one_in, watch->lasted_s);
    wrap_print(out, line.text, 0, TEXT_WIDTH);
}

void transition_table_print(FILE *out, const struct transition_watch *watch)
{
    for (int i = 0; i < watch->count; i++) {
        put_port(out, watch, &watch->each[i]);
        fputc('\n', out);
    }
    if (watch->each[0].port == 0 && watch->services.count > WATCHED_PORTS_MAX)
        fprintf(out, "%d ports are listened on: --port tells up to %d of them one by one.\n",
                watch->services.count, WATCHED_PORTS_MAX);
    put_caveats(out, watch);
}

void transition_table_csv(FILE *out, const struct transition_watch *watch)
{
    transition_rows_put_header(out);
    for (int i = 0; i < watch->count; i++) {
        char name[16] = "all";
        if (watch->each[i].port != 0)
            snprintf(name, sizeof name, "%u", watch->each[i].port);
        transition_rows_put(out, name, &watch->each[i].counts);
    }
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
        const struct watched_port *watched = &watch->each[i];
        const struct service *service = services_at(&watch->services, watched->port);
        const struct transition_report report = transition_table_report(watched);
        json_open(&w, NULL, '{');
        if (watched->port != 0)
            json_integer(&w, "port", watched->port);
        if (service != NULL && service->pid != 0) {
            json_string(&w, "command", service->command.text);
            json_integer(&w, "pid", service->pid);
        }
        transition_json_put(&w, &report);
        json_close(&w, '}');
    }
    json_close(&w, ']');
    json_close(&w, '}');
    json_end_line(&w);
    return output_flush(out);
}
