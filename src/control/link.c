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

struct wire {
    struct bufferevent *stream, *out; /* where lines come in, and go out: often the same */
    struct wire *carrier;             /* of a channel, which has no streams */
    int id;
    struct wire_ears ears;
    void *context;
};

int wire_split(char *text, struct wire_line *line)
{
    line->count = 0;
    char *rest;
    for (char *word = strtok_r(text, " \r\n", &rest); word != NULL; word = strtok_r(NULL, " \r\n", &rest)) {
        if (line->count == WIRE_WORDS_MAX)
            return -EMSGSIZE;
        line->word[line->count++] = word;
    }
    return 0;
}

int64_t wire_number(const struct wire_line *line, int i)
{
    return i < line->count ? strtoll(line->word[i], NULL, 10) : 0;
}

static void on_end(struct bufferevent *stream, short what, void *context)
{
    struct wire *wire = context;
    if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) == 0)
        return;
    bufferevent_disable(stream, EV_READ | EV_WRITE);
    shutdown(bufferevent_getfd(stream),
             SHUT_RDWR); /* what has failed on this side ends for the other one too */
    wire->ears.on_end(wire->context);
}

/* Gives it to who hears it, if it is a message. */
static void deliver(const struct wire *wire, const struct wire_line *line)
{
    struct message_complaint why;
    if (wire->ears.way == WAY_CARRIED || message_check(wire->ears.way, line, &why))
        wire->ears.on_line(wire->context, line);
    else
        wire->ears.on_bad(wire->context, &why);
}

static void read_line(const struct wire *wire, char *text, size_t length)
{
    struct wire_line line;
    bool is_text = length <= WIRE_LINE_MAX && strlen(text) == length;
    if (is_text && wire_split(text, &line) == 0) {
        if (line.count > 0)
            deliver(wire, &line);
        return;
    }
    struct message_complaint why = message_complaint_of("is no line of words", text);
    wire->ears.on_bad(wire->context, &why);
}

/* on_line may free the wire, so nothing of it is touched once the stream is gone: the reference keeps the
 * bufferevent, and one that was disabled has no more lines for us. */
static void on_readable(struct bufferevent *stream, void *context)
{
    struct wire *wire = context;
    struct evbuffer *input = bufferevent_get_input(stream);
    char *text;
    size_t length;
    bufferevent_incref(stream);
    while ((bufferevent_get_enabled(stream) & EV_READ) != 0 &&
           (text = evbuffer_readln(input, &length, EVBUFFER_EOL_LF)) != NULL) {
        read_line(wire, text, length);
        free(text);
    }
    if (evbuffer_get_length(input) > WIRE_LINE_MAX && (bufferevent_get_enabled(stream) & EV_READ) != 0)
        on_end(stream, BEV_EVENT_ERROR, wire); /* no line of ours is that long: this is not our protocol */
    bufferevent_decref(stream);
}

static struct wire *new_wire(const struct wire_ears *ears, void *context)
{
    struct wire *wire = calloc(1, sizeof *wire);
    if (wire != NULL)
        *wire = (struct wire){.ears = *ears, .context = context};
    return wire;
}

static struct bufferevent *open_stream(struct event_base *base, int fd, struct wire *wire)
{
    evutil_make_socket_nonblocking(fd);
    struct bufferevent *stream = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (stream != NULL)
        bufferevent_setcb(stream, on_readable, NULL, on_end, wire);
    return stream;
}

struct wire *wire_new_pair(struct event_base *base, int in, int out, const struct wire_ears *ears,
                           void *context)
{
    struct wire *wire = new_wire(ears, context);
    if (wire == NULL)
        return NULL;
    wire->stream = open_stream(base, in, wire);
    wire->out = in == out ? wire->stream : open_stream(base, out, wire);
    if (wire->stream == NULL || wire->out == NULL) {
        wire_free(wire);
        return NULL;
    }
    bufferevent_enable(wire->stream, EV_READ);
    bufferevent_enable(wire->out, EV_WRITE);
    return wire;
}

struct wire *wire_new(struct event_base *base, int fd, const struct wire_ears *ears, void *context)
{
    return wire_new_pair(base, fd, fd, ears, context);
}

struct wire *wire_new_channel(struct wire *carrier, int id, const struct wire_ears *ears, void *context)
{
    struct wire *wire = new_wire(ears, context);
    if (wire != NULL) {
        wire->carrier = carrier;
        wire->id = id;
    }
    return wire;
}

static void free_stream(struct bufferevent *stream)
{
    if (stream == NULL)
        return;
    bufferevent_disable(stream, EV_READ | EV_WRITE);
    bufferevent_free(stream);
}

void wire_free(struct wire *wire)
{
    if (wire == NULL)
        return;
    if (wire->out != wire->stream)
        free_stream(wire->out);
    free_stream(wire->stream);
    free(wire);
}

void wire_hear(struct wire *channel, const struct wire_line *line)
{
    deliver(channel, line);
}

void wire_hear_end(struct wire *channel)
{
    channel->ears.on_end(channel->context);
}

void wire_text_add(struct wire_text *text, const char *format, ...)
{
    size_t length = strlen(text->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text->text + length, sizeof text->text - length, format, arguments);
    va_end(arguments);
}

struct wire_text wire_rest(const struct wire_line *line, int i)
{
    struct wire_text out = {""};
    for (int first = i; i < line->count; i++)
        wire_text_add(&out, "%s%s", i > first ? " " : "", line->word[i]);
    return out;
}

void wire_send(struct wire *wire, const char *format, ...)
{
    struct wire *carrier = wire->carrier != NULL ? wire->carrier : wire;
    struct evbuffer *output = bufferevent_get_output(carrier->out);
    va_list arguments;
    if (wire->carrier != NULL)
        evbuffer_add_printf(output, "to %d ", wire->id);
    va_start(arguments, format);
    evbuffer_add_vprintf(output, format, arguments);
    va_end(arguments);
    evbuffer_add(output, "\n", 1);
}
