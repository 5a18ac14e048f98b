/* cmd_worker: one side's ends, for a controller at standard input. Not for people. */
#include "base/diag.h"
#include "cause/cause.h"
#include "cmd/command.h"
#include "cmd/last_words.h"
#include "storm/host_process.h"
#include "storm/lives.h"
#include "storm/worker.h"

#include <string.h>
#include <unistd.h>

static const struct worker_role *find_role(const char *name)
{
    static const struct worker_role *const roles[] = {&server_end, &client_end, &server_flow, &client_flow};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(name, roles[i]->name) == 0)
            return roles[i];
    return NULL;
}

static int told(int rc)
{
    if (rc == 0)
        return EXIT_AS_EXPECTED;
    diag_error("a worker could not start: %s", strerror(-rc));
    return EXIT_MACHINE;
}

/* worker host; worker ROLE [BEHAVIOUR [fixed]] */
int cmd_worker(int argc, char *argv[])
{
    last_words_by_status();
    if (argc == 1 && strcmp(argv[0], "host") == 0)
        return told(host_process_run(STDIN_FILENO, STDOUT_FILENO));
    const struct worker_role *role = argc >= 1 ? find_role(argv[0]) : NULL;
    const struct behaviour *behaviour = argc >= 2 ? behaviour_find(argv[1]) : &scripted_lives;
    bool fixed = argc == 3 && strcmp(argv[2], "fixed") == 0;
    if (role == NULL || behaviour == NULL || argc > 3 || (argc == 3 && !fixed)) {
        diag_error("worker: allowed is \"worker server\", \"worker client\", \"worker server-flow\" or "
                   "\"worker client-flow\", and only a controller asks for it");
        return EXIT_USAGE;
    }
    return told(worker_run(role, behaviour, fixed, STDIN_FILENO));
}
