/* attribution: of every class of lingering socket, in a sentence: which process holds it, since when,
 * whether data is unread, who sent the FIN first, and which side owes the close(). */
#ifndef ANALYSIS_ATTRIBUTION_H
#define ANALYSIS_ATTRIBUTION_H

#include "kernel/lingering.h"

struct attribution_text {
    char text[640];
};

/* The class in a sentence. What the other side's ends are in decides who acts: `all` are the classes of both
 * sides. */
struct attribution_text attribution_of(const struct lingering_class *class, const struct lingering *all);

/* Who has to act for the class to go, as in that sentence: "the server owes the close()". */
struct attribution_text who_acts(const struct lingering_class *class, const struct lingering *all);

#endif
