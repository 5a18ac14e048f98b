#include "code/address_space.h"

#include "base/array.h"
#include "base/clock.h"
#include "code/own_code.h"
#include "kernel/proc_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

void address_space_clear(struct address_space *space)
{
    free(space->mappings);
    *space = (struct address_space){0};
}

/* "7f0c5a000000-7f0c5a021000 r-xp 00026000 fe:01 1234   /usr/lib/x.so (deleted)" */
bool maps_line_parse(const char *text, struct maps_line *line)
{
    char mode[5];
    unsigned major_number, minor_number;
    int end = 0;
    *line = (struct maps_line){0};
    if (sscanf(text, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 "%n", &line->start, &line->end,
               mode, &line->offset, &major_number, &minor_number, &line->inode, &end) < 7 ||
        line->start >= line->end || strlen(mode) < 3)
        return false;
    line->device = makedev(major_number, minor_number);
    line->is_writable = mode[1] == 'w';
    line->is_executable = mode[2] == 'x';
    line->path = text + end + strspn(text + end, " ");
    static const char deleted[] = " (deleted)";
    size_t length = strlen(line->path), suffix = sizeof deleted - 1;
    line->is_deleted = length > suffix && strcmp(line->path + length - suffix, deleted) == 0;
    line->path_length = (int)(line->is_deleted ? length - suffix : length);
    return true;
}

struct reading {
    struct address_space *space;
    struct binaries *binaries;
    struct site_table *strings;
};

/* The binary of a line that is of a file, or of the kernel's own piece of code ([vdso]). */
static int find_binary(struct reading *reading, const struct maps_line *line, struct binary **found)
{
    const struct address_space *space = reading->space;
    char path[4096], seen_from_here[4200];
    struct stat status;
    snprintf(path, sizeof path, "%.*s", line->path_length, line->path);
    const char *kept = site_table_string(reading->strings, path);
    if (kept == NULL)
        return -ENOMEM;
    const char *slash = strrchr(kept, '/');
    struct binary known_by = {.path = kept,
                              .name = slash != NULL ? slash + 1 : kept,
                              .device = line->device,
                              .inode = line->inode,
                              .is_deleted = line->is_deleted};
    snprintf(seen_from_here, sizeof seen_from_here, "/proc/%d/root%s", (int)space->pid, path);
    if (line->inode != 0 && !line->is_deleted && stat(seen_from_here, &status) == 0) {
        known_by.size = status.st_size;
        known_by.changed_ns = status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec;
    }
    *found = binaries_get(reading->binaries, &known_by);
    if (*found == NULL)
        return -ENOMEM;
    if (line->inode != 0 && line->inode == space->exe_inode)
        (*found)->is_program = true;
    (*found)->is_foreign = own_code_excludes_binary(kept, (*found)->is_program);
    return 0;
}

static int on_maps_line(void *context, const char *text)
{
    struct reading *reading = context;
    struct address_space *space = reading->space;
    struct maps_line line;
    if (!maps_line_parse(text, &line) || !line.is_executable)
        return 0;
    struct mapping mapping = {.start = line.start, .end = line.end, .offset = line.offset};
    bool is_of_code = line.inode != 0 || strcmp(line.path, "[vdso]") == 0;
    int rc = is_of_code ? find_binary(reading, &line, &mapping.binary) : 0;
    if (rc == 0)
        rc = ARRAY_RESERVE(space->mappings, space->room, space->count + 1);
    if (rc == 0)
        space->mappings[space->count++] = mapping;
    return rc;
}

static void read_exe(pid_t pid, uint64_t *device, uint64_t *inode)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    bool is_known = stat(path, &status) == 0;
    *device = is_known ? status.st_dev : 0;
    *inode = is_known ? status.st_ino : 0;
}

int address_space_read(struct address_space *space, struct binaries *binaries, struct site_table *strings)
{
    char path[64];
    struct reading reading = {space, binaries, strings};
    snprintf(path, sizeof path, "/proc/%d/maps", (int)space->pid);
    space->count = 0;
    space->read_us = monotonic_us();
    read_exe(space->pid, &space->exe_device, &space->exe_inode);
    int rc = proc_file_each_line(path, on_maps_line, &reading);
    return rc == 0 && space->count == 0 ? -ESRCH : rc;
}

void address_space_copy(const struct address_space *from, struct address_space *to)
{
    pid_t pid = to->pid;
    address_space_clear(to);
    to->pid = pid;
    if (ARRAY_RESERVE(to->mappings, to->room, from->count) < 0 || from->count == 0)
        return;
    memcpy(to->mappings, from->mappings, from->count * sizeof *from->mappings);
    to->count = from->count;
    to->read_us = from->read_us;
    to->exe_device = from->exe_device;
    to->exe_inode = from->exe_inode;
}

bool address_space_is_stale(const struct address_space *space)
{
    uint64_t device, inode;
    read_exe(space->pid, &device, &inode);
    return space->read_us == 0 || device != space->exe_device || inode != space->exe_inode;
}

struct mapping *address_space_find(const struct address_space *space, uint64_t pc)
{
    size_t low = 0, high = space->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct mapping *mapping = &space->mappings[middle];
        if (pc < mapping->start)
            high = middle;
        else if (pc >= mapping->end)
            low = middle + 1;
        else
            return mapping;
    }
    return NULL;
}

bool mapping_address(struct mapping *mapping, pid_t pid, uint64_t pc, uint64_t *address)
{
    if (mapping->binary == NULL)
        return false;
    if (!mapping->has_bias) {
        struct binary_place place = {pid, mapping->start, mapping->end, mapping->offset};
        if (binary_read(mapping->binary, &place) < 0 ||
            !binary_address_of(mapping->binary, mapping->offset, address))
            return false;
        mapping->bias = mapping->start - *address;
        mapping->has_bias = true;
    }
    *address = pc - mapping->bias;
    return true;
}
