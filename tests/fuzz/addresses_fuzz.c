/* Addresses as people type them: what is taken reads back from its own text. */
#include "fuzz.h"

#include "kernel/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size), why[64];
    struct address address, again;
    uint16_t port = 0;
    if (address_parse(text, &address) &&
        (!address_parse(address_text(&address).text, &again) || !address_equal(&address, &again)))
        abort();
    if (address_parse_with_port(text, &address, &port) && port == 0)
        abort();
    if (address_parse_loopback(text, &address, why, sizeof why) == 0 && !address_is_loopback(&address))
        abort();
    free(text);
    return 0;
}
