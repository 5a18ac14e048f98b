/* cgroup_table: the control groups of this machine by their ids, which sock_diag tells of each socket: the id
 * of the group that it was made in, which is the inode of the group's folder in cgroup2. For one look, or
 * kept over many: what has been found stays, and the folders are read again only for an id that was never
 * asked for. */
#ifndef KERNEL_CGROUP_TABLE_H
#define KERNEL_CGROUP_TABLE_H

#include "kernel/cgroup.h"

#include <stddef.h>
#include <stdint.h>

struct cgroup_entry {
    uint64_t id;
    char *path; /* NULL: there was none of that id when it was asked for */
};

/* Zero-initialised: nothing has been read. */
struct cgroup_table {
    struct cgroup_entry *entries; /* by id */
    size_t count, room;
};

/* Sees to it that an id can be told: reads all folders, unless it has been asked for before (some 5 us a
 * folder). Without cgroup2, and for a group that is gone, nothing is told. Returns 0 or -ENOMEM. */
int cgroup_table_learn(struct cgroup_table *table, uint64_t id);

/* The name of a group that was learnt; CGROUP_NONE: it has none, or is not known. */
struct cgroup_name cgroup_table_name(const struct cgroup_table *table, uint64_t id);

/* Its path below the mount of cgroup2, "" of the root; NULL: not known, or gone. */
const char *cgroup_table_path(const struct cgroup_table *table, uint64_t id);

void cgroup_table_free(struct cgroup_table *table);

#endif
