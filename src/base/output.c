#include "base/output.h"

#include "base/array.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    OUTPUTS_MAX = 8,   /* standard output and error, --csv, --json, --junit */
    CLOGGED = 16384,   /* bytes */
    BLOCKED_US = 20000 /* so long may a write wait that poll() promised */
};

struct output {
    FILE *stream; /* NULL: a free place */
    FILE *twin;   /* another stream to the same queue: see output_beside */
    int fd;
    bool is_regular; /* a file of a disk: it has no reader that could stop */
    char name[160];
    char *waiting;
    size_t length, room;
    int error;        /* a negative errno that nobody has been told */
    bool is_dropped;  /* it has been told, or does not matter: nothing is written any more */
    bool is_forgiven; /* an error is none */
};

static struct output outputs[OUTPUTS_MAX];

static struct output *output_of(FILE *stream)
{
    for (int i = 0; i < OUTPUTS_MAX; i++)
        if (stream != NULL && (outputs[i].stream == stream || outputs[i].twin == stream))
            return &outputs[i];
    return NULL;
}

/* ---- writing ---- */

static void on_alarm(int number)
{
    (void)number; /* it has interrupted the write: that is all */
}

static void be_interrupted_by_alarms(void)
{
    const struct sigaction action = {.sa_handler = on_alarm}; /* no SA_RESTART */
    sigset_t alarm_only;
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    sigaction(SIGALRM, &action, NULL);
    sigprocmask(SIG_UNBLOCK, &alarm_only, NULL);
}

