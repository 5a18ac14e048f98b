#include "code/code_place.h"

#include "base/text.h"
#include "code/compile_units.h"
#include "code/function_names.h"
#include "code/own_code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INLINED_DEEPEST = 24, LONGEST_PATH = 1024, LONGEST_NAME = 1024 };

/* What is being put together. */
struct naming {
    struct binary *binary;
    struct site_table *strings;
    int count;
    struct place places[INLINED_DEEPEST + 1];
};

#ifdef HAVE_LIBDW

#include <dwarf.h>

static void set_file(struct naming *naming, struct place *place, const struct compile_unit *unit,
                     const char *file, int line)
{
    char path[LONGEST_PATH];
    if (file == NULL)
        return;
    /* libdw has joined it with a directory that is itself relative */
    bool is_joined = unit->directory == NULL || unit->directory[0] != '/';
    own_code_join(is_joined ? NULL : unit->directory, file, path, sizeof path);
    place->path = site_table_string(naming->strings, path);
    place->file = site_table_string(naming->strings, own_code_short_name(unit->directory, path));
    place->line = line;
    place->is_own =
        !naming->binary->is_foreign && !own_code_excludes_file(path) &&
        !(unit->language == DW_LANG_Go && unit->name != NULL && own_code_excludes_go_package(unit->name));
}

/* The functions inlined into one at an address, outermost first. Returns how many. */
static int find_inlined(Dwarf_Die *parent, uint64_t address, Dwarf_Die *inlined, int room)
{
    Dwarf_Die child;
    if (room == 0 || dwarf_child(parent, &child) != 0)
        return 0;
    do {
        int tag = dwarf_tag(&child);
        bool is_inlined = tag == DW_TAG_inlined_subroutine;
        if ((!is_inlined && tag != DW_TAG_lexical_block && tag != DW_TAG_try_block &&
             tag != DW_TAG_catch_block) ||
            dwarf_haspc(&child, address) != 1)
            continue;
        if (!is_inlined)
            return find_inlined(&child, address, inlined, room);
        inlined[0] = child;
        return 1 + find_inlined(&child, address, inlined + 1, room - 1);
    } while (dwarf_siblingof(&child, &child) == 0);
    return 0;
}

/* Whether a function's name is told with those of what it is declared in. */
static bool has_scopes(int language)
{
    return language == DW_LANG_C_plus_plus || language == DW_LANG_C_plus_plus_03 ||
           language == DW_LANG_C_plus_plus_11 || language == DW_LANG_C_plus_plus_14 ||
           language == DW_LANG_Rust || language == DW_LANG_D;
}

static const char *scope_name(Dwarf_Die *scope)
{
    int tag = dwarf_tag(scope);
    const char *name = dwarf_diename(scope);
    if (tag == DW_TAG_namespace)
        return name != NULL ? name : "(anonymous)";
    return tag == DW_TAG_class_type || tag == DW_TAG_structure_type || tag == DW_TAG_union_type ||
                   tag == DW_TAG_module || tag == DW_TAG_enumeration_type
               ? name
               : NULL;
}

/* "Pool::park", in languages that have such. */
static const char *name_of(struct naming *naming, const struct compile_unit *unit, Dwarf_Die *function)
{
    const char *name = dwarf_diename(function);
    char text[LONGEST_NAME] = "";
    if (name == NULL || !has_scopes(unit->language))
        return site_table_string(naming->strings, name);
    Dwarf_Die declared = function_root(function), *scopes = NULL;
    int count = dwarf_getscopes_die(&declared, &scopes);
    for (int i = count - 1; i > 0; i--)
        if (scope_name(&scopes[i]) != NULL)
            TEXT_ADD(text, "%s::", scope_name(&scopes[i]));
    free(scopes);
    TEXT_ADD(text, "%s", name);
    return site_table_string(naming->strings, text);
}

