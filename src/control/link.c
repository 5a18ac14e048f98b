#include "control/link.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/util.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct link {
    struct bufferevent *stream, *out; /* where lines come in, and go out: often the same */
    struct link *carrier;             /* of a channel, which has no streams */
    int id;
    struct link_ears ears;
    void *context;
};

static void on_end(struct bufferevent *stream, short what, void *context)
{
    struct link *link = context;
    if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) == 0)
        return;
    bufferevent_disable(stream, EV_READ | EV_WRITE);
    shutdown(bufferevent_getfd(stream),
             SHUT_RDWR); /* what has failed on this side ends for the other one too */
    link->ears.on_end(link->context);
}

/* Gives it to who hears it, if it is a message. */
static void deliver(const struct link *link, char *text)
{
    struct message message;
    struct message_complaint why;
    if (message_decode(link->ears.way, text, &message, &why))
        link->ears.on_message(link->context, &message);
    else
        link->ears.on_bad(link->context, &why);
}

static void read_line(const struct link *link, char *text, size_t length)
{
    bool is_text = length <= MESSAGE_LINE_MAX && strlen(text) == length;
    if (is_text) {
        if (text[strspn(text, " \r")] != '\0')
            deliver(link, text);
        return;
    }
    struct message_complaint why = message_complaint_of("is not a line of words", text);
    link->ears.on_bad(link->context, &why);
}

/* on_message may free the link, so nothing of it is touched once the stream is gone: the reference keeps the
 * bufferevent, and one that was disabled has no more lines for us. */
static void on_readable(struct bufferevent *stream, void *context)
{
    struct link *link = context;
    struct evbuffer *input = bufferevent_get_input(stream);
    char *text;
    size_t length;
    bufferevent_incref(stream);
    while ((bufferevent_get_enabled(stream) & EV_READ) != 0 &&
           (text = evbuffer_readln(input, &length, EVBUFFER_EOL_LF)) != NULL) {
        read_line(link, text, length);
        free(text);
    }
    if (evbuffer_get_length(input) > MESSAGE_LINE_MAX && (bufferevent_get_enabled(stream) & EV_READ) != 0)
        on_end(stream, BEV_EVENT_ERROR, link); /* no line of ours is that long: this is not our protocol */
    bufferevent_decref(stream);
}

static struct link *new_link(const struct link_ears *ears, void *context)
{
    struct link *link = calloc(1, sizeof *link);
    if (link != NULL)
        *link = (struct link){.ears = *ears, .context = context};
    return link;
}

static struct bufferevent *open_stream(struct event_base *base, int fd, struct link *link)
{
    evutil_make_socket_nonblocking(fd);
    struct bufferevent *stream = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (stream != NULL)
        bufferevent_setcb(stream, on_readable, NULL, on_end, link);
    return stream;
}

struct link *link_new_pair(struct event_base *base, int in, int out, const struct link_ears *ears,
                           void *context)
{
    struct link *link = new_link(ears, context);
    if (link == NULL)
        return NULL;
    link->stream = open_stream(base, in, link);
    link->out = in == out ? link->stream : open_stream(base, out, link);
    if (link->stream == NULL || link->out == NULL) {
        link_free(link);
        return NULL;
    }
    bufferevent_enable(link->stream, EV_READ);
    bufferevent_enable(link->out, EV_WRITE);
    return link;
}

struct link *link_new(struct event_base *base, int fd, const struct link_ears *ears, void *context)
{
    return link_new_pair(base, fd, fd, ears, context);
}

struct link *link_new_channel(struct link *carrier, int id, const struct link_ears *ears, void *context)
{
    struct link *link = new_link(ears, context);
    if (link != NULL) {
        link->carrier = carrier;
        link->id = id;
    }
    return link;
}

static void free_stream(struct bufferevent *stream)
{
    if (stream == NULL)
        return;
    bufferevent_disable(stream, EV_READ | EV_WRITE);
    bufferevent_free(stream);
}

void link_free(struct link *link)
{
    if (link == NULL)
        return;
    if (link->out != link->stream)
        free_stream(link->out);
    free_stream(link->stream);
    free(link);
}

void link_hear(struct link *channel, const char *line)
{
    struct message_text copy;
    snprintf(copy.text, sizeof copy.text, "%s", line);
    deliver(channel, copy.text);
}

void link_send(struct link *link, const struct message *message)
{
    struct link *carrier = link->carrier != NULL ? link->carrier : link;
    struct message_text line, outer;
    size_t length = message_encode(message, &line);
    if (link->carrier != NULL) {
        const struct message to = {.id = MESSAGE_TO, .carried = {link->id, line.text}};
        length = message_encode(&to, &outer);
    }
    struct message_text *out = link->carrier != NULL ? &outer : &line;
    out->text[length] = '\n';
    evbuffer_add(bufferevent_get_output(carrier->out), out->text, length + 1);
}
