/* A line that has come over a stream, in any of its ways; the first byte chooses which. What is a message is
 * one again when it is written and read once more: nothing got into it that its row does not allow. */
#include "fuzz.h"

#include "control/messages.h"

static bool is_printable(const char *text)
{
    while (*text >= ' ' && *text <= '~')
        text++;
    return *text == '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    char *text = text_of(data + 1, size - 1);
    enum message_way way = (enum message_way)(data[0] % (WAY_COUNT + 1));
    struct message message, again;
    struct message_text line;
    struct message_complaint why = {""};
    bool is_message = message_decode(way, text, &message, &why);
    if (is_message != (why.text[0] == '\0') || !is_printable(why.text))
        abort();
    if (is_message && message_encode(&message, &line) <= MESSAGE_LINE_MAX &&
        (!message_decode(way, line.text, &again, &why) || again.id != message.id))
        abort();
    free(text);
    return 0;
}
