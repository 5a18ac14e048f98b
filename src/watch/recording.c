#include "watch/recording.h"

#include "base/array.h"
#include "base/json_reader.h"
#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int refuse(struct recording_error *why, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(struct recording_error *why, int rc, const char *format, ...)
{
    va_list arguments;
    why->text[0] = '\0';
    va_start(arguments, format);
    text_vadd(why->text, sizeof why->text, format, arguments);
    va_end(arguments);
    return rc;
}

void recording_free(struct recording *recording)
{
    for (size_t i = 0; i < recording->port_count; i++)
        free(recording->ports[i].points);
    free(recording->ports);
    *recording = (struct recording){.looks = 0};
}

/* ---- lines ---- */

/* The members of a line that are needed; what is not there stays as it is. */
struct line {
    char event[24], version[32], began[32], cause[64];
    int64_t format, lost, dropped;
    double t_s, over_s;
    bool has_news;
    size_t ports_at; /* where the array of ports begins; 0: there is none */
};

static bool read_boolean(struct json_reader *json, bool *value)
{
    *value = json->at < json->end && *json->at == 't';
    return json_reader_skip(json);
}

/* The first cause that is named, however deep. */
static bool find_cause(struct json_reader *json, char *cause, size_t size)
{
    char key[24];
    if (!json_reader_enter(json, '['))
        return false;
    while (json_reader_element(json)) {
        if (json_reader_kind(json) != '{' || cause[0] != '\0') {
            json_reader_skip(json);
            continue;
        }
        json_reader_enter(json, '{');
        while (json_reader_member(json, key, sizeof key)) {
            if (strcmp(key, "causes") != 0 || json_reader_kind(json) != '[' || cause[0] != '\0') {
                json_reader_skip(json);
                continue;
            }
            json_reader_enter(json, '[');
            while (json_reader_element(json))
                if (json_reader_kind(json) == '"' && cause[0] == '\0')
                    json_reader_string(json, cause, size);
                else
                    json_reader_skip(json);
        }
    }
    return !json->is_bad;
}

static bool read_line(struct json_reader *json, struct line *line)
{
    char key[24];
    const char *begin = json->at;
    if (!json_reader_enter(json, '{'))
        return false;
    while (json_reader_member(json, key, sizeof key)) {
        char kind = json_reader_kind(json);
        if (strcmp(key, "event") == 0 && kind == '"')
            json_reader_string(json, line->event, sizeof line->event);
        else if (strcmp(key, "version") == 0 && kind == '"')
            json_reader_string(json, line->version, sizeof line->version);
        else if (strcmp(key, "began") == 0 && kind == '"')
            json_reader_string(json, line->began, sizeof line->began);
        else if (strcmp(key, "format") == 0 && kind == '0')
            json_reader_integer(json, &line->format);
        else if (strcmp(key, "lost") == 0 && kind == '0')
            json_reader_integer(json, &line->lost);
        else if (strcmp(key, "dropped") == 0 && kind == '0')
            json_reader_integer(json, &line->dropped);
        else if (strcmp(key, "t_s") == 0 && kind == '0')
            json_reader_number(json, &line->t_s);
        else if (strcmp(key, "over_s") == 0 && kind == '0')
            json_reader_number(json, &line->over_s);
        else if (strcmp(key, "news") == 0 && kind == 't')
            read_boolean(json, &line->has_news);
        else if (strcmp(key, "findings") == 0 && kind == '[')
            find_cause(json, line->cause, sizeof line->cause);
        else {
            if (strcmp(key, "ports") == 0 && kind == '[')
                line->ports_at = (size_t)(json->at - begin);
            json_reader_skip(json);
        }
    }
    return json_reader_is_over(json);
}

/* ---- ports ---- */

static bool read_lives(struct json_reader *json, int64_t *lives)
{
    if (!json_reader_enter(json, '['))
        return false;
    while (json_reader_element(json)) {
        int64_t below = 0, count = 0;
        if (!json_reader_enter(json, '[') || !json_reader_element(json) ||
            !json_reader_integer(json, &below) || !json_reader_element(json) ||
            !json_reader_integer(json, &count))
            return false;
        if (json_reader_element(json) || json->is_bad || below < 1 || count < 0)
            return false;
        lives[flow_bucket(below - 1)] += count;
    }
    return !json->is_bad;
}

static struct recorded_port *port_of(struct recording *recording, uint16_t port, enum side side)
{
    for (size_t i = 0; i < recording->port_count; i++)
        if (recording->ports[i].port == port && recording->ports[i].side == side)
            return &recording->ports[i];
    if (ARRAY_RESERVE(recording->ports, recording->port_room, recording->port_count + 1) != 0)
        return NULL;
    struct recorded_port *fresh = &recording->ports[recording->port_count++];
    *fresh = (struct recorded_port){.port = port, .side = side};
    return fresh;
}

