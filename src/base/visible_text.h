/* visible_text: words of strangers, such as the name of a process, made fit for a terminal, a table and a
 * wire. */
#ifndef BASE_VISIBLE_TEXT_H
#define BASE_VISIBLE_TEXT_H

/* Makes it one word of visible ASCII: every other byte (spaces, newlines, escapes, beyond ASCII) becomes an
 * underscore. */
void make_visible_word(char *text);

#endif
