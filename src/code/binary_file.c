#include "code/binary_file.h"

#include "base/machine_limit.h"
#include "code/address_space.h"
#include "code/memory_reader.h"
#include "kernel/proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd >= 0 ? fd : -errno;
}

/* ---- which of its lines in /proc/PID/maps are of it ---- */

struct gathering {
    const struct binary *binary;
    struct memory_reader *memory;
    uint8_t *image;
    size_t size;
    uint64_t head_at; /* where the file's first page is; 0: nowhere */
};

static bool is_line_of(const struct binary *binary, const struct maps_line *line)
{
    return line->device == binary->device && line->inode == binary->inode &&
           line->is_deleted == binary->is_deleted && (size_t)line->path_length == strlen(binary->path) &&
           strncmp(line->path, binary->path, (size_t)line->path_length) == 0;
}

static int on_line_of_head(void *context, const char *text)
{
    struct gathering *gathering = context;
    struct maps_line line;
    if (maps_line_parse(text, &line) && is_line_of(gathering->binary, &line) && line.offset == 0)
        gathering->head_at = line.start;
    return gathering->head_at != 0;
}

/* Whether a file begins as what is mapped does: there it has the place of all its parts, and mostly its build
 * id. (On a file system of layers the numbers of a file and of its mapping differ.) */
static bool begins_as_mapped(const struct binary *binary, const struct binary_place *place, int fd)
{
    char path[64];
    uint8_t mapped[BINARY_HEAD], in_file[BINARY_HEAD];
    struct memory_reader memory;
    struct gathering gathering = {.binary = binary};
    memory_reader_begin(&memory, place->pid);
    snprintf(path, sizeof path, "/proc/%d/maps", (int)place->pid);
    proc_file_each_line(path, on_line_of_head, &gathering);
    return gathering.head_at != 0 &&
           memory_read_much(&memory, gathering.head_at, mapped, sizeof mapped) == sizeof mapped &&
           pread(fd, in_file, sizeof in_file, 0) == sizeof in_file &&
           memcmp(mapped, in_file, sizeof mapped) == 0;
}

int binary_file_open(const struct binary *binary, const struct binary_place *place)
{
    char path[4200];
    struct stat status;
    int fd, pid = (int)place->pid;
    if (binary->inode == 0)
        return -ENOENT;
    if (!binary->is_deleted) {
        snprintf(path, sizeof path, "/proc/%d/root%s", pid, binary->path);
        fd = open_path(path);
        if (is_machine_limit(fd))
            return fd;
        if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
            ((status.st_ino == binary->inode && status.st_dev == binary->device) ||
             begins_as_mapped(binary, place, fd)))
            return fd;
        if (fd >= 0)
            close(fd);
    }
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    if (stat(path, &status) == 0 && status.st_ino == binary->inode && (fd = open_path(path)) >= 0)
        return fd;
    snprintf(path, sizeof path, "/proc/%d/map_files/%lx-%lx", pid, (unsigned long)place->start,
             (unsigned long)place->end);
    fd = open_path(path); /* takes CAP_CHECKPOINT_RESTORE */
    return fd >= 0 || is_machine_limit(fd) ? fd : -ENOENT;
}

/* ---- without the file ---- */

static int on_line_of_image(void *context, const char *text)
{
    enum { LARGEST = 256 << 20 };
    struct gathering *gathering = context;
    struct maps_line line;
    if (!maps_line_parse(text, &line) || !is_line_of(gathering->binary, &line) || line.is_writable)
        return 0;
    size_t length = line.end - line.start, end = line.offset + length;
    if (line.offset > LARGEST || length > LARGEST)
        return 0;
    if (end > gathering->size) {
        uint8_t *grown = realloc(gathering->image, end);
        if (grown == NULL)
            return -ENOMEM;
        memset(grown + gathering->size, 0, end - gathering->size);
        gathering->image = grown;
        gathering->size = end;
    }
    for (size_t done = 0; done < length;) {
        size_t piece = memory_read_much(gathering->memory, line.start + done,
                                        gathering->image + line.offset + done, length - done);
        if (piece == 0)
            break;
        done += piece;
    }
    return 0;
}