/* As write(); EAGAIN where it would have to wait. */
static ssize_t write_briefly(int fd, const char *data, size_t size)
{
    struct pollfd listener = {.fd = fd, .events = POLLOUT};
    if (poll(&listener, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    /* It repeats: one alarm could come before the write has begun. */
    const struct itimerval soon = {{0, BLOCKED_US}, {0, BLOCKED_US}}, never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &soon, NULL);
    ssize_t written = write(fd, data, size);
    int error = errno;
    setitimer(ITIMER_REAL, &never, NULL);
    errno = error;
    return written;
}

/* Whole lines, as many as a pipe takes in one piece. */
static size_t next_piece(const struct output *output)
{
    if (output->length <= PIPE_BUF)
        return output->length;
    const char *end = memrchr(output->waiting, '\n', PIPE_BUF);
    return end != NULL ? (size_t)(end - output->waiting) + 1 : PIPE_BUF;
}

static void drop(struct output *output)
{
    output->is_dropped = true;
    output->length = 0;
    output->error = 0;
}

static void push(struct output *output)
{
    while (output->length > 0 && output->error == 0) {
        size_t piece = output->is_regular ? output->length : next_piece(output);
        ssize_t written = output->is_regular ? write(output->fd, output->waiting, piece)
                                             : write_briefly(output->fd, output->waiting, piece);
        if (written < 0 && errno != EAGAIN && errno != EINTR)
            output->error = -errno;
        if (output->error != 0 && output->is_forgiven)
            drop(output);
        if (written <= 0)
            return;
        output->length -= (size_t)written;
        memmove(output->waiting, output->waiting + written, output->length);
        if ((size_t)written < piece && !output->is_regular)
            return;
    }
}

static void keep(struct output *output, const char *data, size_t size)
{
    output->error = ARRAY_RESERVE(output->waiting, output->room, output->length + size);
    if (output->error != 0)
        return;
    memcpy(output->waiting + output->length, data, size);
    output->length += size;
}

/* What stdio writes with. It returns 0 for an error. */
static ssize_t take(void *cookie, const char *data, size_t size)
{
    struct output *output = cookie;
    if (output->is_dropped)
        return (ssize_t)size;
    if (output->error == 0)
        keep(output, data, size);
    push(output);
    if (output->error == 0)
        return (ssize_t)size;
    errno = -output->error;
    return 0;
}

/* ---- opening and closing ---- */

static FILE *stream_to(struct output *output)
{
    return fopencookie(output, "w", (cookie_io_functions_t){.write = take});
}

FILE *output_on(int fd, const char *name)
{
    struct output *output = outputs;
    while (output < outputs + OUTPUTS_MAX && output->stream != NULL)
        output++;
    struct stat file;
    FILE *stream = output < outputs + OUTPUTS_MAX ? stream_to(output) : NULL;
    if (stream == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    *output = (struct output){.stream = stream, .fd = fd};
    output->is_regular = fstat(fd, &file) == 0 && S_ISREG(file.st_mode);
    snprintf(output->name, sizeof output->name, "%s", name);
    be_interrupted_by_alarms();
    if (isatty(fd) == 1)
        setvbuf(stream, NULL, _IOLBF, BUFSIZ);
    return stream;
}

FILE *output_open(const char *path, const char *name)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
    FILE *out = fd >= 0 ? output_on(fd, name) : NULL;
    if (out == NULL && fd >= 0) {
        close(fd);
        errno = ENOMEM;
    }
    return out;
}

int output_close(FILE *out)
{
    struct output *output = output_of(out);
    if (output == NULL)
        return fclose(out) == 0 ? 0 : -errno;
    output->is_dropped = true;
    fclose(out);
    int rc = close(output->fd) == 0 ? 0 : -errno;
    free(output->waiting);
    *output = (struct output){.stream = NULL};
    return rc;
}

/* Character devices other than terminals need no order, and one of them may be there only to be closed. */
static bool are_the_same(int a, int b)
{
    struct stat at_a, at_b;
    return fstat(a, &at_a) == 0 && fstat(b, &at_b) == 0 && at_a.st_dev == at_b.st_dev &&
           at_a.st_ino == at_b.st_ino && (!S_ISCHR(at_a.st_mode) || isatty(a) == 1);
}

/* Other C libraries than glibc (musl) do not let stdout and stderr be exchanged: there they stay as they are,
 * and whoever stops reading them stops us. */
void output_take_stdout(void)
{
#ifdef __GLIBC__
    FILE *out = output_on(STDOUT_FILENO, "standard output");
    stdout = out != NULL ? out : stdout;
#endif
}

FILE *output_beside(FILE *other, int fd, const char *name)
{
    struct output *output = output_of(other);
    if (output == NULL || !are_the_same(output->fd, fd))
        return output_on(fd, name);
    output->twin = stream_to(output);
    return output->twin;
}

/* ---- asking ---- */

const char *output_name(FILE *out)
{
    const struct output *output = output_of(out);
    return output != NULL ? output->name : "the output";
}

int output_fd(FILE *out)
{
    const struct output *output = output_of(out);
    return output != NULL ? output->fd : fileno(out);
}

int output_flush(FILE *out)
{
    struct output *output = output_of(out);
    errno = 0;
    bool failed = fflush(out) != 0 || ferror(out);
    int error = failed ? errno != 0 ? -errno : -EIO : 0;
    if (output != NULL) {
        push(output);
        error = output->error;
        if (error != 0)
            output_drop(out);
    }
    if (error != 0)
        clearerr(out);
    return error;
}

void output_push_all(void)
{
    for (int i = 0; i < OUTPUTS_MAX; i++)
        push(&outputs[i]);
}

static size_t waiting_bytes(FILE *out)
{
    const struct output *output = output_of(out);
    return output != NULL && output->error == 0 && !output->is_dropped ? output->length : 0;
}

bool output_is_waiting(FILE *out)
{
    return waiting_bytes(out) > 0;
}

bool output_is_clogged(FILE *out)
{
    return waiting_bytes(out) >= CLOGGED;
}

size_t output_waiting_lines(FILE *out)
{
    size_t lines = 0, size = waiting_bytes(out);
    for (size_t i = 0; i < size; i++)
        lines += output_of(out)->waiting[i] == '\n';
    return lines;
}

void output_wait(FILE *out, int ms)
{
    struct pollfd listener = {.fd = output_fd(out), .events = POLLOUT};
    if (output_is_waiting(out))
        poll(&listener, 1, ms);
    output_push_all();
}

void output_drop(FILE *out)
{
    struct output *output = output_of(out);
    if (output != NULL)
        drop(output);
}

void output_forgive(FILE *out)
{
    struct output *output = output_of(out);
    if (output == NULL)
        return;
    output->is_forgiven = true;
    if (output->error != 0)
        drop(output);
}
