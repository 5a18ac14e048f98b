/* options_text: a command's options and what goes together, as they are written: help, guides, completion.
 */
#ifndef BASE_OPTIONS_TEXT_H
#define BASE_OPTIONS_TEXT_H

#include "base/options.h"

#include <stdio.h>

/* A line for each option, aligned, then one for each rule. */
void options_print_help(const struct option_table *table, FILE *out);

/* An item of a list for each option, in Markdown, with its bounds, its default and its rules. Options that
 * stand in `base` too, with the same words, are only named; NULL: none are. */
void options_print_markdown(const struct option_table *table, const struct option_table *base, FILE *out);

/* "--name" a line: the options that may still follow these words. */
void options_print_names(const struct option_table *table, int argc, char *const argv[], FILE *out);

/* Name, value, whether it is a list, and help, tab-separated: "conns N once open N connections", "sysctl
 * KEY=VAL list ...", "side usual|server once ..."; the value of a flag is "-". */
void options_print_rows(const struct option_table *table, FILE *out);

#endif
