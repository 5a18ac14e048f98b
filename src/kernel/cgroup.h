/* cgroup: which service, container or pod a control group is, by its path (man 7 cgroups). Nothing in the
 * kernel says so: it is what those who make the groups call them. systemd: a unit's name (systemd.unit(5)).
 * Docker, Podman, CRI-O and containerd: the container's id of 64 hexadecimal digits, as a folder of its own
 * or in the name of a scope. LXC, LXD, Incus: the container's name. Kubernetes: "pod" and the pod's UID in
 * the folder above, with "_" for "-" where systemd manages it. Podman's pods: an id in the folder above. */
#ifndef KERNEL_CGROUP_H
#define KERNEL_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum cgroup_kind { CGROUP_NONE, CGROUP_UNIT, CGROUP_CONTAINER, CGROUP_POD };

struct cgroup_name {
    enum cgroup_kind kind;
    char text[192]; /* "nginx.service", "docker container 0123456789ab", "container 0123456789ab of pod
                       c3a5...": visible ASCII, "?" for any other byte; "" for CGROUP_NONE */
};

/* The innermost of what a path names, and where that is not the host's own: "nginx.service in lxc container
 * web", "app.service of user 1000". */
struct cgroup_name cgroup_name_of_path(const char *path);

/* Of the text of /proc/PID/cgroup: the first group that has a name, that of cgroup2 before all others. But a
 * container in any hierarchy comes before a unit: on a machine with both versions an engine makes its groups
 * in version 1, and in cgroup2 its containers stay in the engine's own service
 * ("0::/system.slice/containerd.service"). */
struct cgroup_name cgroup_name_of_text(const char *text);

/* The path in cgroup2, as the same text has it ("/system.slice/nginx.service"): a pointer into it, with its
 * length in *length; NULL: the process is in none. */
const char *cgroup_path_in_text(const char *text, size_t *length);

/* Which group a process is in. */
struct process_cgroup {
    struct cgroup_name name;
    uint64_t id;         /* in cgroup2, as sock_diag has it of sockets; 0: not known */
    bool is_named_by_id; /* the name is that of this group: where services are in other hierarchies (cgroup
                            v1) all processes may be in one group of cgroup2 */
};

/* Nothing is known of a process that has ended, and where there are no groups. */
struct process_cgroup process_cgroup(pid_t pid);

/* Where cgroup2 is mounted, the one place or the other that systemd has for it; NULL: nowhere. */
const char *cgroup_mount(void);

#endif
