#include "code/saved_frame.h"

#include "code/function_names.h"

#include <stdlib.h>
#include <string.h>

enum {
    LONGEST_CALL = 7,         /* bytes, of x86-64's that are made */
    SEARCHED = 256 << 10,     /* bytes of the stack */
    FARTHEST_FRAME = 8 << 20, /* bytes from one frame pointer to the next */
    NEAR = 64 << 10,          /* bytes: a function that is longer is none */
};

enum call_form { NO_CALL, CALL_ANYWHERE, CALL_THERE };

/* How the code before `pc` calls; of CALL_THERE to which address. */
static enum call_form call_before(struct memory_reader *memory, uint64_t pc, uint64_t *target)
{
#if defined(__aarch64__)
    uint32_t word;
    if (!memory_read(memory, pc - sizeof word, &word, sizeof word))
        return NO_CALL;
    if ((word & 0xfffffc1f) == 0xd63f0000 || (word & 0xfefff800) == 0xd63f0800) /* BLR, BLRAA and the like */
        return CALL_ANYWHERE;
    if ((word & 0xfc000000) != 0x94000000) /* BL */
        return NO_CALL;
    *target = pc - 4 + (uint64_t)((int64_t)((uint64_t)word << 38) >> 36);
    return CALL_THERE;
#else
    uint8_t code[LONGEST_CALL];
    int32_t relative;
    if (!memory_read(memory, pc - sizeof code, code, sizeof code))
        return NO_CALL;
    const uint8_t *end = code + sizeof code;
    if (end[-5] == 0xe8) { /* call rel32 */
        memcpy(&relative, end - 4, sizeof relative);
        *target = pc + (uint64_t)(int64_t)relative;
        return CALL_THERE;
    }
    /* call r/m64: FF /2, with how it names what it calls: 2 to 7 bytes */
    for (int length = 2; length <= LONGEST_CALL; length++) {
        const uint8_t *at = end - length;
        if (at[0] != 0xff || (at[1] >> 3 & 7) != 2)
            continue;
        int mode = at[1] >> 6, register_or_memory = at[1] & 7;
        int takes = 2 + (mode != 3 && register_or_memory == 4) +
                    (mode == 1   ? 1
                     : mode == 2 ? 4
                                 : 0) +
                    (mode == 0 && register_or_memory == 5 ? 4 : 0);
        if (takes == length)
            return CALL_ANYWHERE;
    }
    return NO_CALL;
#endif
}

bool saved_frame_is_after_call(struct memory_reader *memory, uint64_t pc)
{
    uint64_t target;
    return call_before(memory, pc, &target) != NO_CALL;
}

struct search {
    const struct address_space *space;
    struct memory_reader *memory;
    struct binary *binary; /* of the function that is looked for */
    uint64_t bias;         /* from the binary's addresses to the process's */
    uint64_t start, end;   /* of the function, in the process; 0: not known */
    uint64_t pc;
    unsigned alignment; /* of frame pointers: 16 in both ABIs; Go's are 8 */
    const uint8_t *stack;
    uint64_t sp;
    size_t size;
};

static bool word_at(const struct search *search, uint64_t at, uint64_t *word)
{
    if (at < search->sp || at - search->sp + sizeof *word > search->size)
        return false;
    memcpy(word, search->stack + (at - search->sp), sizeof *word);
    return true;
}

static bool is_in_function(const struct search *search, uint64_t pc)
{
    return pc >= search->start && pc < search->end;
}

static bool is_on_above(const struct search *search, uint64_t frame, uint64_t at)
{
    return frame > at && frame - at < FARTHEST_FRAME && frame % search->alignment == 0;
}

/* Whether the frames from `at` on come to the function once more: then what is at `at` is left from a call
 * that this function has made before. */
static bool comes_to_function_again(const struct search *search, uint64_t at)
{
    uint64_t next, returns_to;
    for (int i = 0; i < CALL_FRAMES && word_at(search, at, &next) && word_at(search, at + 8, &returns_to);
         i++) {
        if (is_in_function(search, returns_to - 1))
            return true;
        if (!is_on_above(search, next, at))
            return false;
        at = next;
    }
    return false;
}

static bool fits(const struct search *search, uint64_t at)
{
    uint64_t saved, returns_to, target;
    if (!word_at(search, at, &saved) || !word_at(search, at + 8, &returns_to))
        return false;
    returns_to &= MACHINE_ADDRESS_BITS;
    if (address_space_find(search->space, returns_to - 1) == NULL)
        return false;
    switch (call_before(search->memory, returns_to, &target)) {
    case CALL_THERE:
        if (search->end == 0)
            return is_on_above(search, saved, at) && target <= search->pc && search->pc - target < NEAR;
        if (target == search->start)
            return true;
        if (function_symbol_of(search->binary, target - search->bias) != NULL)
            return false;                            /* a call of another function, that has returned */
        return !comes_to_function_again(search, at); /* it goes by a table of jumps to other binaries */
    case CALL_ANYWHERE:
        return (search->end != 0 || is_on_above(search, saved, at)) && !comes_to_function_again(search, at);
    case NO_CALL:
        break;
    }
    return false;
}

/* Fills in which function it is, by its symbol. */
static void find_function(struct search *search, const struct call_frame *frame)
{
    const struct function_symbol *function =
        frame->binary != NULL ? function_symbol_of(frame->binary, frame->address) : NULL;
    search->binary = frame->binary;
    search->bias = frame->pc - frame->address;
    search->pc = frame->pc;
    if (function != NULL) {
        search->start = function->start + search->bias;
        search->end = function->end + search->bias;
    }
}

bool saved_frame_find(const struct address_space *space, struct memory_reader *memory,
                      const struct call_frame *frame, bool has_row, uint64_t sp, uint64_t *found)
{
    struct search search = {.space = space, .memory = memory, .alignment = has_row ? 16 : 8, .sp = sp};
    uint8_t *stack = malloc(SEARCHED);
    if (stack == NULL)
        return false;
    search.stack = stack;
    search.size = memory_read_much(memory, sp, stack, SEARCHED);
    find_function(&search, frame);
    bool is_found = false;
    uint64_t first = (sp + search.alignment - 1) / search.alignment * search.alignment;
    for (uint64_t at = first; !is_found && at + 16 <= sp + search.size; at += search.alignment)
        if (fits(&search, at))
            *found = at, is_found = true;
    free(stack);
    return is_found;
}

bool saved_frame_is_none(const struct address_space *space, struct memory_reader *memory,
                         const struct call_frame *frame, uint64_t sp, uint64_t *returns_to)
{
#if defined(__x86_64__)
    enum { SHORT = 512 };
    struct search search = {.space = space, .memory = memory, .sp = sp};
    uint64_t target;
    find_function(&search, frame);
    return memory_read(memory, sp, returns_to, sizeof *returns_to) &&
           address_space_find(space, *returns_to - 1) != NULL &&
           call_before(memory, *returns_to, &target) == CALL_THERE &&
           (search.end != 0 ? target == search.start : target <= search.pc && search.pc - target < SHORT);
#else
    (void)space, (void)memory, (void)frame, (void)sp, (void)returns_to;
    return false;
#endif
}
