#include "trace/executed_program.h"

#include "kernel/proc_file.h"

#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The machine's part of an ELF header, which is the same in both classes. */
struct machine {
    unsigned char class, order;
    uint16_t number;
};

static bool machine_of(const char *path, struct machine *machine)
{
    unsigned char head[sizeof(Elf32_Ehdr)];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool is_elf = read(fd, head, sizeof head) == (ssize_t)sizeof head && memcmp(head, ELFMAG, SELFMAG) == 0;
    close(fd);
    *machine = (struct machine){.class = head[EI_CLASS], .order = head[EI_DATA]};
    memcpy(&machine->number, head + offsetof(Elf32_Ehdr, e_machine), sizeof machine->number);
    return is_elf;
}

static bool is_foreign(const char *path)
{
    struct machine own, its;
    return machine_of("/proc/self/exe", &own) && machine_of(path, &its) &&
           (own.class != its.class || own.order != its.order || own.number != its.number);
}

/* The number'th of those behind a name in /proc/PID/status. */
static uint64_t status_number(const char *status, const char *name, int number, int base)
{
    const char *line = strstr(status, name);
    char *at = (char *)(line != NULL ? line + strlen(name) : "");
    uint64_t value = 0;
    for (int i = 0; i <= number; i++)
        value = strtoull(at, &at, base);
    return value;
}

static bool lacks_user(pid_t pid, const char *path)
{
    enum { EFFECTIVE = 1 };
    char status_path[32], status[4096];
    struct stat file;
    struct statvfs mount;
    snprintf(status_path, sizeof status_path, "/proc/%d/status", (int)pid);
    if (stat(path, &file) != 0 || statvfs(path, &mount) != 0 || (mount.f_flag & ST_NOSUID) != 0 ||
        proc_file_read(status_path, status, sizeof status) < 0)
        return false;
    bool sets_group = (file.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
    return ((file.st_mode & S_ISUID) != 0 && status_number(status, "\nUid:", EFFECTIVE, 10) != file.st_uid) ||
           (sets_group && status_number(status, "\nGid:", EFFECTIVE, 10) != file.st_gid) ||
           (getxattr(path, "security.capability", NULL, 0) > 0 &&
            status_number(status, "\nCapEff:", 0, 16) == 0);
}

struct executed_program executed_program_of(pid_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    return (struct executed_program){.is_foreign = is_foreign(path), .lacks_user = lacks_user(pid, path)};
}
