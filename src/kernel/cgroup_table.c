#include "kernel/cgroup_table.h"

#include "base/array.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDERS_MAX = 100000, WITHOUT_FOLDERS = 2 /* links of a folder that has none in it */ };

struct walk {
    struct cgroup_table *table;
    char path[PATH_MAX]; /* of the folder that is read */
    size_t mount_length;
};

static int by_id(const void *a, const void *b)
{
    const struct cgroup_entry *one = a, *other = b;
    return (one->id > other->id) - (one->id < other->id);
}

static struct cgroup_entry *find(const struct cgroup_table *table, uint64_t id)
{
    const struct cgroup_entry wanted = {.id = id};
    return table->count > 0 ? bsearch(&wanted, table->entries, table->count, sizeof *table->entries, by_id)
                            : NULL;
}

static int add(struct cgroup_table *table, uint64_t id, const char *path)
{
    char *copy = path != NULL ? strdup(path) : NULL;
    int rc =
        path != NULL && copy == NULL ? -ENOMEM : ARRAY_RESERVE(table->entries, table->room, table->count + 1);
    if (rc != 0) {
        free(copy);
        return rc;
    }
    table->entries[table->count++] = (struct cgroup_entry){id, copy};
    return 0;
}

static int read_folder(struct walk *walk);

/* A folder in the one that is read; others go on where it cannot be read. */
static int read_below(struct walk *walk, const char *name)
{
    size_t length = strlen(walk->path);
    int rc = 0;
    if (length + 1 + strlen(name) < sizeof walk->path) {
        walk->path[length] = '/';
        strcpy(walk->path + length + 1, name);
        rc = read_folder(walk);
        walk->path[length] = '\0';
    }
    return rc;
}

static int read_folder(struct walk *walk)
{
    struct stat of;
    if (stat(walk->path, &of) != 0 || walk->table->count >= FOLDERS_MAX)
        return 0;
    int rc = add(walk->table, of.st_ino, walk->path + walk->mount_length);
    DIR *folder = rc == 0 && of.st_nlink != WITHOUT_FOLDERS ? opendir(walk->path) : NULL;
    const struct dirent *entry;
    while (folder != NULL && rc == 0 && (entry = readdir(folder)) != NULL)
        if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            rc = read_below(walk, entry->d_name);
    if (folder != NULL)
        closedir(folder);
    return rc;
}

/* All folders that are there now, and what was learnt of others before. */
static int read_all(struct cgroup_table *table)
{
    const char *mount = cgroup_mount();
    struct cgroup_table fresh = {NULL, 0, 0};
    struct walk walk = {.table = &fresh};
    int rc = 0;
    if (mount != NULL) {
        walk.mount_length = strlen(mount);
        strcpy(walk.path, mount);
        rc = read_folder(&walk);
    }
    if (fresh.count > 0)
        qsort(fresh.entries, fresh.count, sizeof *fresh.entries, by_id);
    size_t count = fresh.count;
    for (size_t i = 0; i < table->count && rc == 0; i++) {
        const struct cgroup_table read = {fresh.entries, count, 0};
        if (find(&read, table->entries[i].id) == NULL)
            rc = add(&fresh, table->entries[i].id, table->entries[i].path);
    }
    if (rc != 0) {
        cgroup_table_free(&fresh);
        return rc;
    }
    if (fresh.count > 0)
        qsort(fresh.entries, fresh.count, sizeof *fresh.entries, by_id);
    cgroup_table_free(table);
    *table = fresh;
    return 0;
}

int cgroup_table_learn(struct cgroup_table *table, uint64_t id)
{
    if (id == 0 || find(table, id) != NULL)
        return 0;
    int rc = read_all(table);
    if (rc != 0 || find(table, id) != NULL)
        return rc;
    rc = add(table, id, NULL);
    qsort(table->entries, table->count, sizeof *table->entries, by_id);
    return rc;
}

struct cgroup_name cgroup_table_name(const struct cgroup_table *table, uint64_t id)
{
    const struct cgroup_entry *entry = find(table, id);
    return entry != NULL && entry->path != NULL ? cgroup_name_of_path(entry->path)
                                                : (struct cgroup_name){.kind = CGROUP_NONE};
}

const char *cgroup_table_path(const struct cgroup_table *table, uint64_t id)
{
    const struct cgroup_entry *entry = find(table, id);
    return entry != NULL ? entry->path : NULL;
}

void cgroup_table_free(struct cgroup_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->entries[i].path);
    free(table->entries);
    *table = (struct cgroup_table){NULL, 0, 0};
}
