#include "view/page_server.h"

#include "base/diag.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    REST_S = 1,          /* of the listener, where there is no descriptor */
    IDLE_S = 15,         /* for a request, and for the answer to be read */
    LINGER_S = 2,        /* after the answer, for the other side to close */
    UNHEARD_MAX = 65536, /* bytes after the request */
};

struct visitor {
    struct page_server *server;
    struct bufferevent *stream;
    bool is_answered, has_left; /* it sends no more */
    size_t unheard;
};

struct page_server {
    struct event_base *base;
    int listener;
    struct event *incoming, *rest;
    page_make *make;
    void *context;
    struct visitor *visitors[PAGE_VISITORS_MAX]; /* the oldest first */
    int count;
    bool has_complained;
};

/* ---- requests ---- */

static const char *end_of_head(const char *text, size_t size)
{
    const char *crlf = memmem(text, size, "\r\n\r\n", 4), *lf = memmem(text, size, "\n\n", 2);
    return crlf == NULL || (lf != NULL && lf < crlf) ? lf : crlf;
}

/* A copy of the next word of the line, cut where it does not fit. False where there is none. */
static bool take_word(const char **at, const char *end, char *word, size_t size)
{
    size_t length = 0;
    const char *begin = *at;
    while (*at < end && **at != ' ' && **at != '\r' && **at != '\n')
        ++*at;
    length = (size_t)(*at - begin);
    snprintf(word, size, "%.*s", (int)(length < size ? length : size - 1), begin);
    *at += *at < end && **at == ' ';
    return length > 0;
}

/* "/metrics?x=y" and "http://here/metrics" are /metrics. */
static void keep_path(char *target)
{
    char *path = target;
    if (strncasecmp(target, "http://", 7) == 0) {
        path = strchr(target + 7, '/');
        path = path != NULL ? path : target + strlen(target);
    }
    path[strcspn(path, "?")] = '\0';
    memmove(target, path, strlen(path) + 1);
}

static void take_header(const char *line, size_t length, struct page_request *request)
{
    static const char name[] = "Accept:";
    size_t kept = strlen(request->accept), begin = sizeof name - 1;
    length -= length > 0 && line[length - 1] == '\r';
    if (length > begin && strncasecmp(line, name, begin) == 0)
        snprintf(request->accept + kept, sizeof request->accept - kept, "%.*s,", (int)(length - begin),
                 line + begin);
}

enum page_parsed page_request_parse(const char *text, size_t size, struct page_request *request)
{
    char version[16];
    const char *end = end_of_head(text, size < PAGE_REQUEST_MAX ? size : PAGE_REQUEST_MAX), *at = text;
    *request = (struct page_request){"", "", ""};
    if (end == NULL)
        return size < PAGE_REQUEST_MAX ? PAGE_INCOMPLETE : PAGE_TOO_LONG;
    if (memchr(text, '\0', (size_t)(end - text)) != NULL) /* RFC 9110: in no part of a head */
        return PAGE_BAD;
    if (!take_word(&at, end, request->method, sizeof request->method) ||
        !take_word(&at, end, request->path, sizeof request->path) ||
        !take_word(&at, end, version, sizeof version) || strncmp(version, "HTTP/1.", 7) != 0)
        return PAGE_BAD;
    keep_path(request->path);
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL && ++at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        take_header(at, (size_t)((stop != NULL ? stop : end) - at), request);
    }
    return PAGE_PARSED;
}

/* ---- answers ---- */

