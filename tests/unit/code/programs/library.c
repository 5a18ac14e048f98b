#include <unistd.h>

int taken;

int take(int fd)
{
    char byte;
    taken = (int)read(fd, &byte, 1); /* HERE take */
    return taken;
}
