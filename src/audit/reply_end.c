#include "audit/reply_end.h"

#include <string.h>

void reply_end_take(struct reply_end *end, const void *more, size_t length)
{
    size_t taken = length < REPLY_END_MAX ? length : REPLY_END_MAX;
    size_t kept = end->length + taken > REPLY_END_MAX ? REPLY_END_MAX - taken : end->length;
    memmove(end->bytes, end->bytes + end->length - kept, kept);
    memcpy(end->bytes + kept, (const unsigned char *)more + length - taken, taken);
    end->length = (unsigned char)(kept + taken);
}

bool reply_end_equal(const struct reply_end *a, const struct reply_end *b)
{
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}
