#include "code/frame_rows.h"

#include <stdlib.h>
#include <string.h>

#ifndef HAVE_LIBDW

const struct frame_row *frame_row_of(struct binary *binary, uint64_t address)
{
    static const struct frame_row unknown = {.is_known = false};
    (void)binary, (void)address;
    return &unknown;
}

bool frame_rule_value(const struct frame_rule *rule, const struct thread_registers *registers, uint64_t cfa,
                      struct memory_reader *memory, uint64_t *value)
{
    (void)rule, (void)registers, (void)cfa, (void)memory, (void)value;
    return false;
}

#else

#include <dwarf.h>

/* ---- what libdw says, as a rule ---- */

/* An expression that is a register and an offset; false: it is another. */
static bool is_register_and_offset(const Dwarf_Op *op, uint8_t *reg, int64_t *offset)
{
    if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31) {
        *reg = (uint8_t)(op->atom - DW_OP_breg0);
        *offset = (int64_t)op->number;
        return true;
    }
    if (op->atom == DW_OP_bregx && op->number < THREAD_REGISTERS) {
        *reg = (uint8_t)op->number;
        *offset = (int64_t)op->number2;
        return true;
    }
    return false;
}

/* A single operation may be in memory of the caller's: it is never kept. An expression that was written by
 * the compiler is kept by libdw, with the information that it is of. */
static bool take_expression(struct frame_rule *rule, enum frame_rule_kind kind, const Dwarf_Op *ops,
                            size_t count)
{
    rule->kind = (uint8_t)kind;
    rule->expression = ops;
    rule->expression_length = count;
    return count > 1;
}

static bool rule_of_cfa(struct frame_rule *rule, const Dwarf_Op *ops, size_t count)
{
    rule->kind = RULE_IS_REGISTER;
    return (count == 1 && is_register_and_offset(ops, &rule->from, &rule->offset)) ||
           take_expression(rule, RULE_IS_EXPRESSION, ops, count);
}

/* dwarf_frame_register() tells of a saved register by "CFA, plus offset", of one that was worked out by the
 * same with DW_OP_stack_value behind it. */
static bool rule_of_register(struct frame_rule *rule, const Dwarf_Op *ops, size_t count)
{
    bool is_value = ops[count - 1].atom == DW_OP_stack_value;
    size_t length = is_value ? count - 1 : count;
    if (length >= 1 && length <= 2 && ops[0].atom == DW_OP_call_frame_cfa &&
        (length == 1 || ops[1].atom == DW_OP_plus_uconst)) {
        rule->kind = is_value ? RULE_IS_CFA : RULE_AT_CFA;
        rule->offset = length == 2 ? (int64_t)ops[1].number : 0;
        return true;
    }
    rule->kind = RULE_IS_REGISTER;
    if (length == 1 && ops[0].atom >= DW_OP_reg0 && ops[0].atom <= DW_OP_reg31) {
        rule->from = (uint8_t)(ops[0].atom - DW_OP_reg0);
        return true;
    }
    if (length == 1 && ops[0].atom == DW_OP_regx && ops[0].number < THREAD_REGISTERS) {
        rule->from = (uint8_t)ops[0].number;
        return true;
    }
    if (is_value && length == 1 && is_register_and_offset(&ops[0], &rule->from, &rule->offset))
        return true;
    return take_expression(rule, is_value ? RULE_IS_EXPRESSION : RULE_AT_EXPRESSION, ops, length);
}

static void fill_row(struct frame_row *row, Dwarf_Frame *frame, uint64_t bias)
{
    Dwarf_Addr start = 0;
    Dwarf_Op *ops, room[3];
    size_t count;
    int return_register = dwarf_frame_info(frame, &start, NULL, &row->is_signal);
    row->start = start + bias;
    if (return_register < 0 || return_register >= THREAD_REGISTERS ||
        dwarf_frame_cfa(frame, &ops, &count) < 0 || count == 0 || !rule_of_cfa(&row->cfa, ops, count))
        return;
    row->return_register = (uint8_t)return_register;
    for (int reg = 0; reg < THREAD_REGISTERS; reg++) {
        if (dwarf_frame_register(frame, reg, room, &ops, &count) < 0)
            continue;
        if (count == 0 && ops == NULL)
            row->kept |= UINT64_C(1) << reg;
        else if (count == 0)
            row->is_outermost |= reg == return_register;
        else if (row->count < FRAME_RULES) {
            struct frame_rule rule = {.reg = (uint8_t)reg};
            if (rule_of_register(&rule, ops, count))
                row->rules[row->count++] = rule;
        }
    }
    row->is_known = true;
}

/* ---- whose rows they are ---- */

/* `bias`: from the information's addresses to the binary's. */
static bool take_frame(Dwarf_CFI *cfi, uint64_t bias, struct frame_row *row)
{
    Dwarf_Frame *frame;
    if (cfi == NULL || dwarf_cfi_addrframe(cfi, row->address - bias, &frame) != 0)
        return false;
    fill_row(row, frame, bias);
    free(frame);
    return row->is_known;
}

static void work_out(struct binary *binary, struct frame_row *row)
{
    if (binary->module == NULL)
        return;
    if (!binary->has_looked_for_frames) {
        binary->has_looked_for_frames = true;
        binary->eh_frame = dwfl_module_eh_cfi(binary->module, &binary->eh_frame_bias);
    }
    if (take_frame(binary->eh_frame, binary->eh_frame_bias - binary->bias, row))
        return;
    if (!binary->has_looked_for_debug_frame) {
        binary->has_looked_for_debug_frame = true;
        binary->debug_frame = dwfl_module_dwarf_cfi(binary->module, &binary->debug_frame_bias);
    }
    take_frame(binary->debug_frame, binary->debug_frame_bias - binary->bias, row);
}

