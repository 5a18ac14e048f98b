/* watch_exporter: serves the last look of a watch to monitors over HTTP, for as long as it goes on. */
#ifndef VIEW_WATCH_EXPORTER_H
#define VIEW_WATCH_EXPORTER_H

#include "watch/watch_closings.h"
#include "watch/watch_sink.h"

/* Serves on the listening socket, which it takes over, also where it fails. Returns NULL without memory.
 * `closings`, borrowed, may be NULL. */
struct watch_exporter;
struct watch_exporter *watch_exporter_new(int listener, const struct watch_closings *closings);
void watch_exporter_free(struct watch_exporter *exporter);

/* Who asks is answered between two looks: none waits for a reader. */
struct watch_sink watch_exporter_sink(struct watch_exporter *exporter);

#endif
