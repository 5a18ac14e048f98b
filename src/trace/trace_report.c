#include "trace/trace_report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void trace_report_free(struct trace_report *report)
{
    for (int i = 0; i < report->count; i++) {
        free(report->connections[i].notes);
        free(report->connections[i].holders);
    }
    free(report->connections);
    if (report->code != NULL)
        code_free(report->code);
    *report = (struct trace_report){0};
}

/* ---- what is written ----
 *
 * The counts; each site that is meant somewhere; each connection with its notes and its holders. Both
 * processes are of one binary: what has no pointers goes as it is. A pointer to a site becomes its number in
 * that list, NO_SITE where there is none; a text, its length and its bytes. */

enum { NO_SITE = -1, NO_TEXT = -1, TEXT_MAX = 65536, COUNT_MAX = 100000000 };

struct written_place {
    int line;
    uint64_t offset;
    bool is_inlined, is_tail_call, is_own;
};

struct written_site {
    int count;
    bool is_cut;
};

struct written_note {
    int row, site;
    struct traced_note is;
};

struct written_holder {
    pid_t pid;
    int site;
};

/* The sites that are meant, by their id. */
struct sites {
    const struct site **by_id;
    int *numbers; /* by id */
    int room, count;
};

static void put(FILE *out, const void *bytes, size_t size)
{
    fwrite(bytes, 1, size, out); /* an error stays: ferror() */
}

static void put_text(FILE *out, const char *text)
{
    size_t length = text != NULL ? strnlen(text, TEXT_MAX) : 0;
    int said = text != NULL ? (int)length : NO_TEXT;
    put(out, &said, sizeof said);
    put(out, text != NULL ? text : "", length);
}

static void put_site(FILE *out, const struct site *site)
{
    const struct written_site written = {.count = site->count, .is_cut = site->is_cut};
    put(out, &written, sizeof written);
    for (int i = 0; i < site->count; i++) {
        const struct place *place = &site->places[i];
        const struct written_place fixed = {.line = place->line,
                                            .offset = place->offset,
                                            .is_inlined = place->is_inlined,
                                            .is_tail_call = place->is_tail_call,
                                            .is_own = place->is_own};
        put(out, &fixed, sizeof fixed);
        put_text(out, place->function);
        put_text(out, place->file);
        put_text(out, place->path);
        put_text(out, place->module);
    }
}

/* ---- which sites ---- */

typedef void on_meant_site(void *context, const struct site *site);

static void each_meant_site(const struct trace_report *report, on_meant_site *each, void *context)
{
    for (int i = 0; i < report->count; i++) {
        const struct traced_connection *connection = &report->connections[i];
        for (int k = 0; k < connection->count; k++)
            if (connection->notes[k].site != NULL)
                each(context, connection->notes[k].site);
        for (int k = 0; k < connection->holder_count; k++)
            if (connection->holders[k].forked_at != NULL)
                each(context, connection->holders[k].forked_at);
    }
}

static void make_room(void *context, const struct site *site)
{
    struct sites *sites = context;
    sites->room = site->id >= sites->room ? site->id + 1 : sites->room;
}

static void put_down(void *context, const struct site *site)
{
    struct sites *sites = context;
    sites->by_id[site->id] = site;
}

static int find_sites(const struct trace_report *report, struct sites *sites)
{
    each_meant_site(report, make_room, sites);
    sites->by_id = calloc((size_t)sites->room + 1, sizeof *sites->by_id);
    sites->numbers = calloc((size_t)sites->room + 1, sizeof *sites->numbers);
    if (sites->by_id == NULL || sites->numbers == NULL)
        return -ENOMEM;
    each_meant_site(report, put_down, sites);
    for (int id = 0; id < sites->room; id++)
        if (sites->by_id[id] != NULL)
            sites->numbers[id] = sites->count++;
    return 0;
}

static int number_of(const struct sites *sites, const struct site *site)
{
    return site != NULL ? sites->numbers[site->id] : NO_SITE;
}

/* ---- writing ---- */

static void put_connection(FILE *out, const struct sites *sites, const struct traced_connection *connection)
{
    put(out, connection, sizeof *connection);
    for (int i = 0; i < connection->count; i++) {
        const struct traced_note *note = &connection->notes[i];
        const struct written_note written = {
            .row = traced_call_row(note->call), .site = number_of(sites, note->site), .is = *note};
        put(out, &written, sizeof written);
    }
    for (int i = 0; i < connection->holder_count; i++) {
        const struct traced_holder *holder = &connection->holders[i];
        const struct written_holder written = {.pid = holder->pid,
                                               .site = number_of(sites, holder->forked_at)};
        put(out, &written, sizeof written);
    }
}

int trace_report_write(const struct trace_report *report, FILE *out)
{
    struct sites sites = {0};
    int rc = find_sites(report, &sites);
    if (rc == 0) {
        put(out, report, sizeof *report);
        put(out, &sites.count, sizeof sites.count);
        for (int id = 0; id < sites.room; id++)
            if (sites.by_id[id] != NULL)
                put_site(out, sites.by_id[id]);
        for (int i = 0; i < report->count; i++)
            put_connection(out, &sites, &report->connections[i]);
        errno = EIO;
        rc = fflush(out) == 0 && !ferror(out) ? 0 : -errno;
    }
    free(sites.by_id);
    free(sites.numbers);
    return rc;
}

/* ---- reading ---- */

static int get(FILE *in, void *bytes, size_t size)
{
    return fread(bytes, 1, size, in) == size ? 0 : -EPROTO;
}

