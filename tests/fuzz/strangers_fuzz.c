/* What clients send to us where we play their server, and proxies where we play their backend: it does not
 * matter in which pieces it comes. */
#include "fuzz.h"

#include "audit/http_request.h"
#include "audit/proxy_backend.h"

#include <stdbool.h>

static void read_requests(const char *bytes, size_t size)
{
    struct http_reader whole = {.length = 0}, parts = {.length = 0};
    int ended = http_reader_take(&whole, bytes, size), in_parts = 0;
    for (size_t i = 0; i < size; i++)
        in_parts += http_reader_take(&parts, bytes + i, 1);
    if (ended != in_parts || http_reader_is_within(&whole) != http_reader_is_within(&parts) ||
        whole.left < 0 || whole.length >= sizeof whole.line)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    read_requests(text, size);
    if (proxy_caller_number(text, size, true, 0x12ab) < -2 ||
        proxy_caller_number(text, size, false, 0x12ab) < -2)
        abort();
    free(text);
    return 0;
}
