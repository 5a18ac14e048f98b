/* site_table: each site once, and each string that its places have. */
#ifndef CODE_SITE_TABLE_H
#define CODE_SITE_TABLE_H

#include "code/code.h"
#include "code/lookup.h"

/* Zero-initialised: empty. */
struct site_table {
    struct lookup strings; /* char * */
    struct lookup sites;   /* struct site * */
    int count;
};

void site_table_clear(struct site_table *table);

/* The text, which lives as long as the table. NULL: out of memory, or `text` is NULL. */
const char *site_table_string(struct site_table *table, const char *text);

/* The site of these places, whose strings are copied. More than SITE_PLACES are cut. NULL: out of memory. */
const struct site *site_table_intern(struct site_table *table, const struct place *places, int count,
                                     bool is_cut);

#endif
