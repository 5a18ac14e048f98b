/* epoll_server: what its files share. */
extern int epoll;
void on_readable(int fd);
void pool_park(int fd);