/* Returns 0, -EINVAL or -ENOMEM. */
static int read_port(struct json_reader *json, struct recording *recording, const struct line *line)
{
    struct recorded_point point = {.t_s = line->t_s, .over_s = line->over_s};
    const struct {
        const char *name;
        int64_t *count;
    } counts[] = {{"came", &point.came},
                  {"ended", &point.ended},
                  {"close_wait", &point.close_wait},
                  {"ghosts", &point.ghosts},
                  {"unread", &point.unread},
                  {"unowned", &point.unowned},
                  {"established", &point.established}};
    char key[24], side[8] = "", command[16] = "";
    int64_t number = 0, lives[FLOW_LIVES] = {0};
    if (!json_reader_enter(json, '{'))
        return -EINVAL;
    while (json_reader_member(json, key, sizeof key)) {
        int64_t *count = NULL;
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            count = strcmp(key, counts[i].name) == 0 ? counts[i].count : count;
        if (count != NULL && (!json_reader_integer(json, count) || *count < 0))
            return -EINVAL;
        else if (count != NULL)
            continue;
        else if (strcmp(key, "port") == 0)
            json_reader_integer(json, &number);
        else if (strcmp(key, "side") == 0)
            json_reader_string(json, side, sizeof side);
        else if (strcmp(key, "command") == 0)
            json_reader_string(json, command, sizeof command);
        else if (strcmp(key, "lives_ms") != 0)
            json_reader_skip(json);
        else if (!read_lives(json, lives))
            return -EINVAL;
    }
    bool is_server = strcmp(side, "server") == 0;
    if (json->is_bad || number < 1 || number > UINT16_MAX || (!is_server && strcmp(side, "client") != 0))
        return -EINVAL;
    struct recorded_port *port = port_of(recording, (uint16_t)number, is_server ? SIDE_SERVER : SIDE_CLIENT);
    if (port == NULL || ARRAY_RESERVE(port->points, port->point_room, port->point_count + 1) != 0)
        return -ENOMEM;
    port->points[port->point_count++] = point;
    memcpy(port->command, command, sizeof port->command);
    for (int i = 0; i < FLOW_LIVES; i++)
        port->lives[i] += lives[i];
    return 0;
}

static int read_ports(struct json_reader *json, struct recording *recording, const struct line *line)
{
    if (!json_reader_enter(json, '['))
        return -EINVAL;
    while (json_reader_element(json)) {
        int rc = read_port(json, recording, line);
        if (rc != 0)
            return rc;
    }
    return json->is_bad ? -EINVAL : 0;
}

static int take_head(struct recording *recording, const struct line *line, struct recording_error *why)
{
    if (strcmp(line->event, "recording") != 0)
        return refuse(why, -EINVAL,
                      "it must be a file written by \"tcpstorm watch --record\": its first line is not the "
                      "header of one");
    if (line->format != RECORDING_FORMAT)
        return refuse(why, -EINVAL,
                      "its format is %lld, and this tcpstorm reads format %d: use the version that wrote "
                      "it, %.20s",
                      (long long)line->format, RECORDING_FORMAT, line->version);
    memcpy(recording->version, line->version, sizeof recording->version);
    memcpy(recording->began, line->began, sizeof recording->began);
    recording->looks = 0;
    return 0;
}

static bool is_head_missing(const struct recording *recording)
{
    return recording->version[0] == '\0';
}

static int take_flow(struct recording *recording, const struct line *line, const char *text, size_t length)
{
    struct json_reader json;
    if (line->ports_at == 0 || line->over_s < 0 || line->t_s < recording->span_s)
        return -EINVAL;
    json_reader_begin(&json, text + line->ports_at, length - line->ports_at);
    recording->looks++;
    recording->span_s = line->t_s;
    recording->has_news |= line->has_news;
    recording->lost += line->lost;
    recording->dropped += line->dropped;
    return read_ports(&json, recording, line);
}

int recording_take_line(struct recording *recording, const char *line, size_t length,
                        struct recording_error *why)
{
    struct json_reader json;
    struct line read = {.format = 0};
    json_reader_begin(&json, line, length);
    bool is_json = read_line(&json, &read);
    if (is_head_missing(recording) && (!is_json || read.version[0] == '\0'))
        read.event[0] = '\0';
    if (is_head_missing(recording))
        return take_head(recording, &read, why);
    if (!is_json)
        return refuse(why, -EINVAL, "one of its lines is not a JSON object");
    if (recording->cause[0] == '\0')
        memcpy(recording->cause, read.cause, sizeof recording->cause);
    int rc = strcmp(read.event, "flow") == 0 ? take_flow(recording, &read, line, length) : 0;
    if (rc == -ENOMEM)
        return refuse(why, rc, "out of memory");
    return rc != 0 ? refuse(why, rc, "one of its \"flow\" lines is not in this version's format") : 0;
}

