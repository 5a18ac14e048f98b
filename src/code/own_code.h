/* own_code: which source is the program's own, and which is that of the C library, of a compiler's headers,
 * of a language's library, of an event library: told by where the file lies. */
#ifndef CODE_OWN_CODE_H
#define CODE_OWN_CODE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether nothing in this binary is the program's own: a library of the system's, or an interpreter. */
bool own_code_excludes_binary(const char *path, bool is_program);

/* Whether a source file is not the program's own; of its path as own_code_join() makes it. */
bool own_code_excludes_file(const char *path);

/* Whether a function without a source file is none that a person has written in this program ("_start"). */
bool own_code_excludes_function(const char *function);

/* Whether a package of Go is of its own library ("net/http"), or another's module. */
bool own_code_excludes_go_package(const char *package);

/* The whole path of a file that the compiler was told of while it was in a directory; without "./", and
 * "x/../". What does not fit is cut. */
void own_code_join(const char *directory, const char *file, char *path, size_t size);

/* What a person calls it: below the directory that it was compiled in, or the last part. */
const char *own_code_short_name(const char *directory, const char *path);

#endif
