#include "kernel/ring_files.h"

#include "kernel/proc_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static enum ring_line kind_of(const char *name, uint64_t *inode)
{
    if (sscanf(name, "socket:[%19" SCNu64 "]", inode) == 1 && *inode != 0)
        return RING_SOCKET;
    bool is_told = name[0] == '/' || strstr(name, ":[") != NULL || strcmp(name, "<none>") == 0;
    return is_told ? RING_OTHER : RING_UNNAMED;
}

/* "UserFiles:	4", then for each file "    1: socket:[137711700]", then "UserBufs:	0". */
enum ring_line ring_files_parse(struct ring_files *ring, const char *line, uint64_t *inode)
{
    unsigned place;
    int end = 0;
    if (ring->part == RING_BEFORE_FILES && sscanf(line, "UserFiles: %9" SCNd64, &ring->places) == 1)
        ring->part = RING_IN_FILES;
    else if (ring->part == RING_IN_FILES) {
        if (sscanf(line, " %9u:%n", &place, &end) == 1 && end > 0) {
            ring->shown++;
            return kind_of(line + end + (line[end] == ' '), inode);
        }
        ring->part = RING_AFTER_FILES;
    }
    return RING_OTHER;
}

struct reading {
    struct ring_files ring;
    bool has_unnamed;
    on_ring_socket *each;
    void *context;
};

static int pass_on(void *context, const char *line)
{
    struct reading *reading = context;
    uint64_t inode;
    enum ring_line kind = ring_files_parse(&reading->ring, line, &inode);
    reading->has_unnamed |= kind == RING_UNNAMED;
    return kind == RING_SOCKET ? reading->each(reading->context, inode) : 0;
}

/* A ring at work is asked again: nothing of it has been passed on then. A table with places and no file shown
 * is empty, or was left out. */
int ring_files_read(pid_t pid, int fd, on_ring_socket *each, void *context)
{
    enum { TRIES = 3 };
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)pid, fd);
    for (int i = 0; i < TRIES; i++) {
        struct reading reading = {.each = each, .context = context};
        int rc = proc_file_each_line(path, pass_on, &reading);
        if (rc != 0)
            return rc;
        if (reading.has_unnamed)
            return -EOPNOTSUPP;
        if (reading.ring.part != RING_BEFORE_FILES && (reading.ring.places == 0 || reading.ring.shown > 0))
            return 0;
    }
    return -EOPNOTSUPP;
}
