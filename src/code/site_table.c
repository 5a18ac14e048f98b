#include "code/site_table.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

void site_table_clear(struct site_table *table)
{
    lookup_clear(&table->sites, free);
    lookup_clear(&table->strings, free);
    table->count = 0;
}

const char *site_table_string(struct site_table *table, const char *text)
{
    if (text == NULL)
        return NULL;
    uint64_t hash = hash_add(HASH_OF_NOTHING, text, strlen(text));
    size_t at = 0;
    for (const char *known; (known = lookup_next(&table->strings, hash, &at)) != NULL;)
        if (strcmp(known, text) == 0)
            return known;
    char *copy = strdup(text);
    if (copy == NULL)
        return NULL;
    if (lookup_add(&table->strings, hash, copy) < 0) {
        free(copy);
        return NULL;
    }
    return copy;
}

/* Copies a place with strings of the table. */
static bool copy_place(struct site_table *table, const struct place *from, struct place *to)
{
    *to = *from;
    to->function = site_table_string(table, from->function);
    to->file = site_table_string(table, from->file);
    to->path = site_table_string(table, from->path);
    to->module = site_table_string(table, from->module);
    return (from->function == NULL || to->function != NULL) && (from->file == NULL || to->file != NULL) &&
           (from->path == NULL || to->path != NULL) && (from->module == NULL || to->module != NULL);
}

/* Where the line is known, the same line is the same place: a compiler makes several copies of one. */
static uint64_t telling_offset(const struct place *place)
{
    return place->line > 0 ? 0 : place->offset;
}

static bool is_same_place(const struct place *a, const struct place *b)
{
    return a->function == b->function && a->file == b->file && a->path == b->path && a->line == b->line &&
           a->module == b->module && telling_offset(a) == telling_offset(b) &&
           a->is_inlined == b->is_inlined && a->is_tail_call == b->is_tail_call && a->is_own == b->is_own;
}

static uint64_t hash_of_places(const struct place *places, int count)
{
    uint64_t hash = HASH_OF_NOTHING;
    for (int i = 0; i < count; i++) {
        const struct place *place = &places[i];
        uint64_t words[] = {
            (uintptr_t)place->function, (uintptr_t)place->path,
            (uint64_t)place->line,      (uintptr_t)place->module,
            telling_offset(place),      (uint64_t)place->is_inlined << 1 | place->is_tail_call};
        hash = hash_add(hash, words, sizeof words);
    }
    return hash;
}

static const struct site *find_site(struct site_table *table, uint64_t hash, const struct site *wanted)
{
    size_t at = 0;
    for (const struct site *site; (site = lookup_next(&table->sites, hash, &at)) != NULL;) {
        int same = 0;
        if (site->count != wanted->count || site->is_cut != wanted->is_cut)
            continue;
        while (same < site->count && is_same_place(&site->places[same], &wanted->places[same]))
            same++;
        if (same == site->count)
            return site;
    }
    return NULL;
}

const struct site *site_table_intern(struct site_table *table, const struct place *places, int count,
                                     bool is_cut)
{
    if (count > SITE_PLACES) {
        count = SITE_PLACES;
        is_cut = true;
    }
    struct site *site = malloc(sizeof *site + (size_t)count * sizeof site->places[0]);
    if (site == NULL)
        return NULL;
    *site = (struct site){.id = table->count, .count = count, .own = -1, .is_cut = is_cut};
    for (int i = 0; i < count; i++) {
        if (!copy_place(table, &places[i], &site->places[i])) {
            free(site);
            return NULL;
        }
        if (site->places[i].is_own && site->own < 0)
            site->own = i;
    }
    uint64_t hash = hash_of_places(site->places, count);
    const struct site *known = find_site(table, hash, site);
    if (known != NULL || lookup_add(&table->sites, hash, site) < 0) {
        free(site);
        return known;
    }
    table->count++;
    return site;
}
