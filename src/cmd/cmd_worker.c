/* cmd_worker: one side's ends, for a controller at standard input. Not for people. */
#include "base/diag.h"
#include "cause/cause.h"
#include "cmd/command.h"
#include "cmd/last_words.h"
#include "control/agent.h"
#include "control/spawn.h"
#include "worker/scripted.h"
#include "worker/worker.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct worker_role *find_role(const char *name)
{
    static const struct worker_role *const roles[] = {&batch_server, &batch_client, &arrivals_server,
                                                      &arrivals_client};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(name, roles[i]->name) == 0)
            return roles[i];
    return NULL;
}

/* Its controller puts it into words. */
static int status_of(int rc)
{
    return rc == 0 ? EXIT_AS_EXPECTED : rc == -ENOMEM ? PROCESS_OUT_OF_MEMORY : PROCESS_NOT_STARTED;
}

/* worker host; worker ROLE [BEHAVIOUR [fixed]] */
static int cmd_worker(int argc, char *argv[])
{
    last_words_by_status();
    if (argc == 1 && strcmp(argv[0], "host") == 0)
        return status_of(agent_run(STDIN_FILENO, STDOUT_FILENO));
    const struct worker_role *role = argc >= 1 ? find_role(argv[0]) : NULL;
    enum side side = argc >= 1 && strncmp(argv[0], "server", 6) == 0 ? SIDE_SERVER : SIDE_CLIENT;
    const struct behaviour *behaviour = argc >= 2 ? behaviour_find(argv[1], side) : &scripted_behaviour;
    bool fixed = argc == 3 && strcmp(argv[2], "fixed") == 0;
    if (role == NULL || behaviour == NULL || argc > 3 || (argc == 3 && !fixed)) {
        diag_error("worker: must be \"worker server\", \"worker client\", \"worker server-flow\" or "
                   "\"worker client-flow\", and only a controller asks for it");
        return EXIT_USAGE;
    }
    return status_of(worker_run(role, behaviour, fixed, STDIN_FILENO));
}

const struct command worker_command = {.name = "worker", .run = cmd_worker};
