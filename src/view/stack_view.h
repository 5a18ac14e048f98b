/* stack_view: where in their source a process's threads are, for people and for scripts. */
#ifndef VIEW_STACK_VIEW_H
#define VIEW_STACK_VIEW_H

#include "base/json_writer.h"
#include "explain/stacks.h"

#include <stdio.h>

/* Lines of so many bytes, indented by so many. */
void stacks_print_text(FILE *out, const struct facts *facts, const struct stacks *stacks, int indent,
                       int width);

/* The members of an object that is open. */
void stacks_put_json(struct json_writer *json, const struct facts *facts, const struct stacks *stacks);

#endif
