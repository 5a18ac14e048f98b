/* tls: TLS over the socket of a probe, by OpenSSL, where this build has it. It never waits: what cannot be
 * done now is EAGAIN, as of recv(2) and send(2).
 *
 * What the peer's TCP does is told apart from what its TLS says: behind its close_notify, or an alert, bytes
 * are not read any more, but its FIN and RST are. */
#ifndef AUDIT_TLS_H
#define AUDIT_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { TLS_WHY_SIZE = 240 };

struct tls_wish {
    const char *ca;   /* a file of certificates that are trusted; NULL: those of this system */
    const char *name; /* of the server, for SNI and its certificate: a name, or an address as text */
    bool is_insecure; /* any certificate will do */
};

/* Whether this build has it. */
bool tls_is_there(void);

/* What all connections share. */
struct tls_context;

/* Returns NULL with why in words. */
struct tls_context *tls_context_new(const struct tls_wish *wish, char why[TLS_WHY_SIZE]);
void tls_context_free(struct tls_context *context);

/* A connection. */
struct tls;

/* On a connected socket, which the caller keeps. `hears`: else it is deaf to the server, and its handshake
 * wants to read when the ClientHello is sent. NULL without memory. */
struct tls *tls_new(const struct tls_context *context, int fd, bool hears);
void tls_free(struct tls *tls);

enum tls_step {
    TLS_DONE,
    TLS_WANTS_TO_READ,
    TLS_WANTS_TO_WRITE,
    TLS_REFUSED, /* by one of both: why, in words */
    TLS_BROKEN,  /* the connection is: errno; 0: a FIN came */
};

/* The next step of the handshake. */
enum tls_step tls_handshake(struct tls *tls, char why[TLS_WHY_SIZE]);

/* As recv(2): 0 is a FIN, with or without a close_notify before it. */
ssize_t tls_receive(struct tls *tls, void *buffer, size_t size);

/* Whether there is more that has been taken off the socket: it is not readable for that. */
bool tls_has_more(const struct tls *tls);

/* As send(2); EPROTO: the TLS is over, and only the peer's FIN or RST is to come. */
ssize_t tls_send(struct tls *tls, const void *data, size_t length);

/* Sends close_notify. Returns 0 or a negative errno. */
int tls_notify(struct tls *tls);

#endif
