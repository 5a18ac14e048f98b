/* watch_namespaces: which network namespaces came and went while they were watched, in words. */
#ifndef CMD_WATCH_NAMESPACES_H
#define CMD_WATCH_NAMESPACES_H

#include "watch/watch.h"

/* After each look; of the first one, nothing. */
void watch_tell_namespaces(const struct watch_look *look);

#endif
