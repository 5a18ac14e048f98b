#include "kernel/cgroup.h"

#include "base/text.h"
#include "kernel/proc_file.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum {
    TEXT_SIZE = 16384, /* of /proc/PID/cgroup: a line of up to 4096 for each of a dozen hierarchies at most */
    ID_DIGITS = 64,
    ID_TOLD = 12, /* as "docker ps" does */
    UID_LENGTH = 36,
    UID_DIGITS = 32, /* of a pod that a file on its host describes */
    MAGIC_CGROUP2 = 0x63677270,
};

/* A folder's name: part of a path. */
struct part {
    const char *text;
    size_t length;
};

static bool starts_with(struct part part, const char *prefix)
{
    return part.length > strlen(prefix) && memcmp(part.text, prefix, strlen(prefix)) == 0;
}

static bool ends_with(struct part part, const char *suffix)
{
    size_t length = strlen(suffix);
    return part.length > length && memcmp(part.text + part.length - length, suffix, length) == 0;
}

static bool is_named(struct part part, const char *name)
{
    return part.length == strlen(name) && memcmp(part.text, name, part.length) == 0;
}

static struct part without(struct part part, size_t first, size_t last)
{
    return (struct part){part.text + first, part.length - first - last};
}

/* The part of a path that ends before `end`; its length is 0 where there is none. */
static struct part last_part(const char *path, const char *end)
{
    while (end > path && end[-1] == '/')
        end--;
    const char *begin = end;
    while (begin > path && begin[-1] != '/')
        begin--;
    return (struct part){begin, (size_t)(end - begin)};
}

static void add_visible(struct cgroup_name *name, struct part part)
{
    for (size_t i = 0; i < part.length; i++)
        TEXT_ADD(name->text, "%c", isgraph((unsigned char)part.text[i]) ? part.text[i] : '?');
}

/* ---- containers ---- */

static bool is_id(struct part part)
{
    size_t digits = 0;
    while (digits < part.length && isxdigit((unsigned char)part.text[digits]))
        digits++;
    return digits == ID_DIGITS && part.length == ID_DIGITS;
}

/* Of Podman, in a unit of its own ("--cgroups=split", Quadlet). */
static const char payload[] = "libpod-payload-";

/* A scope of a container: what comes before its id, and who made it. */
static const struct {
    const char *prefix, *maker;
} scopes[] = {
    {"docker-", "docker "},      {"libpod-", "podman "},
    {"crio-", "cri-o "},         {"cri-containerd-", "containerd "},
    {"nerdctl-", "containerd "}, {payload, "podman "},
};

enum { SCOPES = sizeof scopes / sizeof scopes[0] };

/* "kubepods-pod....slice:cri-containerd:ID" is what a path of systemd's becomes where systemd does not manage
 * it. */
static struct part behind_colons(struct part part)
{
    const char *colon = memrchr(part.text, ':', part.length);
    return colon != NULL ? without(part, (size_t)(colon + 1 - part.text), 0) : part;
}

/* Finds a container's id in a folder's name, and its maker where that says so. */
static bool find_id(struct part part, struct part above, struct part *id, const char **maker)
{
    *id = behind_colons(part);
    *maker = is_named(above, "docker") ? "docker " : "";
    for (size_t i = 0; i < SCOPES && !is_id(*id); i++)
        if (starts_with(part, scopes[i].prefix)) {
            size_t suffix = ends_with(part, ".scope") ? strlen(".scope") : 0;
            *id = without(part, strlen(scopes[i].prefix), suffix);
            *maker = scopes[i].maker;
        }
    return is_id(*id);
}

/* ---- pods ---- */

static bool is_uid(struct part part)
{
    size_t digits = 0, marks = 0;
    for (size_t i = 0; i < part.length; i++) {
        digits += isxdigit((unsigned char)part.text[i]) != 0;
        marks += part.text[i] == '-' || part.text[i] == '_';
    }
    return digits == UID_DIGITS && digits + marks == part.length &&
           (part.length == UID_LENGTH || part.length == UID_DIGITS);
}

/* "pod1a2b..." or "kubepods-burstable-pod1a2b_....slice". */
static bool find_pod(struct part part, struct part *uid)
{
    static const char slice[] = ".slice", pod[] = "pod";
    const char *colon = memchr(part.text, ':', part.length);
    if (colon != NULL)
        part.length = (size_t)(colon - part.text);
    if (ends_with(part, slice))
        part.length -= strlen(slice);
    for (size_t length = UID_DIGITS; length <= UID_LENGTH; length += UID_LENGTH - UID_DIGITS) {
        if (part.length < length + strlen(pod))
            continue;
        *uid = without(part, part.length - length, 0);
        if (is_uid(*uid) && memcmp(uid->text - strlen(pod), pod, strlen(pod)) == 0)
            return true;
    }
    return false;
}

