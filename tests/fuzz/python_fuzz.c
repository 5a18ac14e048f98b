/* The memory of a Python process, as any bytes: its frames end, and what they say is text. */
#include "fuzz.h"

#include "code/python_frames.h"
#include "code/python_lines.h"

struct memory {
    const uint8_t *bytes;
    size_t size;
};

/* It goes round: every address has something. */
static size_t read_round(void *context, uint64_t address, void *bytes, size_t size)
{
    const struct memory *memory = context;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)bytes)[i] = memory->bytes[(address + i) % memory->size];
    return size;
}

static void check(const struct python_frames *frames)
{
    if (frames->count < 0 || frames->count > SITE_PLACES || frames->used > sizeof frames->text)
        abort();
    for (int i = 0; i < frames->count; i++)
        if (frames->places[i].line < 0 || frames->places[i].function < frames->text ||
            frames->places[i].function + strlen(frames->places[i].function) >= frames->text + frames->used)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t versions[] = {0x030b07f0, 0x030c01f0, 0x030d00f0};
    static struct python_frames frames;
    struct python_threads threads = {0};
    struct memory memory = {data + 3, size - 3};
    if (size < 4 || size > 4096)
        return 0;
    struct python_runtime runtime = {.pid = 1, .at = data[0], .version = versions[data[1] % 3]};
    if (python_line_of(data, size, 1, data[2] * 2) < 0)
        abort();
    if (python_layout_of(runtime.version, read_round, &memory, runtime.at, &runtime.layout) != 0)
        return 0;
    python_frames_walk(&runtime, &threads, read_round, &memory, data[2], &frames);
    check(&frames);
    python_threads_clear(&threads);
    return 0;
}
