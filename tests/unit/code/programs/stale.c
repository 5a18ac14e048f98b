/* The stack holds what earlier calls have left there, return addresses and frame pointers, where this function has
 * its buffer, which it does not fill. Compile it without optimization. */
#include <string.h>
#include <unistd.h>

static int leave(int n)
{
    volatile char filled[64];
    memset((void *)filled, n, sizeof filled);
    return n == 0 ? filled[3] : leave(n - 1) + filled[5];
}

static int (*volatile leave_by_pointer)(int) = leave;

static int take(int fd)
{
    char buffer[8192];
    int left = leave(12) + leave_by_pointer(9);
    int got = (int)read(fd, buffer, sizeof buffer); /* HERE take */
    return got + left;
}

int main(void)
{
    leave(40);
    return take(0); /* HERE main */
}
