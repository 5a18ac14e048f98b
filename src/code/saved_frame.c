#include "code/saved_frame.h"

#include "code/function_names.h"

#include <stdlib.h>
#include <string.h>

enum {
    LONGEST_CALL = 7,         /* bytes, of x86-64's that are made */
    SEARCHED = 256 << 10,     /* bytes of the stack */
    FARTHEST_FRAME = 8 << 20, /* bytes from one frame pointer to the next */

};

enum call_form { NO_CALL, CALL_ANYWHERE, CALL_THERE };

#if defined(__aarch64__)
static enum call_form call_before(const struct address_space *space, struct memory_reader *memory,
                                  uint64_t pc, uint64_t *target)
{
    uint32_t word;
    (void)space;
    if (!memory_read(memory, pc - sizeof word, &word, sizeof word))
        return NO_CALL;
    if ((word & 0xfffffc1f) == 0xd63f0000 || (word & 0xfefff800) == 0xd63f0800) /* BLR, BLRAA and the like */
        return CALL_ANYWHERE;
    if ((word & 0xfc000000) != 0x94000000) /* BL */
        return NO_CALL;
    *target = pc - 4 + (uint64_t)((int64_t)((uint64_t)word << 38) >> 36);
    return CALL_THERE;
}
#else
/* How many bytes a call of what a register or the memory tells (FF /2) takes. */
static int length_of_indirect_call(const uint8_t *code)
{
    int mode = code[1] >> 6, operand = code[1] & 7;
    int displacement = mode == 1 ? 1 : mode == 2 || (mode == 0 && operand == 5) ? 4 : 0;
    return 2 + (mode != 3 && operand == 4) + displacement;
}

/* A jump by a table (the PLT) leads to what the table has. */
static uint64_t follow_jump(struct memory_reader *memory, uint64_t target)
{
    static const uint8_t branch_target[] = {0xf3, 0x0f, 0x1e, 0xfa}; /* endbr64 */
    uint8_t code[12];
    int32_t relative;
    uint64_t found;
    if (!memory_read(memory, target, code, sizeof code))
        return target;
    size_t at = memcmp(code, branch_target, sizeof branch_target) == 0 ? sizeof branch_target : 0;
    at += code[at] == 0xf2;                       /* bnd */
    if (code[at] != 0xff || code[at + 1] != 0x25) /* jmp *relative(%rip) */
        return target;
    memcpy(&relative, code + at + 2, sizeof relative);
    return memory_read(memory, target + at + 6 + (uint64_t)(int64_t)relative, &found, sizeof found) ? found
                                                                                                    : target;
}

/* How the code before `pc` calls; of CALL_THERE what. The bytes of another instruction can look like a call:
 * of where there is no code. */
static enum call_form call_before(const struct address_space *space, struct memory_reader *memory,
                                  uint64_t pc, uint64_t *target)
{
    uint8_t code[LONGEST_CALL] = {0};
    int32_t relative;
    size_t in_page = pc % 4096 < sizeof code && pc % 4096 > 0 ? pc % 4096 : sizeof code;
    if (!memory_read(memory, pc - sizeof code, code, sizeof code) && /* or it is the first code there is */
        !memory_read(memory, pc - in_page, code + sizeof code - in_page, in_page))
        return NO_CALL;
    const uint8_t *end = code + sizeof code;
    memcpy(&relative, end - 4, sizeof relative);
    uint64_t there = pc + (uint64_t)(int64_t)relative;
    if (end[-5] == 0xe8 && address_space_find(space, there) != NULL) { /* call relative */
        *target = follow_jump(memory, there);
        return CALL_THERE;
    }
    if (end[-6] == 0xff && end[-5] == 0x15 && /* call *relative(%rip) */
        memory_read(memory, there, target, sizeof *target) && address_space_find(space, *target) != NULL)
        return CALL_THERE;
    for (int length = 2; length <= LONGEST_CALL; length++)
        if (end[-length] == 0xff && (end[1 - length] >> 3 & 7) == 2 &&
            length_of_indirect_call(end - length) == length)
            return CALL_ANYWHERE;
    return NO_CALL;
}
#endif