const struct frame_row *frame_row_of(struct binary *binary, uint64_t address)
{
    uint64_t hash = lookup_hash(address);
    size_t at = 0;
    for (const struct frame_row *row; (row = lookup_next(&binary->rows, hash, &at)) != NULL;)
        if (row->address == address)
            return row;
    struct frame_row made = {.address = address};
    work_out(binary, &made);
    size_t size = offsetof(struct frame_row, rules) + (size_t)made.count * sizeof made.rules[0];
    struct frame_row *kept = malloc(size);
    if (kept == NULL || lookup_add(&binary->rows, hash, kept) < 0) {
        free(kept);
        return NULL;
    }
    memcpy(kept, &made, size);
    return kept;
}

/* ---- what a rule says ---- */

/* The stack of an expression (DWARF 5, 2.5), with what those in call frame information consist of. */
struct stack {
    uint64_t each[64];
    int count;
    bool has_failed;
};

static void push(struct stack *stack, uint64_t value)
{
    if (stack->count == (int)(sizeof stack->each / sizeof *stack->each))
        stack->has_failed = true;
    else
        stack->each[stack->count++] = value;
}

static uint64_t pop(struct stack *stack)
{
    if (stack->count == 0) {
        stack->has_failed = true;
        return 0;
    }
    return stack->each[--stack->count];
}

static uint64_t calculate(int atom, uint64_t left, uint64_t right, bool *is_known)
{
    int64_t a = (int64_t)left, b = (int64_t)right;
    switch (atom) {
    case DW_OP_plus:
        return left + right;
    case DW_OP_minus:
        return left - right;
    case DW_OP_mul:
        return left * right;
    case DW_OP_and:
        return left & right;
    case DW_OP_or:
        return left | right;
    case DW_OP_xor:
        return left ^ right;
    case DW_OP_shl:
        return right < 64 ? left << right : 0;
    case DW_OP_shr:
        return right < 64 ? left >> right : 0;
    case DW_OP_ge:
        return a >= b;
    case DW_OP_gt:
        return a > b;
    case DW_OP_le:
        return a <= b;
    case DW_OP_lt:
        return a < b;
    case DW_OP_eq:
        return a == b;
    case DW_OP_ne:
        return a != b;
    default:
        *is_known = false;
        return 0;
    }
}

static void dereference(struct stack *stack, struct memory_reader *memory)
{
    uint64_t at = pop(stack), value = 0;
    if (!memory_read(memory, at, &value, sizeof value))
        stack->has_failed = true;
    push(stack, value);
}

static void step(const Dwarf_Op *op, struct stack *stack, const struct thread_registers *registers,
                 uint64_t cfa, struct memory_reader *memory)
{
    uint8_t reg;
    int64_t offset;
    if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31) {
        push(stack, op->atom - DW_OP_lit0);
    } else if (op->atom >= DW_OP_const1u && op->atom <= DW_OP_consts) {
        push(stack, op->number); /* libdw has extended the signed ones */
    } else if (is_register_and_offset(op, &reg, &offset)) {
        if (!(registers->known >> reg & 1))
            stack->has_failed = true;
        push(stack, registers->each[reg] + (uint64_t)offset);
    } else if (op->atom == DW_OP_call_frame_cfa) {
        push(stack, cfa);
    } else if (op->atom == DW_OP_plus_uconst) {
        push(stack, pop(stack) + op->number);
    } else if (op->atom == DW_OP_deref) {
        dereference(stack, memory);
    } else if (op->atom == DW_OP_dup) {
        uint64_t top = pop(stack);
        push(stack, top);
        push(stack, top);
    } else if (op->atom != DW_OP_nop) {
        bool is_known = true;
        uint64_t right = pop(stack), left = pop(stack);
        push(stack, calculate(op->atom, left, right, &is_known));
        stack->has_failed |= !is_known;
    }
}

static bool evaluate(const struct frame_rule *rule, const struct thread_registers *registers, uint64_t cfa,
                     struct memory_reader *memory, uint64_t *value)
{
    struct stack stack = {.count = 0};
    const Dwarf_Op *ops = rule->expression;
    for (size_t i = 0; i < rule->expression_length && !stack.has_failed; i++)
        step(&ops[i], &stack, registers, cfa, memory);
    *value = pop(&stack);
    return !stack.has_failed;
}

bool frame_rule_value(const struct frame_rule *rule, const struct thread_registers *registers, uint64_t cfa,
                      struct memory_reader *memory, uint64_t *value)
{
    switch ((enum frame_rule_kind)rule->kind) {
    case RULE_AT_CFA:
        return memory_read(memory, cfa + (uint64_t)rule->offset, value, sizeof *value);
    case RULE_IS_CFA:
        *value = cfa + (uint64_t)rule->offset;
        return true;
    case RULE_IS_REGISTER:
        *value = registers->each[rule->from] + (uint64_t)rule->offset;
        return registers->known >> rule->from & 1;
    case RULE_AT_EXPRESSION: {
        uint64_t at;
        return evaluate(rule, registers, cfa, memory, &at) && memory_read(memory, at, value, sizeof *value);
    }
    case RULE_IS_EXPRESSION:
        return evaluate(rule, registers, cfa, memory, value);
    }
    return false;
}

#endif
