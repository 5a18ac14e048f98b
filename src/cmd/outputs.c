#include "cmd/outputs.h"

#include "base/diag.h"
#include "cmd/command.h"
#include "tcp/listen_socket.h"
#include "view/view.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { METRICS_BACKLOG = 16 };

bool output_is_stdout(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

/* Where an output will be: an existing file, or a name in a directory. */
struct place {
    struct stat at;   /* the file, or the directory where it will be made */
    const char *name; /* NULL: the file is there */
};

/* Whether the path can be written, without opening it: nothing may be made or truncated before all input is
 * known to be good. Returns 0 or a negative errno. */
static int find_place(const char *path, struct place *place)
{
    place->name = NULL;
    if (stat(path, &place->at) == 0) {
        if (S_ISDIR(place->at.st_mode))
            return -EISDIR;
        return access(path, W_OK) == 0 ? 0 : -errno;
    }
    if (errno != ENOENT)
        return -errno;
    const char *slash = strrchr(path, '/');
    char directory[PATH_MAX] = ".";
    if (slash != NULL)
        snprintf(directory, sizeof directory, "%.*s", (int)(slash - path) + 1, path);
    place->name = slash != NULL ? slash + 1 : path;
    if (stat(directory, &place->at) != 0 || access(directory, W_OK | X_OK) != 0)
        return -errno;
    return 0;
}

static bool same_place(const struct place *a, const struct place *b)
{
    if (a->at.st_dev != b->at.st_dev || a->at.st_ino != b->at.st_ino || S_ISCHR(a->at.st_mode))
        return false;
    return a->name == NULL || b->name == NULL ? a->name == b->name : strcmp(a->name, b->name) == 0;
}

static int refuse_output(const char *option, const char *path, int error)
{
    diag_error("--%s \"%s\": %s; allowed is a file that can be written, or -", option, path, strerror(error));
    return -EINVAL;
}

int outputs_parse_metrics(const char *text, void *target, char *why, size_t why_size)
{
    struct metrics_door *door = target;
    *door = (struct metrics_door){.wanted = true, .text = text};
    if (address_parse_with_port(text, &door->address, &door->port) && address_is_loopback(&door->address))
        return 0;
    snprintf(why, why_size,
             "allowed is a loopback address with a port, such as 127.0.0.1:9464 or [::1]:9464");
    return -EINVAL;
}

int outputs_listen(struct output_options *options)
{
    struct metrics_door *door = &options->metrics;
    if (!door->wanted)
        return EXIT_AS_EXPECTED;
    door->listener = listen_socket_open(&door->address, door->port, METRICS_BACKLOG);
    if (door->listener >= 0)
        return EXIT_AS_EXPECTED;
    diag_error("--metrics \"%s\": %s; choose another port", door->text, strerror(-door->listener));
    return EXIT_MACHINE;
}

static int check_progress(const struct output_options *options)
{
    if (options->live && options->plain)
        diag_error("--live and --plain: allowed is one of them");
    else if (options->live && options->quiet)
        diag_error("--live and --quiet: allowed is one of them");
    else
        return 0;
    return -EINVAL;
}

int outputs_check(const struct output_options *options)
{
    const char *csv = options->csv, *json = options->json;
    struct place csv_place, json_place;
    bool csv_file = csv != NULL && !output_is_stdout(csv),
         json_file = json != NULL && !output_is_stdout(json);
    if (output_is_stdout(csv) && output_is_stdout(json)) {
        diag_error("--csv \"-\" and --json \"-\": only one of them can be stdout, name a file for the other");
        return -EINVAL;
    }
    int rc = csv_file ? find_place(csv, &csv_place) : 0;
    if (rc != 0)
        return refuse_output("csv", csv, -rc);
    rc = json_file ? find_place(json, &json_place) : 0;
    if (rc != 0)
        return refuse_output("json", json, -rc);
    if (csv_file && json_file && same_place(&csv_place, &json_place)) {
        diag_error("--csv \"%s\" and --json \"%s\": allowed are two different files", csv, json);
        return -EINVAL;
    }
    return check_progress(options);
}

static int add_view(struct outputs *outputs, struct observer view)
{
    if (view.view == NULL) {
        diag_error("memory is short: no view could be made");
        return -ENOMEM;
    }
    outputs->observers.each[outputs->observers.count++] = view;
    return 0;
}

static int add_file(struct outputs *outputs, const char *option, const char *path,
                    struct observer (*make)(FILE *out, const char *name))
{
    if (path == NULL)
        return 0;
    FILE *file = output_is_stdout(path) ? stdout : fopen(path, "we");
    if (file == NULL)
        return refuse_output(option, path, errno);
    char *name = outputs->names[outputs->file_count];
    snprintf(name, sizeof outputs->names[0], "--%s %s", option, path);
    outputs->files[outputs->file_count++] = file;
    return add_view(outputs, make(file, name));
}

int outputs_close(struct outputs *outputs)
{
    int rc = 0;
    for (int i = 0; i < outputs->observers.count; i++)
        view_free(&outputs->observers.each[i]);
    for (int i = 0; i < outputs->file_count; i++)
        if (outputs->files[i] != stdout && fclose(outputs->files[i]) != 0) {
            rc = -errno;
            diag_error("cannot write %s: %s", outputs->names[i], strerror(-rc));
        }
    return rc;
}

int outputs_open(struct outputs *outputs, const struct output_options *options)
{
    bool data_on_stdout = output_is_stdout(options->csv) || output_is_stdout(options->json);
    struct observer (*make_summary)(FILE *, const char *) =
        options->summary != NULL ? options->summary : summary_view;
    *outputs = (struct outputs){.file_count = 0};
    /* Where rows come on the terminal they are what is drawn there. */
    bool has_progress =
        !options->quiet && !(data_on_stdout && isatty(STDOUT_FILENO) == 1 && diag_is_terminal());
    bool is_live = diag_is_terminal() && !options->plain;
    /* Progress comes first: it clears what it has drawn before the summary writes. */
    int rc = has_progress ? add_view(outputs, is_live ? live_view(options->live) : progress_view()) : 0;
    if (rc == 0 && options->metrics.wanted)
        rc = add_view(outputs, metrics_view(options->metrics.listener));
    if (rc == 0)
        rc = add_file(outputs, "csv", options->csv, csv_view);
    if (rc == 0)
        rc = add_file(outputs, "json", options->json, json_view);
    if (rc == 0 && !options->quiet)
        rc = add_view(outputs, make_summary(data_on_stdout ? stderr : stdout, "the summary"));
    if (rc != 0)
        outputs_close(outputs);
    return rc;
}
