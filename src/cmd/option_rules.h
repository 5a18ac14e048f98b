/* option_rules: which options go together, of all commands. */
#ifndef CMD_OPTION_RULES_H
#define CMD_OPTION_RULES_H

#include "base/options.h"

/* For the `rules` of every command's option_table. */
extern const struct option_rule option_rules[];

#endif
