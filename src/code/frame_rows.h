/* frame_rows: how to get from a function's registers to its caller's, at one address: a row of the table that
 * call frame information describes (DWARF 5, 6.4). Each is worked out once and kept with its binary. */
#ifndef CODE_FRAME_ROWS_H
#define CODE_FRAME_ROWS_H

#include "code/binary.h"
#include "code/memory_reader.h"
#include "code/thread_registers.h"

#include <stdbool.h>
#include <stdint.h>

enum frame_rule_kind {
    RULE_AT_CFA,      /* it was saved at CFA + offset */
    RULE_IS_CFA,      /* it was CFA + offset */
    RULE_IS_REGISTER, /* it is in `from`, plus offset */
    RULE_AT_EXPRESSION,
    RULE_IS_EXPRESSION,
};

struct frame_rule {
    uint8_t reg; /* whose value it tells; not looked at for the CFA */
    uint8_t kind;
    uint8_t from;
    int64_t offset;
    const void *expression; /* libdw's, with expression_length */
    size_t expression_length;
};

enum { FRAME_RULES = 20 }; /* the registers that a function saves are fewer */

struct frame_row {
    uint64_t address, start; /* it is the same from the start on */
    bool is_known;           /* false: there is no such information here */
    bool is_signal;          /* the caller was interrupted: its pc is not that after a call */
    bool is_outermost;       /* it has no caller */
    uint8_t return_register;
    uint64_t kept; /* bit n: register n is as it was in the caller */
    struct frame_rule cfa;
    int count;
    struct frame_rule rules[FRAME_RULES];
};

/* NULL: out of memory. Without libdw no row is known. */
const struct frame_row *frame_row_of(struct binary *binary, uint64_t address);

/* What a rule says with these registers. `cfa` is not looked at for the CFA's own rule. False: it needs what
 * is not known, or cannot be read. */
bool frame_rule_value(const struct frame_rule *rule, const struct thread_registers *registers, uint64_t cfa,
                      struct memory_reader *memory, uint64_t *value);

#endif
