#include "tcp/unlisted_sockets.h"

#include "tcp/socket_owner.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct inodes {
    uint64_t *each;
    size_t count, room;
};

static bool add(struct inodes *inodes, uint64_t inode)
{
    if (inodes->count == inodes->room) {
        size_t room = inodes->room > 0 ? 2 * inodes->room : 64;
        uint64_t *grown = realloc(inodes->each, room * sizeof *grown);
        if (grown == NULL)
            return false;
        inodes->each = grown;
        inodes->room = room;
    }
    inodes->each[inodes->count++] = inode;
    return true;
}

static int by_number(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
    return (one > other) - (one < other);
}

static int read_descriptors(pid_t pid, struct inodes *inodes)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    if (directory == NULL)
        return errno == ENOENT ? -ESRCH : -errno;
    bool has_room = true, is_refused = false;
    const struct dirent *entry;
    while (has_room && (entry = readdir(directory)) != NULL) {
        uint64_t inode;
        is_refused |= socket_inode_of(dirfd(directory), entry->d_name, &inode) != 0;
        if (inode != 0)
            has_room = add(inodes, inode);
    }
    closedir(directory);
    return !has_room ? -ENOMEM : is_refused ? -EACCES : 0;
}

/* The inode is the n-th word of each line (man 5 proc). */
static int read_table(pid_t pid, const char *name, int word, struct inodes *inodes)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/net/%s", (int)pid, name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0; /* a kernel without that family has no sockets of it */
    bool has_room = true;
    while (has_room && fgets(line, sizeof line, file) != NULL) {
        char *rest, *text = strtok_r(line, " \t\n", &rest);
        for (int i = 1; i < word && text != NULL; i++)
            text = strtok_r(NULL, " \t\n", &rest);
        uint64_t inode = text != NULL ? strtoull(text, NULL, 10) : 0;
        if (inode != 0)
            has_room = add(inodes, inode);
    }
    fclose(file);
    return has_room ? 0 : -ENOMEM;
}

static int read_tables(pid_t pid, struct inodes *inodes)
{
    static const struct {
        const char *name;
        int word;
    } tables[] = {{"tcp", 10}, {"tcp6", 10}, {"unix", 7},     {"udp", 10},   {"udp6", 10},    {"udplite", 10},
                  {"raw", 10}, {"raw6", 10}, {"netlink", 10}, {"packet", 9}, {"udplite6", 10}};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof tables / sizeof tables[0]; i++)
        rc = read_table(pid, tables[i].name, tables[i].word, inodes);
    if (inodes->count > 0)
        qsort(inodes->each, inodes->count, sizeof *inodes->each, by_number);
    return rc;
}

static int64_t count_missing(const struct inodes *held, const struct inodes *listed)
{
    int64_t missing = 0;
    for (size_t i = 0; i < held->count; i++) {
        bool is_repeated = i > 0 && held->each[i] == held->each[i - 1];
        missing += !is_repeated && (listed->count == 0 || bsearch(&held->each[i], listed->each, listed->count,
                                                                  sizeof *listed->each, by_number) == NULL);
    }
    return missing;
}

/* `there`: one of them that is. */
static int read_all_descriptors(const pid_t *pids, int count, struct inodes *held, pid_t *there)
{
    int rc = -ESRCH;
    *there = 0;
    for (int i = 0; i < count && (rc == 0 || rc == -ESRCH); i++) {
        rc = read_descriptors(pids[i], held);
        *there = rc == 0 ? pids[i] : *there;
    }
    if (held->count > 0)
        qsort(held->each, held->count, sizeof *held->each, by_number);
    return rc == -ESRCH && *there > 0 ? 0 : rc;
}

int64_t unlisted_sockets_of(const pid_t *pids, int count)
{
    struct inodes held = {0}, listed = {0};
    pid_t there;
    int64_t rc = read_all_descriptors(pids, count, &held, &there);
    if (rc == 0)
        rc = read_tables(there, &listed);
    if (rc == 0)
        rc = count_missing(&held, &listed);
    free(held.each);
    free(listed.each);
    return rc;
}

int64_t unlisted_sockets(pid_t pid)
{
    return unlisted_sockets_of(&pid, 1);
}
