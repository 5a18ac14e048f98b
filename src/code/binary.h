/* binary: a file of code, a program or a library, that processes have mapped. However many have, it is read
 * once, and all that is learnt of it is kept with it.
 *
 * Addresses are the binary's own, as its program headers have them (what nm and addr2line know), unless they
 * are said to be a process's. */
#ifndef CODE_BINARY_H
#define CODE_BINARY_H

#include "code/lookup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef HAVE_LIBDW
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#endif

struct unit_table;

/* A part of the file that is loaded to be executed (PT_LOAD, PF_X). */
struct binary_segment {
    uint64_t offset, address, size;
};

struct function_symbol {
    uint64_t start, end;
    const char *name;
};

/* Where a process has it, to open it from there. */
struct binary_place {
    pid_t pid;
    uint64_t start, end, offset; /* of one of its mappings */
};

struct binary {
    const char *path, *name; /* as the process's mount namespace has it; the last part of it */
    /* What it is known by: */
    uint64_t device, inode;
    int64_t size, changed_ns;
    bool is_deleted;
    /* What follows is known when it is_read. */
    bool is_read;
    bool is_program; /* it is some process's executable */
    bool is_static;  /* its language's library is a part of it, as in Go's, and those linked with -static */
    bool is_foreign; /* a library that is not the program's own, by its path */
    uint64_t entry;  /* where a program begins */
    struct binary_segment *segments;
    size_t segment_count;
#ifdef HAVE_LIBDW
    Dwfl *dwfl;
    Dwfl_Module *module; /* NULL: it cannot be read */

    uint64_t bias; /* what dwfl adds to its addresses */
    Dwarf_CFI *eh_frame, *debug_frame;
    uint64_t eh_frame_bias, debug_frame_bias;
    bool has_looked_for_frames, has_looked_for_debug_frame;
    struct lookup rows; /* struct frame_row * */
    bool has_looked_for_units, has_looked_for_symbols;
    struct unit_table *units; /* NULL: no debug information */
    struct function_symbol *symbols;
    size_t symbol_count;
    struct lookup symbols_by_name; /* filled when one is looked for */
#endif
    uint8_t *image;      /* of one that no file is left of */
    struct lookup names; /* struct named_address * */
};

struct binaries {
    struct binary **each;
    size_t count, room;
};

void binaries_clear(struct binaries *binaries);

/* The one that is known by this; made where it is not known yet. The strings are the caller's, and must live
 * as long. NULL: out of memory. */
struct binary *binaries_get(struct binaries *binaries, const struct binary *known_by);

/* Reads it, unless that has been done. Returns 0, also where it cannot be read ever; a negative errno where
 * it can be tried again: EMFILE, ENFILE, ENOMEM. */
int binary_read(struct binary *binary, const struct binary_place *place);

/* Its address of what is at an offset in its file. False: nothing is loaded from there. */
bool binary_address_of(const struct binary *binary, uint64_t offset, uint64_t *address);

#endif
