/* What every unit test includes: cmocka, and a few helpers. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define assert_contains(text, part) assert_contains_at((text), (part), __FILE__, __LINE__)
#define assert_lacks(text, part)    assert_lacks_at((text), (part), __FILE__, __LINE__)

static inline void assert_contains_at(const char *text, const char *part, const char *file, int line)
{
    if (strstr(text, part) == NULL) {
        print_error("\"%s\" is not in \"%s\"\n", part, text);
        _fail(file, line);
    }
}

static inline void assert_lacks_at(const char *text, const char *part, const char *file, int line)
{
    if (strstr(text, part) != NULL) {
        print_error("\"%s\" is in \"%s\"\n", part, text);
        _fail(file, line);
    }
}

/* Standard error between stderr_capture() and stderr_release(), which fills `text`. */
struct stderr_capture {
    int kept;   /* the real standard error */
    FILE *file; /* what takes its place */
    char text[4096];
};

static inline void stderr_capture(struct stderr_capture *capture)
{
    fflush(stderr);
    capture->kept = dup(STDERR_FILENO);
    capture->file = tmpfile();
    assert_non_null(capture->file);
    dup2(fileno(capture->file), STDERR_FILENO);
}

static inline void stderr_release(struct stderr_capture *capture)
{
    fflush(stderr);
    dup2(capture->kept, STDERR_FILENO);
    close(capture->kept);
    rewind(capture->file);
    size_t length = fread(capture->text, 1, sizeof capture->text - 1, capture->file);
    capture->text[length] = '\0';
    fclose(capture->file);
}

#endif
