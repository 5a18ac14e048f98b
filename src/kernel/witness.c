#include "kernel/witness.h"

#include "base/hash.h"
#include "base/machine_limit.h"

#include <stdbool.h>
#include <string.h>

const char *const witness_choices[] = {"auto", "netlink", "procfs", NULL};

static const struct witness_backend *const backends[] = {&witness_netlink, &witness_procfs};

const struct witness_backend *witness_choose(int choice, int *error)
{
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
        if (choice != 0 && strcmp(witness_choices[choice], backends[i]->name) != 0)
            continue;
        *error = backends[i]->probe();
        if (*error == 0)
            return backends[i];
        if (is_machine_limit(*error)) /* the next one would tell less, without a word */
            break;
    }
    return NULL;
}

const struct witness_backend *witness_named(const char *name)
{
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++)
        if (strcmp(backends[i]->name, name) == 0)
            return backends[i];
    return NULL;
}

uint64_t socket_identity(const struct socket_entry *entry)
{
    uint64_t hash = hash_add(HASH_OF_NOTHING, entry->local.bytes, sizeof entry->local.bytes);
    hash = hash_add(hash, entry->remote.bytes, sizeof entry->remote.bytes);
    hash = hash_add(hash, &entry->local_port, sizeof entry->local_port);
    hash = hash_add(hash, &entry->remote_port, sizeof entry->remote_port);
    if (entry->state == STATE_LISTEN)
        hash = hash_add(hash, &entry->inode, sizeof entry->inode);
    return hash != 0 ? hash : 1;
}

struct tally {
    const struct look_target *target;
    struct histogram *sides;
    int64_t seen;
};

static bool is_server_address(const struct look_target *target, const struct address *address)
{
    bool found = address_equal(address, &target->address);
    for (int i = 0; i < target->more_count && !found; i++)
        found = address_equal(address, &target->more[i]);
    return found;
}

static bool is_lane(const struct look_target *target, const struct address *address, uint16_t port)
{
    return port >= target->ports.first && port <= target->ports.last && is_server_address(target, address);
}

enum side look_target_side(const struct look_target *target, const struct socket_entry *entry)
{
    if (is_lane(target, &entry->local, entry->local_port))
        return SIDE_SERVER;
    return is_lane(target, &entry->remote, entry->remote_port) ? SIDE_CLIENT : SIDE_COUNT;
}

void look_target_pulse(const struct look_target *target, int64_t seen)
{
    if (target->on_pulse != NULL && seen % PULSE_SOCKETS == 0)
        target->on_pulse(target->pulse_context);
}

static void count(struct histogram *histogram, const struct socket_entry *entry)
{
    bool is_listener = entry->state == STATE_LISTEN;
    bool close_wait = entry->state == STATE_CLOSE_WAIT;
    histogram->of[entry->state]++;
    histogram->owned += !is_listener && entry->inode != 0;
    histogram->unread += close_wait && entry->unread > 0;
    histogram->unowned += close_wait && entry->inode == 0;
    histogram->half_closed += entry->state == STATE_FIN_WAIT2 && entry->inode != 0;
    histogram->queued += is_listener ? entry->unread : 0;
}

static int tally_socket(void *context, const struct socket_entry *entry)
{
    struct tally *tally = context;
    look_target_pulse(tally->target, ++tally->seen);
    enum side side = look_target_side(tally->target, entry);
    if (side != SIDE_COUNT)
        count(&tally->sides[side], entry);
    return 0;
}

int witness_look(const struct witness_backend *backend, const struct look_target *target,
                 struct histogram sides[SIDE_COUNT])
{
    memset(sides, 0, SIDE_COUNT * sizeof *sides);
    struct tally tally = {.target = target, .sides = sides};
    return backend->each(target->address.family, &target->ports, tally_socket, &tally);
}
