/* function_names: a binary's functions by its symbols, which remain where debug information is missing. */
#ifndef CODE_FUNCTION_NAMES_H
#define CODE_FUNCTION_NAMES_H

#include "code/binary.h"

/* The function that an address is in; NULL: not known. `name` is the one of several that people use;
 * its version, from "@" on, is not a part of it. */
const struct function_symbol *function_symbol_of(struct binary *binary, uint64_t address);

/* The function of this name; NULL: none, or several. */
const struct function_symbol *function_symbol_named(struct binary *binary, const char *name);

/* Whether the function that begins there has this name, or that one among several. */
bool function_is_named(struct binary *binary, uint64_t start, const char *name);

#endif
