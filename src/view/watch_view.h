/* watch_view: one look of a watch, as a table and as JSON. */
#ifndef VIEW_WATCH_VIEW_H
#define VIEW_WATCH_VIEW_H

#include "watch/watch.h"
#include "watch/watch_closings.h"
#include "watch/watch_outlook.h"

#include <stdbool.h>
#include <stdio.h>

struct watch_page {
    const struct watch_look *look;
    const struct watch_closings *closings; /* told below the table; NULL: none are counted */
    bool is_root;                          /* who looks: root cannot be told that root may */
    bool by_peer;                          /* each peer has a line */
    bool by_service;                       /* each service has a line, and nothing else */
    pid_t pid;                             /* the only process that is watched; 0: all */

    /* Where the keys of the table's rows are put, for as many as `rows`; NULL: nobody asks. */
    struct watch_key *shown;
    int *shown_count;
};

/* A table of at most `rows` lines below its head, no wider than `columns` (0: as wide as it gets). Where it
 * is tight names are cut first, then the unread, then the other states; growth stays. */
void watch_print_table(FILE *out, const struct watch_page *page, int rows, int columns);

/* One object on one line. */
void watch_print_json(FILE *out, const struct watch_page *page);

struct watch_growth_text {
    char text[640];
};

/* "server port 80 (httpd pid 7)", "all client ports of crawler, 12 processes" */
struct watch_growth_text watch_row_words(const struct watch_row *row, enum watch_set set);

/* A sentence: "CLOSE_WAIT on server port 80 (httpd pid 7) grows by 5.0/s (...)". */
struct watch_growth_text watch_growth_words(const struct watch_growth *growing);

/* "httpd pid 7 :80 +4.1/min (3.8 to 4.4), descriptors gone in 3 h 12 m (2 h 58 m to 3 h 27 m), then the
 * accept queue within 1.3 s" */
struct watch_growth_text watch_outlook_words(const struct watch_outlook *outlook);

#endif
