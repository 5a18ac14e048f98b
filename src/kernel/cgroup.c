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

/* A scope of a container: what comes before its id, and who made it. */
static const struct {
    const char *prefix, *maker;
} scopes[] = {
    {"docker-", "docker "},      {"libpod-", "podman "},
    {"crio-", "cri-o "},         {"cri-containerd-", "containerd "},
    {"nerdctl-", "containerd "},
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
    *maker =
        above.length == strlen("docker") && memcmp(above.text, "docker", above.length) == 0 ? "docker " : "";
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
    struct part above = last_part(path, part.text), id, uid;
    const char *maker;
    if (!find_id(part, above, &id, &maker))
        return false;
    bool is_in_pod = find_pod(part, &uid) || (above.length > 0 && find_pod(above, &uid));
    name->kind = CGROUP_CONTAINER;
    TEXT_ADD(name->text, "%scontainer %.*s", maker, ID_TOLD, id.text);
    if (is_in_pod) {
        TEXT_ADD(name->text, " of ");
        name_pod(name, uid);
    }
    return true;
}

/* A service, or a scope: processes that systemd was told of. "init.scope" in a service is its manager's own.
 */
static bool name_unit(struct cgroup_name *name, const char *path, struct part part)
{
    bool is_manager = part.length == strlen("init.scope") &&
                      memcmp(part.text, "init.scope", part.length) == 0 &&
                      last_part(path, part.text).length > 0;
    if (is_manager || (!ends_with(part, ".service") && !ends_with(part, ".scope")))
        return false;
    name->kind = CGROUP_UNIT;
    add_visible(name, part);
    return true;
}

static struct cgroup_name name_of(const char *path, size_t length)
{
    struct cgroup_name name = {.kind = CGROUP_NONE};
    struct part part = last_part(path, path + length), uid;
    for (; part.length > 0; part = last_part(path, part.text)) {
        if (name_container(&name, path, part) || name_unit(&name, path, part))
            return name;
        if (find_pod(part, &uid)) {
            name_pod(&name, uid);
            return name;
        }
    }
    return name;
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
    size_t length;
    const char *unified = cgroup_path_in_text(text, &length);
    struct cgroup_name name = {.kind = CGROUP_NONE};
    if (unified != NULL)
        name = name_of(unified, length);
    for (const char *line = text; *line != '\0' && name.kind == CGROUP_NONE; line = next_line(line)) {
        const char *path = path_in_line(line);
        if (path != NULL)
            name = name_of(path, strcspn(path, "\n"));
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
    group.is_named_by_id = group.id != 0 && name_of(in_unified, length).kind != CGROUP_NONE;
    return group;
}
