#include "code/compile_units.h"

#ifndef HAVE_LIBDW

void unit_table_free(struct unit_table *table)
{
    (void)table;
}

#else

#include "base/array.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

struct unit_range {
    uint64_t start, end;
    size_t unit;
};

struct unit_table {
    Dwarf *dwarf;
    uint64_t bias;
    struct compile_unit *units;
    size_t unit_count, unit_room;
    struct unit_range *ranges; /* by rising start */
    size_t range_count, range_room;
};

enum { OVERLAPS = 16 }; /* how many ranges that begin before an address are looked at */

void unit_table_free(struct unit_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->unit_count; i++)
        free(table->units[i].functions);
    free(table->units);
    free(table->ranges);
    free(table);
}

uint64_t unit_table_bias(const struct unit_table *table)
{
    return table->bias;
}

static int compare_ranges(const void *left, const void *right)
{
    const struct unit_range *a = left, *b = right;
    return a->start != b->start ? (a->start < b->start ? -1 : 1) : 0;
}

static int add_unit(struct unit_table *table, Dwarf_Die *skeleton, Dwarf_Die *split)
{
    Dwarf_Attribute attribute;
    Dwarf_Word language = 0;
    Dwarf_Addr base, start, end;
    if (ARRAY_RESERVE(table->units, table->unit_room, table->unit_count + 1) < 0)
        return -1;
    struct compile_unit *unit = &table->units[table->unit_count];
    *unit = (struct compile_unit){.die = dwarf_tag(split) == DW_TAG_compile_unit ? *split : *skeleton,
                                  .line_die = *skeleton};
    unit->directory = dwarf_formstring(dwarf_attr_integrate(skeleton, DW_AT_comp_dir, &attribute));
    unit->name = dwarf_diename(&unit->die);
    if (dwarf_formudata(dwarf_attr_integrate(&unit->die, DW_AT_language, &attribute), &language) == 0)
        unit->language = (int)language;
    for (ptrdiff_t at = 0; (at = dwarf_ranges(skeleton, at, &base, &start, &end)) > 0;) {
        if (start == 0 || start >= end) /* of code that was not linked */
            continue;
        if (ARRAY_RESERVE(table->ranges, table->range_room, table->range_count + 1) < 0)
            return -1;
        table->ranges[table->range_count++] = (struct unit_range){start, end, table->unit_count};
    }
    table->unit_count++;
    return 0;
}

static struct unit_table *read_units(struct binary *binary)
{
    Dwarf_Addr bias;
    Dwarf *dwarf = binary->module != NULL ? dwfl_module_getdwarf(binary->module, &bias) : NULL;
    struct unit_table *table = dwarf != NULL ? calloc(1, sizeof *table) : NULL;
    if (table == NULL)
        return NULL;
    table->dwarf = dwarf;
    table->bias = bias - binary->bias;
    Dwarf_CU *unit = NULL;
    Dwarf_Die skeleton, split;
    uint8_t type;
    while (dwarf_get_units(dwarf, unit, &unit, NULL, &type, &skeleton, &split) == 0)
        if ((type == DW_UT_compile || type == DW_UT_skeleton) && add_unit(table, &skeleton, &split) < 0)
            break;
    if (table->range_count == 0) {
        unit_table_free(table);
        return NULL;
    }
    qsort(table->ranges, table->range_count, sizeof *table->ranges, compare_ranges);
    return table;
}

struct compile_unit *compile_unit_of(struct binary *binary, uint64_t address, uint64_t *its_address)
{
    if (!binary->has_looked_for_units) {
        binary->has_looked_for_units = true;
        binary->units = read_units(binary);
    }
    const struct unit_table *table = binary->units;
    if (table == NULL)
        return NULL;
    *its_address = address - table->bias;
    size_t low = 0, high = table->range_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->ranges[middle].start <= *its_address)
            low = middle + 1;
        else
            high = middle;
    }
    for (int tries = 0; low > 0 && tries < OVERLAPS; tries++)
        if (*its_address < table->ranges[--low].end)
            return &table->units[table->ranges[low].unit];
    return NULL;
}

