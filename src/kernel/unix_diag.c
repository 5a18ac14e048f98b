#include "kernel/unix_diag.h"

#include "kernel/sock_diag.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum {
    RECEIVE_SIZE = 32768,
    REQUEST_SIZE = 128,
    SHUT_RECEIVE = 1, /* RCV_SHUTDOWN, SEND_SHUTDOWN of include/net/sock.h */
    SHUT_SEND = 2,
    KERNEL_MINOR_BITS = 20, /* MKDEV of include/linux/kdev_t.h */
};

/* What is asked for. */
enum question { OF_WAITING, OF_ALL, OF_ONE };

struct search {
    enum question what;
    uint64_t inode;                 /* OF_ONE */
    const struct unix_place *place; /* NULL: none */
    struct stat file;
    bool has_file;
    on_unix_socket *on_entry;
    void *context;
};

static struct search search_for(const struct unix_place *place, on_unix_socket *on_entry, void *context)
{
    struct search search = {.place = place, .on_entry = on_entry, .context = context};
    search.has_file = place != NULL && place->address.sun_path[0] != '\0' &&
                      stat(place->address.sun_path, &search.file) == 0;
    return search;
}

/* ---- one socket ---- */

static bool has_name(const struct search *search, const struct nlattr *attribute)
{
    const char *name = mnl_attr_get_payload(attribute), *wanted = search->place->address.sun_path;
    size_t told = mnl_attr_get_payload_len(attribute);
    size_t length = search->place->length - offsetof(struct sockaddr_un, sun_path);
    if (wanted[0] != '\0') { /* a path: the kernel may tell the 0 behind it, or not */
        told = strnlen(name, told);
        length--;
    }
    return told == length && memcmp(name, wanted, length) == 0;
}

/* A path may be told in another way: relative, or through a link. */
static bool is_file(const struct search *search, const struct nlattr *attribute)
{
    struct unix_diag_vfs file;
    if (!search->has_file || mnl_attr_get_payload_len(attribute) < sizeof file)
        return false;
    memcpy(&file, mnl_attr_get_payload(attribute), sizeof file);
    uint32_t device = major(search->file.st_dev) << KERNEL_MINOR_BITS | minor(search->file.st_dev);
    return file.udiag_vfs_ino == (uint32_t)search->file.st_ino && file.udiag_vfs_dev == device;
}

static void take_attribute(const struct search *search, const struct nlattr *attribute,
                           struct unix_entry *entry)
{
    struct unix_diag_rqlen lengths;
    uint32_t peer;
    size_t size = mnl_attr_get_payload_len(attribute);
    const void *payload = mnl_attr_get_payload(attribute);
    switch (mnl_attr_get_type(attribute)) {
    case UNIX_DIAG_NAME:
        entry->is_there |= search->place != NULL && has_name(search, attribute);
        break;
    case UNIX_DIAG_VFS:
        entry->is_there |= is_file(search, attribute);
        break;
    case UNIX_DIAG_PEER:
        if (size >= sizeof peer) {
            memcpy(&peer, payload, sizeof peer);
            entry->peer = peer;
        }
        break;
    case UNIX_DIAG_RQLEN:
        if (size >= sizeof lengths) {
            memcpy(&lengths, payload, sizeof lengths);
            entry->unread = lengths.udiag_rqueue;
            entry->backlog = entry->listens ? lengths.udiag_wqueue : 0;
        }
        break;
    case UNIX_DIAG_SHUTDOWN:
        if (size >= 1) {
            entry->has_received_eof = (*(const uint8_t *)payload & SHUT_RECEIVE) != 0;
            entry->has_sent_eof = (*(const uint8_t *)payload & SHUT_SEND) != 0;
        }
        break;
    default:
        break;
    }
}

/* Of one that listens: the clients in its accept queue. */
static int pass_on_waiting(const struct search *search, const struct nlattr *attribute)
{
    const char *inodes = mnl_attr_get_payload(attribute);
    size_t count = mnl_attr_get_payload_len(attribute) / sizeof(uint32_t);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        uint32_t client;
        memcpy(&client, inodes + i * sizeof client, sizeof client);
        const struct unix_entry entry = {.peer = client, .is_there = true, .has_received_eof = client == 0};
        rc = search->on_entry(search->context, &entry);
    }
    return rc;
}

