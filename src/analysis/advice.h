/* fault: why a storm cannot go on, in one sentence, with what to change where there is something. */
#ifndef ANALYSIS_ADVICE_H
#define ANALYSIS_ADVICE_H

struct fault {
    char text[512]; /* empty: no fault */
};

/* The advice that belongs to a failed call, "" when there is none: "raise the descriptor limit (ulimit -n)".
 */
const char *advice_for(const char *call, int error);

#endif
