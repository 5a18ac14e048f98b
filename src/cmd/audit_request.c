#include "cmd/audit_request.h"

#include "base/diag.h"
#include "base/number_text.h"
#include "cmd/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REQUEST_MAX = 1 << 20 };

static int read_request(struct audit_options *options)
{
    FILE *file = fopen(options->send, "re");
    size_t length = 0;
    options->request = malloc(REQUEST_MAX + 1);
    if (file != NULL && options->request != NULL)
        length = fread(options->request, 1, REQUEST_MAX + 1, file);
    bool failed = file == NULL || options->request == NULL || ferror(file);
    int error = errno;
    if (file != NULL)
        fclose(file);
    if (failed)
        diag_error("--send \"%s\": %s", options->send, strerror(error));
    else if (length == 0 || length > REQUEST_MAX)
        diag_error("--send \"%s\": it has %s: must be a file of 1 to %s bytes", options->send,
                   length == 0 ? "nothing in it" : "too much in it", grouped(REQUEST_MAX).text);
    else {
        options->settings.request = options->request;
        options->settings.request_length = length;
        return EXIT_AS_EXPECTED;
    }
    return EXIT_USAGE;
}

static int make_http_request(struct audit_options *options)
{
    if (options->http[0] != '/' || strpbrk(options->http, " \r\n") != NULL) {
        diag_error("--http \"%s\": must be a path that begins with / and has no spaces", options->http);
        return EXIT_USAGE;
    }
    if (asprintf(&options->request,
                 "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: tcpstorm\r\nAccept: */*\r\n\r\n", options->http,
                 audit_is_unix(&options->settings) ? "localhost" : options->settings.target) < 0) {
        diag_error("out of memory");
        return EXIT_MACHINE;
    }
    options->settings.request = options->request;
    options->settings.request_length = strlen(options->request);
    return EXIT_AS_EXPECTED;
}

static int check_order(const struct audit_settings *settings)
{
    const struct audit_order_row *order = audit_order_row(settings->order);
    const char *name = audit_order_names[settings->order];
    if (order->needs_request != NULL && settings->request == NULL)
        diag_error("--order %s needs --send FILE or --http PATH: %s", name, order->needs_request);
    else if (order->sends_half && settings->request_length < 2)
        diag_error("--order %s needs a request of two bytes or more: %s", name, order->needs_request);
    else
        return EXIT_AS_EXPECTED;
    return EXIT_USAGE;
}

int audit_request_take(struct audit_options *options)
{
    int code = options->send != NULL   ? read_request(options)
               : options->http != NULL ? make_http_request(options)
                                       : EXIT_AS_EXPECTED;
    return code == EXIT_AS_EXPECTED ? check_order(&options->settings) : code;
}
