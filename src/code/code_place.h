/* code_place: names an address of a binary: the function, and the functions that were inlined into it there.
 */
#ifndef CODE_CODE_PLACE_H
#define CODE_CODE_PLACE_H

#include "code/binary.h"
#include "code/code.h"
#include "code/site_table.h"

struct named_address {
    uint64_t address;
    int count;             /* >= 1 */
    struct place places[]; /* innermost first; each but the last is inlined into the next */
};

/* What is at an address of the binary, which is at `offset` in its file. It is kept with the binary; the
 * strings are the table's. NULL: out of memory. */
const struct named_address *code_place_name(struct binary *binary, uint64_t address, uint64_t offset,
                                            struct site_table *strings);

#endif
