/* The text of /proc/PID/fdinfo/N, of an epoll set, a ring or a socket; the targets of links in /proc/PID/fd.
 */
#include "fuzz.h"

#include "kernel/descriptors.h"
#include "kernel/epoll_set.h"
#include "kernel/in_flight.h"
#include "kernel/ring_files.h"

static void read_line(const char *line, struct ring_files *ring)
{
    struct epoll_entry entry;
    struct descriptor descriptor = {.fd = 0};
    uint64_t inode = 0;
    if (epoll_entry_parse(line, &entry) && entry.fd < 0)
        abort();
    if (ring_files_parse(ring, line, &inode) == RING_SOCKET && inode == 0)
        abort();
    if (in_flight_parse(line) < -1 || ring->shown < 0)
        abort();
    descriptor_parse(line, &descriptor);
    if (descriptor.kind >= DESCRIPTOR_KIND_COUNT)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    struct ring_files ring = {0};
    char *rest = text;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        read_line(line, &ring);
    free(text);
    return 0;
}
