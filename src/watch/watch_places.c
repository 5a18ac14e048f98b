/* Which network namespaces a watch looks into: that of this process, that of the process that is watched, or
 * all of them. */
#include "base/array.h"
#include "kernel/host_limits.h"
#include "kernel/proc_net_tcp.h"
#include "watch/watch_state.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

/* ---- one ---- */

static void read_ephemeral(const struct watch *watch, struct place *place)
{
    struct host_limits limits;
    struct port_range ports;
    if (place->where != NULL && netns_tables_ports(place->where, &ports) == 0) {
        place->ephemeral_first = ports.first;
        place->ephemeral_last = ports.last;
    } else if (place->where != NULL && watch->place_count > 0) { /* it may not be entered: likely as ours */
        place->ephemeral_first = watch->places[0]->ephemeral_first;
        place->ephemeral_last = watch->places[0]->ephemeral_last;
    } else {
        host_limits_read(&limits);
        place->ephemeral_first = (uint16_t)limits.port_first;
        place->ephemeral_last = (uint16_t)limits.port_last;
    }
}

/* `where` NULL: our own. */
static int add_place(struct watch *watch, const struct net_namespace *where)
{
    if (ARRAY_RESERVE(watch->places, watch->place_room, watch->place_count + 1) != 0)
        return -ENOMEM;
    struct place *place = calloc(1, sizeof *place);
    if (place == NULL)
        return -ENOMEM;
    place->where = where;
    place->serial = where != NULL ? where->serial : 0;
    place->name = where != NULL && watch->settings.all_namespaces ? where->name : NULL;
    read_ephemeral(watch, place);
    watch->places[watch->place_count++] = place;
    return 0;
}

struct place *watch_place_with(const struct watch *watch, uint32_t serial)
{
    for (size_t i = 0; i < watch->place_count; i++)
        if (watch->places[i]->serial == serial)
            return watch->places[i];
    return NULL;
}

/* Its ghosts are gone with it. */
static void remove_place(struct watch *watch, uint32_t serial)
{
    struct place *gone = watch_place_with(watch, serial);
    size_t kept = 0;
    if (gone == NULL)
        return;
    for (size_t i = 0; i < watch->ghost_count; i++)
        if (watch->ghosts[i].place != gone)
            watch->ghosts[kept++] = watch->ghosts[i];
    watch->ghost_count = kept;
    watch->rest_count = 0;
    watch->full_look = 0;
    kept = 0;
    for (size_t i = 0; i < watch->place_count; i++)
        if (watch->places[i] != gone)
            watch->places[kept++] = watch->places[i];
    watch->place_count = kept;
    free(gone);
}

void watch_free_places(struct watch *watch)
{
    for (size_t i = 0; i < watch->place_count; i++)
        free(watch->places[i]);
    free(watch->places);
    net_namespaces_free(&watch->namespaces);
}

/* ---- which ---- */

static int follow_all(struct watch *watch, bool thorough)
{
    struct net_namespaces *all = &watch->namespaces;
    int rc = watch->place_count == 0 ? add_place(watch, NULL) : 0;
    rc = rc == 0 ? net_namespaces_find(all, thorough) : rc;
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < all->gone_count; i++)
        remove_place(watch, all->gone[i]->serial);
    for (size_t i = 0; rc == 0 && i < all->count; i++)
        if (!all->each[i]->is_own && watch_place_with(watch, all->each[i]->serial) == NULL)
            rc = add_place(watch, all->each[i]);
    return rc;
}

/* A process may go elsewhere. */
static int follow_process(struct watch *watch)
{
    struct net_namespace now;
    int rc = net_namespace_of(watch->settings.pid, &now);
    bool is_there = watch->place_count > 0 && watch->watched_place.table == now.table;
    if (rc != 0)
        return rc;
    if (!now.is_own && watch->settings.flow != NULL)
        return -EXDEV;
    now.serial = is_there ? watch->watched_place.serial : watch->watched_place.serial + 1;
    watch->watched_place = now;
    if (is_there)
        return 0;
    if (watch->place_count > 0)
        remove_place(watch, watch->places[0]->serial);
    return add_place(watch, now.is_own ? NULL : &watch->watched_place);
}

int watch_find_places(struct watch *watch, bool thorough)
{
    if (watch->settings.all_namespaces)
        return follow_all(watch, thorough);
    if (watch->settings.pid != 0)
        return follow_process(watch);
    return watch->place_count == 0 ? add_place(watch, NULL) : 0;
}

struct place *watch_place_of_process(const struct watch *watch, pid_t pid)
{
    uint64_t table = proc_net_tcp_inode(pid);
    if (watch->settings.all_namespaces) {
        const struct net_namespace *in = table != 0 ? net_namespaces_with(&watch->namespaces, table) : NULL;
        return in != NULL ? watch_place_with(watch, in->is_own ? 0 : in->serial) : NULL;
    }
    const struct net_namespace *where = watch->places[0]->where;
    if (where != NULL)
        return table == where->table ? watch->places[0] : NULL;
    return process_shares_network(pid) == 0 ? watch->places[0] : NULL;
}

/* ---- what is there ---- */

static int each_of_own(const struct watch *watch, bool detailed, const struct port_range *only,
                       on_socket *on_entry, void *context)
{
    const struct witness_backend *witness = watch->witness;
    if (witness->each_in_states != NULL && !watch->cannot_be_brief)
        return witness->each_in_states(UINT32_MAX, detailed, only, on_entry, context);
    int rc = detailed ? witness->each_detailed(AF_INET, only, on_entry, context)
                      : witness->each(AF_INET, only, on_entry, context);
    if (rc != 0)
        return rc;
    rc = detailed ? witness->each_detailed(AF_INET6, only, on_entry, context)
                  : witness->each(AF_INET6, only, on_entry, context);
    return rc == -ENOENT || rc == -EAFNOSUPPORT ? 0 : rc; /* a kernel without IPv6 */
}

int watch_place_each(const struct watch *watch, struct place *place, bool detailed,
                     const struct port_range *only, on_socket *on_entry, void *context)
{
    if (place->where == NULL)
        return each_of_own(watch, detailed, only, on_entry, context);
    return netns_tables_each(place->where, detailed, only, on_entry, context, &place->sight);
}

void watch_count_places(const struct watch *watch, struct watch_look *look)
{
    look->namespaces = watch->settings.all_namespaces ? &watch->namespaces : NULL;
    for (size_t i = 0; i < watch->place_count; i++) {
        const struct place *place = watch->places[i];
        if (place->where == NULL)
            continue;
        look->entered += place->sight == NETNS_ENTERED;
        look->read_only += place->sight == NETNS_READ;
        look->closed += place->sight == NETNS_CLOSED;
    }
}
