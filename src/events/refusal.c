#include "events/refusal.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* What light skeletons are loaded by; those that relocate fields in the kernel. */
enum { NEEDED_MAJOR = 5, NEEDED_MINOR = 17 };

/* Since Linux 5.8; older headers lack the names. */
enum { PERFMON = 38, BPF = 39 };

static bool has_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[2] = {{.effective = 0}};
    if (syscall(SYS_capget, &header, data) != 0)
        return false;
    uint64_t effective = (uint64_t)data[1].effective << 32 | data[0].effective;
    uint64_t both = UINT64_C(1) << PERFMON | UINT64_C(1) << BPF;
    return (effective >> CAP_SYS_ADMIN & 1) != 0 || (effective & both) == both;
}

/* Only the first one maps every user to itself. */
static bool is_first_user_namespace(void)
{
    unsigned inside, outside, count;
    FILE *map = fopen("/proc/self/uid_map", "re");
    if (map == NULL)
        return true;
    bool is_first = fscanf(map, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 && outside == 0 &&
                    count == UINT32_MAX;
    fclose(map);
    return is_first;
}

struct circumstances circumstances_here(int error)
{
    struct circumstances here = {
        .error = error,
        .has_types = access("/sys/kernel/btf/vmlinux", F_OK) == 0,
        .has_right = has_capabilities(),
        .is_first_user_namespace = is_first_user_namespace(),
    };
    struct utsname system;
    if (uname(&system) != 0 || sscanf(system.release, "%d.%d", &here.major, &here.minor) != 2)
        here.major = NEEDED_MAJOR, here.minor = NEEDED_MINOR;
    return here;
}

static bool is_too_old(const struct circumstances *it)
{
    return it->major < NEEDED_MAJOR || (it->major == NEEDED_MAJOR && it->minor < NEEDED_MINOR);
}

void refusal_say(const struct circumstances *it, struct events_refusal *why)
{
    bool is_refused = it->error == -EPERM; /* EACCES comes from the verifier */
    char *text = why->text;
    size_t size = sizeof why->text;
#ifndef HAVE_BPF
    snprintf(text, size,
             "this build cannot load programs into the kernel: build it with the <linux/bpf.h> of Linux 5.16 "
             "or later");
    return;
#endif
    if (is_too_old(it))
        snprintf(text, size, "Linux %d.%d is too old to count events: they need Linux %d.%d or later",
                 it->major, it->minor, NEEDED_MAJOR, NEEDED_MINOR);
    else if (is_refused && !it->has_right)
        snprintf(text, size,
                 "counting events needs CAP_BPF and CAP_PERFMON: run tcpstorm as root, or once \"setcap "
                 "cap_bpf,cap_perfmon+ep\" on the program");
    else if (is_refused && !it->is_first_user_namespace)
        snprintf(text, size,
                 "root of a user namespace, as in a container, may not count events: it needs CAP_BPF and "
                 "CAP_PERFMON outside of it");
    else if (is_refused)
        snprintf(text, size,
                 "the kernel refuses to load BPF programs although this user has the capabilities: lockdown "
                 "or a security module forbids it (%s)",
                 strerror(-it->error));
    else if (it->error == -ENOMEM)
        snprintf(text, size, "out of memory for the counters of events: they need some 10 MiB in the kernel");
    else if (it->error == -EMFILE || it->error == -ENFILE)
        snprintf(text, size, "too many open files to count events: raise \"ulimit -n\" by 20");
    else if (!it->has_types)
        snprintf(
            text, size,
            "this kernel has no type information in /sys/kernel/btf/vmlinux, which counting events needs: "
            "it must be built with CONFIG_DEBUG_INFO_BTF");
    else
        snprintf(text, size, "this kernel rejects the programs that count events (%s): use --witness netlink",
                 strerror(-it->error));
}

void refusal_say_states_only(const struct circumstances *it, struct events_refusal *why)
{
    const char *what = it->error == -EPERM ? "this kernel refuses programs at its functions (fentry)"
                                           : "this kernel lacks the functions that the programs attach to";
    snprintf(why->text, sizeof why->text,
             "%s: SYN_RECV before there is a socket, TIME_WAIT and a FIN_WAIT2 whose process is gone are not "
             "counted",
             what);
}
