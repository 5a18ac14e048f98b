/* python_lines: which line of its source an instruction of Python's bytecode is of, by the table of locations
 * that every code object of CPython 3.11 and later has (Objects/locations.md of its source). */
#ifndef CODE_PYTHON_LINES_H
#define CODE_PYTHON_LINES_H

#include <stddef.h>
#include <stdint.h>

/* The line of the instruction so many bytes from the first; `first_line` is where the function begins.
 * Returns 0 when the instruction has none, lies outside of the table, or the table is not of that form. */
int python_line_of(const unsigned char *table, size_t size, int first_line, int64_t offset);

#endif
