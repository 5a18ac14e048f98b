/* audit_unix_text: the sentences on an audit are of TCP. Of Unix sockets the same is said in other words:
 * they have no FIN and no states. */
#include "base/text.h"
#include "view/audit_view.h"

#include <ctype.h>
#include <string.h>

const char *audit_unix_group_text(enum audit_group group)
{
    static const char *const texts[GROUP_COUNT] = {
        [GROUP_EOF_UNREAD] = "data is unread: the server is not reading",
        [GROUP_EOF_READ] =
            "nothing is unread (whether the end of file was read cannot be seen): only close() is missing",
        [GROUP_GHOST] = "these are descriptors of connections that have ended",
        [GROUP_OPEN] = "nobody has closed them",
        [GROUP_SHUT_DOWN] = "shut down, but kept open (shutdown() without close()): no timer ends that",
    };
    return texts[group];
}

static const struct {
    const char *of_tcp, *of_unix;
} words[] = {{"FIN", "end of file"}, {"RST", "reset"}};

/* NULL: none begins there. */
static const char *other_word(const char *text, size_t *length)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        *length = strlen(words[i].of_tcp);
        if (strncmp(text, words[i].of_tcp, *length) == 0 && !isalnum((unsigned char)text[*length]) &&
            text[*length] != '_')
            return words[i].of_unix;
    }
    return NULL;
}

void audit_say_as_unix(char *text, size_t size)
{
    struct audit_verdict said = {""};
    size_t length;
    bool is_in_word = false;
    for (const char *at = text; *at != '\0'; at += length) {
        const char *other = is_in_word ? NULL : other_word(at, &length);
        is_in_word = other == NULL && isalnum((unsigned char)*at);
        if (other == NULL) {
            length = 1;
            text_add(said.text, sizeof said.text, "%c", *at);
        } else {
            text_add(said.text, sizeof said.text, "%s", other);
        }
    }
    snprintf(text, size, "%s", said.text);
}
