#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { DOTS = 3 };

/* A byte inside a character of UTF-8, not its first. */
static bool is_inside(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

void text_vadd(char *text, size_t size, const char *format, va_list arguments)
{
    size_t used = strlen(text);
    int length = vsnprintf(text + used, size - used, format, arguments);
    if (length < 0 || (size_t)length < size - used)
        return;
    size_t end = size - 1 - DOTS;
    while (end > 0 && is_inside(text[end]))
        end--;
    memset(text + end, '.', size - 1 - end); /* to the last byte: it stays full, and takes no more */
}

void text_add(char *text, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_vadd(text, size, format, arguments);
    va_end(arguments);
}
