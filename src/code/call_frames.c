#include "code/call_frames.h"

#include "code/frame_rows.h"
#include "code/saved_frame.h"

#include <string.h>

enum { FARTHEST_FRAME = 8 << 20 }; /* bytes: a frame that is larger is none */

enum step { STEP_ON, STEP_OUTERMOST, STEP_LOST };

/* The code at an address; NULL: there is none. */
static struct mapping *mapping_of(const struct unwinding *unwinding, uint64_t pc)
{
    struct mapping *mapping = address_space_find(unwinding->space, pc);
    if (mapping == NULL && unwinding->read_again != NULL && unwinding->read_again(unwinding->context))
        mapping = address_space_find(unwinding->space, pc);
    return mapping;
}

static void set_register(struct thread_registers *registers, int reg, uint64_t value)
{
    registers->each[reg] = value;
    registers->known |= UINT64_C(1) << reg;
}

static bool is_known(const struct thread_registers *registers, int reg)
{
    return registers->known >> reg & 1;
}

/* By what the compiler has written down. */
static enum step step_by_row(const struct unwinding *unwinding, const struct frame_row *row,
                             const struct thread_registers *inner, struct thread_registers *outer)
{
    uint64_t cfa, value;
    if (row->is_outermost)
        return STEP_OUTERMOST;
    if (!frame_rule_value(&row->cfa, inner, 0, unwinding->memory, &cfa))
        return STEP_LOST;
    if (!row->is_signal && (cfa < inner->sp || cfa - inner->sp > FARTHEST_FRAME))
        return STEP_LOST;
    memcpy(outer->each, inner->each, sizeof outer->each);
    outer->known = inner->known & row->kept;
    set_register(outer, MACHINE_SP, cfa);
    for (int i = 0; i < row->count; i++)
        if (frame_rule_value(&row->rules[i], inner, cfa, unwinding->memory, &value))
            set_register(outer, row->rules[i].reg, value);
        else
            outer->known &= ~(UINT64_C(1) << row->rules[i].reg);
    if (!is_known(outer, row->return_register))
        return STEP_LOST;
    outer->pc = outer->each[row->return_register] & MACHINE_ADDRESS_BITS;
    outer->sp = outer->each[MACHINE_SP];
    if (outer->sp == inner->sp && outer->pc == inner->pc)
        return STEP_LOST; /* it would go round for ever */
    return outer->pc == 0 ? STEP_OUTERMOST : STEP_ON;
}

/* By the chain of frame pointers, which code of a compiler at run time keeps, and Go's. */
static enum step step_by_frame_pointer(const struct unwinding *unwinding,
                                       const struct thread_registers *inner, struct thread_registers *outer)
{
    uint64_t at = inner->each[MACHINE_FP], saved[2];
    if (!is_known(inner, MACHINE_FP) || at < inner->sp || at - inner->sp > FARTHEST_FRAME || at % 8 != 0 ||
        !memory_read(unwinding->memory, at, saved, sizeof saved))
        return STEP_LOST;
    *outer = (struct thread_registers){.pc = saved[1] & MACHINE_ADDRESS_BITS, .sp = at + sizeof saved};
    set_register(outer, MACHINE_FP, saved[0]);
    set_register(outer, MACHINE_SP, outer->sp);
    if (outer->pc == 0)
        return STEP_OUTERMOST;
    const struct mapping *mapping = mapping_of(unwinding, outer->pc - 1);
    return mapping != NULL && saved_frame_is_after_call(unwinding->space, unwinding->memory, outer->pc)
               ? STEP_ON
               : STEP_LOST;
}

/* Of an innermost function that keeps nothing on the stack. */
static enum step step_out_of_no_frame(const struct unwinding *unwinding, const struct call_frame *frame,
                                      const struct thread_registers *inner, struct thread_registers *outer)
{
    uint64_t returns_to;
    if (!saved_frame_is_none(unwinding->space, unwinding->memory, frame, inner->sp, &returns_to))
        return STEP_LOST;
    *outer = (struct thread_registers){.pc = returns_to, .sp = inner->sp + sizeof returns_to};
    if (is_known(inner, MACHINE_FP))
        set_register(outer, MACHINE_FP, inner->each[MACHINE_FP]);
    set_register(outer, MACHINE_SP, outer->sp);
    return STEP_ON;
}

