#include "code/python_runtime.h"

#include "code/elf_symbols.h"
#include "kernel/proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

size_t python_read_process(void *context, uint64_t address, void *bytes, size_t size)
{
    const struct iovec here = {.iov_base = bytes, .iov_len = size};
    const struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = size}; // NOLINT
    ssize_t length = process_vm_readv(*(const pid_t *)context, &here, 1, &there, 1, 0);
    return length > 0 ? (size_t)length : 0;
}

/* ---- layouts ---- */

/* From the headers of each version (Include/internal/pycore_runtime.h, _interp.h, _frame.h, pystate.h,
 * cpython/code.h, cpython/unicodeobject.h); they do not change within one. */
static const struct {
    uint32_t version; /* major and minor */
    struct python_layout layout;
} layouts[] = {
    {0x030b,
     {.interpreters = 40,
      .interpreter_next = 0,
      .threads = 16,
      .thread_next = 8,
      .thread_native_id = 160,
      .thread_frame = 56,
      .has_c_frame = 1,
      .c_frame_frame = 8,
      .frame_code = 32,
      .frame_previous = 48,
      .frame_at = 56,
      .frame_owner = 69,
      .code_file = 112,
      .code_name = 128,
      .code_lines = 136,
      .code_first_line = 72,
      .code_instructions = 184,
      .object_type = 8,
      .type_name = 24,
      .object_size = 16,
      .bytes_data = 32,
      .string_length = 16,
      .string_state = 32,
      .string_ascii = 48,
      .string_other = 72}},
    {0x030c,
     {.interpreters = 40,
      .interpreter_next = 0,
      .threads = 72,
      .thread_next = 8,
      .thread_native_id = 144,
      .thread_frame = 56,
      .has_c_frame = 1,
      .c_frame_frame = 0,
      .frame_code = 0,
      .frame_previous = 8,
      .frame_at = 56,
      .frame_owner = 70,
      .code_file = 112,
      .code_name = 128,
      .code_lines = 136,
      .code_first_line = 68,
      .code_instructions = 192,
      .object_type = 8,
      .type_name = 24,
      .object_size = 16,
      .bytes_data = 32,
      .string_length = 16,
      .string_state = 32,
      .string_ascii = 40,
      .string_other = 56}},
};

/* 3.13 says them itself, at the start of _PyRuntime (struct _Py_DebugOffsets): which 8 bytes of it are what.
 */
#define WORD(n, member)                                                                                      \
    {                                                                                                        \
        n, offsetof(struct python_layout, member)                                                            \
    }
static const struct {
    int word;
    size_t target;
} told[] = {
    WORD(5, interpreters),    WORD(8, interpreter_next), WORD(9, threads),
    WORD(21, thread_next),    WORD(23, thread_frame),    WORD(25, thread_native_id),
    WORD(29, frame_previous), WORD(30, frame_code),      WORD(31, frame_at),
    WORD(33, frame_owner),    WORD(35, code_file),       WORD(37, code_name),
    WORD(38, code_lines),     WORD(39, code_first_line), WORD(43, code_instructions),
    WORD(45, object_type),    WORD(47, type_name),       WORD(65, object_size),
    WORD(66, bytes_data),     WORD(68, string_state),    WORD(69, string_length),
    WORD(70, string_ascii),
};
#undef WORD

enum { TOLD_WORDS = 72, TOLD_MOST = 1 << 20 }; /* beyond that no structure of it is */

static int read_told(uint32_t version, python_reader *read, void *context, uint64_t at,
                     struct python_layout *layout)
{
    uint64_t words[TOLD_WORDS];
    *layout = (struct python_layout){0};
    if (read(context, at, words, sizeof words) != sizeof words || memcmp(words, "xdebugpy", 8) != 0 ||
        words[1] != version)
        return -ENOTSUP;
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        uint64_t offset = words[told[i].word];
        if (offset > TOLD_MOST)
            return -ENOTSUP;
        uint32_t fits = (uint32_t)offset;
        memcpy((char *)layout + told[i].target, &fits, sizeof fits);
    }
    layout->string_other = layout->string_ascii + 16; /* after the length and the place of its UTF-8 */
    return 0;
}

int python_layout_of(uint32_t version, python_reader *read, void *context, uint64_t at,
                     struct python_layout *layout)
{
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++)
        if (layouts[i].version == version >> 16) {
            *layout = layouts[i].layout;
            return 0;
        }
    return version >> 16 == 0x030d ? read_told(version, read, context, at, layout) : -ENOTSUP;
}

