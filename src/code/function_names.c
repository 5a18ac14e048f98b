#include "code/function_names.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#ifndef HAVE_LIBDW

const struct function_symbol *function_symbol_of(struct binary *binary, uint64_t address)
{
    (void)binary, (void)address;
    return NULL;
}

const struct function_symbol *function_symbol_named(struct binary *binary, const char *name)
{
    (void)binary, (void)name;
    return NULL;
}

bool function_is_named(struct binary *binary, uint64_t start, const char *name)
{
    (void)binary, (void)start, (void)name;
    return false;
}

#else

/* Without the version, "recv@@GLIBC_2.2.5". */
static size_t name_length(const char *name)
{
    return strcspn(name, "@");
}

/* "close" before "__close" before "__GI___close_nocancel": of several names of a function, the fewest
 * underscores, then the shortest. */
static int compare_names(const char *a, const char *b)
{
    size_t a_underscores = strspn(a, "_"), b_underscores = strspn(b, "_");
    if (a_underscores != b_underscores)
        return a_underscores < b_underscores ? -1 : 1;
    size_t a_length = name_length(a), b_length = name_length(b);
    return a_length != b_length ? (a_length < b_length ? -1 : 1) : strcmp(a, b);
}

static int compare_symbols(const void *left, const void *right)
{
    const struct function_symbol *a = left, *b = right;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return compare_names(a->name, b->name);
}

static bool is_function(const GElf_Sym *symbol, const char *name)
{
    int type = GELF_ST_TYPE(symbol->st_info);
    return (type == STT_FUNC || type == STT_GNU_IFUNC) && symbol->st_shndx != SHN_UNDEF && name != NULL &&
           name[0] != '\0';
}

/* Those without a size, as assembly code has them, reach to the next one. */
static void close_gaps(struct function_symbol *symbols, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++) {
        size_t next = i + 1;
        while (next < count && symbols[next].start == symbols[i].start)
            next++;
        if (symbols[i].end == symbols[i].start && next < count)
            symbols[i].end = symbols[next].start;
    }
}

static void read_symbols(struct binary *binary)
{
    binary->has_looked_for_symbols = true;
    int count = binary->module != NULL ? dwfl_module_getsymtab(binary->module) : 0;
    if (count <= 0)
        return;
    binary->symbols = calloc((size_t)count, sizeof *binary->symbols);
    for (int i = 0; i < count && binary->symbols != NULL; i++) {
        GElf_Sym symbol;
        GElf_Addr address;
        const char *name = dwfl_module_getsym_info(binary->module, i, &symbol, &address, NULL, NULL, NULL);
        if (!is_function(&symbol, name))
            continue;
        address -= binary->bias;
        binary->symbols[binary->symbol_count++] =
            (struct function_symbol){address, address + symbol.st_size, name};
    }
    if (binary->symbols == NULL)
        return;
    qsort(binary->symbols, binary->symbol_count, sizeof *binary->symbols, compare_symbols);
    close_gaps(binary->symbols, binary->symbol_count);
}

/* The first symbol whose start is above the address. */
static size_t symbol_above(const struct binary *binary, uint64_t address)
{
    size_t low = 0, high = binary->symbol_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (binary->symbols[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct function_symbol *function_symbol_of(struct binary *binary, uint64_t address)
{
    if (!binary->has_looked_for_symbols)
        read_symbols(binary);
    const struct function_symbol *found = NULL;
    /* One that begins before may reach over others: parts that assembly code names. */
    size_t at = symbol_above(binary, address);
    for (int tries = 0; at > 0 && tries < 16; tries++) {
        const struct function_symbol *symbol = &binary->symbols[--at];
        if (found != NULL && symbol->start != found->start)
            break;
        if (address < symbol->end)
            found = symbol;
    }
    return found;
}

static uint64_t hash_of_name(const char *name, size_t length)
{
    return hash_add(HASH_OF_NOTHING, name, length);
}

static bool has_name(const struct function_symbol *symbol, const char *name)
{
    size_t length = strlen(name);
    return name_length(symbol->name) == length && strncmp(symbol->name, name, length) == 0;
}

const struct function_symbol *function_symbol_named(struct binary *binary, const char *name)
{
    if (!binary->has_looked_for_symbols)
        read_symbols(binary);
    for (size_t i = 0; i < binary->symbol_count && binary->symbols_by_name.count < binary->symbol_count;
         i++) {
        struct function_symbol *symbol = &binary->symbols[i];
        if (lookup_add(&binary->symbols_by_name, hash_of_name(symbol->name, name_length(symbol->name)),
                       symbol) < 0)
            return NULL;
    }
    const struct function_symbol *found = NULL;
    size_t at = 0;
    for (const struct function_symbol *symbol;
         (symbol = lookup_next(&binary->symbols_by_name, hash_of_name(name, strlen(name)), &at)) != NULL;) {
        if (!has_name(symbol, name))
            continue;
        if (found != NULL && found->start != symbol->start)
            return NULL;
        found = symbol;
    }
    return found;
}

bool function_is_named(struct binary *binary, uint64_t start, const char *name)
{
    if (!binary->has_looked_for_symbols)
        read_symbols(binary);
    for (size_t at = symbol_above(binary, start); at > 0 && binary->symbols[at - 1].start == start; at--)
        if (has_name(&binary->symbols[at - 1], name))
            return true;
    return false;
}

#endif
