/* elf_symbols: the addresses of a few symbols that a binary shows to others (.dynsym), from its file alone:
 * 64 bit, of this machine's byte order. */
#ifndef CODE_ELF_SYMBOLS_H
#define CODE_ELF_SYMBOLS_H

#include <stdint.h>

/* Fills values[i] with the address of names[i], as the file has it; *lowest with the address of its first
 * segment, at the start of its page: where that is mapped decides by how much all addresses are shifted.
 * Returns 0, or a negative errno: ENOENT, one of the symbols is not there; ENOEXEC, it is no such binary;
 * ENOMEM; why it cannot be read. */
int elf_symbols_find(int fd, const char *const names[], uint64_t values[], int count, uint64_t *lowest);

#endif
