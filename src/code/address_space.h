/* address_space: where in a process's memory which code is (/proc/PID/maps, man 5 proc). */
#ifndef CODE_ADDRESS_SPACE_H
#define CODE_ADDRESS_SPACE_H

#include "code/binary.h"
#include "code/site_table.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A piece of it that can be executed. */
struct mapping {
    uint64_t start, end, offset; /* of the file */
    struct binary *binary;       /* NULL: of no file; a compiler at run time makes such */
    uint64_t bias;               /* what is added to the binary's addresses here; known when has_bias */
    bool has_bias;
};

struct address_space {
    pid_t pid;
    struct mapping *mappings; /* by rising address */
    size_t count, room;
    int64_t read_us; /* when it was read last; 0: never */
    uint64_t exe_device, exe_inode;
};

void address_space_clear(struct address_space *space);

/* Reads it anew. Returns 0, or a negative errno: EACCES, ESRCH, ENOMEM. */
int address_space_read(struct address_space *space, struct binaries *binaries, struct site_table *strings);

/* What one has is taken for another process's, which keeps its pid. Out of memory it stays empty. */
void address_space_copy(const struct address_space *from, struct address_space *to);

/* The process may execute another program than when it was read. */
bool address_space_is_stale(const struct address_space *space);

/* NULL: there is no code at this address. */
struct mapping *address_space_find(const struct address_space *space, uint64_t pc);

/* The binary's own address; false: it has none there, or cannot be read. */
bool mapping_address(struct mapping *mapping, pid_t pid, uint64_t pc, uint64_t *address);

/* One line of the file. `path` points into the line; "": none. False: it is not of that form. */
struct maps_line {
    uint64_t start, end, offset, device, inode;
    bool is_executable, is_writable, is_deleted;
    const char *path;
    int path_length; /* without " (deleted)" */
};
bool maps_line_parse(const char *text, struct maps_line *line);

#endif
