/* JSON of others' making: what was read to its end without complaint is taken whole, and nothing is read
 * beyond it. */
#include "fuzz.h"

#include "base/json_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_reader json;
    json_reader_begin(&json, (const char *)data, size);
    bool was_skipped = json_reader_skip(&json);
    if (json_reader_is_over(&json) && size > 0 && !was_skipped)
        abort();
    if (json.at > json.end)
        abort();
    return 0;
}