/* ---- functions ---- */

static int compare_functions(const void *left, const void *right)
{
    const struct unit_function *a = left, *b = right;
    return a->start != b->start ? (a->start < b->start ? -1 : 1) : 0;
}

static int add_function(struct compile_unit *unit, Dwarf_Die *function)
{
    Dwarf_Addr base, start, end;
    for (ptrdiff_t at = 0; (at = dwarf_ranges(function, at, &base, &start, &end)) > 0;) {
        if (start == 0 || start >= end)
            continue;
        if (ARRAY_RESERVE(unit->functions, unit->function_room, unit->function_count + 1) < 0)
            return -1;
        unit->functions[unit->function_count++] =
            (struct unit_function){start, end, dwarf_dieoffset(function)};
    }
    return 0;
}

/* Whether a function can be inside. */
static bool is_room_of_functions(int tag)
{
    return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_structure_type ||
           tag == DW_TAG_class_type || tag == DW_TAG_union_type || tag == DW_TAG_enumeration_type;
}

static int add_functions(struct compile_unit *unit, Dwarf_Die *parent, int depth)
{
    enum { DEEPEST = 64 };
    Dwarf_Die child;
    if (depth > DEEPEST || dwarf_child(parent, &child) != 0)
        return 0;
    do {
        int tag = dwarf_tag(&child), rc = 0;
        if (tag == DW_TAG_subprogram)
            rc = add_function(unit, &child);
        else if (is_room_of_functions(tag))
            rc = add_functions(unit, &child, depth + 1);
        if (rc < 0)
            return rc;
    } while (dwarf_siblingof(&child, &child) == 0);
    return 0;
}

static void read_functions(struct compile_unit *unit)
{
    if (unit->has_functions)
        return;
    unit->has_functions = true;
    add_functions(unit, &unit->die, 0);
    if (unit->function_count > 0)
        qsort(unit->functions, unit->function_count, sizeof *unit->functions, compare_functions);
}

Dwarf_Die function_root(Dwarf_Die *function)
{
    enum { LONGEST = 8 };
    Dwarf_Die die = *function, next;
    Dwarf_Attribute attribute;
    for (int i = 0; i < LONGEST; i++) {
        if (dwarf_formref_die(dwarf_attr(&die, DW_AT_abstract_origin, &attribute), &next) == NULL &&
            dwarf_formref_die(dwarf_attr(&die, DW_AT_specification, &attribute), &next) == NULL)
            break;
        die = next;
    }
    return die;
}

bool compile_unit_definition(struct compile_unit *unit, Dwarf_Off root, Dwarf_Die *function)
{
    Dwarf *dwarf = dwarf_cu_getdwarf(unit->die.cu);
    Dwarf_Off found = 0;
    read_functions(unit);
    for (size_t i = 0; i < unit->function_count; i++) {
        Dwarf_Off die = unit->functions[i].die;
        Dwarf_Die candidate, its_root;
        if (die == found || dwarf_offdie(dwarf, die, &candidate) == NULL)
            continue;
        its_root = function_root(&candidate);
        if (dwarf_dieoffset(&its_root) != root)
            continue;
        if (found != 0)
            return false;
        found = die;
        *function = candidate;
    }
    return found != 0;
}

bool compile_unit_function(struct compile_unit *unit, uint64_t its_address, Dwarf_Die *function)
{
    read_functions(unit);
    size_t low = 0, high = unit->function_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (unit->functions[middle].start <= its_address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || its_address >= unit->functions[low - 1].end)
        return false;
    Dwarf *dwarf = dwarf_cu_getdwarf(unit->die.cu);
    return dwarf_offdie(dwarf, unit->functions[low - 1].die, function) != NULL;
}

#endif