/* malloc()ed; NULL where there is none. */
static int get_text(FILE *in, const char **text)
{
    int length;
    int rc = get(in, &length, sizeof length);
    *text = NULL;
    if (rc != 0 || length == NO_TEXT)
        return rc;
    if (length < 0 || length > TEXT_MAX)
        return -EPROTO;
    char *copy = malloc((size_t)length + 1);
    if (copy == NULL)
        return -ENOMEM;
    copy[length] = '\0';
    *text = copy;
    return get(in, copy, (size_t)length);
}

static int get_place(FILE *in, struct place *place)
{
    struct written_place fixed;
    int rc = get(in, &fixed, sizeof fixed);
    if (rc != 0)
        return rc;
    place->line = fixed.line;
    place->offset = fixed.offset;
    place->is_inlined = fixed.is_inlined;
    place->is_tail_call = fixed.is_tail_call;
    place->is_own = fixed.is_own;
    rc = get_text(in, &place->function);
    rc = rc == 0 ? get_text(in, &place->file) : rc;
    rc = rc == 0 ? get_text(in, &place->path) : rc;
    return rc == 0 ? get_text(in, &place->module) : rc;
}

static int get_site(FILE *in, struct code *code, const struct site **site)
{
    struct place places[SITE_PLACES] = {{0}};
    struct written_site written;
    int rc = get(in, &written, sizeof written);
    if (rc == 0 && (written.count < 0 || written.count > SITE_PLACES))
        rc = -EPROTO;
    for (int i = 0; rc == 0 && i < written.count; i++)
        rc = get_place(in, &places[i]);
    if (rc == 0) {
        *site = code_intern(code, places, written.count, written.is_cut);
        rc = *site != NULL ? 0 : -ENOMEM;
    }
    for (int i = 0; i < SITE_PLACES; i++) {
        free((char *)places[i].function);
        free((char *)places[i].file);
        free((char *)places[i].path);
        free((char *)places[i].module);
    }
    return rc;
}

struct reading {
    FILE *in;
    const struct site **sites;
    int site_count;
};

static int get_sites(struct reading *reading, struct code *code)
{
    int rc = get(reading->in, &reading->site_count, sizeof reading->site_count);
    if (rc != 0 || reading->site_count < 0 || reading->site_count > COUNT_MAX)
        return -EPROTO;
    reading->sites = calloc((size_t)reading->site_count + 1, sizeof *reading->sites);
    if (reading->sites == NULL)
        return -ENOMEM;
    for (int i = 0; rc == 0 && i < reading->site_count; i++)
        rc = get_site(reading->in, code, &reading->sites[i]);
    return rc;
}

static int site_numbered(const struct reading *reading, int number, const struct site **site)
{
    if (number < NO_SITE || number >= reading->site_count)
        return -EPROTO;
    *site = number == NO_SITE ? NULL : reading->sites[number];
    return 0;
}

static int get_note(const struct reading *reading, struct traced_note *note)
{
    struct written_note written;
    int rc = get(reading->in, &written, sizeof written);
    if (rc != 0 || traced_call_at(written.row) == NULL)
        return -EPROTO;
    *note = written.is;
    note->call = traced_call_at(written.row);
    return site_numbered(reading, written.site, &note->site);
}

static int get_holder(const struct reading *reading, struct traced_holder *holder)
{
    struct written_holder written;
    int rc = get(reading->in, &written, sizeof written);
    if (rc != 0)
        return rc;
    holder->pid = written.pid;
    return site_numbered(reading, written.site, &holder->forked_at);
}

static int get_connection(const struct reading *reading, struct traced_connection *connection)
{
    int rc = get(reading->in, connection, sizeof *connection);
    int count = connection->count, holder_count = connection->holder_count;
    connection->notes = NULL;
    connection->holders = NULL;
    if (rc != 0 || count < 0 || count > COUNT_MAX || holder_count < 0 || holder_count > COUNT_MAX)
        return -EPROTO;
    connection->notes = calloc((size_t)count + 1, sizeof *connection->notes);
    connection->holders = calloc((size_t)holder_count + 1, sizeof *connection->holders);
    if (connection->notes == NULL || connection->holders == NULL)
        return -ENOMEM;
    for (int i = 0; rc == 0 && i < count; i++)
        rc = get_note(reading, &connection->notes[i]);
    for (int i = 0; rc == 0 && i < holder_count; i++)
        rc = get_holder(reading, &connection->holders[i]);
    return rc;
}

static int get_connections(struct reading *reading, struct trace_report *report, int count)
{
    int rc = 0;
    if (count < 0 || count > COUNT_MAX)
        return -EPROTO;
    report->connections = calloc((size_t)count + 1, sizeof *report->connections);
    if (report->connections == NULL)
        return -ENOMEM;
    while (rc == 0 && report->count < count)
        rc = get_connection(reading, &report->connections[report->count++]);
    return rc;
}

int trace_report_read(struct trace_report *report, FILE *in)
{
    struct reading reading = {.in = in};
    int rc = get(in, report, sizeof *report), count = report->count;
    report->count = 0;
    report->connections = NULL;
    report->code = rc == 0 ? code_new() : NULL;
    if (rc == 0 && report->code == NULL)
        rc = -ENOMEM;
    rc = rc == 0 ? get_sites(&reading, report->code) : rc;
    rc = rc == 0 ? get_connections(&reading, report, count) : rc;
    free(reading.sites);
    if (rc != 0)
        trace_report_free(report);
    return rc;
}