static int pass_on(const struct nlmsghdr *message, const struct search *search)
{
    if (mnl_nlmsg_get_payload_len(message) < sizeof(struct unix_diag_msg))
        return -EBADMSG;
    const struct unix_diag_msg *body = mnl_nlmsg_get_payload(message);
    struct unix_entry entry = {.inode = body->udiag_ino, .listens = body->udiag_state == TCP_LISTEN};
    const struct nlattr *attribute, *waiting = NULL;
    if (body->udiag_type != SOCK_STREAM)
        return 0;
    mnl_attr_for_each(attribute, message, sizeof *body)
    {
        take_attribute(search, attribute, &entry);
        waiting = mnl_attr_get_type(attribute) == UNIX_DIAG_ICONS ? attribute : waiting;
    }
    if (search->what == OF_WAITING)
        return waiting != NULL && entry.is_there ? pass_on_waiting(search, waiting) : 0;
    return search->on_entry(search->context, &entry);
}

/* ---- the dump ---- */

static int carried_error(const struct nlmsghdr *message)
{
    int error = 0;
    if (mnl_nlmsg_get_payload_len(message) >= sizeof error)
        memcpy(&error, mnl_nlmsg_get_payload(message), sizeof error);
    return error < 0 ? error : 0;
}

static int parse(const void *buffer, size_t length, const struct search *search)
{
    int left = (int)length;
    const struct nlmsghdr *message = buffer;
    for (; left >= (int)sizeof *message; message = mnl_nlmsg_next(message, &left)) {
        if (message->nlmsg_len < sizeof *message || message->nlmsg_len > (size_t)left)
            return -EBADMSG;
        if (message->nlmsg_flags & NLM_F_DUMP_INTR)
            return -EINTR;
        if (message->nlmsg_type == NLMSG_DONE)
            return carried_error(message);
        if (message->nlmsg_type == NLMSG_ERROR)
            return carried_error(message) != 0 ? carried_error(message) : -EPROTO;
        int rc = message->nlmsg_type == SOCK_DIAG_BY_FAMILY ? pass_on(message, search) : 0;
        if (rc != 0)
            return rc;
    }
    return left > 0 ? -EBADMSG : SOCK_DIAG_MORE;
}

int unix_diag_parse(const void *buffer, size_t length, const struct unix_place *place,
                    on_unix_socket *on_entry, void *context)
{
    struct search search = search_for(place, on_entry, context);
    search.what = OF_ALL;
    return parse(buffer, length, &search);
}

static int send_request(struct mnl_socket *netlink, const struct search *search)
{
    static const uint32_t shown[] = {
        [OF_WAITING] = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_ICONS,
        [OF_ALL] = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN,
        [OF_ONE] = UDIAG_SHOW_PEER,
    };
    _Alignas(struct nlmsghdr) char buffer[REQUEST_SIZE] = {0};
    struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
    request->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (search->what != OF_ONE ? NLM_F_DUMP : 0));
    struct unix_diag_req *body = mnl_nlmsg_put_extra_header(request, sizeof *body);
    body->sdiag_family = AF_UNIX;
    body->udiag_states = search->what == OF_WAITING ? 1U << TCP_LISTEN : ~0U;
    body->udiag_ino = (uint32_t)search->inode;
    body->udiag_cookie[0] = body->udiag_cookie[1] = INET_DIAG_NOCOOKIE;
    body->udiag_show = shown[search->what];
    if (mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0)
        return -errno;
    while (mnl_socket_sendto(netlink, request, request->nlmsg_len) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* Receives what answers it: of one inode one message, else a dump. */
static int ask(const struct search *search)
{
    _Alignas(struct nlmsghdr) char buffer[RECEIVE_SIZE];
    struct mnl_socket *netlink = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
    if (netlink == NULL)
        return -errno;
    int rc = send_request(netlink, search);
    for (bool goes_on = rc == 0; goes_on; goes_on = rc == SOCK_DIAG_MORE && search->what != OF_ONE) {
        ssize_t length;
        do
            length = mnl_socket_recvfrom(netlink, buffer, sizeof buffer);
        while (length < 0 && errno == EINTR);
        rc = length >= 0       ? parse(buffer, (size_t)length, search)
             : errno == ENOSPC ? -EBADMSG /* libmnl's word for a truncated message */
                               : -errno;
    }
    mnl_socket_close(netlink);
    return rc == SOCK_DIAG_MORE ? 0 : rc;
}

/* Who waits first: meanwhile one that waits may be accepted, but none that is accepted waits again. */
int unix_diag_each(const struct unix_place *place, on_unix_socket *on_entry, void *context)
{
    struct search search = search_for(place, on_entry, context);
    search.what = OF_WAITING;
    int rc = ask(&search);
    search.what = OF_ALL;
    return rc != 0 ? rc : ask(&search);
}

static int take_peer(void *peer, const struct unix_entry *entry)
{
    *(uint64_t *)peer = entry->peer;
    return 0;
}

int unix_diag_peer(uint64_t inode, uint64_t *peer)
{
    struct search search = search_for(NULL, take_peer, peer);
    search.what = OF_ONE;
    search.inode = inode;
    *peer = 0;
    return inode != 0 ? ask(&search) : -ENOENT;
}
