/* bufferevent_server PORT: libevent reads and writes. Compiled with LEAK every fifth bufferevent is disabled
 * at its end, and not freed. */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdlib.h>

static void on_read(struct bufferevent *peer, void *context)
{
    (void)context;
    bufferevent_write_buffer(peer, bufferevent_get_input(peer));
}

static void on_event(struct bufferevent *peer, short what, void *context)
{
    static int ended;
    (void)context;
    if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) == 0)
        return;
#ifdef LEAK
    if (++ended % 5 == 0) {
        bufferevent_disable(peer, EV_READ | EV_WRITE);
        return;
    }
#endif
    (void)ended;
    bufferevent_free(peer); /* LINE frees */
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int length, void *context)
{
    struct bufferevent *peer =
        bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    (void)address, (void)length, (void)context;
    bufferevent_setcb(peer, on_read, NULL, on_event, NULL);
    bufferevent_enable(peer, EV_READ | EV_WRITE); /* LINE enables */
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct event_base *base = event_base_new();
    address.sin_port = htons((unsigned short)atoi(argc > 1 ? argv[1] : "0"));
    if (evconnlistener_new_bind(base, on_accept, NULL, LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE, 1024,
                                (struct sockaddr *)&address, sizeof address) == NULL)
        return 1;
    return event_base_dispatch(base); /* LINE loop */
}
