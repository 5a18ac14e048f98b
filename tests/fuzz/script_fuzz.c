/* What a worker is told to do with each of its connections: words such as "close@eof". */
#include "fuzz.h"

#include "model/close_order.h"
#include "model/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size), *rest;
    struct script script = {0};
    close_order_find(text);
    close_order_nearest(text);
    opening_parse(text);
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        script_add_word(&script, word);
    if (script.count > SCRIPT_STEPS_MAX)
        abort();
    for (int i = 0; i < script.count; i++)
        if (!act_is_on_ends(script.steps[i].act))
            abort();
    script_text(&script);
    free(text);
    return 0;
}
