/* replay: "tcpstorm --replay FILE": the connections of a recording come again, as many a second and each open
 * for as long, to a server of our own or to one under test; then it is counted what that server has not
 * closed. */
#ifndef CMD_REPLAY_H
#define CMD_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct replay_wish {
    const char *recording; /* a path */
    const char *server;    /* HOST:PORT of the one under test; NULL: our own */
    const char *send;      /* the file that each client sends first; NULL: nothing */
    bool fixed;            /* our own server closes all */
    bool quiet;
    int64_t duration_ms; /* of the recording; 0: all of it */
    int64_t settle_ms;   /* for the server to close, since the last that it closed */
    int64_t interval_ms; /* between two looks */
    uint16_t port;       /* of our own server; 0: any */
};

/* Returns an exit code: 0 none is left; 1 CLOSE_WAIT or ghosts are; 2 and 3 after telling why it cannot be
 * said. */
int replay_play(const struct replay_wish *wish);

#endif
