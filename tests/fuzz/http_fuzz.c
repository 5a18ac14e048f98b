/* A request as it comes from whoever connects to --metrics; the bytes need no end. */
#include "fuzz.h"

#include "view/page_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct page_request request = {.method = ""};
    char *text = malloc(size > 0 ? size : 1); /* no byte longer than what came */
    if (text == NULL)
        abort();
    if (size > 0)
        memcpy(text, data, size);
    enum page_parsed parsed = page_request_parse(text, size, &request);
    if (parsed == PAGE_PARSED && (size > PAGE_REQUEST_MAX || request.method[0] == '\0' ||
                                  memchr(request.path, '\0', sizeof request.path) == NULL ||
                                  memchr(request.accept, '\0', sizeof request.accept) == NULL))
        abort();
    free(text);
    return 0;
}
