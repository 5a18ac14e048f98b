#include "code/python_frames.h"

#include "code/python_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRAMES_MAX = 4096,    /* of a thread: Python's own limit is 1000 unless it was raised */
    HEAD_MAX = 96,        /* more than the heads of strings and of bytes have */
    STRING_FIRST = 160,   /* bytes of a string that are read with its head */
    LINES_FIRST = 928,    /* likewise of a table of lines */
    FRAME_BYTES = 512,    /* more than a frame's head, and a code object's, have */
    STRING_MAX = 1024,    /* characters of a name or a path; longer ones are not told */
    LINES_MAX = 1 << 18,  /* bytes of a table of lines */
    OWNED_BY_C_STACK = 3, /* a frame that stands for a call from C */
};

struct walk {
    const struct python_runtime *runtime;
    const struct python_layout *layout;
    python_reader *read;
    void *context;
    struct python_frames *frames;
    uint64_t code_type;    /* the address of the type of code objects, when one was seen */
    uint64_t last_file;    /* a string that was read, and ... */
    const char *last_path; /* ... what it is */
};

static bool read_all(const struct walk *walk, uint64_t address, void *bytes, size_t size)
{
    return address != 0 && walk->read(walk->context, address, bytes, size) == size;
}

static uint64_t read_word(const struct walk *walk, uint64_t address)
{
    uint64_t word;
    return read_all(walk, address, &word, sizeof word) ? word : 0;
}

static uint64_t word_in(const unsigned char *bytes, uint32_t offset)
{
    uint64_t word;
    memcpy(&word, bytes + offset, sizeof word);
    return word;
}

/* ---- strings ---- */

/* The bits of an object's state (Include/cpython/unicodeobject.h). */
static int kind_of(uint32_t state)
{
    return (int)(state >> 2 & 7);
}

static bool is_compact(uint32_t state)
{
    return (state >> 5 & 1) != 0;
}

static bool is_ascii(uint32_t state)
{
    return (state >> 6 & 1) != 0;
}

static bool put_byte(struct python_frames *frames, unsigned value)
{
    if (frames->used + 1 >= sizeof frames->text)
        return false;
    frames->text[frames->used++] = (char)value;
    return true;
}

