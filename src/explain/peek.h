/* peek: the first bytes that nobody has read of what lingers, as an example for each group: which requests
 * they are. They stay where they are, and their owner may still read them (kernel/borrowed_socket). */
#ifndef EXPLAIN_PEEK_H
#define EXPLAIN_PEEK_H

#include "explain/facts.h"
#include "explain/group.h"

enum { PEEK_BYTES = 24 };

struct peeked {
    int error;                     /* 0; EAGAIN: nothing is unread; why they may not be seen */
    char text[4 * PEEK_BYTES + 1]; /* visible ASCII and spaces; \r \n \t \\ \" \x00 for the rest */
};

/* Of the first socket of a group that has some, one of the first few. */
struct peeked peek_group(const struct facts *facts, const struct group *group);

/* The bytes as that text. */
void peek_spell(const void *bytes, size_t count, char text[4 * PEEK_BYTES + 1]);

#endif