bool saved_frame_is_after_call(const struct address_space *space, struct memory_reader *memory, uint64_t pc)
{
    uint64_t target;
    return call_before(space, memory, pc, &target) != NO_CALL;
}

struct search {
    const struct address_space *space;
    struct memory_reader *memory;
    uint64_t start, end; /* of the function, in the process; 0: not known */
    uint64_t pc;
    uint64_t frame_size; /* bytes between the stack pointer and the frame pointer; 0: not known */
    unsigned alignment;  /* of frame pointers: 16 in both ABIs; Go's are 8 */
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

enum fit { FITS_NOT, FITS_MAYBE, FITS };

/* Of a function whose start is known: it must have been called from there. */
static enum fit fit_of_known(const struct search *search, uint64_t at, uint64_t returns_to)
{
    uint64_t target;
    switch (call_before(search->space, search->memory, returns_to, &target)) {
    case CALL_THERE:
        return target == search->start ? FITS : FITS_NOT;
    case CALL_ANYWHERE:
        return comes_to_function_again(search, at) ? FITS_NOT : FITS_MAYBE;
    case NO_CALL:
        break;
    }
    return FITS_NOT;
}

static enum fit fit_of(const struct search *search, uint64_t at)
{
    uint64_t saved, returns_to;
    if (!word_at(search, at, &saved) || !word_at(search, at + 8, &returns_to))
        return FITS_NOT;
    returns_to &= MACHINE_ADDRESS_BITS;
    if (address_space_find(search->space, returns_to - 1) == NULL)
        return FITS_NOT;
    if (search->end != 0)
        return fit_of_known(search, at, returns_to);
    return saved_frame_is_after_call(search->space, search->memory, returns_to) ? FITS_MAYBE : FITS_NOT;
}

/* Whether the chain of frame pointers leads from one frame to another. */
static bool leads_to(const struct search *search, uint64_t from, uint64_t to)
{
    uint64_t next;
    for (int i = 0; i < CALL_FRAMES && from < to; i++) {
        if (!word_at(search, from, &next) || !is_on_above(search, next, from))
            return false;
        from = next;
    }
    return from == to;
}

/* With call frame information, all of the stack can be held against it: it is as far above as the function's
 * first instructions say; or what was called from where it returns to; or else the only one from which the
 * stack leads to its end, those apart that it leads to. */
static bool find_with_rows(const struct search *search, const struct saved_frame_check *check, uint64_t first,
                           uint64_t *found)
{
    enum { MOST_TRIED = 32 };
    int tried = 0;
    uint64_t expected = search->sp + search->frame_size, maybe = 0;
    if (search->frame_size > 0 && fit_of(search, expected) != FITS_NOT &&
        check->leads_to_end(check->context, expected)) {
        *found = expected;
        return true;
    }
    for (uint64_t at = first; at + 16 <= search->sp + search->size; at += search->alignment)
        if (fit_of(search, at) == FITS && check->leads_to_end(check->context, at)) {
            *found = at;
            return true;
        }
    for (uint64_t at = first; at + 16 <= search->sp + search->size; at += search->alignment) {
        if (fit_of(search, at) != FITS_MAYBE || (maybe != 0 && leads_to(search, maybe, at)) ||
            !check->leads_to_end(check->context, at))
            continue;
        if (maybe != 0 || ++tried > MOST_TRIED)
            return false;
        maybe = at;
    }
    *found = maybe;
    return maybe != 0;
}

/* Without it there is a chain of frame pointers: its first is under the first address that can be returned
 * to. */
static bool find_without_rows(const struct search *search, uint64_t first, uint64_t *found)
{
    uint64_t saved;
    for (uint64_t at = first; at + 16 <= search->sp + search->size; at += search->alignment) {
        enum fit fit = fit_of(search, at);
        if (fit == FITS_NOT)
            continue;
        *found = at;
        return fit == FITS || (word_at(search, at, &saved) && is_on_above(search, saved, at));
    }
    return false;
}

/* Fills in which function it is, by its symbol. */
static void find_function(struct search *search, const struct call_frame *frame)
{
    const struct function_symbol *function =
        frame->binary != NULL ? function_symbol_of(frame->binary, frame->address) : NULL;
    uint64_t bias = frame->pc - frame->address;
    search->pc = frame->pc;
    if (function != NULL) {
        search->start = function->start + bias;
        search->end = function->end + bias;
    }
}

#if defined(__x86_64__)
/* Reads how a function that keeps a frame pointer begins: [endbr64,] push %rbp, mov %rsp,%rbp, more pushes,
 * and a subtraction. Without a symbol, the call frame information knows where its second instruction ends. */
static void read_prologue(struct search *search, uint64_t row_start)
{
    static const uint8_t branch_target[] = {0xf3, 0x0f, 0x1e, 0xfa};
    static const uint8_t keeps_frame[] = {0x55, 0x48, 0x89, 0xe5};
    uint8_t code[48] = {0};
    size_t at = sizeof branch_target;
    uint64_t from = (search->end != 0 ? search->start : row_start - sizeof keeps_frame) - at;
    if (!memory_read(search->memory, from, code, sizeof code))
        return;
    if (search->end != 0 && memcmp(code + at, branch_target, sizeof branch_target) == 0)
        at += sizeof branch_target;
    if (memcmp(code + at, keeps_frame, sizeof keeps_frame) != 0)
        return;
    if (search->end == 0) {
        bool has_target = memcmp(code, branch_target, sizeof branch_target) == 0;
        search->start = from + at - (has_target ? sizeof branch_target : 0);
        search->end = search->pc + 1;
    }
    at += sizeof keeps_frame;
    uint64_t pushed = 0;
    for (; at + 8 < sizeof code; pushed += 8) {
        if (code[at] >= 0x50 && code[at] <= 0x57)
            at += 1;
        else if (code[at] == 0x41 && code[at + 1] >= 0x50 && code[at + 1] <= 0x57)
            at += 2;
        else
            break;
    }
    uint32_t size = 0;
    if (code[at] == 0x48 && code[at + 1] == 0x83 && code[at + 2] == 0xec)
        size = code[at + 3];
    else if (code[at] == 0x48 && code[at + 1] == 0x81 && code[at + 2] == 0xec)
        memcpy(&size, code + at + 3, sizeof size);
    search->frame_size = pushed + size;
}
#else
static void read_prologue(struct search *search, uint64_t row_start)
{
    (void)search, (void)row_start;
}
#endif

bool saved_frame_find(const struct address_space *space, struct memory_reader *memory,
                      const struct call_frame *frame, uint64_t sp, const struct saved_frame_check *check,
                      uint64_t *found)
{
    struct search search = {.space = space, .memory = memory, .alignment = check != NULL ? 16 : 8, .sp = sp};
    uint8_t *stack = malloc(SEARCHED);
    if (stack == NULL)
        return false;
    search.stack = stack;
    search.size = memory_read_much(memory, sp, stack, SEARCHED);
    find_function(&search, frame);
    if (check != NULL)
        read_prologue(&search, check->row_start + (frame->pc - frame->address));
    uint64_t first = (sp + search.alignment - 1) / search.alignment * search.alignment;
    bool is_found = check != NULL ? find_with_rows(&search, check, first, found)
                                  : find_without_rows(&search, first, found);
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
           call_before(space, memory, *returns_to, &target) == CALL_THERE &&
           (search.end != 0 ? target == search.start : target <= search.pc && search.pc - target < SHORT);
#else
    (void)space, (void)memory, (void)frame, (void)sp, (void)returns_to;
    return false;
#endif
}