/* Podman's pods have an id, not a UID: "machine-libpod_pod_ID.slice", or "/libpod_parent/ID" where systemd
 * does not manage it. */
static bool find_podman_pod(struct part container, struct part above, struct part *id)
{
    static const char mark[] = "libpod_pod_", slice[] = ".slice";
    *id = above;
    if (ends_with(above, slice) && above.length > strlen(slice) + ID_DIGITS) {
        above = without(above, 0, strlen(slice) + ID_DIGITS);
        *id = (struct part){above.text + above.length, ID_DIGITS};
        return is_id(*id) && (ends_with(above, mark) || is_named(above, mark));
    }
    return is_id(above) && starts_with(container, "libpod-");
}

static void name_pod(struct cgroup_name *name, struct part uid)
{
    name->kind = CGROUP_POD;
    TEXT_ADD(name->text, "pod ");
    for (size_t i = 0; i < uid.length; i++)
        TEXT_ADD(name->text, "%c", uid.text[i] == '_' ? '-' : uid.text[i]);
}

/* ---- what a path names ---- */

static bool name_container(struct cgroup_name *name, const char *path, struct part part)
{
    struct part above = last_part(path, part.text), id, pod;
    const char *maker;
    if (!find_id(part, above, &id, &maker))
        return false;
    name->kind = CGROUP_CONTAINER;
    TEXT_ADD(name->text, "%scontainer %.*s", maker, ID_TOLD, id.text);
    if (find_pod(part, &pod) || find_pod(above, &pod)) {
        TEXT_ADD(name->text, " of ");
        name_pod(name, pod);
    } else if (find_podman_pod(part, above, &pod)) {
        name->kind = CGROUP_POD;
        TEXT_ADD(name->text, " of pod %.*s", ID_TOLD, pod.text);
    }
    return true;
}

/* "/lxc.payload.web", or below "/lxc.payload" or "/lxc" as before LXC 4; Incus and LXD do likewise. */
static bool name_lxc(struct cgroup_name *name, const char *path, struct part part)
{
    static const char prefix[] = "lxc.payload.";
    struct part above = last_part(path, part.text);
    if (starts_with(part, prefix))
        part = without(part, strlen(prefix), 0);
    else if (!is_named(above, "lxc") && !is_named(above, "lxc.payload"))
        return false;
    name->kind = CGROUP_CONTAINER;
    TEXT_ADD(name->text, "lxc container ");
    add_visible(name, part);
    return true;
}

/* A service, or a scope: processes that systemd was told of. "init.scope" in a service is its manager's own.
 */
static bool name_unit(struct cgroup_name *name, const char *path, struct part part)
{
    bool is_manager = is_named(part, "init.scope") && last_part(path, part.text).length > 0;
    if (is_manager || (!ends_with(part, ".service") && !ends_with(part, ".scope")))
        return false;
    name->kind = CGROUP_UNIT;
    add_visible(name, part);
    return true;
}

/* The unit of a container or a virtual machine: its units may have the same names as those of its host. */
static bool is_machine(struct part part)
{
    return (starts_with(part, "systemd-nspawn@") && ends_with(part, ".service")) ||
           (starts_with(part, "machine-") && ends_with(part, ".scope"));
}

/* "user-1000.slice" */
static bool is_slice_of_user(struct part part, struct part *user)
{
    static const char before[] = "user-", after[] = ".slice";
    if (!starts_with(part, before) || !ends_with(part, after))
        return false;
    *user = without(part, strlen(before), strlen(after));
    return true;
}

/* Where a unit is that is not the host's own: every user, and every container that runs systemd, may have one
 * of the same name. */
static void add_surroundings(struct cgroup_name *name, const char *path, struct part unit)
{
    struct part part = last_part(path, unit.text), user;
    bool is_users_manager = starts_with(unit, "user@");
    for (; part.length > 0; part = last_part(path, part.text)) {
        struct cgroup_name around = {.kind = CGROUP_NONE};
        if (name_container(&around, path, part) || name_lxc(&around, path, part) ||
            (is_machine(part) && name_unit(&around, path, part))) {
            TEXT_ADD(name->text, " in %s", around.text);
            return;
        }
        if (is_slice_of_user(part, &user) && !is_users_manager) {
            TEXT_ADD(name->text, " of user ");
            add_visible(name, user);
            return;
        }
    }
}

