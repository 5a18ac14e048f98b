#include "code/code.h"

#include "base/clock.h"
#include "base/hash.h"
#include "code/address_space.h"
#include "code/call_frames.h"
#include "code/code_place.h"
#include "code/memory_reader.h"
#include "code/pythons.h"
#include "code/site_table.h"
#include "code/tail_calls.h"
#include "kernel/proc_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ_AGAIN_US =
        20000,       /* a process's memory is not read anew more often, while there is code in no file */
    STALE_US = 2000, /* what a process has in its memory may have changed since, as it was not stopped */
    MOST_PROCESSES = 4096, /* whose memory is remembered */
};

/* A stack by its addresses, so that each is named once. */
struct known_stack {
    const struct site *site;
    int count;
    bool is_cut;
    struct call_frame frames[];
};

struct code {
    struct site_table sites;
    struct binaries binaries;
    struct lookup stacks; /* struct known_stack * */
    struct lookup
        spaces; /* struct address_space *, by pid; what it holds of one that was forgotten is empty */
    struct memory_reader memory;
    struct call_stack stack;
    struct pythons pythons;
};

struct code *code_new(void)
{
    return calloc(1, sizeof(struct code));
}

static void free_space(void *item)
{
    address_space_clear(item);
    free(item);
}

void code_free(struct code *code)
{
    if (code == NULL)
        return;
    lookup_clear(&code->stacks, free);
    lookup_clear(&code->spaces, free_space);
    binaries_clear(&code->binaries);
    site_table_clear(&code->sites);
    pythons_clear(&code->pythons);
    free(code);
}

bool code_names_lines(void)
{
#ifdef HAVE_LIBDW
    return true;
#else
    return false;
#endif
}

const struct site *code_intern(struct code *code, const struct place *places, int count, bool is_cut)
{
    return site_table_intern(&code->sites, places, count, is_cut);
}

/* ---- processes ---- */

static struct address_space *space_known(const struct code *code, pid_t pid)
{
    size_t at = 0;
    for (struct address_space *space;
         (space = lookup_next(&code->spaces, lookup_hash((uint64_t)pid), &at)) != NULL;)
        if (space->pid == pid)
            return space;
    return NULL;
}

static struct address_space *space_of(struct code *code, pid_t pid)
{
    struct address_space *space = space_known(code, pid);
    if (space != NULL)
        return space;
    if (code->spaces.count >= MOST_PROCESSES)
        lookup_clear(&code->spaces, free_space);
    space = calloc(1, sizeof *space);
    if (space == NULL)
        return NULL;
    space->pid = pid;
    if (lookup_add(&code->spaces, lookup_hash((uint64_t)pid), space) < 0) {
        free(space);
        return NULL;
    }
    return space;
}

void code_forget(struct code *code, pid_t pid)
{
    struct address_space *space = space_known(code, pid);
    pythons_forget(&code->pythons, pid);
    if (space == NULL)
        return;
    address_space_clear(space);
    space->pid = pid;
}

void code_forked(struct code *code, pid_t parent, pid_t child)
{
    struct address_space *from = space_known(code, parent), *to = from != NULL ? space_of(code, child) : NULL;
    if (to == NULL ||
        (from = space_known(code, parent)) == NULL) /* it may have been given up for the child */
        return;
    address_space_copy(from, to);
}

/* What a library has been loaded for since, or is compiled at run time. */
struct reading_again {
    struct code *code;
    struct address_space *space;
};

static bool read_again(void *context)
{
    const struct reading_again *again = context;
    if (monotonic_us() - again->space->read_us < READ_AGAIN_US)
        return false;
    return address_space_read(again->space, &again->code->binaries, &again->code->sites) == 0;
}

/* ---- stacks ---- */

static uint64_t hash_of_stack(const struct call_stack *stack)
{
    uint64_t hash = HASH_OF_NOTHING;
    for (int i = 0; i < stack->count; i++)
        hash = lookup_hash(hash ^ (uintptr_t)stack->frames[i].binary) + stack->frames[i].address;
    return hash;
}

