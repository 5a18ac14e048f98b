/* Sleeps in read(), some functions deep: one of them is inlined. */
#include <unistd.h>

int depth;

__attribute__((noinline)) static int take(int fd)
{
    char bytes[16];
    int got = (int)read(fd, bytes, sizeof bytes); /* HERE take */
    return got + depth;
}

static inline __attribute__((always_inline)) int wrapped(int fd)
{
    depth++;
    int got = take(fd); /* HERE wrapped */
    return got + depth;
}

__attribute__((noinline)) int on_readable(int fd)
{
    depth += 2;
    return wrapped(fd) + depth; /* HERE on_readable */
}

__attribute__((noinline)) int serve(int fd)
{
    volatile char page[6000];
    page[fd] = 1;
    int got = on_readable(fd); /* HERE serve */
    return got + page[fd];
}

int main(void)
{
    int (*volatile by_pointer)(int) = serve;
    return by_pointer(0) == 7; /* HERE main */
}
