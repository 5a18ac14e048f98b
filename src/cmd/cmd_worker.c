/* cmd_worker: one side's ends, for a controller at standard input. Not for people. */
#include "base/diag.h"
#include "cmd/command.h"
#include "storm/worker.h"

#include <string.h>
#include <unistd.h>

int cmd_worker(int argc, char *argv[])
{
    static const struct worker_role *const roles[] = {&server_end, &client_end};
    for (size_t i = 0; argc == 1 && i < sizeof roles / sizeof roles[0]; i++) {
        if (strcmp(argv[0], roles[i]->name) != 0)
            continue;
        int rc = worker_run(roles[i], STDIN_FILENO);
        if (rc == 0)
            return EXIT_AS_EXPECTED;
        diag_error("a worker could not start: %s", strerror(-rc));
        return EXIT_MACHINE;
    }
    diag_error(
        "worker: allowed is \"worker server\" or \"worker client\", and only a controller asks for it");
    return EXIT_USAGE;
}