static const struct known_stack *find_stack(const struct code *code, uint64_t hash,
                                            const struct call_stack *stack)
{
    size_t at = 0;
    for (const struct known_stack *known; (known = lookup_next(&code->stacks, hash, &at)) != NULL;) {
        int same = 0;
        if (known->count != stack->count || known->is_cut != stack->is_cut)
            continue;
        while (same < known->count && known->frames[same].binary == stack->frames[same].binary &&
               known->frames[same].address == stack->frames[same].address)
            same++;
        if (same == known->count)
            return known;
    }
    return NULL;
}

static void keep_stack(struct code *code, uint64_t hash, const struct call_stack *stack,
                       const struct site *site)
{
    size_t size = (size_t)stack->count * sizeof stack->frames[0];
    struct known_stack *kept = malloc(sizeof *kept + size);
    if (kept == NULL)
        return;
    *kept = (struct known_stack){site, stack->count, stack->is_cut};
    memcpy(kept->frames, stack->frames, size);
    if (lookup_add(&code->stacks, hash, kept) < 0)
        free(kept);
}

/* Places that are put together, innermost first. */
struct places {
    struct place each[SITE_PLACES];
    int count;
    bool is_full;
};

static struct place *add_places(struct places *places, const struct place *more, int count)
{
    if (places->count + count > SITE_PLACES) {
        places->is_full = true;
        return NULL;
    }
    struct place *first = &places->each[places->count];
    memcpy(first, more, (size_t)count * sizeof *more);
    places->count += count;
    return first;
}

/* The functions that have left no frame, between one and the one that called the first of them. Returns 0, or
 * -ENOMEM. */
static int add_tail_calls(struct code *code, const struct call_frame *frame, const struct call_frame *caller,
                          struct places *places)
{
    struct tail_call calls[TAIL_CALLS];
    int count = tail_calls_between(frame, caller, calls);
    for (int i = 0; i < count && !places->is_full; i++) {
        uint64_t offset = calls[i].address - caller->address + caller->offset;
        const struct named_address *named =
            code_place_name(caller->binary, calls[i].address, offset, &code->sites);
        if (named == NULL)
            return -ENOMEM;
        /* from one of several places: the function alone is known */
        int from = calls[i].is_one_of ? named->count - 1 : 0;
        struct place *added = add_places(places, named->places + from, named->count - from);
        for (int k = 0; added != NULL && k < named->count - from; k++) {
            added[k].is_tail_call = true;
            added[k].line = calls[i].is_one_of ? 0 : added[k].line;
        }
    }
    return 0;
}

/* Names the frames one after the other. NULL: out of memory. */
static const struct site *name_stack(struct code *code, const struct call_stack *stack)
{
    struct places places = {.count = 0};
    for (int i = 0; i < stack->count; i++) {
        const struct call_frame *frame = &stack->frames[i];
        if (i > 0 && add_tail_calls(code, frame - 1, frame, &places) < 0)
            return NULL;
        const struct place nowhere = {.offset = frame->address};
        const struct named_address *named = NULL;
        if (frame->binary != NULL &&
            (named = code_place_name(frame->binary, frame->address, frame->offset, &code->sites)) == NULL)
            return NULL;
        if (add_places(&places, named != NULL ? named->places : &nowhere, named != NULL ? named->count : 1) ==
            NULL)
            break;
    }
    return site_table_intern(&code->sites, places.each, places.count, stack->is_cut || places.is_full);
}

