#include "explain/facts.h"

#include <stdlib.h>
#include <string.h>

void facts_free(struct facts *facts)
{
    free(facts->processes);
    free(facts->listeners);
    free(facts->sockets);
    free(facts->threads);
    free(facts->ended);
    memset(facts, 0, sizeof *facts);
}
