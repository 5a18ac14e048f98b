/* tail_calls: the functions between a call and the function that it has come to. A compiler makes the last
 * call of a function a jump: the function that jumps leaves no frame, and unwinding goes past it. Debug
 * information has whom each call calls, and which of a function's calls are such jumps (DWARF 5, 3.4.1;
 * before it, GNU's extension): where there is one way from the one to the other, that is the way it went. */
#ifndef CODE_TAIL_CALLS_H
#define CODE_TAIL_CALLS_H

#include "code/call_frames.h"

enum { TAIL_CALLS = 8 }; /* in a row, at most */

struct tail_call {
    uint64_t address; /* of the caller's binary, within the jump */
    bool is_one_of;   /* the function jumps there from several places: this is one of them */
};

/* Those between a frame and its caller's, innermost first. Returns how many: 0 also where there are several
 * ways, or what is called is known when it runs only. */
int tail_calls_between(const struct call_frame *frame, const struct call_frame *caller,
                       struct tail_call *calls);

#endif
