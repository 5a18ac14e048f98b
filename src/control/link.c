#include "control/link.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/util.h>
#include <stdarg.h>
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

int link_split(char *text, struct link_line *line)
{
    line->count = 0;
    char *rest;
    for (char *word = strtok_r(text, " \r\n", &rest); word != NULL; word = strtok_r(NULL, " \r\n", &rest)) {
        if (line->count == LINK_WORDS_MAX)
            return -EMSGSIZE;
        line->word[line->count++] = word;
    }
    return 0;
}

int64_t link_number(const struct link_line *line, int i)
{
    return i < line->count ? strtoll(line->word[i], NULL, 10) : 0;
}

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
static void deliver(const struct link *link, const struct link_line *line)
{
    struct message_complaint why;
    if (link->ears.way == WAY_CARRIED || message_check(link->ears.way, line, &why))
        link->ears.on_line(link->context, line);
    else
        link->ears.on_bad(link->context, &why);
}

static void read_line(const struct link *link, char *text, size_t length)
{
    struct link_line line;
    bool is_text = length <= LINK_LINE_MAX && strlen(text) == length;
    if (is_text && link_split(text, &line) == 0) {
        if (line.count > 0)
            deliver(link, &line);
        return;
    }
    struct message_complaint why = message_complaint_of("is no line of words", text);
    link->ears.on_bad(link->context, &why);
}

/* on_line may free the link, so nothing of it is touched once the stream is gone: the reference keeps the
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
    if (evbuffer_get_length(input) > LINK_LINE_MAX && (bufferevent_get_enabled(stream) & EV_READ) != 0)
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

void link_hear(struct link *channel, const struct link_line *line)
{
    deliver(channel, line);
}

void link_hear_end(struct link *channel)
{
    channel->ears.on_end(channel->context);
}

void link_text_add(struct link_text *text, const char *format, ...)
{
    size_t length = strlen(text->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text->text + length, sizeof text->text - length, format, arguments);
    va_end(arguments);
}

struct link_text link_rest(const struct link_line *line, int i)
{
    struct link_text out = {""};
    for (int first = i; i < line->count; i++)
        link_text_add(&out, "%s%s", i > first ? " " : "", line->word[i]);
    return out;
}

void link_send(struct link *link, const char *format, ...)
{
    struct link *carrier = link->carrier != NULL ? link->carrier : link;
    struct evbuffer *output = bufferevent_get_output(carrier->out);
    va_list arguments;
    if (link->carrier != NULL)
        evbuffer_add_printf(output, "to %d ", link->id);
    va_start(arguments, format);
    evbuffer_add_vprintf(output, format, arguments);
    va_end(arguments);
    evbuffer_add(output, "\n", 1);
}
