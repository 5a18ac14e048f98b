/* compile_units: which unit of a binary's debug information an address is in, and which function of it.
 *
 * libdw knows this from .debug_aranges only, which clang and Go do not write: here the units' own ranges are
 * put into a table. Addresses are those of the debug information (unit_table_address()). */
#ifndef CODE_COMPILE_UNITS_H
#define CODE_COMPILE_UNITS_H

#include "code/binary.h"

void unit_table_free(struct unit_table *table);

#ifdef HAVE_LIBDW

struct unit_function {
    uint64_t start, end;
    Dwarf_Off die;
};

struct compile_unit {
    Dwarf_Die die;         /* of what was compiled */
    Dwarf_Die line_die;    /* of its lines; another one where the information is split into files (.dwo) */
    const char *directory; /* where it was compiled; NULL: not known */
    const char *name;      /* its source file; Go: its package; NULL: not known */
    int language;          /* DW_LANG_...; 0: not known */
    bool has_functions;    /* `functions` is filled */
    struct unit_function *functions; /* by rising start; a function of several parts is here more than once */
    size_t function_count, function_room;
};

/* The unit that an address of the binary is in, and that address as the debug information has it. NULL: it
 * has none there. */
struct compile_unit *compile_unit_of(struct binary *binary, uint64_t address, uint64_t *its_address);

/* What is to be added to an address of the debug information for the binary's own. */
uint64_t unit_table_bias(const struct unit_table *table);

/* The function at an address; false: none. */
bool compile_unit_function(struct compile_unit *unit, uint64_t its_address, Dwarf_Die *function);

/* Where a function was declared first: what its definition, its other declarations and the copies that were
 * inlined lead to. */
Dwarf_Die function_root(Dwarf_Die *function);

/* The only function of the unit that has this root; false: none, or several. */
bool compile_unit_definition(struct compile_unit *unit, Dwarf_Off root, Dwarf_Die *function);

#endif
#endif
