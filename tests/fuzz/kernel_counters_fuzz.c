/* /proc/net/netstat and /proc/net/snmp: pairs of lines. */
#include "fuzz.h"

#include "kernel/kernel_counters.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kernel_counters before = {0}, now = {0};
    if (size == 0)
        return 0;
    char *text = text_of(data, size);
    FILE *file = fmemopen(text, size, "r");
    if (file != NULL) {
        kernel_counters_parse(file, &now);
        fclose(file);
    }
    kernel_counters_moved(&now, &before);
    kernel_counters_moved(&before, &now);
    free(text);
    return 0;
}
