#include "worker/endpoint.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTS_PER_WAKE = 256,
    SHORT_OF_DESCRIPTORS_US = 50000,
    BREATH_US = 1000, /* a door that is knocked at more often is heard only so often: see party_accept_all */
};

int party_start(struct party *party)
{
    return party->behaviour->start != NULL ? party->behaviour->start(party) : 0;
}

void party_stop(struct party *party)
{
    if (party->behaviour->stop != NULL)
        party->behaviour->stop(party);
    held_abort_all(&party->held);
}

int party_begin(struct party *party, int fd)
{
    int rc = held_add(&party->held, fd);
    if (rc != 0) {
        party_fail(party, "malloc", -rc);
        close(fd);
        return rc;
    }
    party->begun++;
    party->behaviour->on_connection(party, fd);
    return 0;
}

/* These say something about one connection that did not come about (man 2 accept). */
static bool is_passing(int error)
{
    return error == EAGAIN || error == EINTR || error == ECONNABORTED || error == EPROTO;
}

int party_accept(struct party *party, const struct door *door, int flags)
{
    int fd = accept4(door->fd, NULL, NULL, flags);
    if (fd >= 0)
        return fd;
    int error = errno;
    if (!is_passing(error)) {
        party->errors++;
        party->last_errno = error;
    }
    return -error;
}

/* Waking for each connection costs more than accepting it. */
static void take_breath(struct door *door)
{
    int64_t now_us = monotonic_us();
    if (now_us - door->heard_us < BREATH_US)
        door_rest(door, BREATH_US);
    door->heard_us = now_us;
}

void party_accept_all(struct party *party, struct door *door)
{
    for (int i = 0; i < ACCEPTS_PER_WAKE; i++) {
        int fd = party_accept(party, door, SOCK_CLOEXEC | SOCK_NONBLOCK);
        int rc = fd >= 0 ? party_begin(party, fd) : fd;
        if (rc == -EAGAIN) {
            take_breath(door);
            return;
        }
        if (rc == 0 || is_passing(-rc))
            continue;
        door_rest(door, SHORT_OF_DESCRIPTORS_US);
        return;
    }
}

void party_on_acceptable(void *owner, struct door *door)
{
    struct party *party = owner;
    if (party->behaviour->on_acceptable != NULL)
        party->behaviour->on_acceptable(party, door);
    else
        party_accept_all(party, door);
}

void party_fail(struct party *party, const char *call, int error)
{
    if (party->failed_call != NULL)
        return;
    party->failed_call = call;
    party->failed_errno = error;
}

void party_close(struct party *party, int fd)
{
    held_remove(&party->held, fd);
    close(fd);
}
