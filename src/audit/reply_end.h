/* reply_end: the last bytes of a reply. Replies to one request differ in length where a header has a number
 * in it, and still end alike: one that is a little shorter and ends so is whole. */
#ifndef AUDIT_REPLY_END_H
#define AUDIT_REPLY_END_H

#include <stdbool.h>
#include <stddef.h>

enum { REPLY_END_MAX = 16 };

/* Zero-initialised: of no reply. */
struct reply_end {
    unsigned char bytes[REPLY_END_MAX];
    unsigned char length; /* 0 to REPLY_END_MAX: of a reply that is shorter, all of it */
};

/* More of the reply has come: `length` bytes. */
void reply_end_take(struct reply_end *end, const void *more, size_t length);

/* Whether both end alike, in all the bytes that are known of them. */
bool reply_end_equal(const struct reply_end *a, const struct reply_end *b);

#endif
