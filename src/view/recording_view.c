#include "view/recording_view.h"

#include "base/json_writer.h"
#include "base/version.h"
#include "view/json_events.h"
#include "watch/recording.h"

#include <time.h>

void recorder_begin(struct recorder *recorder, const struct watch_settings *settings, int64_t interval_ms)
{
    struct json_writer w = {.out = recorder->out};
    char began[32] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc) != NULL)
        strftime(began, sizeof began, "%Y-%m-%dT%H:%M:%SZ", &utc);
    recorder->every = 1;
    recorder->is_of_process = settings->pid != 0;
    json_event_open(&w, JSON_RECORDING);
    json_integer(&w, "format", RECORDING_FORMAT);
    json_string(&w, "version", TCPSTORM_VERSION);
    json_string(&w, "began", began);
    json_number(&w, "interval_s", (double)interval_ms / 1e3);
    if (settings->port != 0)
        json_integer(&w, "port", settings->port);
    if (settings->pid != 0)
        json_integer(&w, "pid", settings->pid);
    json_close(&w, '}');
    json_end_line(&w);
}

static void put_lives(struct json_writer *w, const int64_t *lives)
{
    json_open(w, "lives_ms", '[');
    for (int i = 0; i < FLOW_LIVES; i++) {
        if (lives[i] == 0)
            continue;
        json_open(w, NULL, '[');
        json_integer(w, NULL, (int64_t)1 << i);
        json_integer(w, NULL, lives[i]);
        json_close(w, ']');
    }
    json_close(w, ']');
}

static bool is_of(const struct watch_row *row, const struct flow_port *port)
{
    return row->key.port == port->port && row->key.side == port->side;
}

/* What the rows of that port and side hold: a client's port may be that of several programs. */
static void put_held(struct json_writer *w, const struct watch_rows *rows, const struct flow_port *port)
{
    int64_t established = 0, close_wait = 0, ghosts = 0, unread = 0, unowned = 0;
    const char *command = NULL;
    for (int i = 0; i < rows->count; i++) {
        const struct watch_row *row = &rows->each[i];
        if (!is_of(row, port))
            continue;
        command = command == NULL ? row->command : "";
        established += row->of[STATE_ESTABLISHED];
        close_wait += row->of[STATE_CLOSE_WAIT];
        ghosts += row->of[STATE_GONE];
        unread += row->unread;
        unowned += row->unowned;
    }
    json_string(w, "command", command != NULL ? command : "");
    json_integer(w, "established", established);
    json_integer(w, "close_wait", close_wait);
    json_integer(w, "ghosts", ghosts);
    json_integer(w, "unread", unread);
    json_integer(w, "unowned", unowned);
}

static void put_port(struct json_writer *w, const struct watch_rows *rows, const struct flow_port *port)
{
    json_open(w, NULL, '{');
    json_string(w, "side", side_name(port->side));
    json_integer(w, "port", port->port);
    json_integer(w, "came", port->came);
    json_integer(w, "ended", port->ended);
    put_lives(w, port->lives);
    put_held(w, rows, port);
    json_close(w, '}');
}

static bool has_row_before(const struct watch_rows *rows, int at)
{
    for (int i = 0; i < at; i++)
        if (rows->each[i].key.port == rows->each[at].key.port &&
            rows->each[i].key.side == rows->each[at].key.side)
            return true;
    return false;
}

/* The process that is watched has or had something there. */
static bool is_known(const struct recorder *recorder, const struct flow_port *port)
{
    for (int i = 0; i < recorder->known_count; i++)
        if (recorder->known[i].port == port->port && recorder->known[i].side == port->side)
            return true;
    return false;
}

static void know_rows(struct recorder *recorder, const struct watch_rows *rows)
{
    for (int i = 0; i < rows->count && recorder->known_count < FLOW_PORTS_MAX; i++) {
        const struct watch_key *key = &rows->each[i].key;
        if (key->side >= SIDE_COUNT ||
            is_known(recorder, &(struct flow_port){.port = key->port, .side = (enum side)key->side}))
            continue;
        recorder->known[recorder->known_count].port = key->port;
        recorder->known[recorder->known_count++].side = key->side;
    }
}

static bool is_in_flow(const struct flow_counts *counts, const struct watch_row *row)
{
    for (int i = 0; i < counts->count; i++)
        if (is_of(row, &counts->ports[i]))
            return true;
    return false;
}

static void print_flow(struct recorder *recorder, const struct watch_look *look,
                       const struct flow_counts *counts)
{
    struct json_writer w = {.out = recorder->out};
    const struct watch_rows *rows = &look->sets[WATCH_PORTS];
    if (recorder->is_of_process)
        know_rows(recorder, rows);
    json_event_open(&w, JSON_FLOW);
    json_number(&w, "t_s", look->t_s);
    json_number(&w, "over_s", counts->over_s);
    json_boolean(&w, "news", counts->has_news);
    json_integer(&w, "lost", counts->lost);
    json_integer(&w, "dropped", counts->dropped);
    json_open(&w, "ports", '[');
    for (int i = 0; i < counts->count; i++)
        if (!recorder->is_of_process || is_known(recorder, &counts->ports[i]))
            put_port(&w, rows, &counts->ports[i]);
    for (int i = 0; i < rows->count && i < FLOW_PORTS_MAX; i++) {
        const struct watch_row *row = &rows->each[i];
        if (row->key.side >= SIDE_COUNT || row->key.port == 0 || has_row_before(rows, i) ||
            is_in_flow(counts, row))
            continue;
        put_port(&w, rows, &(struct flow_port){.port = row->key.port, .side = (enum side)row->key.side});
    }
    json_close(&w, ']');
    json_close(&w, '}');
    json_end_line(&w);
}

void recorder_offer(struct recorder *recorder, const struct watch_page *page, struct watch_flow *flow,
                    bool is_last)
{
    struct flow_counts counts;
    bool is_first = recorder->lines == 0 && recorder->every == 1;
    if (++recorder->looks < recorder->every && !is_last && !is_first)
        return;
    recorder->looks = 0;
    if (++recorder->lines == RECORDED_LOOKS) {
        recorder->lines = 0;
        recorder->every *= 2;
    }
    watch_flow_take(flow, &counts);
    watch_print_json(recorder->out, page);
    print_flow(recorder, page->look, &counts);
}
