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

int audit_request_take(struct audit_options *options)
{
    if (options->send != NULL)
        return read_request(options);
    if (options->http == NULL && options->order == AUDIT_EOF_WITH_REQUEST) {
        diag_error(
            "--order eof-with-request needs --send FILE or --http PATH: its FIN leaves with the last byte of "
            "a request");
        return EXIT_USAGE;
    }
    return options->http != NULL ? make_http_request(options) : EXIT_AS_EXPECTED;
}
