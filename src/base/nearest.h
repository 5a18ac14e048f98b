/* nearest: which of these words was probably meant. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

/* Number of single-character edits (insert, delete, replace, swap of neighbours) between two words. */
size_t edit_distance(const char *a, const char *b);

/* Yields the i-th candidate, or NULL past the last. */
typedef const char *candidate_at(const void *candidates, size_t i);

/* The candidate closest to `word`, or NULL when none is close enough to be a likely typo. */
const char *nearest_word(const char *word, candidate_at *at, const void *candidates);

#endif