/* The unit that a container of Podman is the whole of. */
static void add_unit_of_payload(struct cgroup_name *name, const char *path, struct part part)
{
    struct cgroup_name unit = {.kind = CGROUP_NONE};
    struct part above = last_part(path, part.text);
    if (!starts_with(part, payload) || !name_unit(&unit, path, above))
        return;
    add_surroundings(&unit, path, above);
    TEXT_ADD(name->text, " in %s", unit.text);
}

static struct cgroup_name name_of(const char *path, size_t length)
{
    struct cgroup_name name = {.kind = CGROUP_NONE};
    struct part part = last_part(path, path + length), uid;
    for (; part.length > 0; part = last_part(path, part.text)) {
        if (name_container(&name, path, part) || name_lxc(&name, path, part)) {
            add_unit_of_payload(&name, path, part);
            return name;
        }
        if (name_unit(&name, path, part)) {
            add_surroundings(&name, path, part);
            return name;
        }
        if (find_pod(part, &uid)) {
            name_pod(&name, uid);
            return name;
        }
    }
    return name;
}

/* Whether it is a container or a pod, or in one. */
static bool is_in_container(const char *path, size_t length)
{
    struct part part = last_part(path, path + length), uid;
    for (; part.length > 0; part = last_part(path, part.text)) {
        struct cgroup_name name = {.kind = CGROUP_NONE};
        if (name_container(&name, path, part) || name_lxc(&name, path, part) || find_pod(part, &uid))
            return true;
    }
    return false;
}

struct cgroup_name cgroup_name_of_path(const char *path)
{
    return name_of(path, strlen(path));
}

/* ---- /proc/PID/cgroup ---- */

/* The path of a line "ID:CONTROLLERS:PATH"; NULL: it has none. A name may hold a colon, so it begins at "/".
 */
static const char *path_in_line(const char *line)
{
    size_t length = strcspn(line, "\n");
    const char *path = memchr(line, '/', length);
    return path != NULL && path > line && path[-1] == ':' ? path : NULL;
}

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end != NULL ? end + 1 : line + strlen(line);
}

const char *cgroup_path_in_text(const char *text, size_t *length)
{
    for (const char *line = text; *line != '\0'; line = next_line(line)) {
        const char *path = path_in_line(line);
        if (strncmp(line, "0::", 3) != 0 || path == NULL)
            continue;
        *length = strcspn(path, "\n");
        return path;
    }
    return NULL;
}

struct cgroup_name cgroup_name_of_text(const char *text)
{
    size_t length, deepest = 0;
    const char *unified = cgroup_path_in_text(text, &length);
    struct cgroup_name name = {.kind = CGROUP_NONE};
    if (unified != NULL)
        name = name_of(unified, length);
    if (unified != NULL && is_in_container(unified, length))
        return name;
    for (const char *line = text; *line != '\0'; line = next_line(line)) {
        const char *path = path_in_line(line);
        length = path != NULL ? strcspn(path, "\n") : 0;
        if (length > deepest && is_in_container(path, length)) {
            name = name_of(path, length);
            deepest = length;
        } else if (length > 0 && name.kind == CGROUP_NONE) {
            name = name_of(path, length);
        }
    }
    return name;
}

const char *cgroup_mount(void)
{
    static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct statfs fs;
        if (statfs(places[i], &fs) == 0 && fs.f_type == MAGIC_CGROUP2)
            return places[i];
    }
    return NULL;
}

struct process_cgroup process_cgroup(pid_t pid)
{
    char text[TEXT_SIZE], path[64], folder[PATH_MAX];
    struct process_cgroup group = {.id = 0};
    snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
    if (proc_file_read(path, text, sizeof text) < 0)
        return group;
    group.name = cgroup_name_of_text(text);
    size_t length;
    const char *in_unified = cgroup_path_in_text(text, &length), *mount = cgroup_mount();
    struct stat of;
    if (in_unified == NULL || mount == NULL ||
        snprintf(folder, sizeof folder, "%s%.*s", mount, (int)length, in_unified) >= (int)sizeof folder)
        return group;
    /* A path that begins above our own root ("/../x") is not below the mount. */
    if (strstr(folder, "/../") == NULL && stat(folder, &of) == 0)
        group.id = of.st_ino;
    group.is_named_by_id = group.id != 0 && group.name.kind != CGROUP_NONE &&
                           strcmp(name_of(in_unified, length).text, group.name.text) == 0;
    return group;
}
