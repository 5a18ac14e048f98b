#include "cmd/watch_namespaces.h"

#include "base/diag.h"

enum { TOLD_MOST = 8 }; /* by name, of a look: a machine that stops has more */

static void tell(struct net_namespace *const *each, size_t count, const char *what)
{
    if (count > 0)
        diag_progress_clear();
    for (size_t i = 0; i < count && i < TOLD_MOST; i++)
        diag_note("network namespace %s has %s", each[i]->name, what);
    if (count > TOLD_MOST)
        diag_note("%zu more network namespaces have %s", count - TOLD_MOST, what);
}

void watch_tell_namespaces(const struct watch_look *look)
{
    const struct net_namespaces *all = look->namespaces;
    if (all == NULL || look->t_s <= 0)
        return;
    tell(all->gone, all->gone_count, "gone");
    tell(all->each + all->count - all->came_count, all->came_count, "come");
}
