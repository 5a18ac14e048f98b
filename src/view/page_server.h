/* page_server: HTTP/1.1 for a monitor that asks for a page now and then: GET and HEAD, one request a
 * connection (RFC 9112). It is small so that it can promise what libevent's own server cannot: so many
 * connections at most, of which the oldest goes first, and rest where there is no descriptor. */
#ifndef VIEW_PAGE_SERVER_H
#define VIEW_PAGE_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct evbuffer;
struct event_base;
struct page_server;

enum { PAGE_REQUEST_MAX = 8192, PAGE_VISITORS_MAX = 128 };

struct page_request {
    char method[16];
    char path[256];    /* without its query; what is longer is cut */
    char accept[1024]; /* the Accept headers, joined; what is longer is cut */
};

enum page_parsed {
    PAGE_PARSED,
    PAGE_INCOMPLETE, /* no empty line yet, and it may still come */
    PAGE_TOO_LONG,   /* above PAGE_REQUEST_MAX */
    PAGE_BAD,        /* no HTTP/1 */
};

/* Reads a request line and headers from `size` bytes, which need no end. */
enum page_parsed page_request_parse(const char *text, size_t size, struct page_request *request);

/* Puts the page of that path into `body`, and its type; false when there is none. */
typedef bool page_make(void *context, const struct page_request *request, struct evbuffer *body,
                       const char **type);

/* Takes the listening socket over, even where it returns NULL, without memory. */
struct page_server *page_server_new(struct event_base *base, int listener, page_make *make, void *context);

/* Closes all connections. */
void page_server_free(struct page_server *server);

#endif
