#include "code/binary.h"

#include "base/array.h"
#include "base/machine_limit.h"
#include "code/binary_file.h"
#include "code/compile_units.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void binary_free(struct binary *binary)
{
#ifdef HAVE_LIBDW
    unit_table_free(binary->units);
    if (binary->dwfl != NULL)
        dwfl_end(binary->dwfl);
    lookup_clear(&binary->symbols_by_name, NULL);
    free(binary->symbols);
    lookup_clear(&binary->rows, free);
#endif
    free(binary->image);
    lookup_clear(&binary->names, free);
    free(binary->segments);
    free(binary);
}

void binaries_clear(struct binaries *binaries)
{
    for (size_t i = 0; i < binaries->count; i++)
        binary_free(binaries->each[i]);
    free(binaries->each);
    *binaries = (struct binaries){0};
}

struct binary *binaries_get(struct binaries *binaries, const struct binary *known_by)
{
    for (size_t i = 0; i < binaries->count; i++) {
        struct binary *known = binaries->each[i];
        if (known->device == known_by->device && known->inode == known_by->inode &&
            known->size == known_by->size && known->changed_ns == known_by->changed_ns &&
            known->is_deleted == known_by->is_deleted && strcmp(known->path, known_by->path) == 0)
            return known;
    }
    struct binary *binary = malloc(sizeof *binary);
    if (binary == NULL || ARRAY_RESERVE(binaries->each, binaries->room, binaries->count + 1) < 0) {
        free(binary);
        return NULL;
    }
    *binary = *known_by;
    binaries->each[binaries->count++] = binary;
    return binary;
}

bool binary_address_of(const struct binary *binary, uint64_t offset, uint64_t *address)
{
    const uint64_t in_page = 0xfff; /* a mapping begins at a page */
    for (size_t i = 0; i < binary->segment_count; i++) {
        const struct binary_segment *segment = &binary->segments[i];
        if (offset >= (segment->offset & ~in_page) && offset < segment->offset + segment->size) {
            *address = offset - segment->offset + segment->address;
            return true;
        }
    }
    return false;
}

/* Takes what the program headers tell. Returns 0, also where they tell nothing; or -ENOMEM. */
static int take_segments(struct binary *binary, const uint8_t *head, size_t size)
{
    ElfW(Ehdr) elf;
    if (size < sizeof elf)
        return 0;
    memcpy(&elf, head, sizeof elf);
    if (memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 ||
        elf.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
        elf.e_phentsize != sizeof(ElfW(Phdr)) || elf.e_phoff > size)
        return 0;
    binary->segments = calloc(elf.e_phnum + 1U, sizeof *binary->segments);
    if (binary->segments == NULL)
        return -ENOMEM;
    binary->entry = elf.e_entry;
    bool has_interpreter = false;
    for (size_t i = 0; i < elf.e_phnum; i++) {
        ElfW(Phdr) header;
        if (size - elf.e_phoff < (i + 1) * sizeof header)
            break;
        memcpy(&header, head + elf.e_phoff + i * sizeof header, sizeof header);
        has_interpreter |= header.p_type == PT_INTERP;
        if (header.p_type == PT_LOAD && (header.p_flags & PF_X))
            binary->segments[binary->segment_count++] =
                (struct binary_segment){header.p_offset, header.p_vaddr, header.p_filesz};
    }
    binary->is_static = binary->is_program && !has_interpreter;
    return 0;
}

int binary_read(struct binary *binary, const struct binary_place *place)
{
    uint8_t head[BINARY_HEAD];
    size_t size = 0;
    if (binary->is_read)
        return 0;
    int fd = binary_file_open(binary, place);
    int rc = fd;
    if (fd >= 0) {
        ssize_t length = pread(fd, head, sizeof head, 0);
        size = length > 0 ? (size_t)length : 0;
        rc = take_segments(binary, head, size);
    } else if (fd == -ENOENT) {
        rc = binary_image_take(binary, place, &size);
        if (rc == 0)
            rc = take_segments(binary, binary->image, size);
    }
    if (rc == 0)
        rc = binary_debug_open(binary, fd, size);
    else if (fd >= 0)
        close(fd);
    if (rc == 0 || !is_machine_limit(rc)) {
        binary->is_read = true;
        return 0;
    }
    free(binary->segments);
    binary->segments = NULL;
    binary->segment_count = 0;
    return rc;
}
