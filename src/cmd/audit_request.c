#include "cmd/audit_request.h"

#include "base/diag.h"
#include "base/number_text.h"
#include "cmd/command.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { REQUEST_MAX = 1 << 20 };

/* ---- words of HTTP ---- */

/* A token of RFC 9110, 5.6.2. */
static size_t token_length(const char *text)
{
    size_t length = 0;
    while (isalnum((unsigned char)text[length]) ||
           (text[length] != '\0' && strchr("!#$%&'*+-.^_`|~", text[length]) != NULL))
        length++;
    return length;
}

static int parse_method(const char *text, void *target, char *why, size_t why_size)
{
    if (text[0] == '\0' || text[token_length(text)] != '\0') {
        snprintf(why, why_size, "must be one word without spaces, such as POST");
        return -EINVAL;
    }
    *(const char **)target = text;
    return 0;
}

static int parse_header(const char *text, void *target, char *why, size_t why_size)
{
    struct request_headers *headers = target;
    size_t name = token_length(text);
    if (name == 0 || text[name] != ':')
        snprintf(why, why_size, "must be a name, a colon and a value, such as 'Accept: text/html'");
    else if (strpbrk(text, "\r\n") != NULL)
        snprintf(why, why_size, "must be one line");
    else if (headers->count == HEADERS_MAX)
        snprintf(why, why_size, "at most %d headers can be given", HEADERS_MAX);
    else {
        headers->each[headers->count++] = text;
        return 0;
    }
    return -EINVAL;
}

#define OPTION(member) offsetof(struct audit_options, member)

const struct option_row audit_request_rows[] = {
    {.name = "send",
     .value = "FILE",
     .help = "send this first, and read the reply",
     .kind = OPTION_TEXT,
     .target = OPTION(send)},
    {.name = "http",
     .value = "PATH",
     .help = "send an HTTP GET for this path, and read the reply",
     .kind = OPTION_TEXT,
     .target = OPTION(http)},
    {.name = "method",
     .value = "NAME",
     .help = "of that request",
     .preset = "GET",
     .kind = OPTION_CUSTOM,
     .target = OPTION(method),
     .parse = parse_method},
    {.name = "header",
     .value = "NAME:VALUE",
     .help = "of that request, such as 'Accept: text/html'",
     .more = "A header line of that request, such as 'Accept: text/html'; Host, Accept and User-Agent "
             "replace those that are sent by default.",
     .is_list = true,
     .kind = OPTION_CUSTOM,
     .target = OPTION(headers),
     .parse = parse_header},
    {.name = "body",
     .value = "FILE",
     .help = "of that request, with its Content-Length",
     .kind = OPTION_TEXT,
     .target = OPTION(body)},
    {.name = NULL},
};

static bool has_header(const struct request_headers *headers, const char *name)
{
    size_t length = strlen(name);
    for (int i = 0; i < headers->count; i++)
        if (strncasecmp(headers->each[i], name, length) == 0 && headers->each[i][length] == ':')
            return true;
    return false;
}

/* ---- the bytes ---- */

char *audit_read_file(const char *option, const char *path, size_t *length)
{
    FILE *file = fopen(path, "re");
    char *bytes = malloc(REQUEST_MAX + 1);
    *length = 0;
    if (file != NULL && bytes != NULL)
        *length = fread(bytes, 1, REQUEST_MAX + 1, file);
    bool failed = file == NULL || bytes == NULL || ferror(file);
    int error = errno;
    if (file != NULL)
        fclose(file);
    if (failed)
        diag_error("--%s \"%s\": %s", option, path, strerror(error));
    else if (*length == 0 || *length > REQUEST_MAX)
        diag_error("--%s \"%s\": it has %s: must be a file of 1 to %s bytes", option, path,
                   *length == 0 ? "no content" : "too much content", grouped(REQUEST_MAX).text);
    else
        return bytes;
    free(bytes);
    return NULL;
}

static void lend(struct audit_options *options, size_t length)
{
    options->settings.request = options->request;
    options->settings.request_length = length;
}

static int read_request(struct audit_options *options)
{
    size_t length;
    options->request = audit_read_file("send", options->send, &length);
    if (options->request == NULL)
        return EXIT_USAGE;
    lend(options, length);
    return EXIT_AS_EXPECTED;
}

/* ---- an HTTP request ---- */

static void put_header(FILE *out, const struct request_headers *headers, const char *name, const char *value)
{
    if (!has_header(headers, name))
        fprintf(out, "%s: %s\r\n", name, value);
}

static void put_request(FILE *out, const struct audit_options *options, const char *body, size_t body_length)
{
    const struct request_headers *headers = &options->headers;
    fprintf(out, "%s %s HTTP/1.1\r\n", options->method != NULL ? options->method : "GET", options->http);
    put_header(out, headers, "Host",
               audit_is_unix(&options->settings) ? "localhost" : options->settings.target);
    put_header(out, headers, "User-Agent", "tcpstorm");
    put_header(out, headers, "Accept", "*/*");
    for (int i = 0; i < headers->count; i++)
        fprintf(out, "%s\r\n", headers->each[i]);
    if (body != NULL && !has_header(headers, "Content-Length") && !has_header(headers, "Transfer-Encoding"))
        fprintf(out, "Content-Length: %zu\r\n", body_length);
    fputs("\r\n", out);
    if (body != NULL)
        fwrite(body, 1, body_length, out);
}

static int make_http_request(struct audit_options *options)
{
    size_t body_length = 0, length = 0;
    char *body = NULL;
    if (options->http[0] != '/' || strpbrk(options->http, " \r\n") != NULL) {
        diag_error("--http \"%s\": must be a path that begins with / and has no spaces", options->http);
        return EXIT_USAGE;
    }
    if (options->body != NULL && (body = audit_read_file("body", options->body, &body_length)) == NULL)
        return EXIT_USAGE;
    FILE *out = open_memstream(&options->request, &length);
    if (out != NULL)
        put_request(out, options, body, body_length);
    free(body);
    bool failed = out == NULL || ferror(out);
    if ((out != NULL && fclose(out) != 0) || failed) {
        diag_error("out of memory");
        return EXIT_MACHINE;
    }
    lend(options, length);
    return EXIT_AS_EXPECTED;
}

int audit_request_take(struct audit_options *options)
{
    return options->send != NULL   ? read_request(options)
           : options->http != NULL ? make_http_request(options)
                                   : EXIT_AS_EXPECTED;
}