int recording_end(struct recording *recording)
{
    for (size_t i = 0; i < recording->port_count; i++) {
        struct recorded_port *port = &recording->ports[i];
        if (port->points[port->point_count - 1].t_s >= recording->span_s)
            continue;
        if (ARRAY_RESERVE(port->points, port->point_room, port->point_count + 1) != 0)
            return -ENOMEM;
        port->points[port->point_count++] = (struct recorded_point){.t_s = recording->span_s};
    }
    return 0;
}

/* ---- the file ---- */

static int read_lines(FILE *file, struct recording *recording, struct recording_error *why)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    int64_t number = 0;
    int rc = 0;
    while (rc == 0 && (length = getline(&line, &room, file)) >= 0) {
        struct recording_error of_line = {""};
        number++;
        if (line[length - 1] != '\n')
            rc = refuse(why, -EINVAL, "line %lld is cut short: the file does not end with a whole line",
                        (long long)number);
        else if (length > RECORDED_LINE_MAX)
            rc = refuse(why, -EINVAL, "line %lld is longer than any line of a recording", (long long)number);
        else if ((rc = recording_take_line(recording, line, (size_t)length - 1, &of_line)) != 0)
            rc = number == 1 ? refuse(why, rc, "%s", of_line.text)
                             : refuse(why, rc, "line %lld: %s", (long long)number, of_line.text);
    }
    if (rc == 0 && ferror(file))
        rc = refuse(why, -EIO, "it cannot be read: %s", strerror(errno));
    else if (rc == 0 && number == 0)
        rc = refuse(why, -EINVAL, "it is empty");
    else if (rc == 0 && recording->looks < 2)
        rc = refuse(why, -EINVAL,
                    "it has fewer than two looks: it does not show which connections came in between");
    else if (rc == 0 && recording_end(recording) != 0)
        rc = refuse(why, -ENOMEM, "out of memory");
    free(line);
    return rc;
}

int recording_read(const char *path, struct recording *recording, struct recording_error *why)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        int rc = -errno;
        return refuse(why, rc, "%s", strerror(-rc));
    }
    int rc = read_lines(file, recording, why);
    fclose(file);
    return rc;
}

/* ---- what it tells ---- */

static int64_t owed(const struct recorded_point *point)
{
    return point->close_wait + point->ghosts;
}

int64_t recorded_growth(const struct recorded_port *port)
{
    if (port->point_count == 0)
        return 0;
    const struct recorded_point *first = &port->points[0];
    int64_t before = owed(first) > first->came ? owed(first) - first->came : 0; /* it may have come later */
    int64_t growth = owed(&port->points[port->point_count - 1]) - before;
    return growth > 0 ? growth : 0;
}

int64_t recorded_came(const struct recorded_port *port)
{
    int64_t came = 0;
    for (size_t i = 0; i < port->point_count; i++)
        came += port->points[i].came;
    return came;
}

static bool is_busier(const struct recorded_port *one, const struct recorded_port *other)
{
    int64_t growth = recorded_growth(one), of_other = recorded_growth(other);
    if (growth != of_other)
        return growth > of_other;
    if (one->side != other->side)
        return one->side == SIDE_SERVER;
    return recorded_came(one) > recorded_came(other);
}

const struct recorded_port *recording_busiest(const struct recording *recording, enum side side)
{
    const struct recorded_port *busiest = NULL;
    for (size_t i = 0; i < recording->port_count; i++) {
        const struct recorded_port *port = &recording->ports[i];
        if (recorded_came(port) > 0 && (side == SIDE_COUNT || port->side == side) &&
            (busiest == NULL || is_busier(port, busiest)))
            busiest = port;
    }
    return busiest;
}

/* The n-th of a sequence that fills 0 to 1 evenly, however long it gets (van der Corput, base 2). */
static double evenly(int64_t nth)
{
    double value = 0, part = 0.5;
    for (uint64_t bits = (uint64_t)nth + 1; bits > 0; bits >>= 1, part /= 2)
        value += (double)(bits & 1) * part;
    return value;
}

int64_t recorded_life_ms(const struct recorded_port *port, int64_t nth)
{
    int64_t all = 0, before = 0;
    for (int i = 0; i < FLOW_LIVES; i++)
        all += port->lives[i];
    if (all == 0)
        return 0;
    double place = evenly(nth) * (double)all;
    for (int i = 0; i < FLOW_LIVES; i++) {
        if (place < (double)(before + port->lives[i])) {
            double most = ldexp(1, i), within = (place - (double)before) / (double)port->lives[i];
            return i == 0 ? 0 : (int64_t)(most / 2 + within * most / 2);
        }
        before += port->lives[i];
    }
    return 0;
}
