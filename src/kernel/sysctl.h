/* sysctl: a kernel setting by its dotted name (man 5 sysctl.conf), in this process's network namespace. */
#ifndef KERNEL_SYSCTL_H
#define KERNEL_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>

/* True for a name that can be a setting of a network namespace: "net." and then words of letters, digits,
 * "_", "-" and "/" joined by dots. It need not exist. */
bool sysctl_is_net_name(const char *name);

/* Returns 0 or a negative errno: ENOENT, there is no such setting in this namespace; EACCES or EPERM, it may
 * not be written here; EINVAL, the kernel refuses the value. */
int sysctl_write(const char *name, const char *value);

/* The first line of its value. Returns 0 or a negative errno. */
int sysctl_read(const char *name, char *value, size_t size);

#endif