static void walk(const struct unwinding *unwinding, const struct thread_registers *registers,
                 bool is_return_address, bool may_search, struct call_stack *stack);

/* ---- of a thread that was not stopped ---- */

struct trial {
    const struct unwinding *unwinding;
    const struct thread_registers *registers;
    bool is_return_address;
    struct call_stack stack;
};

static bool leads_to_end(void *context, uint64_t frame_pointer)
{
    struct trial *trial = context;
    struct thread_registers registers = *trial->registers;
    set_register(&registers, MACHINE_FP, frame_pointer);
    walk(trial->unwinding, &registers, trial->is_return_address, false, &trial->stack);
    return !trial->stack.is_cut;
}

/* Its frame pointer is not known: where it is needed it is looked for on the stack. */
static void find_frame_pointer(const struct unwinding *unwinding, const struct call_frame *frame,
                               const struct frame_row *row, struct thread_registers *registers)
{
    bool is_needed = !row->is_known || (!row->is_outermost && row->cfa.kind == RULE_IS_REGISTER &&
                                        row->cfa.from == MACHINE_FP && row->cfa.offset == 16);
    if (!is_needed || is_known(registers, MACHINE_FP))
        return;
    struct trial trial = {unwinding, registers, frame->is_caller, {0}};
    struct saved_frame_check check = {leads_to_end, &trial, row->start};
    uint64_t found;
    if (saved_frame_find(unwinding->space, unwinding->memory, frame, registers->sp,
                         row->is_known ? &check : NULL, &found))
        set_register(registers, MACHINE_FP, found);
}

/* ---- the stack ---- */

static void walk(const struct unwinding *unwinding, const struct thread_registers *registers,
                 bool is_return_address, bool may_search, struct call_stack *stack)
{
    struct thread_registers inner = *registers, outer;
    stack->count = 0;
    stack->is_cut = true;
    while (stack->count < CALL_FRAMES) {
        static const struct frame_row none = {.is_known = false};
        const struct frame_row *row = &none;
        uint64_t looked_up = inner.pc - is_return_address;
        struct mapping *mapping = mapping_of(unwinding, looked_up);
        if (mapping == NULL)
            return;
        struct call_frame *frame = &stack->frames[stack->count++];
        *frame = (struct call_frame){.address = looked_up, .pc = looked_up, .is_caller = is_return_address};
        if (mapping_address(mapping, unwinding->space->pid, looked_up, &frame->address)) {
            frame->binary = mapping->binary;
            frame->offset = looked_up - mapping->start + mapping->offset;
            if ((row = frame_row_of(frame->binary, frame->address)) == NULL)
                return;
        }
        if (row->is_signal && is_return_address) { /* nothing has called it */
            frame->address++;
            frame->offset++;
            frame->pc++;
        }
        enum step step = STEP_LOST;
        if (!row->is_known && !frame->is_caller)
            step = step_out_of_no_frame(unwinding, frame, &inner, &outer);
        if (step == STEP_LOST) {
            if (may_search)
                find_frame_pointer(unwinding, frame, row, &inner);
            step = row->is_known ? step_by_row(unwinding, row, &inner, &outer)
                                 : step_by_frame_pointer(unwinding, &inner, &outer);
        }
        stack->is_cut = step != STEP_OUTERMOST;
        if (step != STEP_ON)
            return;
        is_return_address = !row->is_signal;
        inner = outer;
    }
}

void call_frames_take(const struct unwinding *unwinding, const struct thread_registers *registers,
                      struct call_stack *stack)
{
    struct thread_registers first = *registers;
    set_register(&first, MACHINE_SP, first.sp);
    walk(unwinding, &first, false, true, stack);
}