static const struct site *site_of_stack(struct code *code, const struct call_stack *stack)
{
    uint64_t hash = hash_of_stack(stack);
    const struct known_stack *known = find_stack(code, hash, stack);
    if (known != NULL)
        return known->site;
    const struct site *site = name_stack(code, stack);
    if (site == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    keep_stack(code, hash, stack, site);
    return site;
}

/* The site of the stack, with the functions of Python that were read in the place of its interpreter's. */
static const struct site *site_with_python(struct code *code, bool has_python)
{
    const struct site *site = site_of_stack(code, &code->stack);
    struct place places[SITE_PLACES];
    if (site == NULL || !has_python)
        return site;
    bool is_cut = site->is_cut;
    memcpy(places, site->places, (size_t)site->count * sizeof *places);
    int count = pythons_join(&code->pythons, places, site->count, &is_cut);
    return site_table_intern(&code->sites, places, count, is_cut);
}

static int unwind(struct code *code, struct address_space *space, const struct thread_registers *registers)
{
    struct reading_again again = {code, space};
    struct unwinding unwinding = {space, &code->memory, read_again, &again};
    call_frames_take(&unwinding, registers, &code->stack);
    if (code->memory.error == EACCES && code->stack.count <= 1)
        return -EACCES;
    return code->stack.count > 0 ? 0 : -ESRCH;
}

const struct site *code_site(struct code *code, pid_t pid, pid_t tid,
                             const struct thread_registers *registers)
{
    struct address_space *space = space_of(code, pid);
    int rc = space == NULL ? -ENOMEM : 0;
    if (rc == 0 && space->read_us == 0)
        rc = address_space_read(space, &code->binaries, &code->sites);
    memory_reader_begin(&code->memory, tid);
    if (rc == 0)
        rc = unwind(code, space, registers);
    if (rc == 0)
        return site_with_python(code, pythons_read(&code->pythons, pid, tid));
    errno = -rc;
    return NULL;
}

const struct site *code_site_copied(struct code *code, pid_t pid, const struct thread_registers *registers,
                                    const void *stack, size_t size)
{
    struct address_space *space = space_of(code, pid);
    int rc = space == NULL ? -ENOMEM : 0;
    if (rc == 0 && space->read_us == 0)
        rc = address_space_read(space, &code->binaries, &code->sites);
    memory_reader_begin(&code->memory, pid);
    code->memory.copy = stack;
    code->memory.copy_at = registers->sp;
    code->memory.copy_size = size;
    if (rc == 0)
        rc = unwind(code, space, registers);
    if (rc == 0)
        return site_of_stack(code, &code->stack);
    errno = -rc;
    return NULL;
}

/* ---- asleep ---- */

/* Where a thread sleeps: two numbers at the end of "7 0x4 0x7f... 0x7ffc8a5c7e78 0x7f0c5a0f3a2e". */
static bool parse_asleep(const char *text, struct thread_registers *registers)
{
    const char *pc = strrchr(text, ' ');
    if (pc == NULL || strncmp(text, "running", 7) == 0)
        return false;
    const char *sp = pc;
    while (sp > text && sp[-1] != ' ')
        sp--;
    *registers = (struct thread_registers){.pc = strtoull(pc, NULL, 16), .sp = strtoull(sp, NULL, 16)};
    return registers->pc != 0 && registers->sp != 0;
}

struct asleep {
    char call[512], share[128]; /* what `syscall` and `schedstat` say */
};

static int read_asleep(pid_t pid, pid_t tid, struct asleep *asleep)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", (int)pid, (int)tid);
    int rc = proc_file_read(path, asleep->call, sizeof asleep->call);
    if (rc < 0)
        return rc;
    /* How often it was given a processor, where the kernel counts that. */
    snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", (int)pid, (int)tid);
    if (proc_file_read(path, asleep->share, sizeof asleep->share) < 0)
        asleep->share[0] = '\0';
    return 0;
}

const struct site *code_site_asleep(struct code *code, pid_t pid, pid_t tid)
{
    struct asleep before, after;
    struct thread_registers registers;
    struct address_space *space = space_of(code, pid);
    bool has_python = false;
    int rc = space == NULL ? -ENOMEM : read_asleep(pid, tid, &before);
    if (rc == 0 && !parse_asleep(before.call, &registers))
        rc = -EAGAIN;
    if (rc == 0 && (address_space_is_stale(space) || monotonic_us() - space->read_us > STALE_US))
        rc = address_space_read(space, &code->binaries, &code->sites);
    memory_reader_begin(&code->memory, tid);
    if (rc == 0)
        rc = unwind(code, space, &registers);
    if (rc == 0) {
        has_python = pythons_read(&code->pythons, pid, tid);
        rc = read_asleep(pid, tid, &after);
    }
    if (rc == 0 && (strcmp(before.call, after.call) != 0 || strcmp(before.share, after.share) != 0))
        rc = -EAGAIN;
    if (rc == 0)
        return site_with_python(code, has_python);
    errno = -rc;
    return NULL;
}
