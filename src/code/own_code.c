#include "code/own_code.h"

#include <stdio.h>
#include <string.h>

enum match { BEGINS, HAS, NAMED, NAMED_BEGINS };

struct pattern {
    enum match match;
    const char *text;
};

/* Libraries, by their path or their file's name. */
static const struct pattern foreign_libraries[] = {
    {BEGINS, "/usr/lib/"},       {BEGINS, "/usr/lib32/"},      {BEGINS, "/usr/lib64/"},
    {BEGINS, "/lib/"},           {BEGINS, "/lib32/"},          {BEGINS, "/lib64/"},
    {BEGINS, "/nix/store/"},     {BEGINS, "/gnu/store/"},      {BEGINS, "[vdso]"},
    {HAS, "/site-packages/"},    {HAS, "/dist-packages/"},     {HAS, "/node_modules/"},
    {NAMED_BEGINS, "ld-linux"},  {NAMED_BEGINS, "libc.so."},   {NAMED_BEGINS, "libc.musl-"},
    {NAMED_BEGINS, "ld-musl-"},  {NAMED_BEGINS, "libpthread"}, {NAMED_BEGINS, "libevent"},
    {NAMED_BEGINS, "libev."},    {NAMED_BEGINS, "libuv."},     {NAMED_BEGINS, "libstdc++"},
    {NAMED_BEGINS, "libgcc_s"},  {NAMED_BEGINS, "libssl"},     {NAMED_BEGINS, "libcrypto"},
    {NAMED_BEGINS, "libpython"}, {NAMED_BEGINS, "libjvm"},     {NAMED_BEGINS, "libruby"},
    {NAMED_BEGINS, "libasan"},   {NAMED_BEGINS, "libtsan"},
};

/* Programs that run another's program. */
static const struct pattern interpreters[] = {
    {NAMED_BEGINS, "python"}, {NAMED, "node"},       {NAMED, "nodejs"},   {NAMED_BEGINS, "ruby"},
    {NAMED_BEGINS, "perl"},   {NAMED_BEGINS, "php"}, {NAMED, "java"},     {NAMED_BEGINS, "lua"},
    {NAMED_BEGINS, "qemu-"},  {NAMED, "dotnet"},     {NAMED, "bash"},     {NAMED, "dash"},
    {NAMED, "deno"},          {NAMED, "bun"},        {NAMED, "beam.smp"}, {NAMED_BEGINS, "pypy"},
};

static const struct pattern foreign_files[] = {
    /* What a system's headers and libraries are compiled from. A program may be built below /usr/src or
     * /usr/local/src. */
    {BEGINS, "/usr/include/"},
    {BEGINS, "/usr/lib/"},
    {BEGINS, "/usr/lib64/"},
    {BEGINS, "/usr/share/"},
    {BEGINS, "/usr/local/include/"},
    {BEGINS, "/usr/local/lib/"},
    {BEGINS, "/usr/src/debug/glibc"},
    {BEGINS, "/usr/src/glibc"},
    {BEGINS, "/build/glibc"},
    {BEGINS, "/build/gcc"},
    {BEGINS, "/build/libevent"},
    {BEGINS, "/build/libuv"},
    {BEGINS, "/build/musl"},
    {BEGINS, "/build/openssl"},
    {HAS, "/sysdeps/unix/sysv/linux/"},
    {BEGINS, "sysdeps/"}, /* glibc, compiled in "." */
    {BEGINS, "csu/"},
    {BEGINS, "nptl/"},
    /* Go: its own library is below GOROOT, others' modules below GOPATH */
    {BEGINS, "/usr/local/go/"},
    {HAS, "/pkg/mod/"},
    {HAS, "/libexec/src/"},
    /* Rust */
    {BEGINS, "/rustc/"},
    {HAS, "/.cargo/registry/"},
    {HAS, "/.cargo/git/"},
    {HAS, "/lib/rustlib/"},
    /* a compiler's own headers, and those of the languages' libraries */
    {HAS, "/include/c++/"},
    {HAS, "/lib/gcc/"},
    {HAS, "/lib/clang/"},
    /* event libraries whose source is kept in the program's */
    {HAS, "/libevent/"},
    {HAS, "/libevent-"},
    {HAS, "/libuv/"},
    {HAS, "/libuv-"},
    {HAS, "/libev/"},
    {HAS, "/libev-"},
};

