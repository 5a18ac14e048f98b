#include "code/place_text.h"

#include "base/printable.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ADD(into, ...) TEXT_ADD((into)->text, __VA_ARGS__)

/* ---- a place ---- */

static bool has_line(const struct place *place)
{
    return place->file != NULL && place->line > 0;
}

static void add_function(struct place_text *text, const struct place *place)
{
    ADD(text, "%s%s", place->function, place->is_tail_call ? " (tail call)" : "");
}

static void add_line(struct place_text *text, const struct place *place)
{
    ADD(text, "%s:%d", place->file, place->line);
    if (place->function == NULL)
        return;
    ADD(text, " in ");
    add_function(text, place);
}

struct place_text place_text(const struct place *place)
{
    struct place_text text = {""};
    if (has_line(place)) {
        add_line(&text, place);
    } else if (place->function != NULL) {
        add_function(&text, place);
        if (place->module != NULL)
            ADD(&text, " in %s", place->module);
    } else if (place->module != NULL) {
        ADD(&text, "%s+0x%" PRIx64, place->module, place->offset);
    } else {
        ADD(&text, "an unknown place");
    }
    printable(text.text);
    return text;
}

/* ---- a stack ---- */

static bool is_same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* What was just named of the place that it called is where it is, too. */
static bool is_beside(const struct place *place, const struct place *before)
{
    if (place->function == NULL || has_line(place) != has_line(before))
        return false;
    return has_line(place) ? is_same(place->file, before->file) && is_same(place->path, before->path)
                           : place->module != NULL && is_same(place->module, before->module);
}

/* A caller in the file, or the binary, that was just named goes without it. */
static struct place_text caller_text(const struct place *place, const struct place *before)
{
    if (!is_beside(place, before))
        return place_text(place);
    struct place_text text = {""};
    add_function(&text, place);
    printable(text.text);
    return text;
}

static bool is_of_another_module(const struct site *site, int place)
{
    for (int i = 0; i < place; i++)
        if (is_same(site->places[i].module, site->places[place].module))
            return false;
    return true;
}

/* All of it is of one binary. */
static bool is_of_one_module(const struct site *site)
{
    for (int i = 1; i < site->count; i++)
        if (!is_same(site->places[i].module, site->places[0].module))
            return false;
    return true;
}

/* The next one outwards that is worth being named; site->count: none is. */
static int next_place(const struct site *site, int place)
{
    bool all = site->own < 0 && is_of_one_module(site);
    do
        place++;
    while (place < site->count && !all &&
           !(site->own >= 0 ? site->places[place].is_own : is_of_another_module(site, place)));
    return place;
}

static bool is_same_place(const struct place *a, const struct place *b)
{
    bool has_name = a->function != NULL || has_line(a);
    return is_same(a->function, b->function) && is_same(a->path, b->path) && a->line == b->line &&
           is_same(a->module, b->module) && a->is_tail_call == b->is_tail_call &&
           (has_name || a->offset == b->offset);
}

static int first_place(const struct site *site)
{
    return site->own >= 0 ? site->own : 0;
}

bool site_is_alike(const struct site *a, const struct site *b)
{
    int i = first_place(a), k = first_place(b);
    for (int told = 0; told < SITE_TEXT_PLACES && i < a->count && k < b->count; told++) {
        if (!is_same_place(&a->places[i], &b->places[k]))
            return false;
        i = next_place(a, i);
        k = next_place(b, k);
        if ((i < a->count) != (k < b->count))
            return told + 1 == SITE_TEXT_PLACES;
    }
    return (a->count == 0) == (b->count == 0);
}

static size_t room_of(int width)
{
    size_t most = sizeof((struct site_text *)0)->text;
    if (width < SITE_TEXT_LEAST)
        width = SITE_TEXT_LEAST;
    return (size_t)width < most - 1 ? (size_t)width + 1 : most;
}

struct site_text site_text(const struct site *site, int width)
{
    struct site_text line = {""};
    size_t room = room_of(width);
    int place = first_place(site);
    if (site->count == 0) {
        text_add(line.text, room, "an unknown place");
        return line;
    }
    text_add(line.text, room, "%s", place_text(&site->places[place]).text);
    for (int told = 1, next; told < SITE_TEXT_PLACES; told++, place = next) {
        next = next_place(site, place);
        if (next >= site->count)
            break;
        struct place_text caller = caller_text(&site->places[next], &site->places[place]);
        if (strlen(line.text) + strlen(" < ") + strlen(caller.text) >= room)
            break;
        text_add(line.text, room, " < %s", caller.text);
    }
    return line;
}

/* ---- for scripts ---- */

static void put_known(struct json_writer *json, const char *key, const char *value)
{
    if (value != NULL)
        json_string(json, key, value);
}

static void put_if(struct json_writer *json, const char *key, bool value)
{
    if (value)
        json_boolean(json, key, true);
}

static void put_place(struct json_writer *json, const struct place *place)
{
    json_open(json, NULL, '{');
    put_known(json, "function", place->function);
    put_known(json, "file", place->file);
    put_known(json, "path", place->path);
    if (place->line > 0)
        json_integer(json, "line", place->line);
    put_known(json, "module", place->module);
    if (place->module != NULL)
        json_integer(json, "offset", (int64_t)place->offset);
    put_if(json, "is_own", place->is_own);
    put_if(json, "is_inlined", place->is_inlined);
    put_if(json, "is_tail_call", place->is_tail_call);
    json_close(json, '}');
}

void site_put_json(struct json_writer *json, const char *key, const struct site *site)
{
    json_open(json, key, '{');
    json_string(json, "text", site_text(site, (int)sizeof((struct site_text *)0)->text - 1).text);
    if (site->own >= 0)
        json_integer(json, "own", site->own);
    json_boolean(json, "is_cut", site->is_cut);
    json_open(json, "places", '[');
    for (int i = 0; i < site->count; i++)
        put_place(json, &site->places[i]);
    json_close(json, ']');
    json_close(json, '}');
}
