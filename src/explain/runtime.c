#include "explain/runtime.h"

#include "kernel/proc_file.h"

#include <elf.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *prefix;
    enum fact_runtime runtime;
} programs[] = {
    {"java", RUNTIME_JVM},
    {"node", RUNTIME_NODE},
    {"python", RUNTIME_PYTHON},
    {"pypy", RUNTIME_PYTHON},
};

/* "python3.11", but not "pythonic": no letter follows. */
static bool is_named(const char *name, const char *prefix)
{
    size_t length = strlen(prefix);
    char next = name[length < strlen(name) ? length : strlen(name)];
    return strncmp(name, prefix, length) == 0 &&
           !((next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z'));
}

/* Go's linker writes a note of type 4 and name "Go", its build id (cmd/link/internal/ld/elf.go). */
static bool is_go_note(const unsigned char *note, size_t size)
{
    enum { GO_BUILD_ID = 4 };
    Elf64_Nhdr head;
    if (size < sizeof head + 4)
        return false;
    memcpy(&head, note, sizeof head);
    return head.n_namesz == 4 && head.n_type == GO_BUILD_ID && memcmp(note + sizeof head, "Go\0\0", 4) == 0;
}

/* Of a note segment the first notes. */
static bool has_go_note(int fd, const Elf64_Phdr *segment)
{
    unsigned char notes[1024];
    ssize_t length = pread(fd, notes, sizeof notes, (off_t)segment->p_offset);
    size_t size = length > 0 ? (size_t)length : 0, at = 0;
    size = size > segment->p_filesz ? (size_t)segment->p_filesz : size;
    while (at + sizeof(Elf64_Nhdr) <= size) {
        Elf64_Nhdr head;
        if (is_go_note(notes + at, size - at))
            return true;
        memcpy(&head, notes + at, sizeof head);
        at += sizeof head + (((size_t)head.n_namesz + 3) & ~(size_t)3) +
              (((size_t)head.n_descsz + 3) & ~(size_t)3);
    }
    return false;
}

static bool is_go(int fd)
{
    enum { SEGMENTS_MAX = 64 };
    Elf64_Ehdr head;
    if (pread(fd, &head, sizeof head, 0) != sizeof head || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
        head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_phentsize != sizeof(Elf64_Phdr))
        return false;
    for (int i = 0; i < head.e_phnum && i < SEGMENTS_MAX; i++) {
        Elf64_Phdr segment;
        off_t at = (off_t)head.e_phoff + i * (off_t)sizeof segment;
        if (pread(fd, &segment, sizeof segment, at) == sizeof segment && segment.p_type == PT_NOTE &&
            has_go_note(fd, &segment))
            return true;
    }
    return false;
}

enum fact_runtime runtime_of(pid_t pid)
{
    char path[64], target[4096];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0)
        return RUNTIME_UNKNOWN;
    target[length] = '\0';
    const char *name = basename(target);
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        if (is_named(name, programs[i].prefix))
            return programs[i].runtime;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool found = fd >= 0 && is_go(fd);
    if (fd >= 0)
        close(fd);
    return found ? RUNTIME_GO : RUNTIME_UNKNOWN;
}
