/* whose_fault: of every class of lingering socket, in a sentence: which process holds it, since when, whether
 * data is unread, who sent the FIN first, and which side owes the close(). */
#ifndef STORM_WHOSE_FAULT_H
#define STORM_WHOSE_FAULT_H

#include "tcp/lingering.h"

struct fault_sentence {
    char text[640];
};

struct fault_sentence whose_fault(const struct lingering_class *class);

#endif
