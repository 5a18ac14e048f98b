#include "code/tail_calls.h"

#ifndef HAVE_LIBDW

int tail_calls_between(const struct call_frame *frame, const struct call_frame *caller,
                       struct tail_call *calls)
{
    (void)frame, (void)caller, (void)calls;
    return 0;
}

#else

#include "code/compile_units.h"
#include "code/function_names.h"

#include <dwarf.h>

/* The spellings before DWARF 5. */
#ifndef DW_TAG_GNU_call_site
#define DW_TAG_GNU_call_site 0x4109
#endif
#ifndef DW_AT_GNU_tail_call
#define DW_AT_GNU_tail_call 0x2115
#endif

enum { MOST_STEPS = 500, DEEPEST_BLOCK = 32, MOST_JUMPS = 64 };

/* Where the search goes to, and what it has come upon. */
struct search {
    struct binary *binary; /* the caller's */
    const struct call_frame *wanted;
    bool wants_function; /* the frame is of the same binary, which has debug information of it: */
    Dwarf_Off wanted_root;
    uint64_t wanted_start; /* by its symbol; 0: not known */
    int steps, ways;
    bool is_unsure; /* a function on the way jumps to where only the run tells */
    int depth;
    Dwarf_Off functions[TAIL_CALLS + 1]; /* on the way that is tried */
    struct tail_call path[TAIL_CALLS];   /* outermost first */
    int found_count;
    struct tail_call found[TAIL_CALLS];
};

static Dwarf_Off root_of(Dwarf_Die *function)
{
    Dwarf_Die root = function_root(function);
    return dwarf_dieoffset(&root);
}

static const char *symbol_of(Dwarf_Die *function)
{
    Dwarf_Attribute attribute;
    const char *name = dwarf_formstring(dwarf_attr_integrate(function, DW_AT_linkage_name, &attribute));
    return name != NULL ? name : dwarf_diename(function);
}

/* ---- calls of a function ---- */

struct call_site {
    uint64_t its_address; /* of the debug information, within the call; 0: not known */
    bool is_jump;
    bool has_origin;
    Dwarf_Die origin; /* whom it calls */
};

static bool has_flag(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    bool is_set = false;
    return dwarf_formflag(dwarf_attr(die, name, &attribute), &is_set) == 0 && is_set;
}

static struct call_site read_call_site(Dwarf_Die *die)
{
    struct call_site site = {0};
    Dwarf_Attribute attribute;
    Dwarf_Addr address;
    if (dwarf_formaddr(dwarf_attr(die, DW_AT_call_return_pc, &attribute), &address) == 0 ||
        dwarf_formaddr(dwarf_attr(die, DW_AT_low_pc, &attribute), &address) == 0)
        site.its_address = address - 1;
    else if (dwarf_formaddr(dwarf_attr(die, DW_AT_call_pc, &attribute), &address) == 0)
        site.its_address = address;
    site.is_jump = has_flag(die, DW_AT_call_tail_call) || has_flag(die, DW_AT_GNU_tail_call);
    site.has_origin =
        dwarf_formref_die(dwarf_attr(die, DW_AT_call_origin, &attribute), &site.origin) != NULL ||
        dwarf_formref_die(dwarf_attr(die, DW_AT_abstract_origin, &attribute), &site.origin) != NULL;
    return site;
}

/* Anything but 0 ends the walk with that value. */
typedef int on_call_site(void *context, const struct call_site *site);

static int each_call_site(Dwarf_Die *parent, int depth, on_call_site *each, void *context)
{
    Dwarf_Die child;
    int rc = 0;
    if (depth > DEEPEST_BLOCK || dwarf_child(parent, &child) != 0)
        return 0;
    do {
        int tag = dwarf_tag(&child);
        if (tag == DW_TAG_call_site || tag == DW_TAG_GNU_call_site) {
            struct call_site site = read_call_site(&child);
            rc = each(context, &site);
        } else if (tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine ||
                   tag == DW_TAG_try_block || tag == DW_TAG_catch_block) {
            rc = each_call_site(&child, depth + 1, each, context);
        }
    } while (rc == 0 && dwarf_siblingof(&child, &child) == 0);
    return rc;
}

/* ---- whom a call calls ---- */

static bool is_wanted(const struct search *search, Dwarf_Die *function)
{
    if (search->wants_function && root_of(function) == search->wanted_root)
        return true;
    const char *name = symbol_of(function);
    return name != NULL && search->wanted_start != 0 &&
           function_is_named(search->wanted->binary, search->wanted_start, name);
}

/* The code of a function, which may be declared elsewhere than it is defined. False: it is in another binary.
 */
