/* watch_view: one look of a watch, as a table and as JSON. */
#ifndef VIEW_WATCH_VIEW_H
#define VIEW_WATCH_VIEW_H

#include "watch/watch.h"

#include <stdbool.h>
#include <stdio.h>

struct watch_page {
    const struct watch_look *look;
    bool is_root; /* who looks: root cannot be told that root may */
    bool by_peer; /* each peer has a line */
};

/* A table of at most `rows` lines below its head, no wider than `columns` (0: as wide as it gets). Where it
 * is tight names are cut first, then the unread, then the other states; growth stays. */
void watch_print_table(FILE *out, const struct watch_page *page, int rows, int columns);

/* One object on one line. */
void watch_print_json(FILE *out, const struct watch_page *page);

struct watch_growth_text {
    char text[512];
};

/* A sentence: "CLOSE_WAIT on server port 80 (httpd pid 7) grows by 5.0/s (...)". */
struct watch_growth_text watch_growth_words(const struct watch_growth *growing);

#endif
