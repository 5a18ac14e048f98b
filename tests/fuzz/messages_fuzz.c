/* A line that has come over a stream, in any of its ways; the first byte chooses which. What passes the check
 * is safe to be read as its row says. */
#include "fuzz.h"

#include "control/host_info.h"
#include "control/link.h"
#include "control/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    char *text = text_of(data + 1, size - 1);
    struct link_line line;
    struct message_complaint why = {""};
    enum message_way way = (enum message_way)(data[0] % WAY_COUNT);
    if (link_split(text, &line) == 0) {
        struct host_limits limits = {0};
        bool is_message = message_check(way, &line, &why);
        if (is_message && line.count == 0)
            abort();
        if (!is_message && why.text[0] == '\0')
            abort();
        if (is_message && strcmp(line.word[0], "limits") == 0)
            host_info_read_limits(&line, &limits);
        link_rest(&line, 0);
    }
    for (const char *c = why.text; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            abort();
    free(text);
    return 0;
}
