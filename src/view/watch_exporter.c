#include "view/watch_exporter.h"

#include "view/page_server.h"
#include "view/watch_metrics.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

enum { TURNS = 4 }; /* of the loop: who has come is let in, heard and answered at once */

struct watch_exporter {
    struct event_base *base;
    struct page_server *server;
    struct watch_metrics metrics;
};

static bool make_page(void *context, const struct page_request *request, struct evbuffer *body,
                      const char **type)
{
    const struct watch_exporter *exporter = context;
    struct metric_page page;
    if (!metric_page_begin(&page, request, body, type))
        return false;
    watch_metrics_put(&page, &exporter->metrics);
    metric_page_end(&page);
    return true;
}

struct watch_exporter *watch_exporter_new(int listener, const struct watch_closings *closings)
{
    struct watch_exporter *exporter = calloc(1, sizeof *exporter);
    struct event_base *base = exporter != NULL ? event_base_new() : NULL;
    if (base == NULL) {
        close(listener);
        free(exporter);
        return NULL;
    }
    exporter->base = base;
    exporter->metrics.closings = closings;
    exporter->server = page_server_new(base, listener, make_page, exporter);
    if (exporter->server != NULL)
        return exporter;
    watch_exporter_free(exporter);
    return NULL;
}

void watch_exporter_free(struct watch_exporter *exporter)
{
    if (exporter == NULL)
        return;
    page_server_free(exporter->server);
    watch_metrics_free(&exporter->metrics);
    event_base_free(exporter->base);
    free(exporter);
}

static int note_look(void *sink, const struct watch_look *look, bool is_last)
{
    struct watch_exporter *exporter = sink;
    (void)is_last;
    return watch_metrics_note(&exporter->metrics, look);
}

static int note_lost(void *sink, int error)
{
    struct watch_exporter *exporter = sink;
    (void)error;
    watch_metrics_note_lost(&exporter->metrics);
    return 0;
}

static int serve(void *sink)
{
    struct watch_exporter *exporter = sink;
    for (int i = 0; i < TURNS; i++)
        if (event_base_loop(exporter->base, EVLOOP_NONBLOCK) < 0)
            return -EIO;
    return 0;
}

static const struct watch_sink_ops exporter_ops = {.look = note_look, .lost = note_lost, .between = serve};

struct watch_sink watch_exporter_sink(struct watch_exporter *exporter)
{
    return (struct watch_sink){&exporter_ops, exporter, "the metrics", -1};
}