static bool find_definition(const struct search *search, struct compile_unit *unit, Dwarf_Die *function,
                            struct compile_unit **its_unit, Dwarf_Die *definition)
{
    Dwarf_Addr start;
    *its_unit = unit;
    *definition = *function;
    if (dwarf_lowpc(function, &start) == 0 || dwarf_hasattr(function, DW_AT_ranges))
        return true;
    if (compile_unit_definition(unit, root_of(function), definition))
        return true;
    const char *name = symbol_of(function);
    const struct function_symbol *symbol = name != NULL ? function_symbol_named(search->binary, name) : NULL;
    uint64_t its_address;
    return symbol != NULL &&
           (*its_unit = compile_unit_of(search->binary, symbol->start, &its_address)) != NULL &&
           compile_unit_function(*its_unit, its_address, definition);
}

/* ---- the way ---- */

struct jumps {
    struct call_site sites[MOST_JUMPS];
    bool is_one_of[MOST_JUMPS];
    int count;
    bool is_unsure;
};

/* Two jumps to the same function are one, whose line is not known. */
static int on_jump(void *context, const struct call_site *site)
{
    struct jumps *jumps = context;
    struct call_site copy = *site;
    if (!site->is_jump)
        return 0;
    if (!site->has_origin || site->its_address == 0 || jumps->count == MOST_JUMPS) {
        jumps->is_unsure = true;
        return 0;
    }
    for (int i = 0; i < jumps->count; i++)
        if (root_of(&jumps->sites[i].origin) == root_of(&copy.origin)) {
            jumps->is_one_of[i] = true;
            return 0;
        }
    jumps->is_one_of[jumps->count] = false;
    jumps->sites[jumps->count++] = copy;
    return 0;
}

static bool is_on_way(const struct search *search, Dwarf_Off function)
{
    for (int i = 0; i < search->depth; i++)
        if (search->functions[i] == function)
            return true;
    return false;
}

static void take_way(struct search *search)
{
    search->ways++;
    search->found_count = search->depth;
    for (int i = 0; i < search->depth; i++)
        search->found[i] = search->path[search->depth - 1 - i];
}

/* Follows all jumps of a function. */
static void follow(struct search *search, struct compile_unit *unit, Dwarf_Die *function)
{
    struct compile_unit *its_unit;
    Dwarf_Die definition;
    struct jumps jumps = {.count = 0};
    if (search->ways > 1 || ++search->steps > MOST_STEPS) {
        search->is_unsure |= search->steps > MOST_STEPS;
        return;
    }
    if (!find_definition(search, unit, function, &its_unit, &definition))
        return;
    Dwarf_Off here = dwarf_dieoffset(&definition);
    if (is_on_way(search, here))
        return;
    each_call_site(&definition, 0, on_jump, &jumps);
    search->is_unsure |= jumps.is_unsure || (search->depth == TAIL_CALLS && jumps.count > 0);
    if (search->depth == TAIL_CALLS)
        return;
    search->functions[search->depth] = here;
    for (int i = 0; i < jumps.count; i++) {
        search->path[search->depth++] = (struct tail_call){
            jumps.sites[i].its_address + unit_table_bias(search->binary->units), jumps.is_one_of[i]};
        if (is_wanted(search, &jumps.sites[i].origin))
            take_way(search);
        else
            follow(search, its_unit, &jumps.sites[i].origin);
        search->depth--;
    }
}

/* Finds the call that returns behind an address. */
struct call_at {
    uint64_t its_address;
    struct call_site site;
};

static int on_call(void *context, const struct call_site *site)
{
    struct call_at *wanted = context;
    if (site->its_address != wanted->its_address || site->is_jump || !site->has_origin)
        return 0;
    wanted->site = *site;
    return 1;
}

int tail_calls_between(const struct call_frame *frame, const struct call_frame *caller,
                       struct tail_call *calls)
{
    struct search search = {.binary = caller->binary, .wanted = frame};
    struct call_at call = {.its_address = 0};
    Dwarf_Die function, wanted;
    uint64_t its_address;
    if (caller->binary == NULL || frame->binary == NULL || caller->binary->is_foreign || !caller->is_caller)
        return 0;
    struct compile_unit *unit = compile_unit_of(caller->binary, caller->address, &call.its_address);
    if (unit == NULL || !compile_unit_function(unit, call.its_address, &function) ||
        each_call_site(&function, 0, on_call, &call) != 1)
        return 0;
    struct compile_unit *wanted_unit =
        frame->binary == caller->binary ? compile_unit_of(frame->binary, frame->address, &its_address) : NULL;
    if (wanted_unit != NULL && compile_unit_function(wanted_unit, its_address, &wanted)) {
        search.wants_function = true;
        search.wanted_root = root_of(&wanted);
    }
    const struct function_symbol *symbol = function_symbol_of(frame->binary, frame->address);
    search.wanted_start = symbol != NULL ? symbol->start : 0;
    if (is_wanted(&search, &call.site.origin))
        return 0;
    follow(&search, unit, &call.site.origin);
    if (search.ways != 1 || search.is_unsure)
        return 0;
    for (int i = 0; i < search.found_count; i++)
        calls[i] = search.found[i];
    return search.found_count;
}

#endif
