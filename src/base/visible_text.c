#include "base/visible_text.h"

void make_visible_word(char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~') /* whatever the locale, and whether or not char has a sign */
            *text = '_';
}
