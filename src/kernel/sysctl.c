#include "kernel/sysctl.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 192 };

bool sysctl_is_net_name(const char *name)
{
    size_t length = strlen(name);
    if (strncmp(name, "net.", 4) != 0 || length >= PATH_SIZE - sizeof "/proc/sys/" ||
        strstr(name, "..") != NULL || name[length - 1] == '.')
        return false;
    for (; *name != '\0'; name++)
        if (!isalnum((unsigned char)*name) && strchr("._-/", *name) == NULL)
            return false;
    return true;
}

/* A slash in the name stands for a dot in the path: "net.ipv4.conf.eth0/1.rp_filter". */
static void path_of(const char *name, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "/proc/sys/%s", name);
    for (char *p = path + strlen("/proc/sys/"); *p != '\0'; p++)
        *p = (char)(*p == '.' ? '/' : *p == '/' ? '.' : *p);
}

int sysctl_write(const char *name, const char *value)
{
    char path[PATH_SIZE];
    path_of(name, path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t length = (ssize_t)strlen(value), taken = write(fd, value, (size_t)length);
    int rc = taken == length ? 0 : taken < 0 ? -errno : -EINVAL; /* "5 6" is taken up to the space */
    close(fd);
    return rc;
}

int sysctl_read(const char *name, char *value, size_t size)
{
    char path[PATH_SIZE];
    path_of(name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t length = read(fd, value, size - 1);
    int rc = length < 0 ? -errno : 0;
    value[length > 0 ? length : 0] = '\0';
    value[strcspn(value, "\n")] = '\0';
    close(fd);
    return rc;
}
