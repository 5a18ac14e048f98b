/* The last calls of functions, which a compiler makes jumps. WAYS: there are two ways to the same function;
 * LINES: it is jumped to from two lines; POINTER: a function on the way jumps to where a variable tells. */
#include <unistd.h>

volatile int state;
char bytes[16];
ssize_t (*volatile somewhere)(int, void *, size_t);

__attribute__((noinline)) ssize_t take(int fd)
{
    return read(fd, bytes, sizeof bytes); /* HERE take */
}

#ifdef WAYS
__attribute__((noinline)) ssize_t other(int fd)
{
    state++;
    return take(fd);
}
#endif

__attribute__((noinline)) ssize_t park(int fd)
{
    state = 1;
#ifdef WAYS
    if (state == 2)
        return other(fd);
#endif
#ifdef LINES
    if (state == 2) {
        state = 3;
        return take(fd);
    }
#endif
#ifdef POINTER
    if (state == 2)
        return somewhere(fd, bytes, 1);
#endif
    return take(fd); /* HERE park */
}

__attribute__((noinline)) int serve(int fd)
{
    ssize_t got = park(fd); /* HERE serve */
    return (int)got + state;
}

int main(void)
{
    return serve(0) == 7; /* HERE main */
}
