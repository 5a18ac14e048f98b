#include "explain/peek.h"

#include "kernel/borrowed_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TRIES = 8 }; /* a socket may have been closed, or read, since the look */

static void spell_byte(unsigned char byte, char text[5])
{
    static const char special[] = "\r\n\t\\\"", letters[] = "rnt\\\"";
    const char *found = byte != 0 ? strchr(special, byte) : NULL;
    if (found != NULL)
        snprintf(text, 5, "\\%c", letters[found - special]);
    else if (byte >= ' ' && byte <= '~')
        snprintf(text, 5, "%c", byte);
    else
        snprintf(text, 5, "\\x%02x", byte);
}

void peek_spell(const void *bytes, size_t count, char text[4 * PEEK_BYTES + 1])
{
    text[0] = '\0';
    for (size_t i = 0; i < count && i < PEEK_BYTES; i++)
        spell_byte(((const unsigned char *)bytes)[i], text + strlen(text));
}

/* Returns how many bytes, or a negative errno. */
static int peek_socket(const struct facts *facts, const struct fact_socket *socket, void *bytes)
{
    int process = borrowed_socket_process(facts->processes[socket->process].pid);
    if (process < 0)
        return process;
    int rc = borrowed_socket_peek(process, socket->fd, socket->inode, bytes, PEEK_BYTES);
    close(process);
    return rc;
}

/* In CLOSE_WAIT the FIN is one of those that are unread. */
static bool has_unread(const struct fact_socket *socket)
{
    uint32_t fin = socket->state == STATE_CLOSE_WAIT ? 1 : 0;
    return socket->unread > fin && socket->process >= 0 && socket->fd >= 0 && socket->state != STATE_CLOSE;
}

struct peeked peek_group(const struct facts *facts, const struct group *group)
{
    struct peeked peeked = {.error = EAGAIN};
    char bytes[PEEK_BYTES];
    int tries = 0;
    for (int i = 0; i < group->count && tries < TRIES && peeked.error != 0; i++) {
        const struct fact_socket *socket = &facts->sockets[group->members[i]];
        if (!has_unread(socket))
            continue;
        int count = peek_socket(facts, socket, bytes);
        tries++;
        peeked.error = count > 0 ? 0 : -count;
        if (count > 0)
            peek_spell(bytes, (size_t)count, peeked.text);
    }
    return peeked;
}
