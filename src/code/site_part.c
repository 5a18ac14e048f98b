#include "code/site_part.h"

#include "base/printable.h"
#include "base/text.h"

#include <string.h>

/* libc's functions are named after the call that is named anyway. */
static bool is_of_libc(const struct place *place)
{
    static const char *const modules[] = {"libc.",    "libc-",      "libpthread", "ld-linux",
                                          "ld-musl-", "linux-vdso", "[vdso]"};
    for (size_t i = 0; place->module != NULL && i < sizeof modules / sizeof modules[0]; i++)
        if (strncmp(place->module, modules[i], strlen(modules[i])) == 0)
            return true;
    return false;
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool places_are_alike(const struct place *a, const struct place *b)
{
    if (a->line > 0 || b->line > 0)
        return a->line == b->line && is_same(a->function, b->function) && is_same(a->file, b->file) &&
               is_same(a->path, b->path);
    return a->offset == b->offset && is_same(a->module, b->module) && is_same(a->function, b->function);
}

int sites_share(const struct site *a, const struct site *b)
{
    int shared = 0;
    if (a == NULL || b == NULL)
        return 0;
    while (shared < a->count && shared < b->count &&
           places_are_alike(&a->places[a->count - 1 - shared], &b->places[b->count - 1 - shared]))
        shared++;
    return shared;
}

int site_at(const struct site *site)
{
    if (site == NULL || site->count == 0)
        return -1;
    if (site->own >= 0)
        return site->own;
    for (int i = 0; i < site->count; i++)
        if (!is_of_libc(&site->places[i]))
            return i;
    return 0;
}

int site_next(const struct site *site, int at)
{
    do
        at++;
    while (at < site->count &&
           (site->own >= 0 ? !site->places[at].is_own
                           : is_of_libc(&site->places[at]) || site->places[at].module == NULL));
    return at;
}

/* ---- in words ---- */

/* A caller in the file that was just named goes without it. */
static void add_caller(struct site_text *text, const struct place *place, const struct place *before)
{
    bool is_in_it = place->function != NULL && place->file != NULL && before->line > 0 &&
                    is_same(place->file, before->file) && is_same(place->path, before->path);
    if (is_in_it)
        TEXT_ADD(text->text, " < %s%s", place->function, place->is_tail_call ? " (tail call)" : "");
    else
        TEXT_ADD(text->text, " < %s", place_text(place).text);
}

/* Of a loop that calls back, all of the program that is there may be who started it: then the outermost
 * function of the library that is not shared tells more, or if none of those has a name, the loop's. */
static const struct place *library_of(const struct site *site, int shared)
{
    if (site->own <= 0 || site->own < site->count - shared)
        return NULL;
    for (int i = site->count - shared - 1; i >= 0; i--)
        if (site->places[i].function != NULL && !is_of_libc(&site->places[i]))
            return &site->places[i];
    const struct place *called = &site->places[site->own - 1];
    return called->function != NULL && !is_of_libc(called) ? called : NULL;
}

/* "libevent_core", of libevent_core-2.1.so.7.0.1. */
static int name_length(const char *module)
{
    const char *end = strstr(module, ".so");
    const char *version = strpbrk(module, "0123456789");
    if (version != NULL && version > module && version[-1] == '-')
        end = version - 1;
    return end != NULL ? (int)(end - module) : (int)strlen(module);
}

struct site_text site_part_text(const struct site *site, int most, int shared)
{
    struct site_text text = {"an unknown place"};
    int at = site_at(site);
    if (at < 0)
        return text;
    const struct place *before = &site->places[at];
    const struct place *library = library_of(site, shared);
    text.text[0] = '\0';
    if (library != NULL && library->line == 0 && library->module != NULL)
        TEXT_ADD(text.text, "%s in %.*s < ", library->function, name_length(library->module),
                 library->module);
    else if (library != NULL)
        TEXT_ADD(text.text, "%s < ", place_text(library).text);
    TEXT_ADD(text.text, "%s", place_text(before).text);
    for (int i = site_next(site, at), told = 1; i < site->count - shared && told < most;
         i = site_next(site, i), told++) {
        add_caller(&text, &site->places[i], before);
        before = &site->places[i];
    }
    printable(text.text);
    return text;
}
