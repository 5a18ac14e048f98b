/* text: sentences that are put together in a char array of a fixed size. What does not fit is never cut in
 * silence: the text then ends in "...", after a whole character, and takes no more. (A value that has one
 * spelling and always fits, such as an address or a number, needs none of this.) */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdarg.h>
#include <stddef.h>

/* Appends to the text in `text`, which has room for `size` bytes, at least 4, with the '\0'. */
void text_add(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
void text_vadd(char *text, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

/* The same for an array. */
#define TEXT_ADD(array, ...) text_add((array), sizeof(array), __VA_ARGS__)

#endif
