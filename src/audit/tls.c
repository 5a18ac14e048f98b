#include "audit/tls.h"

#include <errno.h>
#include <stdio.h>

#ifdef HAVE_OPENSSL

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct tls_context {
    SSL_CTX *shared;
    const char *name;
    bool is_address, is_insecure;
};

struct tls {
    SSL *ssl;
    int fd;
    bool is_over; /* what comes now is for TCP alone */
};

bool tls_is_there(void)
{
    return true;
}

/* ---- what all share ---- */

/* The innermost reason that OpenSSL has, and forgets all of them. */
static void say_why(const char *what, char why[TLS_WHY_SIZE])
{
    unsigned long error = ERR_peek_last_error();
    const char *reason = error != 0 ? ERR_reason_error_string(error) : NULL;
    snprintf(why, TLS_WHY_SIZE, "%s%s%s", what, *what != '\0' ? ": " : "",
             reason != NULL ? reason : "OpenSSL does not say why");
    ERR_clear_error();
}

static bool trust(SSL_CTX *shared, const struct tls_wish *wish)
{
    SSL_CTX_set_verify(shared, wish->is_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (wish->is_insecure)
        return true;
    return wish->ca != NULL ? SSL_CTX_load_verify_file(shared, wish->ca) == 1
                            : SSL_CTX_set_default_verify_paths(shared) == 1;
}

static bool is_address_text(const char *name)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

struct tls_context *tls_context_new(const struct tls_wish *wish, char why[TLS_WHY_SIZE])
{
    struct tls_context *context = calloc(1, sizeof *context);
    SSL_CTX *shared = context != NULL ? SSL_CTX_new(TLS_client_method()) : NULL;
    if (shared == NULL) {
        free(context);
        snprintf(why, TLS_WHY_SIZE, "out of memory");
        return NULL;
    }
    *context = (struct tls_context){.shared = shared,
                                    .name = wish->name,
                                    .is_address = is_address_text(wish->name),
                                    .is_insecure = wish->is_insecure};
    SSL_CTX_set_mode(shared, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(shared, SSL_SESS_CACHE_OFF);
    if (trust(shared, wish))
        return context;
    say_why("", why);
    tls_context_free(context);
    return NULL;
}

void tls_context_free(struct tls_context *context)
{
    if (context != NULL)
        SSL_CTX_free(context->shared);
    free(context);
}

/* ---- one connection ---- */

/* SNI has names only (RFC 6066, 3). */
static bool name_server(SSL *ssl, const struct tls_context *context)
{
    if (!context->is_address && SSL_set_tlsext_host_name(ssl, context->name) != 1)
        return false;
    if (context->is_insecure)
        return true;
    return context->is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), context->name) == 1
                               : SSL_set1_host(ssl, context->name) == 1;
}

/* The server may answer between our write and our read. */
static bool set_deaf(SSL *ssl, int fd)
{
    BIO *nothing = BIO_new(BIO_s_mem());
    if (nothing == NULL)
        return false;
    BIO_set_mem_eof_return(nothing, -1);
    SSL_set0_rbio(ssl, nothing);
    return SSL_set_wfd(ssl, fd) == 1;
}

struct tls *tls_new(const struct tls_context *context, int fd, bool hears)
{
    struct tls *tls = calloc(1, sizeof *tls);
    SSL *ssl = tls != NULL ? SSL_new(context->shared) : NULL;
    bool is_made = ssl != NULL && (hears ? SSL_set_fd(ssl, fd) == 1 : set_deaf(ssl, fd));
    if (!is_made || !name_server(ssl, context)) {
        SSL_free(ssl);
        free(tls);
        ERR_clear_error();
        return NULL;
    }
    *tls = (struct tls){.ssl = ssl, .fd = fd};
    SSL_set_connect_state(ssl);
    return tls;
}

void tls_free(struct tls *tls)
{
    if (tls != NULL)
        SSL_free(tls->ssl);
    free(tls);
}

static void say_why_refused(const struct tls *tls, char why[TLS_WHY_SIZE])
{
    long verdict = SSL_get_verify_result(tls->ssl);
    if (verdict == X509_V_OK) {
        bool is_plain = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_WRONG_VERSION_NUMBER;
        say_why(is_plain ? "it does not speak TLS" : "", why);
        return;
    }
    snprintf(why, TLS_WHY_SIZE, "its certificate is not trusted: %s (see --ca, --servername and --insecure)",
             X509_verify_cert_error_string(verdict));
    ERR_clear_error();
}

