#include "trace/node_hook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { TOLD_MAX = 8192 };

/* A line for what is done and to which descriptor, and one for each place of the stack: function, file, line.
 * Whatever goes wrong here must not go wrong in the program. */
static const char script[] =
    "'use strict';\n"
    "try {\n"
    "  const fs = require('fs'), net = require('net'), nowhere = 0x7fff7afe;\n"
    "  const placesAbove = (top) => {\n"
    "    const { prepareStackTrace: prepare, stackTraceLimit: limit } = Error, holder = {};\n"
    "    Error.prepareStackTrace = (error, places) => places;\n"
    "    Error.stackTraceLimit = 24;\n"
    "    Error.captureStackTrace(holder, top);\n"
    "    const places = holder.stack;\n"
    "    Error.prepareStackTrace = prepare;\n"
    "    Error.stackTraceLimit = limit;\n"
    "    return places;\n"
    "  };\n"
    "  const tell = (name, socket, top) => {\n"
    "    const fd = socket._handle ? socket._handle.fd : -1;\n"
    "    if (!(fd >= 0)) return;\n"
    "    const lines = placesAbove(top).map((place) =>\n"
    "      [place.getFunctionName() || '', place.getFileName() || '', place.getLineNumber() || "
    "0].join('\\t'));\n"
    "    try { fs.writeSync(nowhere, [`socket.${name} ${fd}`, ...lines, ''].join('\\n')); } catch {}\n"
    "  };\n"
    "  for (const name of ['write', 'end', 'destroy', 'pause', 'resume']) {\n"
    "    const original = net.Socket.prototype[name];\n"
    "    const told = { [name](...all) {\n"
    "      try { tell(name, this, told); } catch {}\n"
    "      return Reflect.apply(original, this, all);\n"
    "    } }[name];\n"
    "    net.Socket.prototype[name] = told;\n"
    "  }\n"
    "} catch {}\n";

/* ---- the script ---- */

static bool needs_quotes(const char *text)
{
    return strpbrk(text, " \t\n\"'\\") != NULL;
}

void node_hook_make(struct node_hook *hook)
{
    static const char suffix[] = ".cjs";
    const char *folder = getenv("TMPDIR");
    if (folder == NULL || folder[0] != '/' || needs_quotes(folder))
        folder = "/tmp";
    int length = snprintf(hook->path, sizeof hook->path, "%s/tcpstorm-node-XXXXXX%s", folder, suffix);
    int fd = length < (int)sizeof hook->path ? mkostemps(hook->path, sizeof suffix - 1, 0) : -1;
    if (fd < 0) {
        hook->path[0] = '\0';
        return;
    }
    bool is_made =
        write(fd, script, sizeof script - 1) == (ssize_t)sizeof script - 1 && fchmod(fd, 0444) == 0;
    if (close(fd) != 0 || !is_made)
        node_hook_remove(hook);
}

void node_hook_remove(struct node_hook *hook)
{
    if (hook->path[0] != '\0')
        unlink(hook->path);
    hook->path[0] = '\0';
}

void node_hook_set(const struct node_hook *hook)
{
    const char *before = getenv("NODE_OPTIONS");
    char *options = NULL;
    if (hook->path[0] == '\0' || asprintf(&options, "%s%s--require=%s", before != NULL ? before : "",
                                          before != NULL ? " " : "", hook->path) < 0)
        return;
    setenv("NODE_OPTIONS", options, 1);
    free(options);
}

/* ---- what it tells ---- */

/* As a person would name it: from the folder on that the program was started in. */
static const char *name_of(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return length > 1 && strncmp(path, folder, length) == 0 && path[length] == '/' ? path + length + 1 : path;
}

/* "function\tfile\tline", which it cuts up. */
static struct place place_of(char *line, const char *folder)
{
    static const char scheme[] = "file://";
    struct place place = {.module = "node"};
    char *file = strchr(line, '\t'), *number = file != NULL ? strchr(file + 1, '\t') : NULL;
    if (number == NULL)
        return place;
    *file++ = '\0';
    *number++ = '\0';
    if (strncmp(file, scheme, sizeof scheme - 1) == 0)
        file += sizeof scheme - 1;
    place.function = line[0] != '\0' ? line : NULL;
    place.path = file[0] != '\0' ? file : NULL;
    place.file = place.path != NULL ? name_of(file, folder) : NULL;
    place.line = (int)strtol(number, NULL, 10);
    place.is_own = file[0] == '/' && strstr(file, "/node_modules/") == NULL;
    return place;
}

static void folder_of(pid_t tid, char *folder, size_t size)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/cwd", (int)tid);
    ssize_t length = readlink(path, folder, size - 1);
    folder[length > 0 ? length : 0] = '\0';
}

bool node_hook_read(struct code *code, pid_t tid, uint64_t address, uint64_t size, struct node_call *call)
{
    static const char *const names[] = {"socket.write", "socket.end", "socket.destroy", "socket.pause",
                                        "socket.resume"};
    char told[TOLD_MAX + 1], folder[4096], name[32], *rest = NULL;
    struct place places[SITE_PLACES];
    int count = 0;
    bool has_own = false;
    struct iovec here = {told, size < TOLD_MAX ? (size_t)size : TOLD_MAX},
                 there = {(void *)(uintptr_t)address, here.iov_len};
    ssize_t length = process_vm_readv(tid, &here, 1, &there, 1, 0);
    if (length <= 0)
        return false;
    told[length] = '\0';
    char *line = strtok_r(told, "\n", &rest);
    *call = (struct node_call){.name = NULL};
    if (line == NULL || sscanf(line, "%31s %d", name, &call->fd) != 2)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            call->name = names[i];
    folder_of(tid, folder, sizeof folder);
    while (count < SITE_PLACES && (line = strtok_r(NULL, "\n", &rest)) != NULL) {
        places[count] = place_of(line, folder);
        has_own = has_own || places[count++].is_own;
    }
    call->site = call->name != NULL && has_own ? code_intern(code, places, count, false) : NULL;
    return call->site != NULL;
}