int binary_image_take(struct binary *binary, const struct binary_place *place, size_t *size)
{
    char path[64];
    struct memory_reader memory;
    struct gathering gathering = {.binary = binary, .memory = &memory};
    memory_reader_begin(&memory, place->pid);
    snprintf(path, sizeof path, "/proc/%d/maps", (int)place->pid);
    int rc = proc_file_each_line(path, on_line_of_image, &gathering);
    if (rc < 0 || gathering.size < sizeof(ElfW(Ehdr))) {
        free(gathering.image);
        return rc < 0 ? rc : -ENOENT;
    }
    ElfW(Ehdr) elf;
    memcpy(&elf, gathering.image, sizeof elf);
    if (elf.e_shoff + (uint64_t)elf.e_shnum * elf.e_shentsize > gathering.size || binary->inode != 0) {
        elf.e_shoff = 0; /* they are not loaded */
        elf.e_shnum = elf.e_shstrndx = 0;
        memcpy(gathering.image, &elf, sizeof elf);
    }
    binary->image = gathering.image;
    *size = gathering.size;
    return 0;
}

/* ---- with libdw ---- */

#ifndef HAVE_LIBDW
int binary_debug_open(struct binary *binary, int fd, size_t image_size)
{
    (void)binary, (void)image_size;
    if (fd >= 0)
        close(fd);
    return 0;
}
#else
/* Debug information is taken from this machine only: libdw would ask a server for it where this variable
 * names one. */
static int find_debuginfo(Dwfl_Module *module, void **of_module, const char *name, Dwarf_Addr base,
                          const char *file, const char *link, GElf_Word checksum, char **found)
{
    static const char servers[] = "DEBUGINFOD_URLS";
    char *kept = getenv(servers) != NULL ? strdup(getenv(servers)) : NULL;
    if (kept == NULL && getenv(servers) != NULL)
        return -1;
    unsetenv(servers);
    int fd = dwfl_standard_find_debuginfo(module, of_module, name, base, file, link, checksum, found);
    if (kept != NULL)
        setenv(servers, kept, 1);
    free(kept);
    return fd;
}

static int find_elf(Dwfl_Module *module, void **of_module, const char *name, Dwarf_Addr base, char **file,
                    Elf **elf)
{
    (void)module, (void)of_module, (void)name, (void)base, (void)file, (void)elf;
    return -1;
}

static const Dwfl_Callbacks callbacks = {
    .find_elf = find_elf,
    .find_debuginfo = find_debuginfo,
    .section_address = dwfl_offline_section_address,
};

static bool has_section(Elf *elf, const char *wanted)
{
    size_t names;
    if (elf_getshdrstrndx(elf, &names) != 0)
        return false;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
        GElf_Shdr header;
        const char *name =
            gelf_getshdr(section, &header) != NULL ? elf_strptr(elf, names, header.sh_name) : NULL;
        if (name != NULL && strcmp(name, wanted) == 0)
            return true;
    }
    return false;
}

int binary_debug_open(struct binary *binary, int fd, size_t image_size)
{
    binary->dwfl = dwfl_begin(&callbacks);
    if (binary->dwfl == NULL) {
        if (fd >= 0)
            close(fd);
        return -ENOMEM;
    }
    dwfl_report_begin(binary->dwfl);
    if (fd >= 0) {
        binary->module = dwfl_report_elf(binary->dwfl, binary->name, binary->path, fd, 0, true);
        if (binary->module == NULL)
            close(fd);
    } else
        binary->module = dwfl_report_offline_memory(binary->dwfl, binary->name, binary->path,
                                                    (char *)binary->image, image_size);
    dwfl_report_end(binary->dwfl, NULL, NULL);
    Elf *elf = binary->module != NULL ? dwfl_module_getelf(binary->module, &binary->bias) : NULL;
    if (elf == NULL)
        binary->module = NULL;
    else
        binary->is_static |= has_section(elf, ".go.buildinfo");
    return 0;
}
#endif
