/* shell_quote: a command line as a person would type it again. */
#ifndef BASE_SHELL_QUOTE_H
#define BASE_SHELL_QUOTE_H

/* The words, a space between them, each quoted for bash where it needs to be: plain ASCII whatever is in
 * them. `first` comes unquoted before them. The caller frees it; NULL when out of memory. */
char *shell_quoted(const char *first, int argc, char *const argv[]);

/* The same for any shell of POSIX to run: the bytes as they are. */
char *shell_command(const char *first, int argc, const char *const argv[]);

#endif
