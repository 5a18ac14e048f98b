/* http_request: where requests end in the bytes that a client sends: HTTP/1.1 (RFC 9112), as far as one who
 * answers each with the same reply must know. */
#ifndef AUDIT_HTTP_REQUEST_H
#define AUDIT_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised: before the first byte. */
struct http_reader {
    enum { HTTP_LINES, HTTP_BODY, HTTP_CHUNK_LINE, HTTP_CHUNK, HTTP_TRAILER } place;
    bool has_begun; /* a line of it has come */
    bool is_chunked;
    int64_t left;  /* bytes of the body, or of the chunk and the line's end behind it */
    size_t length; /* of the line so far, without its end; what is longer than there is room for is cut */
    char line[256];
};

/* Reads on. Returns how many requests ended in these bytes. */
int http_reader_take(struct http_reader *reader, const char *bytes, size_t length);

/* A request has begun and not ended. */
bool http_reader_is_within(const struct http_reader *reader);

#endif
