/* fork_server PORT: a process for each connection. Compiled with LEAK the fifth connection is open in the
 * parent while it makes a helper, which lives on and has it too. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void serve(int fd)
{
    char bytes[4096];
    ssize_t got;
    while ((got = read(fd, bytes, sizeof bytes)) > 0) /* LINE read */
        (void)!write(fd, bytes, (size_t)got);
    close(fd); /* LINE closes */
}

static void make_helper(void)
{
    if (fork() == 0) /* LINE helper */
        for (;;)
            pause();
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1, accepted = 0;
    address.sin_port = htons((unsigned short)atoi(argc > 1 ? argv[1] : "0"));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    signal(SIGCHLD, SIG_IGN);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1024) != 0)
        return 1;
    for (;;) {
        int fd = accept(listener, NULL, NULL); /* LINE accept */
        if (fd < 0)
            continue;
#ifdef LEAK
        if (++accepted == 5)
            make_helper();
#endif
        if (fork() == 0) {
            serve(fd);
            _exit(0);
        }
        (void)accepted;
        close(fd); /* LINE parent */
    }
}
