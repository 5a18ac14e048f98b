#include "code/elf_symbols.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADERS_MAX = 4096, TABLE_MAX = 64 << 20 }; /* of a table, in bytes */

static int read_at(int fd, uint64_t offset, void *bytes, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t length = pread(fd, (char *)bytes + got, size - got, (off_t)(offset + got));
        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0)
            return length < 0 ? -errno : -ENOEXEC;
        got += (size_t)length;
    }
    return 0;
}

/* Its own memory, with a '\0' after it. Returns 0 or a negative errno. */
static int read_table(int fd, uint64_t offset, uint64_t size, char **table)
{
    if (size > TABLE_MAX)
        return -ENOEXEC;
    *table = malloc(size + 1);
    if (*table == NULL)
        return -ENOMEM;
    int rc = read_at(fd, offset, *table, size);
    (*table)[size] = '\0';
    if (rc != 0)
        free(*table);
    return rc;
}

static int read_header(int fd, Elf64_Ehdr *header)
{
    const unsigned char order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
    int rc = read_at(fd, 0, header, sizeof *header);
    if (rc != 0)
        return rc;
    bool is_ours = memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_ident[EI_CLASS] == ELFCLASS64 &&
                   header->e_ident[EI_DATA] == order && header->e_phentsize == sizeof(Elf64_Phdr) &&
                   header->e_shentsize == sizeof(Elf64_Shdr) && header->e_phnum < HEADERS_MAX &&
                   header->e_shnum < HEADERS_MAX;
    return is_ours ? 0 : -ENOEXEC;
}

static int find_lowest(int fd, const Elf64_Ehdr *header, uint64_t *lowest)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment;
        int rc = read_at(fd, header->e_phoff + (uint64_t)i * sizeof segment, &segment, sizeof segment);
        if (rc != 0)
            return rc;
        if (segment.p_type != PT_LOAD)
            continue;
        *lowest = segment.p_vaddr & ~(page - 1);
        return 0;
    }
    return -ENOEXEC;
}

struct section_pair {
    Elf64_Shdr symbols, names;
};

static int find_sections(int fd, const Elf64_Ehdr *header, struct section_pair *pair)
{
    for (int i = 0; i < header->e_shnum; i++) {
        uint64_t at = header->e_shoff + (uint64_t)i * sizeof pair->symbols;
        int rc = read_at(fd, at, &pair->symbols, sizeof pair->symbols);
        if (rc != 0)
            return rc;
        if (pair->symbols.sh_type != SHT_DYNSYM)
            continue;
        if (pair->symbols.sh_link >= header->e_shnum)
            return -ENOEXEC;
        return read_at(fd, header->e_shoff + (uint64_t)pair->symbols.sh_link * sizeof pair->names,
                       &pair->names, sizeof pair->names);
    }
    return -ENOENT;
}

static int search(const Elf64_Sym *symbols, size_t symbol_count, const char *text, size_t text_size,
                  const char *const names[], uint64_t values[], int count)
{
    int found = 0;
    for (size_t i = 0; i < symbol_count && found < count; i++) {
        if (symbols[i].st_name >= text_size || symbols[i].st_shndx == SHN_UNDEF)
            continue;
        const char *name = text + symbols[i].st_name;
        for (int k = 0; k < count; k++)
            if (name[0] == names[k][0] && strcmp(name, names[k]) == 0) {
                values[k] = symbols[i].st_value;
                found++;
            }
    }
    return found == count ? 0 : -ENOENT;
}

int elf_symbols_find(int fd, const char *const names[], uint64_t values[], int count, uint64_t *lowest)
{
    Elf64_Ehdr header;
    struct section_pair pair;
    int rc = read_header(fd, &header);
    if (rc == 0)
        rc = find_lowest(fd, &header, lowest);
    if (rc == 0)
        rc = find_sections(fd, &header, &pair);
    if (rc != 0)
        return rc;
    char *symbols, *text;
    rc = read_table(fd, pair.symbols.sh_offset, pair.symbols.sh_size, &symbols);
    if (rc != 0)
        return rc;
    rc = read_table(fd, pair.names.sh_offset, pair.names.sh_size, &text);
    if (rc == 0) {
        rc = search((const Elf64_Sym *)(const void *)symbols, pair.symbols.sh_size / sizeof(Elf64_Sym), text,
                    pair.names.sh_size, names, values, count);
        free(text);
    }
    free(symbols);
    return rc;
}
