/* cmd_witness: looks at the kernel's sockets for a controller at standard input and output. Not for people.
 */
#include "cmd/command.h"
#include "cmd/last_words.h"
#include "control/spawn.h"
#include "worker/witness_process.h"

#include <unistd.h>

static int cmd_witness(int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    last_words_by_status();
    int rc = witness_process_run(STDIN_FILENO, STDOUT_FILENO);
    return rc == 0 ? EXIT_AS_EXPECTED : PROCESS_STREAM_FAILED; /* its controller puts it into words */
}

const struct command witness_command = {.name = "witness", .run = cmd_witness};