static void set_call_line(struct naming *naming, struct place *place, struct compile_unit *unit,
                          Dwarf_Die *inlined)
{
    Dwarf_Attribute attribute;
    Dwarf_Word file, line;
    Dwarf_Files *files;
    size_t count;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &file) == 0 &&
        dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &line) == 0 &&
        dwarf_getsrcfiles(&unit->line_die, &files, &count) == 0 && file < count)
        set_file(naming, place, unit, dwarf_filesrc(files, file, NULL, NULL), (int)line);
}

/* By debug information. False: there is none. */
static bool name_by_unit(struct naming *naming, uint64_t address)
{
    uint64_t its_address;
    int line = 0;
    struct compile_unit *unit = compile_unit_of(naming->binary, address, &its_address);
    Dwarf_Die function, inlined[INLINED_DEEPEST];
    if (unit == NULL)
        return false;
    bool has_function = compile_unit_function(unit, its_address, &function);
    int depth = has_function ? find_inlined(&function, its_address, inlined, INLINED_DEEPEST) : 0;
    Dwarf_Line *at = dwarf_getsrc_die(&unit->line_die, its_address);
    struct place *place = &naming->places[0];
    if (at != NULL && dwarf_lineno(at, &line) == 0)
        set_file(naming, place, unit, dwarf_linesrc(at, NULL, NULL), line);
    for (int i = depth - 1; i >= 0; i--) {
        place->function = name_of(naming, unit, &inlined[i]);
        place->is_inlined = true;
        set_call_line(naming, ++place, unit, &inlined[i]);
    }
    if (has_function)
        place->function = name_of(naming, unit, &function);
    naming->count = depth + 1;
    return place->function != NULL || place->path != NULL;
}

static bool has_units(const struct binary *binary)
{
    return binary->units != NULL;
}

#else

static bool name_by_unit(struct naming *naming, uint64_t address)
{
    (void)naming, (void)address;
    return false;
}

static bool has_units(const struct binary *binary)
{
    (void)binary;
    return false;
}

#endif

/* Where the program begins: code that every program has. */
static bool is_start(const struct binary *binary, uint64_t address)
{
    enum { LONGEST_START = 64 };
    return address >= binary->entry && address - binary->entry < LONGEST_START;
}

static void name_by_symbol(struct naming *naming, uint64_t address)
{
    const struct binary *binary = naming->binary;
    struct place *place = &naming->places[naming->count - 1];
    const struct function_symbol *symbol = function_symbol_of(naming->binary, address);
    if (symbol != NULL) {
        char name[LONGEST_NAME];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(symbol->name, "@"), symbol->name);
        place->function = site_table_string(naming->strings, name);
    }
    /* Without debug information, all of a program may be its own but what every program has. One that is
     * linked statically has the C library in it. */
    if (naming->count == 1 && place->path == NULL && !has_units(binary))
        place->is_own =
            !binary->is_foreign && !binary->is_static &&
            (symbol == NULL ? !is_start(binary, address) : !own_code_excludes_function(symbol->name));
}

static const struct named_address *keep(struct naming *naming, uint64_t address, uint64_t offset)
{
    size_t size = (size_t)naming->count * sizeof naming->places[0];
    struct named_address *kept = malloc(sizeof *kept + size);
    if (kept == NULL)
        return NULL;
    for (int i = 0; i < naming->count; i++) {
        naming->places[i].module = naming->binary->name;
        naming->places[i].offset = offset;
    }
    kept->address = address;
    kept->count = naming->count;
    memcpy(kept->places, naming->places, size);
    if (lookup_add(&naming->binary->names, lookup_hash(address), kept) < 0) {
        free(kept);
        return NULL;
    }
    return kept;
}

const struct named_address *code_place_name(struct binary *binary, uint64_t address, uint64_t offset,
                                            struct site_table *strings)
{
    size_t at = 0;
    for (const struct named_address *known;
         (known = lookup_next(&binary->names, lookup_hash(address), &at)) != NULL;)
        if (known->address == address)
            return known;
    struct naming naming = {.binary = binary, .strings = strings, .count = 1};
    bool is_named = !binary->is_foreign && name_by_unit(&naming, address);
    if (!is_named || naming.places[naming.count - 1].function == NULL)
        name_by_symbol(&naming, address);
    return keep(&naming, address, offset);
}