static const struct pattern foreign_functions[] = {
    {NAMED, "_start"},    {NAMED, "_init"},        {NAMED, "_fini"},        {NAMED_BEGINS, "__libc_"},
    {NAMED, "_dl_start"}, {NAMED, "__restore_rt"}, {NAMED_BEGINS, "__GI_"}, {NAMED, "frame_dummy"},
};

static bool is_match(const struct pattern *pattern, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    switch (pattern->match) {
    case BEGINS:
        return strncmp(path, pattern->text, strlen(pattern->text)) == 0;
    case HAS:
        return strstr(path, pattern->text) != NULL;
    case NAMED:
        return strcmp(name, pattern->text) == 0;
    case NAMED_BEGINS:
        return strncmp(name, pattern->text, strlen(pattern->text)) == 0;
    }
    return false;
}

#define IS_ANY(patterns, path) is_any((patterns), sizeof(patterns) / sizeof *(patterns), (path))

static bool is_any(const struct pattern *patterns, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++)
        if (is_match(&patterns[i], path))
            return true;
    return false;
}

bool own_code_excludes_binary(const char *path, bool is_program)
{
    return is_program ? IS_ANY(interpreters, path) : IS_ANY(foreign_libraries, path);
}

bool own_code_excludes_file(const char *path)
{
    return IS_ANY(foreign_files, path);
}

bool own_code_excludes_function(const char *function)
{
    return IS_ANY(foreign_functions, function);
}

/* The first parts of the names of Go's own packages: no other package may be called so, as it has no dot. */
static const char *const go_packages[] = {
    "archive", "bufio",   "bytes",    "cmp",      "compress", "container", "context", "crypto",  "database",
    "debug",   "embed",   "encoding", "errors",   "expvar",   "flag",      "fmt",     "go",      "hash",
    "html",    "image",   "index",    "internal", "io",       "iter",      "log",     "maps",    "math",
    "mime",    "net",     "os",       "path",     "plugin",   "reflect",   "regexp",  "runtime", "slices",
    "sort",    "strconv", "strings",  "sync",     "syscall",  "testing",   "text",    "time",    "unicode",
    "unique",  "unsafe",  "vendor",   "weak",
};

bool own_code_excludes_go_package(const char *package)
{
    size_t length = strcspn(package, "/");
    for (size_t i = 0; i < sizeof go_packages / sizeof *go_packages; i++)
        if (strlen(go_packages[i]) == length && strncmp(go_packages[i], package, length) == 0)
            return true;
    return false;
}

/* Adds "/part" to `path` for each part of a file's name. */
static void add_parts(char *path, size_t size, const char *name, bool is_whole)
{
    while (*name != '\0') {
        size_t length = strcspn(name, "/"), end = strlen(path);
        char *last = strrchr(path, '/');
        bool is_up = length == 2 && strncmp(name, "..", 2) == 0;
        if (is_up && last != NULL && strcmp(last, "/..") != 0)
            *last = '\0';
        else if (length > 0 && !(length == 1 && name[0] == '.') && !(is_up && is_whole))
            snprintf(path + end, size - end, "/%.*s", (int)length, name);
        name += length + (name[length] == '/');
    }
}

void own_code_join(const char *directory, const char *file, char *path, size_t size)
{
    bool is_joined = file[0] != '/' && directory != NULL;
    bool is_whole = (is_joined ? directory : file)[0] == '/';
    path[0] = '\0';
    if (is_joined)
        add_parts(path, size, directory, is_whole);
    add_parts(path, size, file, is_whole);
    if (!is_whole && path[0] == '/')
        memmove(path, path + 1, strlen(path));
}

const char *own_code_short_name(const char *directory, const char *path)
{
    size_t length = directory != NULL ? strlen(directory) : 0;
    while (length > 0 && directory[length - 1] == '/')
        length--;
    if (length > 0 && strncmp(path, directory, length) == 0 && path[length] == '/' &&
        path[length + 1] != '\0')
        return path + length + 1;
    const char *slash = strrchr(path, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}