/* As UTF-8 (RFC 3629). */
static bool put_character(struct python_frames *frames, uint32_t c)
{
    if (c < 0x80)
        return put_byte(frames, c == 0 ? '?' : c);
    if (c < 0x800)
        return put_byte(frames, 0xc0 | c >> 6) && put_byte(frames, 0x80 | (c & 0x3f));
    if ((c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
        return put_byte(frames, '?');
    if (c < 0x10000)
        return put_byte(frames, 0xe0 | c >> 12) && put_byte(frames, 0x80 | (c >> 6 & 0x3f)) &&
               put_byte(frames, 0x80 | (c & 0x3f));
    return put_byte(frames, 0xf0 | c >> 18) && put_byte(frames, 0x80 | (c >> 12 & 0x3f)) &&
           put_byte(frames, 0x80 | (c >> 6 & 0x3f)) && put_byte(frames, 0x80 | (c & 0x3f));
}

static uint32_t character_at(const unsigned char *data, int kind, size_t i)
{
    uint16_t two;
    uint32_t four;
    if (kind == 1)
        return data[i];
    if (kind == 2) {
        memcpy(&two, data + 2 * i, sizeof two);
        return two;
    }
    memcpy(&four, data + 4 * i, sizeof four);
    return four;
}

/* Reads the characters behind an object's head, of which a first read has brought `got` bytes of all. */
static bool read_rest(const struct walk *walk, uint64_t address, unsigned char *object, size_t got,
                      size_t size)
{
    return got >= size || read_all(walk, address + got, object + got, size - got);
}

/* Its place in the frames' text. NULL: it is no such string, or there is no room. */
static const char *take_string(struct walk *walk, uint64_t address)
{
    const struct python_layout *layout = walk->layout;
    unsigned char object[HEAD_MAX + STRING_MAX * 4];
    uint32_t state;
    size_t got = address != 0 ? walk->read(walk->context, address, object, HEAD_MAX + STRING_FIRST) : 0;
    if (got < layout->string_other)
        return NULL;
    uint64_t length = word_in(object, layout->string_length);
    memcpy(&state, object + layout->string_state, sizeof state);
    int kind = kind_of(state);
    if (!is_compact(state) || (kind != 1 && kind != 2 && kind != 4) || length > STRING_MAX)
        return NULL;
    size_t at = is_ascii(state) ? layout->string_ascii : layout->string_other;
    if (!read_rest(walk, address, object, got, at + length * (size_t)kind))
        return NULL;
    size_t start = walk->frames->used;
    bool fits = true;
    for (size_t i = 0; i < length && fits; i++)
        fits = put_character(walk->frames, character_at(object + at, kind, i));
    if (!fits || !put_byte(walk->frames, '\0')) {
        walk->frames->used = start;
        return NULL;
    }
    return walk->frames->text + start;
}

/* ---- a frame ---- */

/* The type of a code object names itself so. */
static bool is_code(struct walk *walk, uint64_t type)
{
    char name[sizeof "code"];
    if (walk->code_type != 0 || type == 0)
        return type == walk->code_type && type != 0;
    uint64_t at = read_word(walk, type + walk->layout->type_name);
    if (!read_all(walk, at, name, sizeof name) || memcmp(name, "code", sizeof name) != 0)
        return false;
    walk->code_type = type;
    return true;
}

/* Most tables come with the first read. */
static int line_at(struct walk *walk, uint64_t address, int first_line, int64_t offset)
{
    const struct python_layout *layout = walk->layout;
    unsigned char first[HEAD_MAX + LINES_FIRST], *table = first;
    size_t got = address != 0 ? walk->read(walk->context, address, first, sizeof first) : 0;
    if (got < layout->bytes_data)
        return 0;
    uint64_t size = word_in(first, layout->object_size);
    if (size > LINES_MAX)
        return 0;
    size_t all = layout->bytes_data + size;
    if (all > sizeof first && (table = malloc(all)) == NULL)
        return 0;
    if (table != first)
        memcpy(table, first, got);
    int line = read_rest(walk, address, table, got, all)
                   ? python_line_of(table + layout->bytes_data, size, first_line, offset)
                   : 0;
    if (table != first)
        free(table);
    return line;
}

/* Its last part; of a package's own files with the package: "shop/__init__.py". */
static const char *file_of(const char *path)
{
    const char *name = strrchr(path, '/');
    if (name == NULL)
        return path;
    const char *start = name + 1;
    if (strcmp(start, "__init__.py") == 0 || strcmp(start, "__main__.py") == 0)
        while (name > path && name[-1] != '/')
            start = --name;
    return start;
}

/* Of Python itself, or of a package that was installed. */
static bool is_installed(const char *path)
{
    return strstr(path, "/site-packages/") != NULL || strstr(path, "/dist-packages/") != NULL;
}

static bool is_of_python(const char *path)
{
    return strncmp(path, "<frozen ", strlen("<frozen ")) == 0 || strstr(path, "/lib/python3") != NULL ||
           strstr(path, "/lib64/python3") != NULL;
}

/* Returns 0; 1: there is no room for more; or -EAGAIN: it is no frame. A frame that has not begun is passed
 * over. */
static int take_frame(struct walk *walk, const unsigned char *frame)
{
    const struct python_layout *layout = walk->layout;
    struct python_frames *frames = walk->frames;
    unsigned char code[FRAME_BYTES];
    uint64_t address = word_in(frame, layout->frame_code);
    int first_line;
    if (frame[layout->frame_owner] == OWNED_BY_C_STACK)
        return 0;
    if (!read_all(walk, address, code, layout->code_instructions) ||
        !is_code(walk, word_in(code, layout->object_type)))
        return -EAGAIN;
    uint64_t units = word_in(code, layout->object_size);
    int64_t offset = (int64_t)(word_in(frame, layout->frame_at) - (address + layout->code_instructions));
    if (offset < 0)
        return 0;
    if (units > INT32_MAX || offset >= (int64_t)units * 2)
        return -EAGAIN;
    if (frames->count == SITE_PLACES)
        return 1;
    size_t used = frames->used;
    uint64_t file = word_in(code, layout->code_file);
    const char *path = file == walk->last_file ? walk->last_path : take_string(walk, file);
    const char *name = path != NULL ? take_string(walk, word_in(code, layout->code_name)) : NULL;
    if (name == NULL) {
        frames->used = used;
        return 1;
    }
    walk->last_file = file;
    walk->last_path = path;
    memcpy(&first_line, code + layout->code_first_line, sizeof first_line);
    frames->places[frames->count++] = (struct place){
        .function = name,
        .file = file_of(path),
        .path = path,
        .line = line_at(walk, word_in(code, layout->code_lines), first_line, offset),
        .is_own = !is_of_python(path) && !is_installed(path),
    };
    return 0;
}

/* A program may be installed as a package: where nothing else is its own, packages are. */
static void mark_own(struct python_frames *frames)
{
    for (int i = 0; i < frames->count; i++)
        if (frames->places[i].is_own)
            return;
    for (int i = 0; i < frames->count; i++)
        frames->places[i].is_own = is_installed(frames->places[i].path);
}

/* ---- a thread ---- */

static uint64_t first_frame(const struct walk *walk, uint64_t thread)
{
    uint64_t at = read_word(walk, thread + walk->layout->thread_frame);
    return walk->layout->has_c_frame != 0 && at != 0 ? read_word(walk, at + walk->layout->c_frame_frame) : at;
}

/* What is read at a time must hold all that is looked at. */
static bool is_sound(const struct python_layout *layout)
{
    const uint32_t of_frame[] = {layout->frame_code, layout->frame_previous, layout->frame_at,
                                 layout->frame_owner};
    const uint32_t of_code[] = {layout->code_file,   layout->code_name,       layout->code_lines,
                                layout->object_size, layout->code_first_line, layout->object_type};
    for (size_t i = 0; i < sizeof of_frame / sizeof *of_frame; i++)
        if (of_frame[i] > FRAME_BYTES - 8)
            return false;
    for (size_t i = 0; i < sizeof of_code / sizeof *of_code; i++)
        if (of_code[i] + 8 > layout->code_instructions)
            return false;
    return layout->code_instructions <= FRAME_BYTES && layout->string_other <= HEAD_MAX &&
           layout->string_ascii <= layout->string_other &&
           layout->string_length + 8 <= layout->string_ascii &&
           layout->string_state + 4 <= layout->string_ascii && layout->bytes_data <= HEAD_MAX &&
           layout->object_size + 8 <= layout->bytes_data;
}

static size_t frame_size(const struct python_layout *layout)
{
    const uint32_t ends[] = {layout->frame_code + 8, layout->frame_previous + 8, layout->frame_at + 8,
                             layout->frame_owner + 1};
    size_t size = 0;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        size = ends[i] > size ? ends[i] : size;
    return size;
}

int python_frames_walk(const struct python_runtime *runtime, struct python_threads *threads,
                       python_reader *read, void *context, uint64_t native, struct python_frames *frames)
{
    struct walk walk = {
        .runtime = runtime, .layout = &runtime->layout, .read = read, .context = context, .frames = frames};
    frames->count = 0;
    frames->used = 0;
    frames->is_cut = false;
    if (!is_sound(&runtime->layout))
        return -EAGAIN;
    uint64_t thread = python_threads_find(threads, runtime, read, context, native);
    uint64_t at = thread != 0 ? first_frame(&walk, thread) : 0;
    unsigned char frame[FRAME_BYTES];
    size_t size = frame_size(&runtime->layout);
    int rc = 0;
    for (int i = 0; at != 0 && rc == 0; i++) {
        if (i == FRAMES_MAX || !read_all(&walk, at, frame, size)) {
            rc = i == FRAMES_MAX ? 1 : -EAGAIN;
            break;
        }
        rc = take_frame(&walk, frame);
        at = word_in(frame, runtime->layout.frame_previous);
    }
    frames->is_cut = rc != 0;
    mark_own(frames);
    return frames->count > 0 ? 0 : rc < 0 ? rc : -ENOENT;
}

/* ---- of a process ---- */

int python_frames_read(const struct python_runtime *runtime, struct python_threads *threads, pid_t tid,
                       struct python_frames *frames)
{
    uint64_t native = (uint64_t)tid;
    pid_t pid = runtime->pid;
    int rc = runtime->has_own_numbers ? python_number_of(pid, tid, &native) : 0;
    return rc < 0 ? rc : python_frames_walk(runtime, threads, python_read_process, &pid, native, frames);
}

/* ---- instead of the interpreter's own ---- */

int python_frames_join(const struct python_runtime *runtime, const struct python_frames *frames,
                       struct place *places, int count, bool *is_cut)
{
    int kept = 0;
    if (frames->count == 0)
        return count;
    while (kept < count && (places[kept].module == NULL || strcmp(places[kept].module, runtime->module) != 0))
        kept++;
    for (int i = 0; i < kept; i++)
        places[i].is_own = false; /* a module of Python that is written in C: who called it is asked for */
    int most = SITE_PLACES - kept, taken = frames->count < most ? frames->count : most;
    memcpy(places + kept, frames->places, (size_t)taken * sizeof *places);
    *is_cut = frames->is_cut || taken < frames->count;
    return kept + taken;
}
