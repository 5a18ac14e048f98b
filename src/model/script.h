/* script: what one side does to each of its connections where they come one by one, and what it waits for
 * before each act. It follows from the close order: a side acts when its time has come, when it hears what
 * the other side did, or right after its own last act. */
#ifndef MODEL_SCRIPT_H
#define MODEL_SCRIPT_H

#include "model/close_order.h"

enum trigger {
    TRIGGER_NOW,  /* at once */
    TRIGGER_LIFE, /* when the connection has lived for the time it was given */
    TRIGGER_DATA, /* when data is there to be read */
    TRIGGER_EOF,  /* when the other side's FIN or RST is read; data before it is read and dropped */
};

struct script_step {
    enum trigger when;
    enum act act; /* one that is done to an end */
};

enum { SCRIPT_STEPS_MAX = ORDER_STEPS_MAX };

struct script {
    int count;
    struct script_step steps[SCRIPT_STEPS_MAX];
};

/* What the order asks of that side. */
struct script script_of(const struct close_order *order, enum side side);

struct script_text {
    char text[160];
};

/* "shutdown@life read@data close@eof"; "-" for a script without steps. */
struct script_text script_text(const struct script *script);

/* True when the side ends its ends: one whose script does not keeps them, whatever the other side does. */
bool script_ends(const struct script *script);

bool script_has(const struct script *script, enum act act);

/* Adds the step that one such word names. Returns 0, or -EINVAL. */
int script_add_word(struct script *script, const char *word);

#endif