/* ---- numbers of threads ---- */

struct numbers {
    uint64_t last;
    int count;
};

/* "NSpid:	4711	12": from our namespace down to its own. */
static int take_numbers(void *context, const char *line)
{
    struct numbers *numbers = context;
    if (strncmp(line, "NSpid:", strlen("NSpid:")) != 0)
        return 0;
    for (const char *tab = strchr(line, '\t'); tab != NULL; tab = strchr(tab + 1, '\t')) {
        numbers->last = strtoull(tab, NULL, 10);
        numbers->count++;
    }
    return 1;
}

int python_number_of(pid_t pid, pid_t tid, uint64_t *native)
{
    char path[64];
    struct numbers numbers = {0, 0};
    snprintf(path, sizeof path, "/proc/%d/task/%d/status", (int)pid, (int)tid);
    int rc = proc_file_each_line(path, take_numbers, &numbers);
    if (rc < 0)
        return rc;
    *native = numbers.count > 0 ? numbers.last : (uint64_t)tid;
    return numbers.count;
}

/* ---- where it is ---- */

/* A search through the files that a process has mapped. */
struct search {
    struct python_runtime *runtime;
    char executable[PATH_MAX], last[PATH_MAX];
    int rc; /* -ENOENT until it is found, or something else stands in the way */
};

static bool may_have_it(const struct search *search, const char *path)
{
    const char *name = strrchr(path, '/');
    return strcmp(path, search->executable) == 0 ||
           (name != NULL && strncmp(name + 1, "libpython3", strlen("libpython3")) == 0);
}

static int open_mapped(const struct search *search, const char *path)
{
    char name[PATH_MAX + 64];
    int pid = (int)search->runtime->pid;
    if (strcmp(path, search->executable) == 0)
        snprintf(name, sizeof name, "/proc/%d/exe", pid);
    else
        snprintf(name, sizeof name, "/proc/%d/root%s", pid, path);
    return open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* An executable that was replaced since is called "python3.11 (deleted)". */
static void name_module(struct python_runtime *runtime, const char *path)
{
    snprintf(runtime->module, sizeof runtime->module, "%s", strrchr(path, '/') + 1);
    runtime->module[strcspn(runtime->module, " ")] = '\0';
}

static int find_in(struct search *search, const char *path, uint64_t start)
{
    static const char *const names[] = {"_PyRuntime", "Py_Version"};
    struct python_runtime *runtime = search->runtime;
    uint64_t values[2], lowest;
    unsigned long version;
    int fd = open_mapped(search, path);
    if (fd < 0)
        return proc_file_error(errno);
    int rc = elf_symbols_find(fd, names, values, 2, &lowest);
    close(fd);
    if (rc != 0)
        return rc == -ENOEXEC ? -ENOENT : rc;
    runtime->at = values[0] - lowest + start;
    if (python_read_process(&runtime->pid, values[1] - lowest + start, &version, sizeof version) !=
        sizeof version)
        return -EACCES;
    runtime->version = (uint32_t)version;
    name_module(runtime, path);
    return python_layout_of(runtime->version, python_read_process, &runtime->pid, runtime->at,
                            &runtime->layout);
}

/* A line of maps; of each file the first, which is that of its first segment. */
static int look_at_mapping(void *context, const char *line)
{
    struct search *search = context;
    uint64_t start;
    int path_at = 0;
    if (sscanf(line, "%" SCNx64 "-%*x %*s %*x %*s %*u %n", &start, &path_at) != 1 || path_at == 0)
        return 0;
    const char *path = line + path_at;
    if (path[0] != '/' || strcmp(path, search->last) == 0 || !may_have_it(search, path))
        return 0;
    snprintf(search->last, sizeof search->last, "%s", path);
    search->rc = find_in(search, path, start);
    return search->rc != -ENOENT;
}

int python_runtime_find(pid_t pid, struct python_runtime *runtime)
{
    char path[64];
    struct search search = {.runtime = runtime, .rc = -ENOENT};
    *runtime = (struct python_runtime){.pid = pid};
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    ssize_t length = readlink(path, search.executable, sizeof search.executable - 1);
    if (length < 0)
        return proc_file_error(errno);
    uint64_t native;
    int rc = python_number_of(pid, pid, &native);
    if (rc < 0)
        return rc;
    runtime->has_own_numbers = rc > 1;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    rc = proc_file_each_line(path, look_at_mapping, &search);
    return rc < 0 ? rc : search.rc;
}
