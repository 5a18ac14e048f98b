/* A witness whose sockets are in an array. */
#ifndef TESTS_FAKE_WITNESS_H
#define TESTS_FAKE_WITNESS_H

#include "kernel/witness.h"

struct fake_sockets {
    const struct socket_entry *entries;
    size_t count;
    int error[2]; /* what a dump of AF_INET, AF_INET6 returns at its end */
};

static struct fake_sockets fake_sockets;

static int fake_each(int family, const struct port_range *only, on_socket *on_entry, void *context)
{
    (void)only;
    for (size_t i = 0; i < fake_sockets.count; i++) {
        const struct socket_entry *entry = &fake_sockets.entries[i];
        int rc = entry->local.family == family ? on_entry(context, entry) : 0;
        if (rc != 0)
            return rc;
    }
    return fake_sockets.error[family == AF_INET6];
}

static int fake_probe(void)
{
    return 0;
}

static const struct witness_backend fake_witness = {.name = "fake",
                                                    .each = fake_each,
                                                    .each_detailed = fake_each,
                                                    .each_listener = fake_each,
                                                    .probe = fake_probe};

static inline struct address address_of(const char *text)
{
    struct address address = {0};
    assert_true(address_parse(text, &address));
    return address;
}

static inline struct socket_entry fake_socket(enum tcp_state state, const char *local, uint16_t local_port,
                                              const char *remote, uint16_t remote_port)
{
    return (struct socket_entry){.state = state,
                                 .local = address_of(local),
                                 .remote = address_of(remote),
                                 .local_port = local_port,
                                 .remote_port = remote_port};
}

#define fake_these(array)                                                                                    \
    fake_sockets = (struct fake_sockets)                                                                     \
    {                                                                                                        \
        .entries = (array), .count = COUNT_OF(array)                                                         \
    }

#endif
