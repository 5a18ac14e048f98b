/* binary_file: gets at the contents of a binary that a process has mapped, as it was when it was mapped: the
 * file may lie in another mount namespace, have been replaced, or be gone. */
#ifndef CODE_BINARY_FILE_H
#define CODE_BINARY_FILE_H

#include "code/binary.h"

enum { BINARY_HEAD = 4096 }; /* where the program headers are */

/* Opens it. Returns the descriptor, or a negative errno: ENOENT, it is nowhere; EMFILE, ... */
int binary_file_open(const struct binary *binary, const struct binary_place *place);

/* Puts binary->image together from what the process has mapped of it for reading. It has no section headers
 * and no debug information, but what is needed to unwind, and the names of what it exports. Returns 0, or
 * a negative errno. */
int binary_image_take(struct binary *binary, const struct binary_place *place, size_t *size);

/* Hands it to libdw, which closes the descriptor, or takes the image where that is below 0. Without libdw it
 * closes it only. Returns 0, also for what libdw cannot read; or -ENOMEM. */
int binary_debug_open(struct binary *binary, int fd, size_t image_size);

#endif
