#include "analysis/outcome.h"

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[] = {
        [OUTCOME_AS_EXPECTED] = "as expected",
        [OUTCOME_DIFFERS] = "differs",
        [OUTCOME_FAULT] = "fault",
        [OUTCOME_INTERRUPTED] = "interrupted",
    };
    return names[outcome];
}
