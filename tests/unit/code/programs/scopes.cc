// Functions of classes and namespaces.
#include <unistd.h>

namespace net {
struct Pool {
    int fd;
    virtual ssize_t take(char *bytes);
    __attribute__((noinline)) ssize_t park(char *bytes);
};

ssize_t Pool::take(char *bytes)
{
    return read(fd, bytes, 1) + 1; /* HERE take */
}

ssize_t Pool::park(char *bytes)
{
    return take(bytes) + 1; /* HERE park */
}
} // namespace net

int main()
{
    char bytes[8];
    net::Pool pool;
    pool.fd = 0;
    return pool.park(bytes) == 7; /* HERE main */
}
