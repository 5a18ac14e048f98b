#include "base/wrap.h"

#include "base/printable.h"

#include <string.h>

void wrap_print(FILE *out, const char *text, int indent, int width)
{
    int column = 0;
    while (*text != '\0') {
        size_t word = strcspn(text, " \n");
        if (column > 0 && column + 1 + (int)word > width) {
            fputc('\n', out);
            column = 0;
        }
        fprintf(out, "%*s", column == 0 ? indent : 1, "");
        printable_put(out, text, word);
        column += (column == 0 ? indent : 1) + (int)word;
        text += word;
        if (*text == '\n') {
            fputc('\n', out);
            column = 0;
        }
        text += *text != '\0';
    }
    fputc('\n', out);
}
