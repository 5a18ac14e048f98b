/* socket_list: the sockets of one row of a watch, a line each, as they are now. */
#ifndef VIEW_SOCKET_LIST_H
#define VIEW_SOCKET_LIST_H

#include "watch/watch.h"

#include <stdio.h>

/* A head and at most `most` lines; below them how many more there are. Those of a row of one process are that
 * process's, where it may be looked into. Returns 0 or a negative errno. */
int socket_list_print(FILE *out, const struct watch_row *row, int most);

#endif