static void send_answer(struct visitor *visitor, const char *status, const char *type, struct evbuffer *body,
                        bool is_head)
{
    struct evbuffer *out = bufferevent_get_output(visitor->stream);
    evbuffer_add_printf(out,
                        "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                        status, type, evbuffer_get_length(body));
    if (!is_head)
        evbuffer_add_buffer(out, body);
    visitor->is_answered = true;
}

static void answer(struct visitor *visitor, enum page_parsed parsed, const struct page_request *request)
{
    const char *status = "200 OK", *type = "text/plain; charset=utf-8";
    bool is_head = strcmp(request->method, "HEAD") == 0;
    struct evbuffer *body = evbuffer_new();
    if (body == NULL)
        return; /* it asks again when its time is over */
    if (parsed == PAGE_TOO_LONG)
        status = "431 Request Header Fields Too Large";
    else if (parsed == PAGE_BAD)
        status = "400 Bad Request";
    else if (!is_head && strcmp(request->method, "GET") != 0)
        status = "501 Not Implemented";
    else if (!visitor->server->make(visitor->server->context, request, body, &type))
        status = "404 Not Found";
    if (evbuffer_get_length(body) == 0)
        evbuffer_add_printf(body, "%s\n", status);
    send_answer(visitor, status, type, body, is_head);
    evbuffer_free(body);
}

/* ---- visitors ---- */

static void send_away(struct visitor *visitor)
{
    struct page_server *server = visitor->server;
    int i = 0;
    while (server->visitors[i] != visitor)
        i++;
    server->count--;
    memmove(&server->visitors[i], &server->visitors[i + 1],
            (size_t)(server->count - i) * sizeof server->visitors[0]);
    bufferevent_free(visitor->stream);
    free(visitor);
}

static void on_readable(struct bufferevent *stream, void *context)
{
    struct visitor *visitor = context;
    struct evbuffer *in = bufferevent_get_input(stream);
    size_t size = evbuffer_get_length(in);
    if (!visitor->is_answered) {
        struct page_request request;
        size_t most = size < PAGE_REQUEST_MAX ? size : PAGE_REQUEST_MAX;
        const char *text = (const char *)evbuffer_pullup(in, (ev_ssize_t)most);
        enum page_parsed parsed = text != NULL ? page_request_parse(text, most, &request) : PAGE_INCOMPLETE;
        if (parsed == PAGE_INCOMPLETE)
            return;
        answer(visitor, parsed, &request);
    }
    evbuffer_drain(in, size);
    visitor->unheard += size;
    if (visitor->unheard > UNHEARD_MAX)
        send_away(visitor);
}

/* Closing at once could reset the connection before the answer is read: see RFC 9112, 9.6. */
static void on_written(struct bufferevent *stream, void *context)
{
    static const struct timeval linger = {LINGER_S, 0};
    struct visitor *visitor = context;
    if (!visitor->is_answered)
        return;
    if (visitor->has_left) {
        send_away(visitor);
        return;
    }
    shutdown(bufferevent_getfd(stream), SHUT_WR);
    bufferevent_set_timeouts(stream, &linger, &linger);
}

static void on_end(struct bufferevent *stream, short what, void *context)
{
    struct visitor *visitor = context;
    visitor->has_left = (what & BEV_EVENT_EOF) != 0;
    if (!visitor->has_left || evbuffer_get_length(bufferevent_get_output(stream)) == 0)
        send_away(visitor);
}

static bool receive(struct page_server *server, int fd)
{
    static const struct timeval idle = {IDLE_S, 0};
    struct visitor *visitor = calloc(1, sizeof *visitor);
    if (visitor == NULL)
        return false;
    visitor->server = server;
    visitor->stream = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (visitor->stream == NULL) {
        free(visitor);
        return false;
    }
    bufferevent_setcb(visitor->stream, on_readable, on_written, on_end, visitor);
    bufferevent_set_timeouts(visitor->stream, &idle, &idle);
    bufferevent_setwatermark(visitor->stream, EV_READ, 0, 2 * PAGE_REQUEST_MAX);
    bufferevent_enable(visitor->stream, EV_READ | EV_WRITE);
    server->visitors[server->count++] = visitor;
    return true;
}

/* ---- the listener ---- */

static void on_rested(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    event_add(((struct page_server *)context)->incoming, NULL);
}

/* Whoever waits stays in the queue. Without rest the loop would be told of him again and again. */
static void rest(struct page_server *server, int error)
{
    static const struct timeval a_while = {REST_S, 0};
    event_del(server->incoming);
    event_add(server->rest, &a_while);
    if (!server->has_complained)
        diag_warn("--metrics: a monitor's connection cannot be accepted: %s; it has to wait",
                  strerror(error));
    server->has_complained = true;
}

static void on_incoming(evutil_socket_t listener, short what, void *context)
{
    (void)what;
    struct page_server *server = context;
    if (server->count == PAGE_VISITORS_MAX)
        send_away(server->visitors[0]);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int error = errno;
    if (fd >= 0) {
        if (!receive(server, fd))
            close(fd);
    } else if (error == EMFILE && server->count > 0)
        send_away(server->visitors[0]);
    else if (error != EAGAIN && error != EINTR && error != ECONNABORTED)
        rest(server, error);
}

struct page_server *page_server_new(struct event_base *base, int listener, page_make *make, void *context)
{
    struct page_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        close(listener);
        return NULL;
    }
    *server = (struct page_server){.base = base, .listener = listener, .make = make, .context = context};
    evutil_make_socket_nonblocking(listener);
    server->incoming = event_new(base, listener, EV_READ | EV_PERSIST, on_incoming, server);
    server->rest = evtimer_new(base, on_rested, server);
    if (server->incoming == NULL || server->rest == NULL || event_add(server->incoming, NULL) != 0) {
        page_server_free(server);
        return NULL;
    }
    return server;
}

void page_server_free(struct page_server *server)
{
    if (server == NULL)
        return;
    while (server->count > 0)
        send_away(server->visitors[0]);
    if (server->incoming != NULL)
        event_free(server->incoming);
    if (server->rest != NULL)
        event_free(server->rest);
    close(server->listener);
    free(server);
}
