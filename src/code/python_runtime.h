/* python_runtime: the interpreter of a process that runs Python (CPython 3.11 to 3.13): where its state is,
 * and how its structures are laid out. It is in the executable, or in a libpython3 that it has loaded. */
#ifndef CODE_PYTHON_RUNTIME_H
#define CODE_PYTHON_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads memory of a process; as much of it as is there. Returns the bytes read; 0: none. */
typedef size_t python_reader(void *context, uint64_t address, void *bytes, size_t size);

/* Offsets of members, in bytes. */
struct python_layout {
    uint32_t interpreters;                                /* of _PyRuntime: its first interpreter */
    uint32_t interpreter_next, threads;                   /* of an interpreter */
    uint32_t thread_next, thread_native_id, thread_frame; /* of a thread */
    uint32_t has_c_frame, c_frame_frame;                  /* thread_frame leads to a struct that has it */
    uint32_t frame_code, frame_previous, frame_at, frame_owner; /* of a frame; at: the instruction */
    uint32_t code_file, code_name, code_lines, code_first_line, code_instructions; /* of a code object */
    uint32_t object_type, type_name, object_size; /* of any object; size: of those that have one */
    uint32_t bytes_data;
    uint32_t string_length, string_state, string_ascii, string_other; /* where the characters are */
};

struct python_runtime {
    pid_t pid;
    uint64_t at;      /* the address of _PyRuntime */
    uint32_t version; /* as PY_VERSION_HEX: 0x030b02f0 is 3.11.2 */
    struct python_layout layout;
    bool has_own_numbers; /* its threads have other numbers than here: it is in another PID namespace */
    char module[64];      /* the name of the binary that it is in: frames of that are the interpreter's own */
};

/* Returns 0, or a negative errno: ENOENT, the process runs no Python that shows its symbols; ENOTSUP, it is
 * another version; EACCES, ESRCH, ENOMEM; why it cannot be read. */
int python_runtime_find(pid_t pid, struct python_runtime *runtime);

/* The layout of a version, whose _PyRuntime is at that address. Returns 0, or -ENOTSUP. */
int python_layout_of(uint32_t version, python_reader *read, void *context, uint64_t at,
                     struct python_layout *layout);

/* Fills the number that a thread has in its own PID namespace. Returns how many namespaces see it, or a
 * negative errno. */
int python_number_of(pid_t pid, pid_t tid, uint64_t *native);

/* A python_reader; `context` points to a pid_t. */
size_t python_read_process(void *context, uint64_t address, void *bytes, size_t size);

#endif
