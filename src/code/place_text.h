/* place_text: places and stacks as people and scripts read them. All text in it is printable: names come from
 * other programs. */
#ifndef CODE_PLACE_TEXT_H
#define CODE_PLACE_TEXT_H

#include "base/json_writer.h"
#include "code/code.h"

struct place_text {
    char text[128];
};

struct site_text {
    char text[256];
};

enum {
    SITE_TEXT_PLACES = 3, /* of a stack that are named in a line */
    SITE_TEXT_LEAST = 20, /* the narrowest line, in bytes */
};

/* "conn.c:24 in conn_free"; without a line "recv in libc.so.6", without a name "nginx+0x4a3f1"; "an unknown
 * place". */
struct place_text place_text(const struct place *place);

/* "conn.c:24 in conn_free (tail call) < on_readable < main.c:7 in main": the innermost place of the program's
 * own and its callers of the same kind, with their file, or without lines their binary, where that is another
 * one. Where none is its own, or which are is not known: the innermost place, and the innermost of each other
 * module that called it, or all that did where there is one module. Callers are left out that do not fit
 * `width` bytes, or are more than SITE_TEXT_PLACES; a first place that does not fit ends in "...". */
struct site_text site_text(const struct site *site, int width);

/* Whether a line names the same places of both, however they came there. */
bool site_is_alike(const struct site *a, const struct site *b);

/* An object: "text", "own" (the index; absent where none is), "is_cut", and "places", innermost first: of
 * each what is known of "function", "file", "path", "line", "module", "offset", and where they are true
 * "is_own", "is_inlined", "is_tail_call". */
void site_put_json(struct json_writer *json, const char *key, const struct site *site);

#endif
