#include "base/nearest.h"

#include <string.h>

enum { WORD_MAX = 40 };

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t edit_distance(const char *a, const char *b)
{
    size_t rows = strlen(a), columns = strlen(b);
    if (rows > WORD_MAX || columns > WORD_MAX)
        return WORD_MAX;
    size_t d[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= rows; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= columns; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= rows; i++) {
        for (size_t j = 1; j <= columns; j++) {
            size_t replaced = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            d[i][j] = min_of(replaced, min_of(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = min_of(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[rows][columns];
}

const char *nearest_word(const char *word, candidate_at *at, const void *candidates)
{
    const char *best = NULL;
    size_t best_distance = min_of(strlen(word) / 2 + 1, WORD_MAX);
    for (size_t i = 0; at(candidates, i) != NULL; i++) {
        size_t distance = edit_distance(word, at(candidates, i));
        if (distance < best_distance) {
            best_distance = distance;
            best = at(candidates, i);
        }
    }
    return best;
}
