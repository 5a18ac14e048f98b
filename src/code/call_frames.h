/* call_frames: unwinds a thread's stack from its registers and what its memory holds. */
#ifndef CODE_CALL_FRAMES_H
#define CODE_CALL_FRAMES_H

#include "code/address_space.h"
#include "code/memory_reader.h"
#include "code/thread_registers.h"

enum { CALL_FRAMES = 64 }; /* at most */

struct call_frame {
    struct binary *binary; /* NULL: it is no file's */
    uint64_t address; /* the binary's own, or without one the process's. In a caller it lies within the call,
                         before where it returns to */
    uint64_t offset;  /* in the binary's file */
    uint64_t pc;      /* the same place as `address`, in the process's own addresses */
    bool is_caller;
};

struct call_stack {
    int count; /* innermost first */
    bool is_cut;
    struct call_frame frames[CALL_FRAMES];
};

struct unwinding {
    struct address_space *space;
    struct memory_reader *memory;
    /* Reads the address space anew, where that may help. False: it has not. NULL: never. */
    bool (*read_again)(void *context);
    void *context;
};

void call_frames_take(const struct unwinding *unwinding, const struct thread_registers *registers,
                      struct call_stack *stack);

#endif