static bool is_end_of_file(void)
{
    return ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

enum tls_step tls_handshake(struct tls *tls, char why[TLS_WHY_SIZE])
{
    ERR_clear_error();
    errno = 0;
    int rc = SSL_do_handshake(tls->ssl), error = errno;
    switch (SSL_get_error(tls->ssl, rc)) {
    case SSL_ERROR_NONE:
        return TLS_DONE;
    case SSL_ERROR_WANT_READ:
        return TLS_WANTS_TO_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANTS_TO_WRITE;
    case SSL_ERROR_SYSCALL:
        errno = error;
        return TLS_BROKEN;
    default:
        break;
    }
    errno = 0;
    if (is_end_of_file()) {
        ERR_clear_error();
        return TLS_BROKEN;
    }
    say_why_refused(tls, why);
    return TLS_REFUSED;
}

/* What failed was TLS, not TCP: from now on that is read alone. */
static ssize_t receive_raw(struct tls *tls, void *buffer, size_t size)
{
    tls->is_over = true;
    ERR_clear_error();
    ssize_t length;
    do
        length = recv(tls->fd, buffer, size, MSG_DONTWAIT);
    while (length > 0); /* is for nobody */
    return length;
}

ssize_t tls_receive(struct tls *tls, void *buffer, size_t size)
{
    if (tls->is_over)
        return receive_raw(tls, buffer, size);
    ERR_clear_error();
    errno = 0;
    int length = SSL_read(tls->ssl, buffer, (int)size), error = errno;
    if (length > 0)
        return length;
    switch (SSL_get_error(tls->ssl, length)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_SYSCALL:
        errno = error;
        return error != 0 ? -1 : 0;
    default:
        break;
    }
    if (is_end_of_file()) {
        tls->is_over = true;
        ERR_clear_error();
        return 0;
    }
    return receive_raw(tls, buffer, size);
}

bool tls_has_more(const struct tls *tls)
{
    return !tls->is_over && SSL_pending(tls->ssl) > 0;
}

ssize_t tls_send(struct tls *tls, const void *data, size_t length)
{
    ERR_clear_error();
    errno = 0;
    int sent = SSL_write(tls->ssl, data, (int)length), error = errno;
    if (sent > 0)
        return sent;
    int kind = SSL_get_error(tls->ssl, sent);
    bool is_later = kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE;
    bool is_of_tcp = kind == SSL_ERROR_SYSCALL && error != 0;
    tls->is_over |= !is_later && !is_of_tcp;
    ERR_clear_error();
    errno = is_later ? EAGAIN : is_of_tcp ? error : EPROTO;
    return -1;
}

int tls_notify(struct tls *tls)
{
    ERR_clear_error();
    errno = 0;
    int rc = tls->is_over ? 1 : SSL_shutdown(tls->ssl), error = errno;
    int kind = rc < 0 ? SSL_get_error(tls->ssl, rc) : SSL_ERROR_NONE;
    ERR_clear_error();
    return kind == SSL_ERROR_SYSCALL && error != 0 ? -error : 0;
}

#else

bool tls_is_there(void)
{
    return false;
}

struct tls_context *tls_context_new(const struct tls_wish *wish, char why[TLS_WHY_SIZE])
{
    (void)wish;
    snprintf(why, TLS_WHY_SIZE, "this build has no TLS: build it with libssl-dev");
    return NULL;
}

void tls_context_free(struct tls_context *context)
{
    (void)context;
}

struct tls *tls_new(const struct tls_context *context, int fd, bool hears)
{
    (void)context;
    (void)fd;
    (void)hears;
    return NULL;
}

void tls_free(struct tls *tls)
{
    (void)tls;
}

enum tls_step tls_handshake(struct tls *tls, char why[TLS_WHY_SIZE])
{
    (void)tls;
    why[0] = '\0';
    errno = ENOTSUP;
    return TLS_BROKEN;
}

ssize_t tls_receive(struct tls *tls, void *buffer, size_t size)
{
    (void)tls;
    (void)buffer;
    (void)size;
    errno = ENOTSUP;
    return -1;
}

bool tls_has_more(const struct tls *tls)
{
    (void)tls;
    return false;
}

ssize_t tls_send(struct tls *tls, const void *data, size_t length)
{
    (void)tls;
    (void)data;
    (void)length;
    errno = ENOTSUP;
    return -1;
}

int tls_notify(struct tls *tls)
{
    (void)tls;
    return -ENOTSUP;
}

#endif
