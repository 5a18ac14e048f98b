/* saved_frame: finds a frame pointer that was saved on a stack, where the register that holds it is not
 * known; and what else of a stack is told by the machine's code. */
#ifndef CODE_SAVED_FRAME_H
#define CODE_SAVED_FRAME_H

#include "code/call_frames.h"

/* Registers by DWARF's numbers, and which bits of a pointer are its address. */
#if defined(__aarch64__)
enum { MACHINE_FP = 29, MACHINE_SP = 31 };
#define MACHINE_ADDRESS_BITS UINT64_C(0x0000ffffffffffff) /* the others may sign it */
#else
enum { MACHINE_FP = 6, MACHINE_SP = 7 };
#define MACHINE_ADDRESS_BITS UINT64_MAX
#endif

/* Whether the instruction before this address of the process is a call. */
bool saved_frame_is_after_call(const struct address_space *space, struct memory_reader *memory, uint64_t pc);

/* Whether with this frame pointer the stack leads to its end, by the call frame information. */
struct saved_frame_check {
    bool (*leads_to_end)(void *context, uint64_t frame_pointer);
    void *context;
    uint64_t row_start; /* where the information begins to be what it is at the frame's address */
};

/* Finds where the function of a frame has saved its caller's frame pointer: above `sp`, and below the address
 * that it returns to. A stack has what earlier calls left there as well: it must have been called from where
 * it returns to, or that cannot be known and all else fits. `check` is NULL where there is no call frame
 * information. False: nothing fits, or several do. */
bool saved_frame_find(const struct address_space *space, struct memory_reader *memory,
                      const struct call_frame *frame, uint64_t sp, const struct saved_frame_check *check,
                      uint64_t *found);

/* Whether the innermost function has no frame, as short ones in assembly code: what it returns to is at the
 * end of the stack, behind a call of it. */
bool saved_frame_is_none(const struct address_space *space, struct memory_reader *memory,
                         const struct call_frame *frame, uint64_t sp, uint64_t *returns_to);

#endif
